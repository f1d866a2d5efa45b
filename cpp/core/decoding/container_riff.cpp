// WAV, RF64 and BW64, RIFX, Sony's W64; and AVI, which has the same chunks.
#include <algorithm>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

constexpr auto kTailOfWaveGuid = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"sv;
constexpr auto kW64 = "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"sv;
constexpr auto kW64Tail = "\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"sv;

struct Format {
  unsigned tag = 0;
  unsigned block = 0;  // bytes of one sample of all channels, or of one block of a codec
  unsigned bits = 0;
};

Format read_format(FileBytes& file, std::int64_t at, std::uint64_t size, bool is_big,
                   Container& found) {
  const auto number = [&](int offset, std::size_t bytes) {
    return static_cast<unsigned>(file.number(at + offset, bytes, is_big));
  };
  Format format{number(0, 2), number(12, 2), number(14, 2)};
  found.channels = static_cast<int>(number(2, 2));
  found.rate = static_cast<int>(std::min(number(4, 4), 0x7FFFFFFFU));
  if (format.tag == 0xFFFE && size >= 40) {
    if (is_big || file.starts(at + 26, kTailOfWaveGuid)) format.tag = number(24, 2);
  }
  return format;
}

bool is_plain(const Format& format) {
  return format.tag == 1 || format.tag == 3 || format.tag == 6 || format.tag == 7;
}

void count_samples(Container& found, const Format& format, std::uint64_t data, std::uint64_t fact) {
  if (is_plain(format) && format.block > 0) {
    found.promised = static_cast<std::int64_t>(data / format.block);
  } else if (fact > 0 && format.tag != 0x55 && format.tag != 0x50) {
    found.promised = static_cast<std::int64_t>(fact);
  }
}

// What writes to a pipe does not know the size: it says none, or about all that there could be.
bool is_told(std::uint64_t size, bool past_end) {
  const bool most = size >= 0xFFFFFF00 || (size >= 0x7FFFF000 && size <= 0x80000000);
  return size != 0 && !(most && past_end);
}

Container read_wave(FileBytes& file, std::int64_t begin, std::string name, bool is_big) {
  Container found;
  found.container = std::move(name);
  const bool is_64 = found.container == "rf64";
  Format format;
  std::uint64_t long_data = 0;
  std::uint64_t fact = 0;
  found.lacks = "the WAV file ends before its samples begin: it has no chunk 'data'";
  std::int64_t at = begin + 12;
  for (int chunks = 0; chunks < 1000 && at + 8 <= file.size(); ++chunks) {
    const std::string id(file.at(at, 4));
    std::uint64_t size = file.number(at + 4, 4, is_big);
    if (id == "ds64") {
      long_data = file.little(at + 16, 8);
      fact = file.little(at + 24, 8);
    } else if (id == "fmt ") {
      format = read_format(file, at + 8, size, is_big, found);
    } else if (id == "fact" && size >= 4 && !is_64) {
      fact = file.number(at + 8, 4, is_big);
    } else if (id == "data") {
      found.lacks.clear();
      if (is_64 && size == 0xFFFFFFFF) size = long_data;
      const bool past_end = end_of(at + 8, size) > file.size();
      if (is_64 ? size != 0 : is_told(size, past_end)) {
        found.cut = past_end;
        count_samples(found, format, size, fact);
      }
      break;
    }
    at = end_of(at + 8, size + (size & 1));
  }
  if (format.tag != 0) found.codec = codec_of_wave_tag(format.tag, format.bits, is_big);
  return found;
}

Container read_w64(FileBytes& file, std::int64_t begin) {
  Container found;
  found.container = "w64";
  Format format;
  std::uint64_t fact = 0;
  std::int64_t at = begin + 40;
  for (int chunks = 0; chunks < 1000 && at + 24 <= file.size(); ++chunks) {
    const std::string id(file.at(at, 4));
    const bool known = file.starts(at + 4, kW64Tail);
    const std::uint64_t size = file.little(at + 16, 8);  // with these 24 bytes
    if (size < 24) break;
    if (known && id == "fmt ") {
      format = read_format(file, at + 24, size - 24, false, found);
    } else if (known && id == "fact") {
      fact = file.little(at + 24, 8);
    } else if (known && id == "data") {
      found.cut = end_of(at, size) > file.size();
      count_samples(found, format, size - 24, fact);
      break;
    }
    at = end_of(at, size) + 7;
    at -= (at - begin) % 8;
  }
  if (format.tag != 0) found.codec = codec_of_wave_tag(format.tag, format.bits);
  return found;
}

