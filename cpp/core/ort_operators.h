// Operators of ours that ONNX Runtime calls while it runs a graph.
//
// A graph that uses one also says how to compute it from ONNX Runtime's own operators, as a
// function of the model: where an operator is not registered, ONNX Runtime takes that instead.
#pragma once

struct OrtSessionOptions;

namespace maest {

// Registers those that this CPU has kernels for. Throws `ModelError` when ONNX Runtime refuses.
void register_operators(OrtSessionOptions* options);

}  // namespace maest
