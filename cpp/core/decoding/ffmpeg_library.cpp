#include "ffmpeg_library.h"

#include <dlfcn.h>

#include <atomic>
#include <mutex>

#include "error.h"
#include "ffmpeg_check.h"
#include "ffmpeg_opening.h"

namespace maest {
namespace {

constexpr char kWanted[] =
    "; wanted is the FFmpeg of Essentia 2.1b6.dev1034 to dev1438: pip install essentia";

std::mutex library_mutex;
std::string library_path;
std::string why_not;  // of the path that was tried
// Never freed: threads may still decode while a process ends.
std::atomic<const FfmpegLibrary*> loaded{nullptr};

[[noreturn]] void unavailable(const std::string& what) { throw AudioError(message(what, kWanted)); }

template <typename Function>
void find(void* handle, const char* name, Function*& function) {
  void* const symbol = dlsym(handle, name);
  if (symbol == nullptr) unavailable(message("Essentia's library has no ", name));
  function = reinterpret_cast<Function*>(symbol);
}

std::string version_words(unsigned version) {
  return message(version >> 16, ".", version >> 8 & 0xFF, ".", version & 0xFF);
}

// Which generation it is; older functions tell more than the one number that both have.
void check_version(FfmpegLibrary& library) {
  const auto version = static_cast<unsigned>(library.avcodec_get_class()->version);
  library.newer = version >> 16 == 59;
  if (!library.newer && version >> 16 != 54) {
    unavailable(message("found libavutil ", version_words(version), " in '", library.path, "'"));
  }
}

void check_older_versions(const FfmpegLibrary& library) {
  const unsigned codec = library.avcodec_version();
  const unsigned format = library.avformat_version();
  if (codec >> 16 == 56 && format >> 16 == 56) return;
  unavailable(message("found libavcodec ", version_words(codec), " and libavformat ",
                      version_words(format), " in '", library.path, "'"));
}

FfmpegLibrary open_library(const std::string& path) {
  if (path.empty()) unavailable("no Essentia was found");
  // What Python provides is resolved when it is called, and not called by FFmpeg.
  void* const handle = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) unavailable(message("cannot open '", path, "': ", dlerror()));
  FfmpegLibrary library;
  library.path = path;
#define MAEST_FFMPEG_FIND(type, name, arguments) find(handle, #name, library.name);
  MAEST_FFMPEG_COMMON(MAEST_FFMPEG_FIND)
  check_version(library);
  if (library.newer) {
    MAEST_FFMPEG_NEWER(MAEST_FFMPEG_FIND)
    const int minor = library.avcodec_get_class()->version >> 8 & 0xFF;
    library.version = message("FFmpeg ", minor >= 39 ? "7.1" : "7.0", " of Essentia");
  } else {
    MAEST_FFMPEG_OLDER(MAEST_FFMPEG_FIND)
    check_older_versions(library);
    library.version = message("FFmpeg ", library.av_version_info(), " of Essentia");
    library.av_register_all();
  }
#undef MAEST_FFMPEG_FIND
  library.av_max_alloc =
      reinterpret_cast<decltype(library.av_max_alloc)>(dlsym(handle, "av_max_alloc"));
  const std::string fault = find_fault(library);
  if (!fault.empty()) unavailable(message("the FFmpeg in '", path, "' is not as known: ", fault));
  return library;
}

}  // namespace

std::string FfmpegLibrary::words(int error) const {
  char text[128] = "";
  if (av_strerror(error, text, sizeof(text)) == 0 && text[0] != '\0') return text;
  return message("error ", error);
}

void set_ffmpeg_library(const std::string& path) {
  const FfmpegOpening opening;
  const std::lock_guard<std::mutex> lock(library_mutex);
  const FfmpegLibrary* const library = loaded;
  if (library != nullptr && library->path != path) {
    throw InvalidArgument(message("FFmpeg is already loaded from '", library->path,
                                  "'; it cannot be replaced by '", path, "' in this process"));
  }
  if (library_path != path) why_not.clear();
  library_path = path;
}

const FfmpegLibrary& ffmpeg_library() {
  const FfmpegLibrary* found = loaded;
  if (found != nullptr) return *found;
  const FfmpegOpening opening;
  const std::lock_guard<std::mutex> lock(library_mutex);
  found = loaded;
  if (found != nullptr) return *found;
  if (!why_not.empty()) throw AudioError(why_not);
  try {
    loaded = found = new FfmpegLibrary(open_library(library_path));
  } catch (const AudioError& error) {
    why_not = error.what();
    throw;
  }
  return *found;
}

std::string ffmpeg_version() {
  try {
    return ffmpeg_library().version;
  } catch (const AudioError&) {
    return {};
  }
}

}  // namespace maest
