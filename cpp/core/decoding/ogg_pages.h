// Pages of an Ogg stream (RFC 3533).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace maest {

struct OggPage {
  bool continues = false;  // begins with the rest of a packet
  bool begins_stream = false;
  bool ends_stream = false;
  std::int64_t granule =
      -1;  // position at the end of the last packet that ends here; -1: none does
  std::uint32_t serial = 0;
  std::uint32_t sequence = 0;
  std::uint32_t checksum = 0;
  std::size_t header = 0;  // bytes
  std::size_t body = 0;    // bytes

  std::size_t size() const { return header + body; }
};

// The page that begins with `bytes`, which need hold no more than its header; nothing: none does.
std::optional<OggPage> read_ogg_page(std::string_view bytes);

// What the checksum of a whole page should be; what stands in its place is not looked at.
std::uint32_t ogg_checksum(std::string_view page);

}  // namespace maest
