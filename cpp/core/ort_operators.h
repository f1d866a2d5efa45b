// Operators of ours that ONNX Runtime calls while it runs a graph.
//
// A graph that uses one also says how to compute it from ONNX Runtime's own operators, as a
// function of the model: where an operator is not registered, ONNX Runtime takes that instead.
#pragma once

#include <vector>

#include "kernels.h"

struct OrtSessionOptions;

namespace maest {

// Counts the nodes that ONNX Runtime leaves to the engine when it makes a session in this thread,
// while this object lives. One at a time in a thread.
class OperatorCounter {
 public:
  OperatorCounter();
  ~OperatorCounter();
  OperatorCounter(const OperatorCounter&) = delete;
  OperatorCounter& operator=(const OperatorCounter&) = delete;

  // Of every operator of ours.
  const std::vector<OperatorUse>& uses() const { return uses_; }
  void count(const char* name, Isa isa);

 private:
  std::vector<OperatorUse> uses_;
};

// Registers those that this CPU has kernels for. Throws `ModelError` when ONNX Runtime refuses.
void register_operators(OrtSessionOptions* options);

}  // namespace maest
