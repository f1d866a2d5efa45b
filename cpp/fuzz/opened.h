// Opening a model file as the engine does, as far as its description.
#pragma once

#include <cstdlib>
#include <string>

#include "error.h"
#include "model_info.h"
#include "ort_library.h"
#include "ort_session.h"

namespace maest::fuzz {

// ESSENTIA_MAEST_ONNXRUNTIME names ONNX Runtime's library.
inline void open_model(const std::string& path) {
  static const bool named = [] {
    if (const char* library = std::getenv("ESSENTIA_MAEST_ONNXRUNTIME")) set_ort_library(library);
    return true;
  }();
  static_cast<void>(named);
  try {
    const Session session(path, 1);
    read_model_info(session);
  } catch (const ModelError&) {  // as it should be; nothing else may be thrown
  }
}

}  // namespace maest::fuzz
