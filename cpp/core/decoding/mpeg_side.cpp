#include "mpeg_side.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace maest {
namespace {

constexpr unsigned kMostBigValues = 288;

class Bits {
 public:
  Bits(std::string_view bytes, int at) : bytes_(bytes), at_(static_cast<std::size_t>(at)) {}

  // Up to 16 bits.
  unsigned take(unsigned count) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t byte = at_ / 8 + i;
      word = word << 8 | (byte < bytes_.size() ? static_cast<unsigned char>(bytes_[byte]) : 0U);
    }
    word = word << (8 + at_ % 8);
    at_ += count;
    return word >> (32 - count);
  }
  void skip(unsigned count) { at_ += count; }

 private:
  std::string_view bytes_;
  std::size_t at_;
};

int side_bytes(const MpegHeader& header) {
  const bool mono = header.channels == 1;
  return header.version != 1 ? (mono ? 9 : 17) : (mono ? 17 : 32);
}

}  // namespace

MpegSide read_mpeg_side(std::string_view frame, const MpegHeader& header) {
  const bool half = header.version != 1;
  const bool mono = header.channels == 1;
  Bits bits(frame, (header.side_bytes - side_bytes(header)) * 8);
  MpegSide found;
  found.valid = true;
  found.borrowed = static_cast<int>(bits.take(half ? 8 : 9));
  bits.skip(half ? (mono ? 1 : 2) : (mono ? 5 : 3) + 4 * static_cast<unsigned>(header.channels));
  const int parts = header.channels * (half ? 1 : 2);
  for (int i = 0; i < parts; ++i) {
    found.bits += static_cast<int>(bits.take(12));
    const unsigned big_values = bits.take(9);
    bits.skip(8 + (half ? 9U : 4U));
    const bool switched = bits.take(1) != 0;
    const unsigned block_type = bits.take(2);
    bits.skip(20 + (half ? 2U : 3U));
    if (big_values > kMostBigValues || (switched && block_type == 0)) found.valid = false;
  }
  return found;
}

void write_silent_side(std::string& frame, const MpegHeader& header, int borrowed) {
  const auto side = static_cast<std::size_t>(side_bytes(header));
  const std::size_t at = static_cast<std::size_t>(header.side_bytes) - side;
  if (frame.size() < at + side) return;
  std::fill_n(frame.begin() + static_cast<std::ptrdiff_t>(at), side, '\0');
  const int first_bits = header.version != 1 ? borrowed : borrowed >> 1;
  frame[at] = static_cast<char>(first_bits);
  if (header.version == 1) frame[at + 1] = static_cast<char>((borrowed & 1) << 7);
}

}  // namespace maest
