// What video with sound is sent or kept in: MPEG's transport and program streams, FLV, RealMedia.
#include <algorithm>

#include "container_formats.h"
#include "mpeg_header.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

constexpr std::int64_t kPacket = 188;
constexpr int kMostPackets = 4000;

Container named(const char* container) {
  Container found;
  found.container = container;
  return found;
}

class TransportStream {
 public:
  // `stride`: 188 bytes, or 192 where each packet has the time before it.
  TransportStream(FileBytes& file, std::int64_t begin, std::int64_t stride)
      : file_(file), begin_(begin), stride_(stride) {}

  bool is_one() {
    const std::int64_t whole = std::min<std::int64_t>(5, (file_.size() - begin_) / stride_);
    for (std::int64_t i = 0; i < whole; ++i) {
      if (file_.big(begin_ + i * stride_, 1) != 0x47) return false;
    }
    return whole >= 2;
  }

  Container read() {
    Container found = named("mpeg-ts");
    const std::int64_t programs = table_of(0);
    // The first program that is not the network's own.
    std::uint64_t map = 0;
    for (std::int64_t at = programs + 8; programs > 0 && at < section_end(programs); at += 4) {
      if (file_.big(at, 2) != 0 && map == 0) map = file_.big(at + 2, 2) & 0x1FFF;
    }
    const std::int64_t streams = map == 0 ? 0 : table_of(map);
    if (streams == 0) return found;
    std::int64_t at = streams + 12 + static_cast<std::int64_t>(file_.big(streams + 10, 2) & 0xFFF);
    while (at + 5 <= section_end(streams) && found.codec.empty()) {
      const auto extra = static_cast<std::int64_t>(file_.big(at + 3, 2) & 0xFFF);
      found.codec = codec_of(file_.big(at, 1), at + 5, at + 5 + extra);
      at += 5 + extra;
    }
    return found;
  }

 private:
  // Where the first table of a packet number begins; 0: there is none.
  std::int64_t table_of(std::uint64_t number) {
    for (int i = 0; i < kMostPackets; ++i) {
      const std::int64_t at = begin_ + i * stride_;
      if (at + kPacket > file_.size()) break;
      const std::uint64_t head = file_.big(at, 4);
      const bool starts = (head >> 22 & 1) != 0;
      if (head >> 24 != 0x47 || (head >> 8 & 0x1FFF) != number || !starts) continue;
      std::int64_t payload = at + 4;
      if ((head & 0x20) != 0) payload += 1 + static_cast<std::int64_t>(file_.big(payload, 1));
      return payload + 1 + static_cast<std::int64_t>(file_.big(payload, 1));
    }
    return 0;
  }

  // Without its checksum; not beyond one packet.
  std::int64_t section_end(std::int64_t table) {
    const auto length = static_cast<std::int64_t>(file_.big(table + 1, 2) & 0xFFF);
    return table + std::min<std::int64_t>(3 + length - 4, kPacket);
  }

  std::string codec_of(std::uint64_t type, std::int64_t at, std::int64_t end) {
    switch (type) {
      case 0x03:
      case 0x04:
        return "mp2";
      case 0x0F:
        return "aac";
      case 0x11:
        return "aac_latm";
      case 0x80:
        return "pcm_bluray";
      case 0x81:
      case 0xC1:
        return "ac3";
      case 0x82:
      case 0x85:
      case 0x86:
      case 0x8A:
        return "dts";
      case 0x83:
        return "truehd";
      case 0x84:
      case 0x87:
      case 0xC2:
        return "eac3";
      default:
        break;
    }
    // Private data: descriptors say what it is.
    for (int i = 0; type == 0x06 && i < 32 && at + 2 <= end; ++i) {
      const std::uint64_t tag = file_.big(at, 1);
      if (tag == 0x6A) return "ac3";
      if (tag == 0x7A) return "eac3";
      if (tag == 0x7B) return "dts";
      if (tag == 0x05 && file_.starts(at + 2, "Opus")) return "opus";
      if (tag == 0x05 && file_.starts(at + 2, "AC-3")) return "ac3";
      if (tag == 0x05 && file_.starts(at + 2, "EAC3")) return "eac3";
      at += 2 + static_cast<std::int64_t>(file_.big(at + 1, 1));
    }
    return "";
  }

