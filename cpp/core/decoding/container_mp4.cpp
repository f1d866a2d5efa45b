// MP4, M4A, MOV and 3GP: boxes in boxes. The first audio track says what is in the file.
#include <algorithm>
#include <utility>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

constexpr int kMostBoxes = 20000;
constexpr int kDeepest = 8;

constexpr std::string_view kFirst[] = {"ftyp", "moov", "mdat", "free",
                                       "skip", "wide", "pnot", "uuid"};

struct Box {
  std::int64_t body = 0;
  std::int64_t end = 0;  // INT64_MAX / 2 and more: beyond all files
};

class Mp4 {
 public:
  explicit Mp4(FileBytes& file) : file_(file) {}

  Container read(std::int64_t begin) {
    found_.container = "mp4";
    walk(begin, file_.size(), 0);
    if (!found_.codec.empty() && units_ > 0 && duration_ > 0) {
      const double seconds = static_cast<double>(duration_) / static_cast<double>(units_);
      const double samples = seconds * found_.rate + 0.5;
      if (samples < 1e15) found_.promised = static_cast<std::int64_t>(samples);
    }
    if (found_.codec.empty() && !has_index_)
      found_.foreign = "an MP4 file without its index (moov)";
    return found_;
  }

 private:
  void walk(std::int64_t at, std::int64_t end, int depth) {
    while (at + 8 <= end && boxes_++ < kMostBoxes) {
      std::uint64_t size = file_.big(at, 4);
      const std::string type(file_.at(at + 4, 4));
      std::int64_t head = 8;
      if (size == 1) {
        size = file_.big(at + 8, 8);
        head = 16;
      }
      const Box box{at + head, size == 0 ? end : end_of(at, size)};
      if (box.end < box.body) return;
      if (box.end > file_.size()) {
        // Only what is known is believed: bytes after the last box are common.
        const bool known = type == "mdat" || type == "moov" || type == "moof" || depth > 0;
        found_.cut = found_.cut || known;
      }
      visit(type, {box.body, std::min(box.end, end)}, depth);
      at = box.end;
    }
  }

  void visit(const std::string& type, const Box& box, int depth) {
    if (type == "moov") has_index_ = true;
    if (type == "trak") {
      is_audio_ = false;
      track_units_ = track_duration_ = 0;
    }
    const bool is_open = type == "moov" || type == "trak" || type == "mdia" || type == "minf" ||
                         type == "stbl" || type == "wave";
    if (is_open && depth < kDeepest) {
      walk(box.body, box.end, depth + 1);
    } else if (type == "mdhd") {
      const bool is_long = file_.big(box.body, 1) == 1;
      track_units_ = file_.big(box.body + (is_long ? 20 : 12), 4);
      track_duration_ = file_.big(box.body + (is_long ? 24 : 16), is_long ? 8 : 4);
      if (track_duration_ == (is_long ? UINT64_MAX : 0xFFFFFFFF)) track_duration_ = 0;
    } else if (type == "hdlr") {
      // QuickTime has a second one, of the data, in "minf".
      is_audio_ = is_audio_ || file_.starts(box.body + 8, "soun");
    } else if (type == "stsd" && is_audio_ && found_.codec.empty()) {
      read_entry({box.body + 8, box.end}, depth);
      units_ = track_units_;
      duration_ = track_duration_;
      // 16 bits hold no more than 65535 Hz.
      if (found_.rate == 0)
        found_.rate = static_cast<int>(std::min<std::uint64_t>(units_, 1000000));
    } else if (type == "esds" && is_entry_) {
      read_esds(box);
    }
  }

