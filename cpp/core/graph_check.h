// What a model file must not hold, whatever ONNX Runtime takes.
#pragma once

#include <string>

namespace maest {

struct GraphFacts {
  bool loops = false;  // has an operator Loop or Scan
};

// Reads a model file as ONNX Runtime is about to. Throws `ModelError`
// - when it takes values from a file that is not in its own folder, links followed: such a model
//   could show what other files hold, and some versions of ONNX Runtime open whatever is named;
// - when it has loops that, once begun, nobody could end: ONNX Runtime looks between operators
//   whether it is to stop, so a loop's body must have one;
// - when the raw values of a tensor are more or fewer than its shape and type say: ONNX Runtime
// reads
//   some of them before it looks;
// - when operators of ours pack weights that are no constants (row_sums.h);
// - when a LayerNormalization has a last input without a name, which its optimizer follows;
// - when it is not well-formed, so that nothing hides behind that.
GraphFacts check_graph(const std::string& path);

}  // namespace maest
