// Tags that stand before and after the sound of MPEG audio and others: ID3, APE, Lyrics3.
#pragma once

#include <cstdint>

#include "file_bytes.h"

namespace maest {

// Bytes of the tag that begins at `at`: ID3v2 or APE; 0: none does.
std::int64_t tag_bytes(FileBytes& file, std::int64_t at);

// Where what is no tag begins.
std::int64_t end_of_leading_tags(FileBytes& file);

// Where the tags at the end of the file begin: ID3v1, APE, Lyrics3, an ID3v2 behind the sound.
std::int64_t begin_of_trailing_tags(FileBytes& file);

}  // namespace maest
