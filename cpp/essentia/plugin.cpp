#include "plugin.h"

#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>

#include "model_names.h"
#include "ort_library.h"
#include "python_host.h"
#include "registration.h"
#include "runtime_use.h"

namespace maest::plugin {
namespace {

std::string library_or_default(const char* path) {
  if (path != nullptr && *path != '\0') return path;
  const char* named = std::getenv("ESSENTIA_MAEST_ONNXRUNTIME");
  if (named != nullptr && *named != '\0') return named;
  return "libonnxruntime.so";
}

}  // namespace
}  // namespace maest::plugin

#define MAEST_EXPORT __attribute__((visibility("default")))

extern "C" MAEST_EXPORT const char* essentia_maest_register(const char* onnxruntime) {
  static std::mutex mutex;
  static bool registered = false;
  static std::string problem;
  const std::lock_guard<std::mutex> lock(mutex);
  try {
    if (registered) return nullptr;
    maest::set_ort_library(maest::plugin::library_or_default(onnxruntime));
    maest::plugin::add_algorithms();
    registered = true;
    return nullptr;
  } catch (const std::exception& error) {
    problem = error.what();
    return problem.c_str();
  }
}

extern "C" MAEST_EXPORT void essentia_maest_use_model_names(EssentiaMaestFindModel find) {
  maest::plugin::set_model_finder(find);
}

extern "C" MAEST_EXPORT void essentia_maest_use_python(const EssentiaMaestPython* python) {
  maest::plugin::set_python(*python);
}

extern "C" MAEST_EXPORT void essentia_maest_end() { maest::end_runtime_uses(); }

extern "C" MAEST_EXPORT void essentia_maest_raise_interruption() {
  maest::plugin::raise_interruption();
}
