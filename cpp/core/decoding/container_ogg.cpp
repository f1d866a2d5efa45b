// Ogg: what the first packets of its streams say.
#include <algorithm>
#include <limits>

#include "container_formats.h"
#include "ogg_pages.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

constexpr int kMostStreams = 64;            // that begin at the same place
constexpr std::size_t kTail = 1U << 17;     // two of the longest pages
constexpr std::size_t kHeaders = 28 + 255;  // of a page

struct Head {
  std::string codec;
  int rate = 0;
  int channels = 0;
};

// By the first bytes of a stream; no codec where it is no audio.
Head read_head(FileBytes& file, std::int64_t at) {
  const auto byte = [&](int offset) { return static_cast<int>(file.big(at + offset, 1)); };
  const auto word = [&](int offset) {
    return static_cast<int>(std::min<std::uint64_t>(file.little(at + offset, 4), 0x7FFFFFFF));
  };
  if (file.starts(at, "\x01vorbis")) return {"vorbis", word(12), byte(11)};
  // Opus is always decoded at 48 kHz; the header tells what it was made from.
  if (file.starts(at, "OpusHead")) return {"opus", 48000, byte(9)};
  if (file.starts(at, "Speex   ")) return {"speex", word(36), word(48)};
  if (file.starts(at,
                  "\x7f"
                  "FLAC")) {
    const auto bits = file.big(at + 27, 8);  // 20 of the rate, 3 of the channels
    return {"flac", static_cast<int>(bits >> 44), static_cast<int>(bits >> 41 & 7) + 1};
  }
  if (file.starts(at, "fLaC")) return {"flac", 0, 0};
  if (file.starts(at, "PCM     ")) return {"ogg pcm", 0, 0};
  if (file.starts(at, "CELT    ")) return {"celt", 0, 0};
  return {};
}

// Whether the last page ends its stream and is all there, and whether it is another's than these.
void look_at_end(FileBytes& file, std::int64_t begin, const std::uint32_t* serials, int count,
                 Container& found) {
  const auto size = static_cast<std::int64_t>(kTail);
  const std::int64_t from = std::max(begin, file.size() - size);
  const std::string tail(file.at(from, kTail));
  OggPage last;
  bool any = false;
  std::size_t end = 0;
  for (std::size_t at = tail.find("OggS"); at != std::string::npos; at = tail.find("OggS", at)) {
    const auto page = read_ogg_page(std::string_view(tail).substr(at));
    if (!page) {
      ++at;
      continue;
    }
    last = *page;
    any = true;
    end = at + last.size();
    at += last.header;
  }
  if (!any) {
    found.cut = true;
    return;
  }
  found.cut = !last.ends_stream || end > tail.size();
  found.chained = std::find(serials, serials + count, last.serial) == serials + count;
}

}  // namespace

bool ogg_is_chained(const std::string& path, std::int64_t begin) {
  FileBytes file(path, kTail, std::numeric_limits<std::int64_t>::max());
  bool begun = false;
  std::int64_t at = begin;
  while (const auto page = read_ogg_page(file.at(at, kHeaders))) {
    if (page->begins_stream && begun) return true;
    begun = begun || !page->begins_stream;
    at += static_cast<std::int64_t>(page->size());
  }
  return false;
}

Found find_ogg(FileBytes& file, std::int64_t begin) {
  if (!file.starts(begin, "OggS")) return std::nullopt;
  Container found;
  found.container = "ogg";
  std::uint32_t serials[kMostStreams];
  int count = 0;
  std::int64_t at = begin;
  while (count < kMostStreams) {
    const auto page = read_ogg_page(file.at(at, kHeaders));
    if (!page || !page->begins_stream) break;
    serials[count++] = page->serial;
    const Head head = read_head(file, at + static_cast<std::int64_t>(page->header));
    if (found.codec.empty() && !head.codec.empty()) {
      found.codec = head.codec;
      found.rate = head.rate;
      found.channels = head.channels;
    }
    at += static_cast<std::int64_t>(page->size());
  }
  look_at_end(file, begin, serials, count, found);
  return found;
}

}  // namespace maest
