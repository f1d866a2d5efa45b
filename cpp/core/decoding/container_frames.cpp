// Audio without a container: frames, one behind the other, each with its own header.
#include <algorithm>

#include "container_formats.h"
#include "mpeg_header.h"

namespace maest {
namespace {

constexpr std::int64_t kScanned = 1 << 20;  // bytes of junk that may come before them
constexpr std::size_t kPiece = 1 << 16;
constexpr int kInRow = 3;  // frames that follow each other are no accident
constexpr std::size_t kHeader = 8;
constexpr int kLongestFree = 1 << 13;  // bytes of a frame of free format

struct Frame {
  std::uint32_t stream = 0;  // the same for all frames of one stream
  std::int64_t bytes = 0;
  const char* container = "";
  const char* codec = "";
  int rate = 0;
  int channels = 0;
};

using Bits = std::uint64_t;

constexpr int kAacRates[16] = {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
                               16000, 12000, 11025, 8000,  7350,  0,     0,     0};

std::optional<Frame> mpeg(Bits bits) {
  const auto word = static_cast<std::uint32_t>(bits >> 32);
  const auto header = read_mpeg_header(word);
  if (!header) return std::nullopt;
  constexpr const char* kCodecs[] = {"mp1", "mp2", "mp3"};
  return Frame{mpeg_stream_of(word),       header->bytes, "mpeg",
               kCodecs[header->layer - 1], header->rate,  header->channels};
}

std::optional<Frame> adts(Bits bits) {
  if ((bits >> 48 & 0xFFF6) != 0xFFF0) return std::nullopt;
  const int rate = kAacRates[bits >> 42 & 15];
  const auto bytes = static_cast<std::int64_t>(bits >> 21 & 0x1FFF);
  if (rate == 0 || bytes < 7) return std::nullopt;
  const auto layout = static_cast<int>(bits >> 38 & 7);
  return Frame{static_cast<std::uint32_t>(bits >> 32 & 0xFFFFFC00),
               bytes,
               "adts",
               "aac",
               rate,
               layout == 7 ? 8 : layout};
}

std::optional<Frame> latm(Bits bits) {
  if (bits >> 53 != 0x2B7) return std::nullopt;
  return Frame{0x2B7, static_cast<std::int64_t>(bits >> 40 & 0x1FFF) + 3, "latm", "aac_latm"};
}

std::optional<Frame> ac3(Bits bits) {
  if (bits >> 48 != 0x0B77) return std::nullopt;
  constexpr int kRates[] = {48000, 44100, 32000};
  const auto revision = bits >> 19 & 31;
  if (revision > 16) return std::nullopt;
  if (revision > 10) {
    const auto rate = bits >> 30 & 3;
    const auto half = bits >> 28 & 3;
    const int channels[] = {2, 1, 2, 3, 3, 4, 4, 5};
    const int full = channels[bits >> 25 & 7] + static_cast<int>(bits >> 24 & 1);
    if (rate == 3 && half == 3) return std::nullopt;
    const int hertz = rate == 3 ? kRates[half] / 2 : kRates[rate];
    return Frame{0x0B78, (static_cast<std::int64_t>(bits >> 32 & 0x7FF) + 1) * 2,
                 "ac3",  "eac3",
                 hertz,  full};
  }
  constexpr int kBits[] = {32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
                           192, 224, 256, 320, 384, 448, 512, 576, 640};
  const auto rate = bits >> 30 & 3;
  const auto size = bits >> 24 & 63;
  if (rate == 3 || size >= 38) return std::nullopt;
  std::int64_t words = std::int64_t{kBits[size / 2]} * 96000 / kRates[rate];
  if (rate == 1) words += static_cast<std::int64_t>(size & 1);
  constexpr int kChannels[] = {2, 1, 2, 3, 3, 4, 4, 5};
  return Frame{0x0B77, words * 2, "ac3", "ac3", kRates[rate], kChannels[bits >> 13 & 7]};
}

std::optional<Frame> frame_of(Bits bits) {
  if (bits >> 53 == 0x7FF) {
    auto found = adts(bits);
    return found ? found : mpeg(bits);
  }
  if (bits >> 48 == 0x0B77) return ac3(bits);
  return latm(bits);
}

class Scan {
 public:
  explicit Scan(FileBytes& file) : file_(file) {}

  // The first frame after `begin` that others of its stream follow.
  std::optional<Frame> from(std::int64_t begin) {
    std::string piece;
    for (std::int64_t at = begin; at < std::min(file_.size(), begin + kScanned);
         at += static_cast<std::int64_t>(kPiece)) {
      piece = file_.at(at, kPiece + kHeader);
      Bits bits = 0;
      for (std::size_t i = 0; i < piece.size(); ++i) {
        bits = bits << 8 | static_cast<unsigned char>(piece[i]);
        if (i + 1 < kHeader) continue;
        const auto frame = frame_of(bits);
        const auto start = at + static_cast<std::int64_t>(i + 1 - kHeader);
        if (frame && is_stream(*frame, start)) return frame;
      }
    }
    return std::nullopt;
  }

 private:
  bool is_stream(const Frame& first, std::int64_t start) {
    std::int64_t at = start;
    std::int64_t bytes = first.bytes > 0 ? first.bytes : free_bytes(first, start);
    for (int frames = 1; frames < kInRow; ++frames) {
      if (bytes == 0) return false;
      at += bytes;
      // Files of one or two frames are whole where they end with them; so are cut ones, nearly.
      if (at >= file_.size() || file_.starts(at, "TAG") || file_.starts(at, "APETAGEX")) {
        return start < static_cast<std::int64_t>(kPiece) && (frames > 1 || at == file_.size());
      }
      const auto next = frame_of(file_.big(at, kHeader));
      if (!next || next->stream != first.stream) return false;
      if (next->bytes > 0) bytes = next->bytes;
    }
    return true;
  }

  // Free format: the next header of the same stream tells how long a frame is.
  std::int64_t free_bytes(const Frame& first, std::int64_t start) {
    const std::string piece(file_.at(start, kLongestFree + kHeader));
    Bits bits = 0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      bits = bits << 8 | static_cast<unsigned char>(piece[i]);
      if (i + 1 < kHeader + 24) continue;
      const auto next = frame_of(bits);
      if (next && next->bytes == 0 && next->stream == first.stream) {
        return static_cast<std::int64_t>(i + 1 - kHeader);
      }
    }
    return 0;
  }

  FileBytes& file_;
};

constexpr std::string_view kDts[] = {
    std::string_view("\x7f\xfe\x80\x01", 4), std::string_view("\xfe\x7f\x01\x80", 4),
    std::string_view("\x1f\xff\xe8\x00", 4), std::string_view("\xff\x1f\x00\xe8", 4)};

}  // namespace

Found find_bare_frames(FileBytes& file, std::int64_t begin) {
  Container found;
  for (const std::string_view start : kDts) {
    if (!file.starts(begin, start)) continue;
    found.container = "dts";
    found.codec = "dts";
    return found;
  }
  if (file.starts(begin, "ADIF")) {
    found.container = "adif";
    found.codec = "aac";
    return found;
  }
  const auto frame = Scan(file).from(begin);
  if (!frame) return std::nullopt;
  found.container = frame->container;
  found.codec = frame->codec;
  found.rate = frame->rate;
  found.channels = frame->channels;
  return found;
}

}  // namespace maest
