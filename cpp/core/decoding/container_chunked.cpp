// AIFF, AU, CAF, and other old homes of plain samples.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

int rate_of(double rate) { return rate >= 1 && rate <= 1e9 ? static_cast<int>(rate) : 0; }

// AIFF's rate is a number of 80 bits: sign and exponent, then 64 bits with the leading one.
double extended(FileBytes& file, std::int64_t at) {
  const int exponent = static_cast<int>(file.big(at, 2) & 0x7FFF) - 16383 - 63;
  return std::ldexp(static_cast<double>(file.big(at + 2, 8)), exponent);
}

Container read_aiff(FileBytes& file, std::int64_t begin, bool is_aifc) {
  Container found;
  found.container = is_aifc ? "aifc" : "aiff";
  std::int64_t at = begin + 12;
  for (int chunks = 0; chunks < 1000 && at + 8 <= file.size(); ++chunks) {
    const std::string id(file.at(at, 4));
    const std::uint64_t size = file.big(at + 4, 4);
    if (id == "COMM") {
      found.channels = static_cast<int>(file.big(at + 8, 2));
      found.promised = static_cast<std::int64_t>(file.big(at + 10, 4));
      const auto bits = static_cast<unsigned>(file.big(at + 14, 2));
      found.rate = rate_of(extended(file, at + 16));
      const std::string four(is_aifc ? file.at(at + 26, 4) : "NONE"sv);
      found.codec = four == "NONE" || four == "twos" ? pcm_codec(false, true, bits, true)
                    : four == "sowt"                 ? pcm_codec(false, true, bits, false)
                                                     : codec_of_four(four);
      if (found.codec.empty()) found.codec = printable(four);
      // Blocks of 64 samples are counted.
      if (found.codec == "adpcm_ima_qt") found.promised *= 64;
    } else if (id == "SSND") {
      found.cut = end_of(at + 8, size) > file.size();
    }
    at = end_of(at + 8, size + (size & 1));
  }
  return found;
}

Container read_au(FileBytes& file, std::int64_t begin, bool is_big) {
  Container found;
  found.container = "au";
  const auto number = [&](int offset) { return file.number(begin + offset, 4, is_big); };
  const std::uint64_t data = number(4);
  const std::uint64_t size = number(8);
  found.rate = rate_of(static_cast<double>(number(16)));
  found.channels = static_cast<int>(std::min<std::uint64_t>(number(20), 0xFFFF));
  unsigned bits = 0;
  switch (number(12)) {
    case 1:
      found.codec = "pcm_mulaw";
      bits = 8;
      break;
    case 2:
    case 3:
    case 4:
    case 5:
      bits = static_cast<unsigned>(number(12) - 1) * 8;
      found.codec = pcm_codec(false, true, bits, is_big);
      break;
    case 6:
    case 7:
      bits = number(12) == 6 ? 32 : 64;
      found.codec = pcm_codec(true, true, bits, is_big);
      break;
    case 23:
      found.codec = "adpcm_g721";
      break;
    case 25:
    case 26:
      found.codec = "adpcm_g723";
      break;
    case 27:
      found.codec = "pcm_alaw";
      bits = 8;
      break;
    default:
      break;
  }
  if (size != 0xFFFFFFFF && size != 0) {
    found.cut = end_of(end_of(begin, data), size) > file.size();
    const std::uint64_t block = bits / 8 * static_cast<unsigned>(found.channels);
    if (block > 0) found.promised = static_cast<std::int64_t>(size / block);
  }
  return found;
}

std::string caf_codec(FileBytes& file, std::int64_t at) {
  const std::string four(file.at(at + 8, 4));
  if (four != "lpcm") {
    const std::string codec = codec_of_four(four);
    return codec.empty() ? printable(four) : codec;
  }
  const std::uint64_t flags = file.big(at + 12, 4);
  return pcm_codec((flags & 1) != 0, true, static_cast<unsigned>(file.big(at + 28, 4)),
                   (flags & 2) == 0);
}

Container read_caf(FileBytes& file, std::int64_t begin) {
  Container found;
  found.container = "caf";
  std::uint64_t bytes_per_packet = 0;
  std::uint64_t samples_per_packet = 0;
  std::int64_t at = begin + 8;
  for (int chunks = 0; chunks < 1000 && at + 12 <= file.size(); ++chunks) {
    const std::string id(file.at(at, 4));
    const std::uint64_t size = file.big(at + 4, 8);
    if (id == "desc") {
      const std::uint64_t bits = file.big(at + 12, 8);
      double rate = 0;
      std::memcpy(&rate, &bits, sizeof(rate));
      found.rate = rate_of(rate);
      found.codec = caf_codec(file, at + 12);
      bytes_per_packet = file.big(at + 28, 4);
      samples_per_packet = file.big(at + 32, 4);
      found.channels = static_cast<int>(std::min<std::uint64_t>(file.big(at + 36, 4), 0xFFFF));
    } else if (id == "data") {
      if (size > static_cast<std::uint64_t>(INT64_MAX)) break;  // -1: to the end of the file
      found.cut = end_of(at + 12, size) > file.size();
      if (bytes_per_packet > 0 && size >= 4 && found.promised < 0) {
        found.promised =
            static_cast<std::int64_t>((size - 4) / bytes_per_packet * samples_per_packet);
      }
    } else if (id == "pakt") {
      // Samples that are sound, without what the encoder put before and after them.
      const std::uint64_t valid = file.big(at + 20, 8);
      if (valid < static_cast<std::uint64_t>(INT64_MAX)) {
        found.promised = static_cast<std::int64_t>(valid);
      }
    }
    at = end_of(at + 12, size);
  }
  return found;
}

