#include "mpeg_frames.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "file_bytes.h"
#include "file_tags.h"
#include "mpeg_header.h"
#include "mpeg_side.h"

namespace maest {
namespace {

constexpr std::size_t kWindow = 1U << 18;
constexpr std::int64_t kLongestFree = 1 << 13;  // bytes of a frame of free format

class Walk {
 public:
  explicit Walk(const std::string& path)
      : file_(path, kWindow, std::numeric_limits<std::int64_t>::max()) {}

  MpegFrames run() {
    std::int64_t begin = 0;
    while (file_.starts(begin, "ID3") && tag_bytes(file_, begin) > 0) {
      begin += tag_bytes(file_, begin);
    }
    begin = std::min(begin, file_.size());
    end_ = std::max(begin, begin_of_trailing_tags(file_));
    found_.tags = begin + file_.size() - end_;
    std::int64_t at = next_frame(begin);
    if (at == end_) return found_;
    note_junk(at - begin);
    found_.begin = at;
    at = first_frame(at);
    found_.first = found_.end = at;
    found_.header = word(at);
    while (at < end_) at = one(at);
    return found_;
  }

 private:
  std::uint32_t word(std::int64_t at) { return static_cast<std::uint32_t>(file_.big(at, 4)); }

  std::optional<MpegHeader> header(std::int64_t at) {
    if (at + 4 > end_) return std::nullopt;
    return read_mpeg_header(word(at));
  }

  // Bytes of the frame; 0: not known.
  std::int64_t bytes_of(std::int64_t at, const MpegHeader& header) {
    if (header.bytes > 0) return header.bytes;
    const int padding = header.padded ? mpeg_slot(header.layer) : 0;
    if (free_bytes_ == 0) free_bytes_ = find_free_bytes(at) - padding;
    return free_bytes_ <= 0 ? 0 : free_bytes_ + padding;
  }

  std::int64_t find_free_bytes(std::int64_t at) {
    const std::uint32_t stream = mpeg_stream_of(word(at));
    for (std::int64_t next = at + 24; next < std::min(end_, at + kLongestFree); ++next) {
      const std::uint32_t other = word(next);
      if (mpeg_stream_of(other) != stream) continue;
      const auto header = read_mpeg_header(other);
      if (header && header->bytes == 0) return next - at;
    }
    return 0;
  }

  // The first place from `at` where a frame begins that another of its stream follows; the end
  // where there is none.
  std::int64_t next_frame(std::int64_t at) {
    for (; at + 4 <= end_; ++at) {
      const std::string_view piece = file_.at(at, kWindow);
      const std::size_t sync = piece.find('\xff');
      if (sync == std::string_view::npos) {
        at += static_cast<std::int64_t>(std::max<std::size_t>(piece.size(), 1)) - 1;
        continue;
      }
      at += static_cast<std::int64_t>(sync);
      const auto here = header(at);
      if (!here) continue;
      const std::int64_t bytes = bytes_of(at, *here);
      if (bytes == 0) continue;
      if (at + bytes >= end_) return at;
      const auto next = header(at + bytes);
      if (next && mpeg_stream_of(word(at + bytes)) == mpeg_stream_of(word(at))) return at;
    }
    return end_;
  }

  std::int64_t first_frame(std::int64_t at) {
    const MpegHeader first = *header(at);
    stream_ = mpeg_stream_of(word(at));
    found_.layer = first.layer;
    found_.version = first.version;
    found_.rate = first.rate;
    found_.channels = first.channels;
    found_.samples_per_frame = first.samples;
    found_.free_format = first.bytes == 0;
    read_info(at, first);
    return found_.info ? at + bytes_of(at, first) : at;
  }

