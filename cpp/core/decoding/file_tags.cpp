#include "file_tags.h"

#include <algorithm>
#include <string>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

constexpr int kMostTags = 64;

// Four groups of 7 bits; negative where one has eight.
std::int64_t id3_number(FileBytes& file, std::int64_t at) {
  const std::uint64_t word = file.big(at, 4);
  if ((word & 0x80808080) != 0) return -1;
  return static_cast<std::int64_t>((word >> 3 & 0xFE00000) | (word >> 2 & 0x1FC000) |
                                   (word >> 1 & 0x3F80) | (word & 0x7F));
}

std::int64_t id3_bytes(FileBytes& file, std::int64_t at) {
  const std::uint64_t version = file.big(at + 3, 2);
  const std::int64_t size = id3_number(file, at + 6);
  if (version >> 8 == 0xFF || (version & 0xFF) == 0xFF || size < 0) return 0;
  const bool has_footer = (file.big(at + 5, 1) & 0x10) != 0;
  return 10 + size + (has_footer ? 10 : 0);
}

// An APE tag's header and footer are alike; its size leaves the header out.
std::int64_t ape_bytes(FileBytes& file, std::int64_t at) {
  const std::uint64_t size = file.little(at + 12, 4);
  const std::uint64_t flags = file.little(at + 20, 4);
  const bool has_header = file.little(at + 8, 4) >= 2000 && (flags & 0x80000000) != 0;
  return static_cast<std::int64_t>(size) + (has_header ? 32 : 0);
}

// Of the tag that ends at `end`; 0: none does.
std::int64_t bytes_before(FileBytes& file, std::int64_t end) {
  if (file.starts(end - 128, "TAG")) return 128;
  if (file.starts(end - 32, "APETAGEX")) return ape_bytes(file, end - 32);
  if (file.starts(end - 10, "3DI")) {
    const std::int64_t size = id3_number(file, end - 4);
    return size < 0 ? 0 : size + 20;
  }
  if (file.starts(end - 9, "LYRICS200")) {
    std::int64_t size = 0;
    for (const char digit : std::string(file.at(end - 15, 6))) {
      if (digit < '0' || digit > '9') return 0;
      size = size * 10 + (digit - '0');
    }
    return size + 15;
  }
  if (file.starts(end - 9, "LYRICSEND")) {
    const std::int64_t longest = std::min<std::int64_t>(end, 5100 + 9 + 11);
    const std::string piece(file.at(end - longest, static_cast<std::size_t>(longest)));
    const std::size_t start = piece.rfind("LYRICSBEGIN");
    if (start != std::string::npos) return static_cast<std::int64_t>(piece.size() - start);
  }
  return 0;
}

}  // namespace

std::int64_t tag_bytes(FileBytes& file, std::int64_t at) {
  if (file.starts(at, "ID3")) return id3_bytes(file, at);
  if (file.starts(at, "APETAGEX")) return ape_bytes(file, at);
  return 0;
}

std::int64_t end_of_leading_tags(FileBytes& file) {
  std::int64_t at = 0;
  for (int tags = 0; tags < kMostTags && at < file.size(); ++tags) {
    const std::int64_t bytes = tag_bytes(file, at);
    if (bytes <= 0) break;
    at += bytes;
  }
  return std::min(at, file.size());
}

std::int64_t begin_of_trailing_tags(FileBytes& file) {
  std::int64_t end = file.size();
  for (int tags = 0; tags < kMostTags && end > 0; ++tags) {
    const std::int64_t bytes = bytes_before(file, end);
    if (bytes <= 0 || bytes > end) break;
    end -= bytes;
  }
  return end;
}

}  // namespace maest
