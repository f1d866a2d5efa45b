#include "ort_kernel.h"

#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "error.h"
#include "ort_api.h"

namespace maest {

std::int64_t kernel_attribute(const OrtKernelInfo* info, const char* name) {
  const OrtApi& api = ort_api();
  std::int64_t value = 0;
  api.check(api.KernelInfoGetAttribute_int64(info, name, &value),
            message("reading the attribute '", name, "' of an operator"));
  return value;
}

float kernel_float_attribute(const OrtKernelInfo* info, const char* name) {
  const OrtApi& api = ort_api();
  float value = 0.0F;
  api.check(api.KernelInfoGetAttribute_float(info, name, &value),
            message("reading the attribute '", name, "' of an operator"));
  return value;
}

float kernel_float_attribute(const OrtKernelInfo* info, const char* name, float otherwise) {
  const OrtApi& api = ort_api();
  float value = 0.0F;
  OrtStatus* const missing = api.KernelInfoGetAttribute_float(info, name, &value);
  if (missing == nullptr) return value;
  api.ReleaseStatus(missing);
  return otherwise;
}

KernelInput kernel_input(const OrtKernelContext* context, std::size_t index) {
  const OrtApi& api = ort_api();
  const OrtValue* value = nullptr;
  api.check(api.KernelContext_GetInput(context, index, &value), "reading an operator's input");
  OrtTensorTypeAndShapeInfo* raw_info = nullptr;
  api.check(api.GetTensorTypeAndShape(value, &raw_info), "reading the shape of an input");
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, void (*)(OrtTensorTypeAndShapeInfo*)> info(
      raw_info, api.ReleaseTensorTypeAndShapeInfo);
  std::size_t rank = 0;
  api.check(api.GetDimensionsCount(info.get(), &rank), "reading the rank of an input");
  std::vector<std::int64_t> shape(rank);
  api.check(api.GetDimensions(info.get(), shape.data(), rank), "reading the shape of an input");
  void* data = nullptr;
  // ONNX Runtime has no getter for data that is only read.
  api.check(api.GetTensorMutableData(const_cast<OrtValue*>(value), &data), "reading an input");
  return {data, std::move(shape)};
}

void* kernel_output_data(OrtKernelContext* context, std::size_t index,
                         const std::vector<std::int64_t>& shape) {
  const OrtApi& api = ort_api();
  OrtValue* value = nullptr;
  api.check(api.KernelContext_GetOutput(context, index, shape.data(), shape.size(), &value),
            "making room for an operator's output");
  void* data = nullptr;
  api.check(api.GetTensorMutableData(value, &data), "writing an operator's output");
  return data;
}

void kernel_for_each(const OrtKernelContext* context, std::size_t count,
                     const std::function<void(std::size_t)>& work) {
  struct Job {
    const std::function<void(std::size_t)>& work;
    std::mutex mutex;
    std::exception_ptr error;
  } job{work, {}, nullptr};
  const auto call = [](void* data, std::size_t index) {
    Job& mine = *static_cast<Job*>(data);
    try {
      mine.work(index);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mine.mutex);
      mine.error = std::current_exception();
    }
  };
  const OrtApi& api = ort_api();
  api.check(api.KernelContext_ParallelFor(context, call, count, 0, &job), "sharing out work");
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace maest
