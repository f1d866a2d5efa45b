// What the header of a FLAC frame says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace maest {

struct FlacFrame {
  int samples = 0;              // of each channel
  int rate_code = 0;            // as it stands there: the same in all frames of a stream
  bool counts_samples = false;  // else frames are counted, which have the same size but the last
  std::int64_t number = 0;      // of the first sample, or of the frame
};

// Of a whole frame; nothing where it does not begin as one.
std::optional<FlacFrame> parse_flac_frame(const std::uint8_t* bytes, std::size_t size);

}  // namespace maest
