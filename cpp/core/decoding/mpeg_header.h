// The header of one frame of MPEG audio, layers 1 to 3.
#pragma once

#include <cstdint>
#include <optional>

namespace maest {

// Samples that every decoder of layer 3 is late, as all who tell delay and padding assume.
inline constexpr int kMpegDecoderDelay = 529;

struct MpegHeader {
  int version = 1;  // 1; 2; 25 is MPEG 2.5
  int layer = 3;
  int rate = 0;  // Hz
  int channels = 0;
  int samples = 0;  // of each channel
  int bytes = 0;    // of the whole frame; 0: free format, it does not tell
  int side_bytes =
      0;  // layer 3: header, checksum and side information, before the sound's own bytes
  bool padded = false;
};

// `word`: four bytes, the first one highest. Nothing where it is no header.
std::optional<MpegHeader> read_mpeg_header(std::uint32_t word);

// What all frames of one stream have in common: version, layer, rate.
inline std::uint32_t mpeg_stream_of(std::uint32_t word) { return word & 0xFFFE0C00; }

// Bytes that padding adds to a frame.
inline int mpeg_slot(int layer) { return layer == 1 ? 4 : 1; }

}  // namespace maest
