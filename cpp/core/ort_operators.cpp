#include "ort_operators.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "attention.h"
#include "cpu.h"
#include "error.h"
#include "ort_api.h"
#include "ort_custom_op.h"

namespace maest {
namespace {

// The names that graph.py writes.
constexpr const char* kDomain = "essentia_maest";
constexpr const char* kAttention = "QuantizedAttention";

constexpr std::size_t kOutputs = 1;

// An operator's inputs: rows of queries first, then rows of keys and values. One tensor
// [batch, tokens, 3 * dim] of all three may stand for both: queries are taken from the front of the
// first, keys and values from the end of the second.
constexpr std::size_t kInputs = 2;

std::int64_t attribute(const OrtKernelInfo* info, const char* name) {
  const OrtApi& api = ort_api();
  std::int64_t value = 0;
  api.check(api.KernelInfoGetAttribute_int64(info, name, &value),
            message("reading the attribute '", name, "' of ", kAttention));
  return value;
}

struct Input {
  const float* data;
  std::vector<std::int64_t> shape;
};

Input input(const OrtKernelContext* context, std::size_t index) {
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
  return {static_cast<const float*>(data), std::move(shape)};
}

// ONNX Runtime's threads, those of the session that runs the operator.
ForEach threads_of(const OrtKernelContext* context) {
  return [context](std::size_t count, const std::function<void(std::size_t)>& work) {
    struct Job {
      const std::function<void(std::size_t)>& work;
      std::exception_ptr error;
      std::mutex mutex;
    } job{work, nullptr, {}};
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
  };
}

class Attention {
 public:
  explicit Attention(const OrtKernelInfo* info)
      : heads_(attribute(info, "heads")), dim_(attribute(info, "dim")) {
    if (heads_ < 1 || dim_ < 1 || dim_ % heads_ != 0) {
      throw ModelError(message(kAttention, " has ", heads_, " heads and dim ", dim_,
                               "; wanted is a dim that the heads divide"));
    }
  }

  void compute(OrtKernelContext* context) const {
    const Input query = input(context, 0);
    const Input key_value = input(context, 1);
    require(query.shape, dim_, "queries");
    require(key_value.shape, 2 * dim_, "keys and values");
    const AttentionShape shape{
        static_cast<int>(query.shape[0]), static_cast<int>(query.shape[1]),
        static_cast<int>(key_value.shape[1]), static_cast<int>(heads_),
        static_cast<int>(dim_ / heads_)};
    if (key_value.shape[0] != query.shape[0] || (shape.keys == 0 && shape.queries > 0)) {
      throw ModelError(message(kAttention, " was given keys of ", key_value.shape[0], " x ",
                               shape.keys, " tokens for queries of ", shape.batch, " x ",
                               shape.queries));
    }
    const OrtApi& api = ort_api();
    const std::int64_t output_shape[] = {query.shape[0], query.shape[1], dim_};
    OrtValue* value = nullptr;
    api.check(api.KernelContext_GetOutput(context, 0, output_shape, 3, &value),
              "making room for an operator's output");
    void* output = nullptr;
    api.check(api.GetTensorMutableData(value, &output), "writing an operator's output");
    const auto query_stride = static_cast<std::size_t>(query.shape[2]);
    const auto stride = static_cast<std::size_t>(key_value.shape[2]);
    const float* const values = key_value.data + stride - static_cast<std::size_t>(dim_);
    quantized_attention(shape, {query.data, query_stride}, {values - dim_, stride},
                        {values, stride}, static_cast<float*>(output), threads_of(context));
  }

 private:
  static void require(const std::vector<std::int64_t>& shape, std::int64_t width,
                      const char* what) {
    constexpr std::int64_t kMost = std::numeric_limits<int>::max();
    if (shape.size() != 3 || shape[2] < width || shape[0] > kMost || shape[1] > kMost) {
      throw ModelError(message(kAttention, ": wanted are ", what,
                               " of [batch, tokens, at least ", width, "]"));
    }
  }

  std::int64_t heads_;
  std::int64_t dim_;
};

// Nothing may be thrown into ONNX Runtime: errors are handed over as it knows them.
template <typename Work>
OrtStatus* guarded(const Work& work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return ort_api().CreateStatus(kOrtFail, error.what());
  }
}

OrtCustomOp attention_operator() {
  OrtCustomOp op{};
  op.version = kOrtCustomOpVersion;
  op.GetName = [](const OrtCustomOp*) { return kAttention; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };  // CPU
  op.GetInputType = [](const OrtCustomOp*, std::size_t) { return kOrtTensorFloat; };
  op.GetInputTypeCount = [](const OrtCustomOp*) { return kInputs; };
  op.GetOutputType = [](const OrtCustomOp*, std::size_t) { return kOrtTensorFloat; };
  op.GetOutputTypeCount = [](const OrtCustomOp*) { return kOutputs; };
  op.GetInputCharacteristic = [](const OrtCustomOp*, std::size_t) { return kOrtRequired; };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t) { return kOrtRequired; };
  op.GetInputMemoryType = [](const OrtCustomOp*, std::size_t) { return kOrtMemoryDefault; };
  op.CreateKernelV2 = [](const OrtCustomOp*, const void*, const OrtKernelInfo* info,
                         void** kernel) {
    return guarded([&] { *kernel = new Attention(info); });
  };
  op.KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
    return guarded([&] { static_cast<const Attention*>(kernel)->compute(context); });
  };
  op.KernelDestroy = [](void* kernel) { delete static_cast<Attention*>(kernel); };
  return op;
}

// Made once and never released: sessions may outlive static destruction in a Python process.
OrtCustomOpDomain* domain() {
  static OrtCustomOpDomain* const made = [] {
    static const OrtCustomOp attention = attention_operator();
    const OrtApi& api = ort_api();
    OrtCustomOpDomain* created = nullptr;
    api.check(api.CreateCustomOpDomain(kDomain, &created), "naming our operators");
    api.check(api.CustomOpDomain_Add(created, &attention), "adding an operator");
    return created;
  }();
  return made;
}

}  // namespace

void register_operators(OrtSessionOptions* options) {
  if (!has_attention_kernels(default_isa())) return;
  ort_api().check(ort_api().AddCustomOpDomain(options, domain()), "adding our operators");
}

}  // namespace maest
