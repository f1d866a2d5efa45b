// Containers that one codec has for itself: FLAC, Monkey's Audio, WavPack, TTA, Musepack, DSD, ...
#include <algorithm>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

Container named(const char* container, const char* codec) {
  Container found;
  found.container = container;
  found.codec = codec;
  return found;
}

int as_int(std::uint64_t number) {
  return static_cast<int>(std::min<std::uint64_t>(number, 0x7FFFFFFF));
}

std::int64_t as_count(std::uint64_t number) {
  return number > INT64_MAX ? -1 : static_cast<std::int64_t>(number);
}

Container read_flac(FileBytes& file, std::int64_t begin) {
  Container found = named("flac", "flac");
  if ((file.big(begin + 4, 1) & 0x7F) != 0) return found;  // STREAMINFO comes first
  const std::uint64_t bits = file.big(begin + 18, 8);
  found.rate = as_int(bits >> 44);
  found.channels = as_int(bits >> 41 & 7) + 1;
  // Few decoders have it; others stop at the first frame without a word.
  if ((bits >> 36 & 31) == 31) found.codec = "flac 32 bit";
  const std::uint64_t samples = bits & 0xFFFFFFFFF;
  if (samples > 0) found.promised = as_count(samples);
  return found;
}

Container read_ape(FileBytes& file, std::int64_t begin) {
  Container found = named("ape", "ape");
  const auto version = file.little(begin + 4, 2);
  std::uint64_t blocks_per_frame = 0;
  std::uint64_t last = 0;
  std::uint64_t frames = 0;
  if (version >= 3980) {
    const std::int64_t at = end_of(begin, file.little(begin + 8, 4));
    blocks_per_frame = file.little(at + 4, 4);
    last = file.little(at + 8, 4);
    frames = file.little(at + 12, 4);
    found.channels = as_int(file.little(at + 18, 2));
    found.rate = as_int(file.little(at + 20, 4));
  } else {
    const auto level = file.little(begin + 6, 2);
    found.channels = as_int(file.little(begin + 10, 2));
    found.rate = as_int(file.little(begin + 12, 4));
    frames = file.little(begin + 24, 4);
    last = file.little(begin + 28, 4);
    const bool large = version >= 3900 || (version >= 3800 && level >= 4000);
    blocks_per_frame = version >= 3950 ? 73728 * 4 : large ? 73728 : 9216;
  }
  if (frames > 0) found.promised = as_count((frames - 1) * blocks_per_frame + last);
  return found;
}

Container read_wavpack(FileBytes& file, std::int64_t begin) {
  constexpr int kRates[] = {6000,  8000,  9600,  11025, 12000, 16000, 22050, 24000,
                            32000, 44100, 48000, 64000, 88200, 96000, 192000};
  Container found = named("wavpack", "wavpack");
  const auto samples = file.little(begin + 12, 4);
  const auto flags = file.little(begin + 24, 4);
  const auto rate = flags >> 23 & 15;
  if (rate < 15) found.rate = kRates[rate];
  const bool whole = (flags & 0x800) != 0 && (flags & 0x1000) != 0;
  if (whole) found.channels = (flags & 4) != 0 ? 1 : 2;
  if ((flags & 0x80000000) != 0) found.codec = "wavpack dsd";
  if (samples != 0xFFFFFFFF) found.promised = as_count(samples);
  return found;
}

Container read_tta(FileBytes& file, std::int64_t begin) {
  Container found = named("tta", "tta");
  found.channels = as_int(file.little(begin + 6, 2));
  found.rate = as_int(file.little(begin + 10, 4));
  found.promised = as_count(file.little(begin + 14, 4));
  return found;
}

constexpr int kMusepackRates[] = {44100, 48000, 37800, 32000};

Container read_musepack7(FileBytes& file, std::int64_t begin) {
  Container found = named("musepack", "musepack7");
  found.channels = 2;
  found.rate = kMusepackRates[file.little(begin + 10, 1) & 3];
  found.promised = as_count(file.little(begin + 4, 4) * 1152);
  return found;
}

// Its packets: two letters, a size in groups of 7 bits that counts letters and size, content.
class Musepack8 {
 public:
  explicit Musepack8(FileBytes& file) : file_(file) {}

