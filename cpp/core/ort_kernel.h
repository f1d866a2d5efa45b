// What an operator of ours sees of ONNX Runtime while it computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

struct OrtKernelContext;
struct OrtKernelInfo;

namespace maest {

// A float32 tensor that ONNX Runtime owns.
struct KernelInput {
  const float* data;
  std::vector<std::int64_t> shape;
};

// All throw `ModelError` when ONNX Runtime refuses.
std::int64_t kernel_attribute(const OrtKernelInfo* info, const char* name);
KernelInput kernel_input(const OrtKernelContext* context, std::size_t index);
float* kernel_output(OrtKernelContext* context, const std::vector<std::int64_t>& shape);

// Does work(0) to work(count - 1) on the threads of the session that runs the operator. What work
// throws is thrown here, once all is done.
void kernel_for_each(const OrtKernelContext* context, std::size_t count,
                     const std::function<void(std::size_t)>& work);

}  // namespace maest
