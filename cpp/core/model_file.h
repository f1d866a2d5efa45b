// What can be said of a model file before ONNX Runtime reads it.
#pragma once

#include <string>

namespace maest {

// Refuses, with words that help, a file that is TensorFlow's, as most published models are: ONNX
// Runtime would only say that it is not its own. Throws `ModelError`.
void refuse_tensorflow(const std::string& path);

}  // namespace maest
