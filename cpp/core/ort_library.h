// Which ONNX Runtime the engine opens.
#pragma once

#include <string>

namespace maest {

// The oldest ONNX Runtime, 1.x, whose function table and operators suffice.
inline constexpr int kOldestOrtMinor = 20;

// Names the shared library to open, before the first model. A later call with another path is an
// `InvalidArgument`: a process holds one ONNX Runtime.
void set_ort_library(const std::string& path);

struct OrtLibrary {
  std::string path;
  std::string version;
};

// Opens it on first use. Throws `RuntimeUnavailable` when it is missing or too old.
OrtLibrary ort_library();

}  // namespace maest
