#include "ort_api.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "error.h"
#include "ort_library.h"
#include "runtime_use.h"

namespace maest {
namespace {

// The entry point's result: two functions, the rest of ONNX Runtime is behind them.
struct ApiBase {
  const void* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

std::mutex library_mutex;
std::string library_path;
// Never freed: threads may still compute while a process ends.
std::atomic<const OrtApi*> loaded{nullptr};

[[noreturn]] void unavailable(const std::string& what) {
  throw RuntimeUnavailable(message(what, "; ONNX Runtime 1.", kOldestOrtMinor,
                                   " or newer is wanted: pip install 'onnxruntime>=1.",
                                   kOldestOrtMinor, "'"));
}

// "1.32.0" -> accepted when it is 1.20 or later.
bool new_enough(const std::string& version) {
  char* rest = nullptr;
  const long major = std::strtol(version.c_str(), &rest, 10);
  if (*rest != '.') return false;
  const long minor = std::strtol(rest + 1, nullptr, 10);
  return major > 1 || (major == 1 && minor >= kOldestOrtMinor);
}

OrtApi open_library(const std::string& path) {
  if (path.empty()) unavailable("no ONNX Runtime library was found");
  // RTLD_LOCAL: another copy (onnxruntime's own Python module) may live in the same process.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) unavailable(message("cannot open '", path, "': ", dlerror()));
  using EntryPoint = const ApiBase* (*)();
  const auto entry = reinterpret_cast<EntryPoint>(dlsym(handle, "OrtGetApiBase"));
  if (entry == nullptr) unavailable(message("'", path, "' has no OrtGetApiBase"));
  const ApiBase* base = entry();
  const std::string version = base->get_version();
  // Asking an older library for a newer table prints to stderr, so the version is read first.
  if (!new_enough(version))
    unavailable(message("found ONNX Runtime ", version, " in '", path, "'"));
  const auto table = static_cast<void* const*>(base->get_api(kOldestOrtMinor));
  if (table == nullptr) unavailable(message("'", path, "' refuses its function table"));

  OrtApi api;
  api.library_path = path;
  api.version = version;
#define MAEST_ORT_FILL(position, type, name, arguments) \
  api.name = reinterpret_cast<type(*) arguments>(table[position]);
  MAEST_ORT_FUNCTIONS(MAEST_ORT_FILL)
#undef MAEST_ORT_FILL
  return api;
}

}  // namespace

void OrtApi::check(OrtStatus* status, const std::string& context) const {
  if (status == nullptr) return;
  const std::string words = GetErrorMessage(status);
  ReleaseStatus(status);
  throw ModelError(message(context, ": ONNX Runtime says: ", words));
}

void set_ort_library(const std::string& path) {
  const std::lock_guard<std::mutex> lock(library_mutex);
  const OrtApi* const api = loaded;
  if (api != nullptr && api->library_path != path) {
    throw InvalidArgument(message("ONNX Runtime is already loaded from '", api->library_path,
                                  "'; it cannot be replaced by '", path, "' in this process"));
  }
  library_path = path;
}

const OrtApi& ort_api() {
  const OrtApi* found = loaded;
  if (found != nullptr) return *found;  // without a lock, which a fork might copy as it is held
  const std::lock_guard<std::mutex> lock(library_mutex);
  found = loaded;
  if (found == nullptr) {
    loaded = found = new OrtApi(open_library(library_path));
    outlive_forks();
  }
  return *found;
}

OrtLibrary ort_library() { return {ort_api().library_path, ort_api().version}; }

const OrtEnv* ort_environment() {
  static const OrtEnv* const environment = [] {
    const OrtApi& api = ort_api();
    // Before it is there: from 1.32 on it names this machine in a file of the home folder, and
    // tells of the process, in the very moment in which it is made. Whoever wants that says so.
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    OrtEnv* created = nullptr;
    api.check(api.CreateEnv(kOrtLoggingError, "essentia-maest", &created),
              "creating the environment");
    api.check(api.DisableTelemetryEvents(created), "switching telemetry off");
    return created;
  }();
  return environment;
}

}  // namespace maest