  void read_entry(const Box& table, int depth) {
    const std::int64_t at = table.body;
    const std::string four(file_.at(at + 4, 4));
    const auto version = file_.big(at + 16, 2);
    auto bits = static_cast<unsigned>(file_.big(at + 26, 2));
    found_.channels = static_cast<int>(file_.big(at + 24, 2));
    found_.rate = static_cast<int>(file_.big(at + 32, 2));
    if (version == 2) {
      found_.channels = static_cast<int>(std::min<std::uint64_t>(file_.big(at + 48, 4), 0xFFFF));
      bits = static_cast<unsigned>(file_.big(at + 56, 4));
    }
    found_.codec = four == "lpcm"                     ? lpcm(at, version, bits)
                   : four == "sowt" || four == "twos" ? pcm_codec(false, true, bits, four == "twos")
                   : four == "raw "                   ? pcm_codec(false, false, bits, true)
                                                      : codec_of_four(four);
    if (found_.codec == "opus") found_.rate = 48000;
    if (found_.codec.empty()) found_.codec = printable(four);
    const std::int64_t end = std::min(table.end, end_of(at, file_.big(at, 4)));
    const std::int64_t boxes = at + (version == 1 ? 52 : version == 2 ? 72 : 36);
    is_entry_ = four == "mp4a";
    if (depth < kDeepest) walk(boxes, end, depth + 1);
    is_entry_ = false;
  }

  std::string lpcm(std::int64_t at, std::uint64_t version, unsigned bits) {
    const std::uint64_t flags = version == 2 ? file_.big(at + 60, 4) : 2;
    return pcm_codec((flags & 1) != 0, true, bits, (flags & 2) != 0);
  }

  // MPEG-4's descriptors: a tag, its length in groups of 7 bits, its content.
  void read_esds(const Box& box) {
    std::int64_t at = box.body + 4;
    for (int steps = 0; steps < 8 && at < box.end; ++steps) {
      const auto tag = file_.big(at++, 1);
      for (int i = 0; i < 4 && (file_.big(at++, 1) & 0x80) != 0; ++i) {
      }
      if (tag == 3) {
        const auto flags = file_.big(at + 2, 1);
        at += 3 + ((flags & 0x80) != 0 ? 2 : 0) + ((flags & 0x20) != 0 ? 2 : 0);
        if ((flags & 0x40) != 0) at += 1 + static_cast<std::int64_t>(file_.big(at, 1));
      } else if (tag == 4) {
        found_.codec = codec_of_object(static_cast<unsigned>(file_.big(at, 1)));
        at += 13;
      } else if (tag == 5) {
        const auto object = file_.big(at, 2);
        // Object type 42, written as 31 and 10: xHE-AAC, which is another codec.
        const bool is_usac = object >> 11 == 31 && (object >> 5 & 0x3F) == 10;
        if (found_.codec == "aac" && is_usac) found_.codec = "usac";
        // 39, written as 31 and 7.
        if (object >> 11 == 31 && (object >> 5 & 0x3F) == 7) {
          found_.lacks =
              "it is AAC of the kind ELD (telephony), which FFmpeg does not decode: convert it "
              "with "
              "a program of its maker, as Apple's: afconvert -f WAVE -d LEI16 FILE FILE.wav";
        }
        return;
      } else {
        return;
      }
    }
  }

  static std::string codec_of_object(unsigned object) {
    switch (object) {
      case 0x40:
      case 0x66:
      case 0x67:
      case 0x68:
        return "aac";
      case 0x69:
      case 0x6B:
        return "mp3";
      case 0xA5:
        return "ac3";
      case 0xA6:
        return "eac3";
      case 0xA9:
      case 0xAA:
      case 0xAB:
        return "dts";
      case 0xAD:
        return "opus";
      case 0xC1:
        return "flac";
      case 0xDD:
        return "vorbis";
      case 0xE1:
        return "qcelp";
      default:
        return "mpeg-4 object " + std::to_string(object);
    }
  }

  FileBytes& file_;
  Container found_;
  int boxes_ = 0;
  bool has_index_ = false;
  bool is_audio_ = false;  // the track that is read
  bool is_entry_ = false;  // inside the first audio track's description
  std::uint64_t track_units_ = 0;
  std::uint64_t track_duration_ = 0;
  std::uint64_t units_ = 0;
  std::uint64_t duration_ = 0;
};

}  // namespace

Found find_mp4(FileBytes& file, std::int64_t begin) {
  const auto size = file.big(begin, 4);
  const std::string type(file.at(begin + 4, 4));
  const bool known = std::find(std::begin(kFirst), std::end(kFirst), type) != std::end(kFirst);
  if (!known || (size != 0 && size != 1 && size < 8)) return std::nullopt;
  return Mp4(file).read(begin);
}

}  // namespace maest
