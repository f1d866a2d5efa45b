#include "ogg_pages.h"

#include <array>

namespace maest {
namespace {

constexpr std::size_t kFixed = 27;  // bytes of a header before its table of segments
constexpr std::size_t kChecksum = 22;

std::uint64_t little(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

constexpr std::array<std::uint32_t, 256> checksum_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i << 24;
    for (int bit = 0; bit < 8; ++bit) value = value << 1 ^ (value >> 31 != 0 ? 0x04C11DB7U : 0U);
    table[i] = value;
  }
  return table;
}

constexpr auto kTable = checksum_table();

}  // namespace

std::optional<OggPage> read_ogg_page(std::string_view bytes) {
  if (bytes.size() < kFixed || bytes.substr(0, 4) != "OggS" || bytes[4] != 0) return std::nullopt;
  const auto segments = static_cast<unsigned char>(bytes[26]);
  OggPage page;
  page.header = kFixed + segments;
  if (bytes.size() < page.header) return std::nullopt;
  const auto flags = static_cast<unsigned char>(bytes[5]);
  page.continues = (flags & 1) != 0;
  page.begins_stream = (flags & 2) != 0;
  page.ends_stream = (flags & 4) != 0;
  page.granule = static_cast<std::int64_t>(little(bytes, 6, 8));
  page.serial = static_cast<std::uint32_t>(little(bytes, 14, 4));
  page.sequence = static_cast<std::uint32_t>(little(bytes, 18, 4));
  page.checksum = static_cast<std::uint32_t>(little(bytes, kChecksum, 4));
  for (std::size_t i = 0; i < segments; ++i) {
    page.body += static_cast<unsigned char>(bytes[kFixed + i]);
  }
  return page;
}

std::uint32_t ogg_checksum(std::string_view page) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < page.size(); ++i) {
    const bool is_checksum = i >= kChecksum && i < kChecksum + 4;
    const std::uint32_t byte = is_checksum ? 0 : static_cast<unsigned char>(page[i]);
    value = value << 8 ^ kTable[(value >> 24 ^ byte) & 0xFF];
  }
  return value;
}

}  // namespace maest
