// What an operator of ours sees of ONNX Runtime while it computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

struct OrtKernelContext;
struct OrtKernelInfo;

namespace maest {

// A tensor that ONNX Runtime owns, of the type that the operator says it takes.
struct KernelInput {
  const void* data;
  std::vector<std::int64_t> shape;

  template <typename Value>
  const Value* as() const {
    return static_cast<const Value*>(data);
  }
};

// All throw `ModelError` when ONNX Runtime refuses.
std::int64_t kernel_attribute(const OrtKernelInfo* info, const char* name);
float kernel_float_attribute(const OrtKernelInfo* info, const char* name);
// The same, or `otherwise` where there is no such attribute.
float kernel_float_attribute(const OrtKernelInfo* info, const char* name, float otherwise);
KernelInput kernel_input(const OrtKernelContext* context, std::size_t index);
void* kernel_output_data(OrtKernelContext* context, std::size_t index,
                         const std::vector<std::int64_t>& shape);

// Room for output `index`, of the type that the operator says it gives.
template <typename Value>
Value* kernel_output(OrtKernelContext* context, std::size_t index,
                     const std::vector<std::int64_t>& shape) {
  return static_cast<Value*>(kernel_output_data(context, index, shape));
}

// Does work(0) to work(count - 1) on the threads of the session that runs the operator. What work
// throws is thrown here, once all is done.
void kernel_for_each(const OrtKernelContext* context, std::size_t count,
                     const std::function<void(std::size_t)>& work);

}  // namespace maest
