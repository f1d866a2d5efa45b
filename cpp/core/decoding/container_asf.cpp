// ASF, the home of Windows Media Audio: objects, each with a GUID and a size.
#include <algorithm>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

// The GUIDs as they stand in files.
constexpr auto kHeader = "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"sv;
constexpr auto kFile = "\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65"sv;
constexpr auto kStream = "\x91\x07\xdc\xb7\xb7\xa9\xcf\x11\x8e\xe6\x00\xc0\x0c\x20\x53\x65"sv;
constexpr auto kAudio = "\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"sv;
constexpr auto kEncrypted = "\xfb\xb3\x11\x22\x23\xbd\xd2\x11\xb4\xb7\x00\xa0\xc9\x55\xfc\x6e"sv;
constexpr auto kProtected = "\x14\xe6\x8a\x29\x22\x26\x17\x4c\xb9\x35\xda\xe0\x7e\xe9\x28\x9c"sv;

}  // namespace

Found find_asf(FileBytes& file, std::int64_t begin) {
  if (!file.starts(begin, kHeader)) return std::nullopt;
  Container found;
  found.container = "asf";
  std::uint64_t ticks = 0;
  std::uint64_t preroll = 0;
  bool locked = false;
  const std::int64_t end = std::min(file.size(), end_of(begin, file.little(begin + 16, 8)));
  std::int64_t at = begin + 30;
  for (int objects = 0; objects < 1000 && at + 24 <= end; ++objects) {
    const std::uint64_t size = file.little(at + 16, 8);
    if (size < 24) break;
    if (file.starts(at, kFile)) {
      const std::uint64_t bytes = file.little(at + 40, 8);
      const bool live = (file.little(at + 88, 4) & 1) != 0;
      ticks = live ? 0 : file.little(at + 64, 8);
      preroll = file.little(at + 80, 8);
      found.cut = !live && end_of(begin, bytes) > file.size();
    } else if (file.starts(at, kStream) && file.starts(at + 24, kAudio) && found.codec.empty()) {
      const std::int64_t wave = at + 78;
      found.codec = codec_of_wave_tag(static_cast<unsigned>(file.little(wave, 2)),
                                      static_cast<unsigned>(file.little(wave + 14, 2)));
      found.channels = static_cast<int>(file.little(wave + 2, 2));
      found.rate = static_cast<int>(std::min<std::uint64_t>(file.little(wave + 4, 4), 0x7FFFFFFF));
    } else if (file.starts(at, kEncrypted) || file.starts(at, kProtected)) {
      locked = true;
    }
    at = end_of(at, size);
  }
  const double seconds = static_cast<double>(ticks) / 1e7 - static_cast<double>(preroll) / 1e3;
  if (seconds > 0 && seconds < 1e8) {
    found.promised = static_cast<std::int64_t>(seconds * found.rate + 0.5);
  }
  if (locked) found.codec = "protected";
  return found;
}

}  // namespace maest
