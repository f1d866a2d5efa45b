// Matroska and WebM: EBML elements in elements.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

constexpr int kMostElements = 20000;

struct Element {
  std::uint32_t id = 0;
  std::int64_t body = 0;
  std::int64_t end = 0;
  bool endless = false;  // its size is not told: it goes on as long as there is something
};

struct Name {
  std::string_view id;
  std::string_view codec;
};

// The longest that fits counts.
constexpr Name kNames[] = {
    {"A_OPUS", "opus"},        {"A_VORBIS", "vorbis"},    {"A_FLAC", "flac"},
    {"A_AAC", "aac"},          {"A_MPEG/L3", "mp3"},      {"A_MPEG/L2", "mp2"},
    {"A_MPEG/L1", "mp1"},      {"A_AC3", "ac3"},          {"A_EAC3", "eac3"},
    {"A_DTS", "dts"},          {"A_ALAC", "alac"},        {"A_TRUEHD", "truehd"},
    {"A_MLP", "mlp"},          {"A_TTA1", "tta"},         {"A_WAVPACK4", "wavpack"},
    {"A_REAL/COOK", "cook"},   {"A_REAL/14_4", "ra_144"}, {"A_REAL/28_8", "ra_288"},
    {"A_REAL/ATRC", "atrac3"}, {"A_REAL/SIPR", "sipr"},   {"A_REAL/RALF", "ralf"},
};

class Matroska {
 public:
  explicit Matroska(FileBytes& file) : file_(file) {}

  Found read(std::int64_t begin) {
    const Element header = element(begin, file_.size());
    if (header.end <= header.body) return std::nullopt;
    found_.container = "matroska";
    each(header, [&](const Element& child) {
      if (child.id == 0x4282 && text(child) == "webm") found_.container = "webm";
    });
    const Element segment = element(header.end, file_.size());
    if (segment.id == 0x18538067) read_segment(segment);
    if (ticks_ > 0 && !found_.codec.empty()) {
      const double samples = ticks_ * static_cast<double>(scale_) / 1e9 * found_.rate;
      if (samples < 1e15) found_.promised = static_cast<std::int64_t>(samples + 0.5);
    }
    return found_;
  }

 private:
  Element element(std::int64_t at, std::int64_t end) {
    Element found;
    const int id_bytes = length_of(at, 4);
    const int size_bytes = id_bytes == 0 ? 0 : length_of(at + id_bytes, 8);
    if (size_bytes == 0) return found;
    found.id = static_cast<std::uint32_t>(file_.big(at, static_cast<std::size_t>(id_bytes)));
    const auto size = file_.big(at + id_bytes, static_cast<std::size_t>(size_bytes));
    const std::uint64_t mask = (std::uint64_t{1} << (7 * size_bytes)) - 1;
    found.body = at + id_bytes + size_bytes;
    found.endless = (size & mask) == mask;
    found.end = found.endless ? end : end_of(found.body, size & mask);
    return found;
  }

  // How many bytes a number takes: as many as its first byte has leading zeros, and one.
  int length_of(std::int64_t at, int most) {
    const std::string_view first = file_.at(at, 1);
    if (first.empty()) return 0;
    const auto byte = static_cast<unsigned char>(first.front());
    int length = 1;
    while (length <= most && (byte & 0x80 >> (length - 1)) == 0) ++length;
    return length > most ? 0 : length;
  }

  template <typename Visit>
  void each(const Element& parent, const Visit& visit) {
    std::int64_t at = parent.body;
    const std::int64_t end = std::min(parent.end, file_.size());
    while (at < end && elements_++ < kMostElements) {
      const Element child = element(at, end);
      if (child.body == 0) return;
      visit(child);
      at = child.end;
    }
  }

  void read_segment(const Element& segment) {
    found_.cut = !segment.endless && segment.end > file_.size();
    bool has_tracks = false;
    std::int64_t at = segment.body;
    const std::int64_t end = std::min(segment.end, file_.size());
    while (at < end && elements_++ < kMostElements) {
      const Element child = element(at, end);
      if (child.body == 0) return;
      if (child.id == 0x1549A966) read_info(child);
      if (child.id == 0x1654AE6B) {
        has_tracks = true;
        each(child, [&](const Element& track) {
          if (track.id == 0xAE) read_track(track);
        });
      }
      // A cluster: sound. What has no size begins anew wherever another cluster does.
      if (child.id == 0x1F43B675 && (has_tracks || child.endless)) return;
      at = child.end;
    }
  }