Container read_svx(FileBytes& file, std::int64_t begin) {
  Container found;
  found.container = "svx";
  const bool wide = file.starts(begin + 8, "16SV");
  found.codec = wide ? "pcm_s16be" : "pcm_s8";
  std::int64_t at = begin + 12;
  for (int chunks = 0; chunks < 1000 && at + 8 <= file.size(); ++chunks) {
    const std::uint64_t size = file.big(at + 4, 4);
    if (file.starts(at, "VHDR")) {
      found.rate = static_cast<int>(file.big(at + 20, 2));
      if (file.big(at + 23, 1) != 0) found.codec = "8svx_fib";
    } else if (file.starts(at, "BODY")) {
      found.cut = end_of(at + 8, size) > file.size();
    }
    at = end_of(at + 8, size + (size & 1));
  }
  return found;
}

struct Old {
  std::string_view start;
  std::string_view name;
};

// Formats whose headers only libsndfile needs to read.
constexpr Old kOld[] = {
    {"Creative Voice File\x1a"sv, "voc"},
    {"NIST_1A"sv, "nist"},
    {"2BIT"sv, "avr"},
    {" paf"sv, "paf"},
    {"fap "sv, "paf"},
    {"\x64\xa3\x01\x00"sv, "ircam"},
    {"\x64\xa3\x02\x00"sv, "ircam"},
    {"\x64\xa3\x03\x00"sv, "ircam"},
    {"\x64\xa3\x04\x00"sv, "ircam"},
    {"\x00\x01\xa3\x64"sv, "ircam"},
    {"\x00\x02\xa3\x64"sv, "ircam"},
    {"\x00\x03\xa3\x64"sv, "ircam"},
    {"\x00\x04\xa3\x64"sv, "ircam"},
};

}  // namespace

std::string codec_of_four(std::string_view four) {
  struct Name {
    std::string_view four;
    std::string_view codec;
  };
  static constexpr Name kNames[] = {
      {"alac", "alac"},
      {"alaw", "pcm_alaw"},
      {"ALAW", "pcm_alaw"},
      {"ulaw", "pcm_mulaw"},
      {"ULAW", "pcm_mulaw"},
      {"ima4", "adpcm_ima_qt"},
      {"fl32", "pcm_f32be"},
      {"FL32", "pcm_f32be"},
      {"fl64", "pcm_f64be"},
      {"FL64", "pcm_f64be"},
      {"in24", "pcm_s24be"},
      {"in32", "pcm_s32be"},
      {"sowt", "pcm_s16le"},
      {"twos", "pcm_s16be"},
      {"raw ", "pcm_u8"},
      {"NONE", "pcm_s16be"},
      {"23ni", "pcm_s32le"},
      {"42ni", "pcm_s24le"},
      {".mp1", "mp1"},
      {".mp2", "mp2"},
      {".mp3", "mp3"},
      {"mp3 ", "mp3"},
      {"opus", "opus"},
      {"Opus", "opus"},
      {"flac", "flac"},
      {"fLaC", "flac"},
      {"ac-3", "ac3"},
      {"ec-3", "eac3"},
      {"aac ", "aac"},
      {"mp4a", "aac"},
      {"aach", "aac"},
      {"aacp", "aac"},
      {"usac", "usac"},
      {"samr", "amr_nb"},
      {"sawb", "amr_wb"},
      {"agsm", "gsm"},
      {"GSM ", "gsm"},
      {"MAC3", "mace3"},
      {"MAC6", "mace6"},
      {"QDM2", "qdm2"},
      {"QDMC", "qdmc"},
      {"Qclp", "qcelp"},
      {"dtsc", "dts"},
      {"dtsh", "dts"},
      {"dtsl", "dts"},
      {"dtse", "dts"},
      {"mlpa", "truehd"},
      {"DWVW", "dwvw"},
      {"G722", "adpcm_g722"},
      {"ms\0\x02"sv, "adpcm_ms"},
      {"ms\0\x11"sv, "adpcm_ima_wav"},
      {"ms\0\x55"sv, "mp3"},
      {"spex", "speex"},
      {"ilbc", "ilbc"},
      {"drms", "protected"},
      {"enca", "protected"},
  };
  for (const Name& name : kNames) {
    if (name.four == four) return std::string(name.codec);
  }
  return "";
}

Found find_chunked(FileBytes& file, std::int64_t begin) {
  if (file.starts(begin, "FORM")) {
    if (file.starts(begin + 8, "AIFF")) return read_aiff(file, begin, false);
    if (file.starts(begin + 8, "AIFC")) return read_aiff(file, begin, true);
    if (file.starts(begin + 8, "8SVX") || file.starts(begin + 8, "16SV")) {
      return read_svx(file, begin);
    }
  }
  if (file.starts(begin, ".snd")) return read_au(file, begin, true);
  if (file.starts(begin, "dns.")) return read_au(file, begin, false);
  if (file.starts(begin, "caff")) return read_caf(file, begin);
  for (const Old& old : kOld) {
    if (!file.starts(begin, old.start)) continue;
    Container found;
    found.container = old.name;
    return found;
  }
  return std::nullopt;
}

}  // namespace maest
