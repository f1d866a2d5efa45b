// Which ONNX Runtime the engine opens.
#pragma once

#include <string>

namespace maest {

// Names the shared library to open, before the first model. A later call with another path is an
// `InvalidArgument`: a process holds one ONNX Runtime.
void set_ort_library(const std::string& path);

}  // namespace maest
