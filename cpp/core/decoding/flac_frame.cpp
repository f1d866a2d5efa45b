#include "flac_frame.h"

#include <array>

namespace maest {
namespace {

using Table = std::array<std::uint16_t, 256>;

// How a byte, and zeros behind it, change the checksum of a frame: eight bytes at once.
constexpr std::array<Table, 8> frame_tables() {
  std::array<Table, 8> tables{};
  for (unsigned i = 0; i < 256; ++i) {
    unsigned value = i << 8;
    for (int bit = 0; bit < 8; ++bit) value = value << 1 ^ ((value & 0x8000) != 0 ? 0x8005U : 0U);
    tables[0][i] = static_cast<std::uint16_t>(value);
  }
  for (std::size_t zeros = 1; zeros < 8; ++zeros) {
    for (std::size_t i = 0; i < 256; ++i) {
      const unsigned value = tables[zeros - 1][i];
      tables[zeros][i] = static_cast<std::uint16_t>(value << 8 ^ tables[0][value >> 8]);
    }
  }
  return tables;
}

constexpr auto kTables = frame_tables();

unsigned header_checksum(const std::uint8_t* bytes, std::size_t size) {
  unsigned value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) value = (value << 1 ^ (value & 0x80 ? 0x07U : 0U)) & 0xFF;
  }
  return value;
}

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
  constexpr int kBits[] = {0, 8, 12, -1, 16, 20, 24, 32};
  FlacFrame frame;
  frame.counts_samples = (bytes[1] & 1) != 0;
  frame.rate_code = bytes[2] & 0x0F;
  const int channels = bytes[3] >> 4;
  frame.channels = channels < 8 ? channels + 1 : 2;
  frame.bits = kBits[bytes[3] >> 1 & 7];
  if (frame.rate_code == 15 || channels > 10 || frame.bits < 0 || (bytes[3] & 1) != 0) {
    return std::nullopt;
  }
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
    at += width;
  }
  if (frame.rate_code >= 12) at += frame.rate_code == 12 ? 1 : 2;
  if (at >= size || header_checksum(bytes, at) != bytes[at]) return std::nullopt;
  return frame;
}

std::uint16_t flac_checksum(std::uint16_t before, const std::uint8_t* bytes, std::size_t size) {
  unsigned value = before;
  for (; size >= 8; bytes += 8, size -= 8) {
    value = kTables[7][bytes[0] ^ value >> 8] ^ kTables[6][bytes[1] ^ (value & 0xFF)] ^
            kTables[5][bytes[2]] ^ kTables[4][bytes[3]] ^ kTables[3][bytes[4]] ^
            kTables[2][bytes[5]] ^ kTables[1][bytes[6]] ^ kTables[0][bytes[7]];
  }
  for (; size > 0; ++bytes, --size) {
    value = (value << 8 & 0xFFFF) ^ kTables[0][value >> 8 ^ *bytes];
  }
  return static_cast<std::uint16_t>(value);
}

}  // namespace maest
