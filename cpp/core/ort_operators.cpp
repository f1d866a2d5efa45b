#include "ort_operators.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>

#include "attention.h"
#include "cpu.h"
#include "error.h"
#include "gelu.h"
#include "kernels.h"
#include "ort_api.h"
#include "ort_custom_op.h"
#include "ort_kernel.h"
#include "row_operators.h"

namespace maest {
namespace {

thread_local OperatorCounter* counter = nullptr;

// Takes rows of queries, then rows of keys and values. One tensor [batch, tokens, 3 * dim] of all
// three may stand for both: queries are taken from the front of the first, keys and values from the
// end of the second.
class QuantizedAttention {
 public:
  static constexpr const char* kName = "QuantizedAttention";
  static constexpr std::array kInputs{kOrtTensorFloat, kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorFloat};
  static bool usable(Isa isa) { return attention_kind(isa) != AttentionKind::kNone; }
  static Isa kernel_isa(Isa isa) { return attention_kernels_isa(isa); }

  explicit QuantizedAttention(const OrtKernelInfo* info)
      : heads_(kernel_attribute(info, "heads")),
        dim_(kernel_attribute(info, "dim")),
        isa_(default_isa()) {
    if (heads_ < 1 || dim_ < 1 || dim_ > kMost || dim_ % heads_ != 0) {
      throw ModelError(message(kName, " has ", heads_, " heads and dim ", dim_,
                               "; wanted is a dim that the heads divide"));
    }
  }

  void compute(OrtKernelContext* context) const {
    const KernelInput query = kernel_input(context, 0);
    const KernelInput key_value = kernel_input(context, 1);
    require(query.shape, dim_, "queries");
    require(key_value.shape, 2 * dim_, "keys and values");
    const AttentionShape shape{static_cast<int>(query.shape[0]), static_cast<int>(query.shape[1]),
                               static_cast<int>(key_value.shape[1]), static_cast<int>(heads_),
                               static_cast<int>(dim_ / heads_)};
    if (key_value.shape[0] != query.shape[0] || shape.keys == 0) {
      throw ModelError(message(kName, ": keys of ", key_value.shape[0], " x ", shape.keys,
                               " tokens do not go with queries of ", shape.batch, " x ",
                               shape.queries));
    }
    auto* const output = kernel_output<float>(context, 0, {query.shape[0], query.shape[1], dim_});
    const auto stride = static_cast<std::size_t>(key_value.shape[2]);
    const float* const values = key_value.as<float>() + stride - static_cast<std::size_t>(dim_);
    attention(isa_, shape, {query.as<float>(), static_cast<std::size_t>(query.shape[2])},
              {values - dim_, stride}, {values, stride}, output,
              [context](std::size_t count, const std::function<void(std::size_t)>& work) {
                kernel_for_each(context, count, work);
              });
  }

 private:
  static void require(const std::vector<std::int64_t>& shape, std::int64_t width,
                      const char* what) {
    if (shape.size() != 3 || shape[2] < width || shape[0] > kMost || shape[1] > kMost) {
      throw ModelError(
          message(kName, ": wanted are ", what, " of [batch, tokens, at least ", width, "]"));
    }
  }

  // Of each size: far above any that is meant, and products of two fit into 64 bits.
  static constexpr std::int64_t kMost = std::int64_t{1} << 24;

  std::int64_t heads_;
  std::int64_t dim_;
  Isa isa_;
};

// Takes values [..., columns] and a bias [columns].
class BiasGelu {
 public:
  static constexpr const char* kName = "BiasGelu";
  static constexpr std::array kInputs{kOrtTensorFloat, kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorFloat};
  static bool usable(Isa isa) { return gelu_kernel(isa) != nullptr; }
  static Isa kernel_isa(Isa isa) { return gelu_kernel_isa(isa); }

  explicit BiasGelu(const OrtKernelInfo*) : kernel_(gelu_kernel(default_isa())) {}

  void compute(OrtKernelContext* context) const {
    const KernelInput values = kernel_input(context, 0);
    const KernelInput bias = kernel_input(context, 1);
    if (values.shape.empty() || bias.shape.size() != 1 || bias.shape[0] != values.shape.back()) {
      throw ModelError(message(kName, ": wanted is a bias of one value per column"));
    }
    const auto columns = static_cast<std::size_t>(bias.shape[0]);
    std::size_t rows = 1;
    for (std::size_t i = 0; i + 1 < values.shape.size(); ++i) {
      rows *= static_cast<std::size_t>(values.shape[i]);
    }
    auto* const output = kernel_output<float>(context, 0, values.shape);
    constexpr std::size_t kRowsAtOnce = 32;
    kernel_for_each(context, (rows + kRowsAtOnce - 1) / kRowsAtOnce, [&](std::size_t piece) {
      const std::size_t end = std::min(rows, (piece + 1) * kRowsAtOnce);
      for (std::size_t row = piece * kRowsAtOnce; row < end; ++row) {
        kernel_(values.as<float>() + row * columns, bias.as<float>(), columns,
                output + row * columns);
      }
    });
  }

