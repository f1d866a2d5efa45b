// The parts of identify(), one for each family of containers. Each looks at the file from `begin`,
// where what is not tags begins, and gives nothing where it is none of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "container.h"
#include "file_bytes.h"

namespace maest {

using Found = std::optional<Container>;

Found find_riff(FileBytes& file, std::int64_t begin);     // WAV and its kin, AVI
Found find_chunked(FileBytes& file, std::int64_t begin);  // AIFF, AU, CAF, other plain samples
Found find_ogg(FileBytes& file, std::int64_t begin);
Found find_mp4(FileBytes& file, std::int64_t begin);
Found find_matroska(FileBytes& file, std::int64_t begin);
Found find_asf(FileBytes& file, std::int64_t begin);
Found find_lossless(FileBytes& file, std::int64_t begin);   // FLAC, Monkey's Audio, DSF, ...
Found find_transport(FileBytes& file, std::int64_t begin);  // MPEG-TS and -PS, FLV, RealMedia
Found find_bare_frames(FileBytes& file,
                       std::int64_t begin);               // MPEG audio, ADTS, AC-3: no container
Found find_foreign(FileBytes& file, std::int64_t begin);  // images, archives, text

// Whether other streams follow the first one, by the headers of all pages.
bool ogg_is_chained(const std::string& path, std::int64_t begin);

// What can be said of a file that nothing above knows.
Container describe_unknown(FileBytes& file);

// By WAVE's format tag, also used by AVI, ASF and Matroska.
std::string codec_of_wave_tag(unsigned tag, unsigned bits, bool is_big = false);
// pcm_s16le and so on; empty where there is no such codec.
std::string pcm_codec(bool is_float, bool is_signed, unsigned bits, bool is_big);
// By the four characters that AIFF-C, CAF and QuickTime share, such as "sowt"; empty: unknown.
std::string codec_of_four(std::string_view four);

// Plain text for messages: what is no letter, digit or sign is left out.
std::string printable(std::string_view bytes);

// Where `length` bytes from `offset` end; at most the largest number, whatever the header says.
inline std::int64_t end_of(std::int64_t offset, std::uint64_t length) {
  constexpr std::int64_t kMost = INT64_MAX / 2;
  return length > static_cast<std::uint64_t>(kMost) || offset > kMost
             ? kMost
             : offset + static_cast<std::int64_t>(length);
}

}  // namespace maest
