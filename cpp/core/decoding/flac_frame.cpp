#include "flac_frame.h"

namespace maest {
namespace {

// A number written as UTF-8 would write it, but up to 36 bits; -1: it is none. Moves `at` past it.
std::int64_t coded_number(const std::uint8_t* bytes, std::size_t size, std::size_t& at) {
  if (at >= size) return -1;
  const unsigned first = bytes[at++];
  if (first < 0x80) return first;
  int more = 0;  // bytes that follow: one fewer than the first one's leading ones
  while (more < 6 && (first & 0x40U >> more) != 0) ++more;
  if (more == 0 || first == 0xFF) return -1;
  std::int64_t number = first & (0x3FU >> more);
  for (; more > 0; --more) {
    if (at >= size || (bytes[at] & 0xC0U) != 0x80U) return -1;
    number = number << 6 | (bytes[at++] & 0x3F);
  }
  return number;
}

}  // namespace

std::optional<FlacFrame> parse_flac_frame(const std::uint8_t* bytes, std::size_t size) {
  if (size < 6 || bytes[0] != 0xFF || (bytes[1] & 0xFE) != 0xF8) return std::nullopt;
  FlacFrame frame;
  frame.counts_samples = (bytes[1] & 1) != 0;
  frame.rate_code = bytes[2] & 0x0F;
  std::size_t at = 4;
  frame.number = coded_number(bytes, size, at);
  if (frame.number < 0) return std::nullopt;
  const int code = bytes[2] >> 4;
  if (code == 0) return std::nullopt;
  if (code == 1) {
    frame.samples = 192;
  } else if (code <= 5) {
    frame.samples = 576 << (code - 2);
  } else if (code >= 8) {
    frame.samples = 256 << (code - 8);
  } else {  // the size stands after the number, less one
    const std::size_t width = code == 6 ? 1 : 2;
    if (at + width > size) return std::nullopt;
    frame.samples = (width == 1 ? bytes[at] : bytes[at] << 8 | bytes[at + 1]) + 1;
  }
  return frame;
}

}  // namespace maest