 private:
  GeluKernel kernel_;
};

// All of ours: what is done for each of them is done for this list.
template <typename... Operators>
struct OperatorList {};
using Ours = OperatorList<QuantizedAttention, BiasGelu, QuantizeRows, NormQuantizeRows,
                          DequantizeRows<GivenSums>, AddRows<GivenSums>,
                          AddNormQuantizeRows<GivenSums>, GeluQuantizeRows<GivenSums>,
                          DequantizeRows<MultipliedSums>, AddRows<MultipliedSums>,
                          AddNormQuantizeRows<MultipliedSums>, GeluQuantizeRows<MultipliedSums>>;

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

template <typename Operator>
OrtCustomOp table_of() {
  OrtCustomOp op{};
  op.version = kOrtCustomOpVersion;
  op.GetName = [](const OrtCustomOp*) { return Operator::kName; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };  // CPU
  op.GetInputType = [](const OrtCustomOp*, std::size_t index) { return Operator::kInputs[index]; };
  op.GetInputTypeCount = [](const OrtCustomOp*) { return Operator::kInputs.size(); };
  op.GetOutputType = [](const OrtCustomOp*, std::size_t index) {
    return Operator::kOutputs[index];
  };
  op.GetOutputTypeCount = [](const OrtCustomOp*) { return Operator::kOutputs.size(); };
  op.GetInputCharacteristic = [](const OrtCustomOp*, std::size_t) { return kOrtRequired; };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t) { return kOrtRequired; };
  op.GetInputMemoryType = [](const OrtCustomOp*, std::size_t) { return kOrtMemoryDefault; };
  op.CreateKernelV2 = [](const OrtCustomOp*, const void*, const OrtKernelInfo* info,
                         void** kernel) {
    return guarded([&] {
      *kernel = new Operator(info);
      if (counter != nullptr) counter->count(Operator::kName, Operator::kernel_isa(default_isa()));
    });
  };
  op.KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
    return guarded([&] { static_cast<const Operator*>(kernel)->compute(context); });
  };
  op.KernelDestroy = [](void* kernel) { delete static_cast<Operator*>(kernel); };
  return op;
}

template <typename Operator>
void add(OrtCustomOpDomain* domain, Isa isa) {
  static const OrtCustomOp table = table_of<Operator>();
  if (!Operator::usable(isa)) return;
  ort_api().check(ort_api().CustomOpDomain_Add(domain, &table),
                  message("adding the operator ", Operator::kName));
}

template <typename... Operators>
void add_all(OrtCustomOpDomain* domain, Isa isa, OperatorList<Operators...>) {
  (add<Operators>(domain, isa), ...);
}

template <typename... Operators>
std::vector<OperatorUse> unused(OperatorList<Operators...>) {
  return {{Operators::kName, 0, kLeftToOrt}...};
}

// One an instruction set, made when it is first wanted and never released: sessions may outlive
// static destruction in a Python process.
OrtCustomOpDomain* domain_for(Isa isa) {
  static std::mutex mutex;
  static std::map<Isa, OrtCustomOpDomain*>& made = *new std::map<Isa, OrtCustomOpDomain*>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = made.find(isa);
  if (found != made.end()) return found->second;
  OrtCustomOpDomain* domain = nullptr;
  ort_api().check(ort_api().CreateCustomOpDomain(kOperatorDomain, &domain), "naming our operators");
  add_all(domain, isa, Ours{});
  return made[isa] = domain;
}

}  // namespace

OperatorCounter::OperatorCounter() : uses_(unused(Ours{})) { counter = this; }

OperatorCounter::~OperatorCounter() { counter = nullptr; }

void OperatorCounter::count(const char* name, Isa isa) {
  for (OperatorUse& use : uses_) {
    if (use.name != name) continue;
    ++use.nodes;
    use.kernel = isa_name(isa);
  }
}

void register_operators(OrtSessionOptions* options) {
  const Isa isa = default_isa();
  if (isa == Isa::kBaseline) return;
  ort_api().check(ort_api().AddCustomOpDomain(options, domain_for(isa)), "adding our operators");
}

}  // namespace maest
