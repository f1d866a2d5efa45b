// The streams that follow each other in an Ogg file, each as libsndfile reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "byte_stream.h"

namespace maest {

struct OggPart {
  std::unique_ptr<ByteStream> bytes;
  std::int64_t samples = -1;  // of each channel, at 48 kHz; -1: not known before it is decoded
  int channels = 0;
};

struct OggParts {
  std::vector<OggPart> parts;
  std::string damage;  // in one line; empty: there is none
};

// Opus is paged anew: what is there, without holes, with positions that are those of its packets.
// Many files are valid but for positions that libsndfile insists on. `begin`: of the first page.
OggParts split_ogg(std::shared_ptr<FileBytes> file, std::int64_t begin);

}  // namespace maest