  FileBytes& file_;
  std::int64_t begin_;
  std::int64_t stride_;
};

Container read_program_stream(FileBytes& file, std::int64_t begin) {
  Container found = named("mpeg-ps");
  const std::string piece(file.at(begin, 1 << 18));
  for (std::size_t at = piece.find("\0\0\1"sv); at != std::string::npos && at + 16 < piece.size();
       at = piece.find("\0\0\1"sv, at + 3)) {
    const auto id = static_cast<unsigned char>(piece[at + 3]);
    if (id >= 0xC0 && id <= 0xDF) {
      found.codec = "mp2";
      const auto skipped = static_cast<unsigned char>(piece[at + 8]);
      const auto payload = begin + static_cast<std::int64_t>(at) + 9 + skipped;
      const auto header = read_mpeg_header(static_cast<std::uint32_t>(file.big(payload, 4)));
      if (header) found.codec = "mp" + std::to_string(header->layer);
      return found;
    }
    if (id == 0xBD) {
      const auto skipped = static_cast<unsigned char>(piece[at + 8]);
      const auto stream = file.big(begin + static_cast<std::int64_t>(at) + 9 + skipped, 1);
      if (stream >= 0x80 && stream <= 0x87) found.codec = "ac3";
      if (stream >= 0x88 && stream <= 0x8F) found.codec = "dts";
      if (stream >= 0xA0 && stream <= 0xAF) found.codec = "pcm_dvd";
      if (!found.codec.empty()) return found;
    }
  }
  return found;
}

Container read_flv(FileBytes& file, std::int64_t begin) {
  Container found = named("flv");
  constexpr const char* kCodecs[16] = {"pcm_s16le",  "adpcm_swf",  "mp3",        "pcm_s16le",
                                       "nellymoser", "nellymoser", "nellymoser", "pcm_alaw",
                                       "pcm_mulaw",  "",           "aac",        "speex",
                                       "",           "",           "mp3",        ""};
  std::int64_t at = end_of(begin, file.big(begin + 5, 4)) + 4;
  for (int tags = 0; tags < 1000 && at + 12 <= file.size(); ++tags) {
    if (file.big(at, 1) == 8) {
      found.codec = kCodecs[file.big(at + 11, 1) >> 4];
      break;
    }
    at += 15 + static_cast<std::int64_t>(file.big(at + 1, 3));
  }
  return found;
}

Container read_real(FileBytes& file, std::int64_t begin) {
  struct Name {
    std::string_view four;
    const char* codec;
  };
  constexpr Name kNames[] = {{"cook", "cook"},   {"sipr", "sipr"},   {"atrc", "atrac3"},
                             {"raac", "aac"},    {"racp", "aac"},    {"dnet", "ac3"},
                             {"28_8", "ra_288"}, {"lpcJ", "ra_144"}, {"ralf", "ralf"}};
  Container found = named("realmedia");
  const std::string piece(file.at(begin, FileBytes::kWindow));
  for (const Name& name : kNames) {
    if (found.codec.empty() && piece.find(name.four) != std::string::npos) found.codec = name.codec;
  }
  return found;
}

}  // namespace

Found find_transport(FileBytes& file, std::int64_t begin) {
  if (file.starts(begin, "\0\0\1\xba"sv)) return read_program_stream(file, begin);
  if (file.starts(begin, "FLV\1")) return read_flv(file, begin);
  if (file.starts(begin, ".RMF") || file.starts(begin, ".ra\xfd")) return read_real(file, begin);
  TransportStream plain(file, begin, kPacket);
  if (plain.is_one()) return plain.read();
  TransportStream timed(file, begin + 4, kPacket + 4);
  if (timed.is_one()) return timed.read();
  return std::nullopt;
}

}  // namespace maest
