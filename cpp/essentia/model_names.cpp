#include "model_names.h"

#include <sys/stat.h>

#include <atomic>

#include "error.h"

namespace maest::plugin {
namespace {

std::atomic<EssentiaMaestFindModel> finder{nullptr};

struct Answer {
  std::string path;
  std::string problem;
};

void take_answer(void* answer, const char* path, const char* problem) {
  auto& taken = *static_cast<Answer*>(answer);
  if (path != nullptr) taken.path = path;
  if (problem != nullptr) taken.problem = problem;
}

bool looks_like_a_name(const std::string& text) {
  return text.find('/') == std::string::npos && text.find(".onnx") == std::string::npos;
}

}  // namespace

void set_model_finder(EssentiaMaestFindModel find) { finder = find; }

std::string find_model(const std::string& name) {
  if (const EssentiaMaestFindModel find = finder) {
    Answer answer;
    find(name.c_str(), take_answer, &answer);
    if (!answer.problem.empty()) throw ModelError(answer.problem);
    if (!answer.path.empty()) return answer.path;
  }
  struct stat status{};
  if (looks_like_a_name(name) && stat(name.c_str(), &status) != 0) {
    throw ModelError(message("model '", name,
                             "' is not a file; wanted is the path of an .onnx file (names such as "
                             "'default' are known in Python, where essentia_maest is imported)"));
  }
  return name;
}

}  // namespace maest::plugin