// The header list is at the front: 'strl' lists, one for each stream.
Container read_avi(FileBytes& file, std::int64_t begin) {
  Container found;
  found.container = "avi";
  bool is_audio = false;
  std::int64_t at = begin + 12;
  for (int chunks = 0; chunks < 1000 && at + 8 <= file.size(); ++chunks) {
    const std::string id(file.at(at, 4));
    const std::uint64_t size = file.little(at + 4, 4);
    if (id == "LIST" && (file.starts(at + 8, "hdrl") || file.starts(at + 8, "strl"))) {
      at += 12;
      continue;
    }
    if (id == "LIST" && file.starts(at + 8, "movi")) break;
    if (id == "strh") {
      is_audio = file.starts(at + 8, "auds");
    } else if (id == "strf" && is_audio) {
      const Format format = read_format(file, at + 8, size, false, found);
      found.codec = codec_of_wave_tag(format.tag, format.bits);
      break;
    }
    at = end_of(at + 8, size + (size & 1));
  }
  return found;
}

}  // namespace

std::string pcm_codec(bool is_float, bool is_signed, unsigned bits, bool is_big) {
  const unsigned whole = (bits + 7) / 8 * 8;
  if (is_float && whole != 32 && whole != 64) return "";
  if (whole == 0 || whole > 64 || whole == 40 || whole == 48 || whole == 56) return "";
  const std::string kind = is_float ? "f" : is_signed ? "s" : "u";
  return "pcm_" + kind + std::to_string(whole) + (whole == 8 ? "" : is_big ? "be" : "le");
}

std::string codec_of_wave_tag(unsigned tag, unsigned bits, bool is_big) {
  switch (tag) {
    case 0x0001:
      return pcm_codec(false, bits > 8, bits, is_big);
    case 0x0002:
      return "adpcm_ms";
    case 0x0003:
      return pcm_codec(true, true, bits, is_big);
    case 0x0006:
      return "pcm_alaw";
    case 0x0007:
      return "pcm_mulaw";
    case 0x000A:
      return "wmavoice";
    case 0x0011:
      return "adpcm_ima_wav";
    case 0x0020:
      return "adpcm_yamaha";
    case 0x0022:
      return "truespeech";
    case 0x0031:
    case 0x0032:
      return "gsm_ms";
    case 0x0040:
    case 0x0045:
    case 0x0064:
      return "adpcm_g726";
    case 0x0042:
      return "g723_1";
    case 0x0050:
      return "mp2";
    case 0x0055:
      return "mp3";
    case 0x0092:
    case 0x2000:
      return "ac3";
    case 0x00FF:
    case 0x1600:
    case 0x1601:
    case 0x706D:
    case 0xA106:
      return "aac";
    case 0x1602:
      return "aac_latm";
    case 0x0160:
      return "wmav1";
    case 0x0161:
      return "wmav2";
    case 0x0162:
      return "wmapro";
    case 0x0163:
      return "wmalossless";
    case 0x0270:
      return "atrac3";
    case 0x2001:
      return "dts";
    case 0x5756:
      return "wavpack";
    case 0x566F:
    case 0x674F:
    case 0x6750:
    case 0x6751:
    case 0x676F:
    case 0x6770:
    case 0x6771:
      return "vorbis";
    case 0x704F:
      return "opus";
    case 0xF1AC:
      return "flac";
    default:
      break;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "wave tag 0x";
  for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[tag >> shift & 0xF];
  return text;
}

Found find_riff(FileBytes& file, std::int64_t begin) {
  if (file.starts(begin, kW64)) return read_w64(file, begin);
  const bool wave = file.starts(begin + 8, "WAVE");
  const bool riff = file.starts(begin, "RIFF");
  if (riff && wave) return read_wave(file, begin, "wav", false);
  if ((file.starts(begin, "RF64") || file.starts(begin, "BW64")) && wave) {
    return read_wave(file, begin, "rf64", false);
  }
  if (file.starts(begin, "RIFX") && wave) return read_wave(file, begin, "rifx", true);
  if (riff && file.starts(begin + 8, "AVI ")) return read_avi(file, begin);
  return std::nullopt;
}

}  // namespace maest
