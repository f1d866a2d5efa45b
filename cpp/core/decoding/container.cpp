#include "container.h"

#include <algorithm>

#include "container_formats.h"
#include "file_tags.h"

namespace maest {

Container identify(const std::string& path) {
  FileBytes file(path);
  const std::int64_t begin = end_of_leading_tags(file);
  constexpr Found (*kFinders[])(FileBytes&, std::int64_t) = {
      find_riff,     find_chunked, find_ogg,      find_foreign,   find_mp4,
      find_matroska, find_asf,     find_lossless, find_transport, find_bare_frames,
  };
  for (const auto find : kFinders) {
    Found found = find(file, begin);
    if (!found) continue;
    // Header words that no file of sound has.
    found->rate = std::max(found->rate, 0);
    found->channels = std::clamp(found->channels, 0, 0xFFFF);
    if (found->container == "ogg" && !found->chained) {
      found->chained = ogg_is_chained(path, begin);
    }
    return *found;
  }
  Container unknown = describe_unknown(file);
  if (begin > 0 && unknown.foreign.empty()) unknown.foreign = "tags (ID3) without any sound";
  return unknown;
}

}  // namespace maest
