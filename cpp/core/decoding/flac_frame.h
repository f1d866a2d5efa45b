// What the header of a FLAC frame says, and the checksums of frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace maest {

struct FlacFrame {
  int samples = 0;  // of each channel
  int channels = 0;
  int bits = 0;                 // of a sample; 0: as the stream's head says
  int rate_code = 0;            // as it stands there: the same in all frames of a stream
  bool counts_samples = false;  // else frames are counted, which have the same size but the last
  std::int64_t number = 0;      // of the first sample, or of the frame
};

// The longest header, in bytes.
inline constexpr std::size_t kFlacHeader = 16;

// Of a whole frame; nothing where it does not begin as one, or its header's checksum is wrong.
std::optional<FlacFrame> parse_flac_frame(const std::uint8_t* bytes, std::size_t size);

// The checksum goes on over more bytes. Over a whole frame that is sound it is 0.
std::uint16_t flac_checksum(std::uint16_t before, const std::uint8_t* bytes, std::size_t size);

}  // namespace maest