  void read_info(const Element& info) {
    each(info, [&](const Element& child) {
      if (child.id == 0x2AD7B1) scale_ = unsigned_of(child);
      if (child.id == 0x4489) ticks_ = float_of(child);
    });
  }

  void read_track(const Element& track) {
    std::uint64_t type = 0;
    std::string id;
    std::int64_t setup = 0;
    double rate = 8000;
    double out_rate = 0;
    std::uint64_t channels = 1;
    std::uint64_t bits = 0;
    each(track, [&](const Element& child) {
      if (child.id == 0x83) type = unsigned_of(child);
      if (child.id == 0x86) id = text(child);
      if (child.id == 0x63A2) setup = child.body;
      if (child.id != 0xE1) return;
      each(child, [&](const Element& fact) {
        if (fact.id == 0xB5) rate = float_of(fact);
        if (fact.id == 0x78B5) out_rate = float_of(fact);
        if (fact.id == 0x9F) channels = unsigned_of(fact);
        if (fact.id == 0x6264) bits = unsigned_of(fact);
      });
    });
    if (type != 2 || !found_.codec.empty()) return;
    if (out_rate > 0) rate = out_rate;
    found_.codec = codec_of(id, static_cast<unsigned>(std::min<std::uint64_t>(bits, 999)), setup);
    if (found_.codec == "opus") rate = 48000;
    found_.rate = rate >= 1 && rate <= 1e9 ? static_cast<int>(rate) : 0;
    found_.channels = static_cast<int>(std::min<std::uint64_t>(channels, 0xFFFF));
  }

  std::string codec_of(const std::string& id, unsigned bits, std::int64_t setup) {
    const Name* best = nullptr;
    for (const Name& name : kNames) {
      const bool fits = id.compare(0, name.id.size(), name.id) == 0;
      if (fits && (best == nullptr || best->id.size() < name.id.size())) best = &name;
    }
    if (best != nullptr) return std::string(best->codec);
    if (id == "A_PCM/INT/LIT") return pcm_codec(false, bits > 8, bits, false);
    if (id == "A_PCM/INT/BIG") return pcm_codec(false, bits > 8, bits, true);
    if (id == "A_PCM/FLOAT/IEEE") return pcm_codec(true, true, bits, false);
    if (id == "A_MS/ACM") {
      return codec_of_wave_tag(static_cast<unsigned>(file_.little(setup, 2)),
                               static_cast<unsigned>(file_.little(setup + 14, 2)));
    }
    return printable(id);
  }

  std::size_t length(const Element& element) const {
    return static_cast<std::size_t>(std::clamp<std::int64_t>(element.end - element.body, 0, 64));
  }

  std::uint64_t unsigned_of(const Element& element) {
    return file_.big(element.body, std::min<std::size_t>(length(element), 8));
  }

  double float_of(const Element& element) {
    double value = 0;
    if (length(element) == 4) {
      const auto bits = static_cast<std::uint32_t>(file_.big(element.body, 4));
      float narrow = 0;
      std::memcpy(&narrow, &bits, sizeof(narrow));
      value = static_cast<double>(narrow);
    } else if (length(element) == 8) {
      const std::uint64_t bits = file_.big(element.body, 8);
      std::memcpy(&value, &bits, sizeof(value));
    }
    return std::isfinite(value) ? value : 0;
  }

  std::string text(const Element& element) {
    std::string found(file_.at(element.body, length(element)));
    found.erase(std::find(found.begin(), found.end(), '\0'), found.end());
    return found;
  }

  FileBytes& file_;
  Container found_;
  int elements_ = 0;
  std::uint64_t scale_ = 1000000;  // nanoseconds of a tick
  double ticks_ = 0;
};

}  // namespace

Found find_matroska(FileBytes& file, std::int64_t begin) {
  if (!file.starts(begin, "\x1a\x45\xdf\xa3"sv)) return std::nullopt;
  return Matroska(file).read(begin);
}

}  // namespace maest
