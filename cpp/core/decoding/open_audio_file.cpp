#include "open_audio_file.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "container.h"
#include "error.h"
#include "ffmpeg_source.h"
#include "routes.h"
#include "sndfile_source.h"

namespace maest {
namespace {

AudioFile::Open opener(Reader reader, const std::string& path, const Container& container,
                       const Route& route) {
  if (reader == Reader::sndfile) return [=] { return open_sndfile(path, container); };
  return [=, demuxer = route.demuxer, decoder = route.decoder] {
    return open_ffmpeg(path, container, demuxer, decoder);
  };
}

// On one line; what is said twice is said once.
std::string joined(const std::vector<std::string>& reasons) {
  std::string line;
  for (auto reason = reasons.begin(); reason != reasons.end(); ++reason) {
    if (std::find(reasons.begin(), reason, *reason) != reason) continue;
    if (!line.empty()) line += "; ";
    line += *reason;
  }
  return line;
}

}  // namespace

AudioFile open_audio_file(const std::string& path, std::function<void()> between) {
  const Container container = identify(path);
  const Route route = route_of(container);
  std::vector<std::string> reasons;
  for (const Reader reader : route.readers) {
    if (reader == Reader::extra) continue;  // Python's
    try {
      return AudioFile(opener(reader, path, container, route), {container.cut, container.promised},
                       between);
    } catch (const AudioError& error) {
      reasons.emplace_back(error.what());
    }
  }
  if (!container.lacks.empty()) throw AudioError(container.lacks);
  throw AudioError(reasons.empty() ? route.way_out : joined(reasons));
}

}  // namespace maest
