#include "sndfile_library.h"

#include <dlfcn.h>

#include <mutex>
#include <string_view>

#include "error.h"

namespace maest {
namespace {

constexpr const char* kSystems = "libsndfile.so.1";

struct Library {
  std::mutex mutex;
  std::string path;
  bool tried = false;
  SndfileFunctions functions{};
  std::string version;
  std::string problem;
};

Library& library() {
  static Library* const the_one = new Library;  // threads may decode while the process ends
  return *the_one;
}

template <typename Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  return function != nullptr;
}

// What is wrong; empty: nothing.
std::string open(const std::string& path, SndfileFunctions& functions, std::string& version) {
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const reason = dlerror();
    return reason == nullptr ? "it cannot be opened" : reason;
  }
  const bool whole = find(handle, "sf_version_string", functions.version_string) &&
                     find(handle, "sf_open_virtual", functions.open_virtual) &&
                     find(handle, "sf_close", functions.close) &&
                     find(handle, "sf_readf_float", functions.readf_float) &&
                     find(handle, "sf_seek", functions.seek) &&
                     find(handle, "sf_error", functions.error) &&
                     find(handle, "sf_strerror", functions.strerror);
  if (!whole) return "it lacks functions of libsndfile";
  constexpr std::string_view kName = "libsndfile-";
  const std::string_view text = functions.version_string();
  if (text.substr(0, kName.size() + 2) != "libsndfile-1.") {
    return message("it is '", text, "'; libsndfile 1 is wanted");
  }
  version = message("libsndfile ", text.substr(kName.size()));
  return "";
}

void open_once(Library& found) {
  if (found.tried) return;
  found.tried = true;
  const std::string path = found.path.empty() ? kSystems : found.path;
  const std::string problem = open(path, found.functions, found.version);
  if (!problem.empty()) found.problem = message("libsndfile ('", path, "'): ", problem);
}

}  // namespace

void set_sndfile_library(const std::string& path) {
  Library& found = library();
  const std::lock_guard<std::mutex> lock(found.mutex);
  if (found.tried && found.path != path) {
    throw InvalidArgument(message("libsndfile is already open, from '",
                                  found.path.empty() ? kSystems : found.path, "', not from '", path,
                                  "'"));
  }
  found.path = path;
}

std::string sndfile_version() {
  Library& found = library();
  const std::lock_guard<std::mutex> lock(found.mutex);
  open_once(found);
  return found.version;
}

const SndfileFunctions& sndfile_functions() {
  Library& found = library();
  const std::lock_guard<std::mutex> lock(found.mutex);
  open_once(found);
  if (!found.problem.empty()) throw AudioError(found.problem);
  return found.functions;
}

}  // namespace maest