  Container read(std::int64_t begin) {
    Container found = named("musepack", "musepack8");
    std::int64_t at = begin + 4;
    for (int packets = 0; packets < 100; ++packets) {
      std::int64_t next = at + 2;
      const std::uint64_t size = groups(next);
      if (file_.starts(at, "SH")) {
        next += 5;  // checksum and version
        const std::uint64_t samples = groups(next);
        const std::uint64_t silence = groups(next);
        if (samples > silence) found.promised = as_count(samples - silence);
        const std::uint64_t rate = file_.big(next, 1) >> 5;
        if (rate < 4) found.rate = kMusepackRates[rate];
        found.channels = static_cast<int>(file_.big(next + 1, 1) >> 4) + 1;
        return found;
      }
      if (size < 3) break;
      at = end_of(at, size);
    }
    return found;
  }

 private:
  std::uint64_t groups(std::int64_t& at) {
    std::uint64_t value = 0;
    for (int i = 0; i < 9; ++i) {
      const std::uint64_t byte = file_.big(at++, 1);
      value = value << 7 | (byte & 0x7F);
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }

  FileBytes& file_;
};

Container read_dsf(FileBytes& file, std::int64_t begin) {
  Container found = named("dsf", "dsd");
  found.cut = end_of(begin, file.little(begin + 12, 8)) > file.size();
  const std::int64_t format = begin + 28;
  found.channels = as_int(file.little(format + 24, 4));
  found.rate = as_int(file.little(format + 28, 4));
  found.promised = as_count(file.little(format + 36, 8));
  return found;
}

Container read_dff(FileBytes& file, std::int64_t begin) {
  Container found = named("dff", "dsd");
  found.cut = end_of(begin + 12, file.big(begin + 4, 8)) > file.size();
  std::int64_t at = begin + 16;
  for (int chunks = 0; chunks < 100 && at + 12 <= file.size(); ++chunks) {
    const std::uint64_t size = file.big(at + 4, 8);
    if (file.starts(at, "PROP")) {
      at += 16;  // its chunks follow
      continue;
    }
    if (file.starts(at, "FS  ")) found.rate = as_int(file.big(at + 12, 4));
    if (file.starts(at, "CHNL")) found.channels = as_int(file.big(at + 12, 2));
    if (file.starts(at, "CMPR") && file.starts(at + 12, "DST ")) found.codec = "dst";
    if (file.starts(at, "DSD ") || file.starts(at, "DST ")) break;
    at = end_of(at + 12, size + (size & 1));
  }
  return found;
}

struct Simple {
  std::string_view start;
  const char* container;
  const char* codec;
};

constexpr Simple kSimple[] = {
    {"#!AMR\n", "amr", "amr_nb"},       {"#!AMR-WB\n", "amr", "amr_wb"}, {"tBaK", "tak", "tak"},
    {"OFR ", "optimfrog", "optimfrog"}, {"ajkg", "shorten", "shorten"},
};

}  // namespace

Found find_lossless(FileBytes& file, std::int64_t begin) {
  if (file.starts(begin, "fLaC")) return read_flac(file, begin);
  if (file.starts(begin, "MAC ")) return read_ape(file, begin);
  if (file.starts(begin, "MACF")) return named("ape", "ape float");
  if (file.starts(begin, "wvpk")) return read_wavpack(file, begin);
  if (file.starts(begin, "TTA1")) return read_tta(file, begin);
  if (file.starts(begin, "TTA2")) return named("tta", "tta2");
  if (file.starts(begin, "MP+") && (file.big(begin + 3, 1) & 0xF) == 7) {
    return read_musepack7(file, begin);
  }
  if (file.starts(begin, "MPCK")) return Musepack8(file).read(begin);
  if (file.starts(begin, "DSD ")) return read_dsf(file, begin);
  if (file.starts(begin, "FRM8") && file.starts(begin + 12, "DSD ")) return read_dff(file, begin);
  for (const Simple& simple : kSimple) {
    if (file.starts(begin, simple.start)) return named(simple.container, simple.codec);
  }
  return std::nullopt;
}

}  // namespace maest