  // Where layer 3's sound would begin, Xing and LAME write what the whole file is; Fraunhofer's
  // encoder writes VBRI after 32 bytes.
  void read_info(std::int64_t at, const MpegHeader& first) {
    if (first.layer != 3) return;
    const bool half = first.version != 1;
    const int side = half ? (first.channels == 1 ? 9 : 17) : (first.channels == 1 ? 17 : 32);
    std::int64_t tag = at + 4 + side;
    if (file_.starts(at + 36, "VBRI")) {
      found_.info = true;
      found_.promised_frames = static_cast<std::int64_t>(file_.big(at + 50, 4));
      return;
    }
    if (!file_.starts(tag, "Xing") && !file_.starts(tag, "Info")) return;
    found_.info = true;
    const std::uint64_t flags = file_.big(tag + 4, 4);
    tag += 8;
    if ((flags & 1) != 0) {
      found_.promised_frames = static_cast<std::int64_t>(file_.big(tag, 4));
      tag += 4;
    }
    if ((flags & 2) != 0) tag += 4;
    if ((flags & 4) != 0) tag += 100;
    if ((flags & 8) != 0) tag += 4;
    found_.lame =
        file_.starts(tag, "LAME") || file_.starts(tag, "Lavf") || file_.starts(tag, "Lavc");
    if (!found_.lame) return;
    const std::uint64_t both = file_.big(tag + 21, 3);
    found_.delay = static_cast<int>(both >> 12);
    found_.padding = static_cast<int>(both & 0xFFF);
  }

  void note_junk(std::int64_t bytes) {
    found_.junk += bytes;
    if (bytes > 0) ++found_.gaps;
  }

  void look_inside(std::int64_t at, const MpegHeader& here, std::int64_t bytes) {
    if (here.layer != 3) return;
    const auto side_bytes = static_cast<std::size_t>(here.side_bytes);
    const MpegSide side = read_mpeg_side(file_.at(at, side_bytes), here);
    const std::int64_t own = std::max<std::int64_t>(bytes - here.side_bytes, 0);
    const bool has_all = side.borrowed <= kept_ && side.bits <= 8 * (side.borrowed + own);
    if (!side.valid || !has_all) ++found_.broken;
    kept_ = std::min<std::int64_t>(kept_ + own, here.version == 1 ? 511 : 255);
    const std::int64_t begin = own_bytes_ - side.borrowed;
    if (begin < bits_end_) found_.in_order = false;
    bits_end_ = begin + (side.bits + 7) / 8;
    own_bytes_ += own;
  }

  // One frame, tag or piece of junk; where the next one begins.
  std::int64_t one(std::int64_t at) {
    const auto here = header(at);
    const std::int64_t bytes = here ? bytes_of(at, *here) : 0;
    if (bytes > 0) {
      found_.end = std::min(at + bytes, end_);
      if (at + bytes > end_) {
        found_.missing = at + bytes - end_;
        return end_;
      }
      if (found_.frames % kMpegPlaces == 0) found_.places.push_back(at);
      ++found_.frames;
      look_inside(at, *here, bytes);
      found_.seconds += static_cast<double>(here->samples) / here->rate;
      const bool same = mpeg_stream_of(word(at)) == stream_ && here->channels == found_.channels;
      found_.uniform = found_.uniform && same;
      return at + bytes;
    }
    const std::int64_t tag = tag_bytes(file_, at);
    if (tag > 0) {
      found_.tags += std::min(tag, end_ - at);
      ++found_.tags_inside;
      return at + tag;
    }
    if (file_.starts(at, "TAG") && at + 128 < end_ && header(at + 128)) {
      found_.tags += 128;
      ++found_.tags_inside;
      return at + 128;
    }
    const std::int64_t next = next_frame(at);
    if (next < end_) note_junk(next - at);
    return next;
  }

  FileBytes file_;
  MpegFrames found_;
  std::int64_t end_ = 0;
  std::int64_t free_bytes_ = 0;
  std::uint32_t stream_ = 0;
  std::int64_t kept_ = 0;       // bytes of the frames before that the next may want
  std::int64_t own_bytes_ = 0;  // of all frames so far, without side information
  std::int64_t bits_end_ = 0;   // of these, where those end that the last frame needs
};

}  // namespace

std::int64_t MpegFrames::samples_of(std::int64_t there) const {
  const std::int64_t before = lame ? delay + kMpegDecoderDelay : 0;
  const bool ends = lame && promised_frames == there;
  const std::int64_t after = ends ? std::max(padding - kMpegDecoderDelay, 0) : 0;
  return std::max<std::int64_t>(there * samples_per_frame - before - after, 0);
}

std::int64_t MpegFrames::samples_there() const {
  return samples_of(frames + (missing > 0 ? 1 : 0));
}

std::int64_t MpegFrames::promised_samples() const {
  return promised_frames < 0 ? samples_there() : samples_of(promised_frames);
}

MpegFrames walk_mpeg_frames(const std::string& path) { return Walk(path).run(); }

}  // namespace maest
