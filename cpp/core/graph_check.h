// Files beside an ONNX file that it takes values from.
#pragma once

#include <string>

namespace maest {

// Throws `ModelError` when the ONNX file `path` takes values from a file that is not in its own
// folder, links followed: such a model could show what other files hold. Some versions of ONNX
// Runtime open whatever is named. What is not well-formed is refused too, so that nothing hides
// behind it.
void refuse_data_outside(const std::string& path);

}  // namespace maest
