// Operators on rows of 8-bit integers (row_kernels.h), as ort_operators.cpp registers them.
//
// A linear layer of a model in 8-bit integers is two nodes: one that quantises rows, and one that
// multiplies them and takes the sums. What a node adds to a row besides (norm, GELU, what goes
// round a layer) it does while the row is in the cache. Where a node that takes sums has them from
// ONNX's MatMulInteger, it has another name: so models are computed that were made before the
// products were ours, and all on CPUs for which we have no products.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ort_api.h"
#include "ort_kernel.h"
#include "row_kernels.h"
#include "row_sums.h"

namespace maest {

// What the operators have in common: kernels, and checks of sizes.
class RowOperator {
 public:
  static bool usable(Isa isa) { return row_kernels(isa) != nullptr; }
  static Isa kernel_isa(Isa isa) { return row_kernels_isa(isa); }

 protected:
  // Those that give integers read how many levels these may have.
  explicit RowOperator(const char* name) : RowOperator(name, kSafeLevels) {}
  RowOperator(const char* name, const OrtKernelInfo* info);

  // Each throws ModelError where sizes do not fit.
  const RowRange* ranges_of(const KernelInput& input, const RowShape& rows) const;
  const float* same_rows(const KernelInput& input, const RowShape& rows) const;
  // The first `count` rows of a table, each as long as the rows.
  const float* table_of(const KernelInput& input, const RowShape& rows, std::size_t count) const;

  static ProductColumns product_columns(const float* table, const RowShape& rows) {
    return {table, table + rows.columns, table + 2 * rows.columns};
  }
  static RowRange* make_ranges(OrtKernelContext* context, std::size_t output, const RowShape& rows);

  // Does work(first, end, scratch) for pieces of the rows; scratch is a row of float32.
  template <typename Work>
  static void each_piece(const OrtKernelContext* context, const RowShape& rows, const Work& work) {
    constexpr std::size_t kRowsAtOnce = 16;
    for_pieces(context, rows.count, kRowsAtOnce, [&](std::size_t first, std::size_t end) {
      std::vector<float> scratch(rows.columns);
      work(first, end, scratch.data());
    });
  }

  void quantize(const float* values, const RowShape& rows, std::uint8_t* output,
                RowRange* range) const {
    kernels_->quantize(values, rows.columns, levels_, output, range);
  }

  const char* name_;
  const RowKernels* kernels_;

 private:
  RowOperator(const char* name, float levels);

  float levels_;
};

// Values [..., columns] -> integers [..., columns] and ranges [..., 2].
class QuantizeRows : public RowOperator {
 public:
  static constexpr const char* kName = "QuantizeRows";
  static constexpr std::array kInputs{kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorUint8, kOrtTensorFloat};

  explicit QuantizeRows(const OrtKernelInfo* info) : RowOperator(kName, info) {}
  void compute(OrtKernelContext* context) const;
};

// Values, and scale and bias [2, columns] of a LayerNorm -> integers and ranges of the result.
class NormQuantizeRows : public RowOperator {
 public:
  static constexpr const char* kName = "NormQuantizeRows";
  static constexpr std::array kInputs{kOrtTensorFloat, kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorUint8, kOrtTensorFloat};

  explicit NormQuantizeRows(const OrtKernelInfo* info);
  void compute(OrtKernelContext* context) const;

 private:
  float epsilon_;
};

// Those that take sums, which they are given (`GivenSums`) or compute (`MultipliedSums`): that
// comes first of their inputs.
template <typename Sums>
class SumsOperator : public RowOperator {
 public:
  static bool usable(Isa isa) { return RowOperator::usable(isa) && Sums::usable(isa); }

 protected:
  explicit SumsOperator(const char* name) : RowOperator(name), sums_(name) {}
  SumsOperator(const char* name, const OrtKernelInfo* info)
      : RowOperator(name, info), sums_(name) {}

  // Input `number` of those after the sums.
  static KernelInput input_after_sums(const OrtKernelContext* context, std::size_t number) {
    return kernel_input(context, Sums::kInputs.size() + number);
  }

  // `count` tensors of float32 after the sums.
  template <std::size_t count>
  static constexpr std::array<int, Sums::kInputs.size() + count> inputs() {
    std::array<int, Sums::kInputs.size() + count> types{};
    for (std::size_t i = 0; i < types.size(); ++i) {
      types[i] = i < Sums::kInputs.size() ? Sums::kInputs[i] : kOrtTensorFloat;
    }
    return types;
  }

  static constexpr const char* name_of(const char* given, const char* multiplied) {
    return Sums::kInputs.size() == 1 ? given : multiplied;
  }

  // Does work(row, sums) for every row.
  template <typename Work>
  void each_row(const OrtKernelContext* context, const typename Sums::Call& call,
                const Work& work) const {
    sums_.for_each(
        context, call,
        [&](std::size_t first, std::size_t end, const std::int32_t* sums, std::size_t stride) {
          std::vector<float> scratch(call.rows.columns);
          for (std::size_t row = first; row < end; ++row) {
            work(row, sums + (row - first) * stride, scratch.data());
          }
        });
  }

  Sums sums_;
};

// Sums [..., columns], ranges, and scale, sum and bias [3, columns] -> the products.
template <typename Sums>
class DequantizeRows : public SumsOperator<Sums> {
 public:
  static constexpr const char* kName =
      SumsOperator<Sums>::name_of("DequantizeRows", "MultiplyRows");
  static constexpr auto kInputs = SumsOperator<Sums>::template inputs<2>();
  static constexpr std::array kOutputs{kOrtTensorFloat};

  explicit DequantizeRows(const OrtKernelInfo*) : SumsOperator<Sums>(kName) {}
  void compute(OrtKernelContext* context) const;
};

// The same and a residual [..., columns], which is added.
template <typename Sums>
class AddRows : public SumsOperator<Sums> {
 public:
  static constexpr const char* kName = SumsOperator<Sums>::name_of("AddRows", "MultiplyAddRows");
  static constexpr auto kInputs = SumsOperator<Sums>::template inputs<3>();
  static constexpr std::array kOutputs{kOrtTensorFloat};

  explicit AddRows(const OrtKernelInfo*) : SumsOperator<Sums>(kName) {}
  void compute(OrtKernelContext* context) const;
};

// AddRows, then NormQuantizeRows of its result: that result, integers and ranges.
template <typename Sums>
class AddNormQuantizeRows : public SumsOperator<Sums> {
 public:
  static constexpr const char* kName =
      SumsOperator<Sums>::name_of("AddNormQuantizeRows", "MultiplyAddNormQuantizeRows");
  static constexpr auto kInputs = SumsOperator<Sums>::template inputs<4>();
  static constexpr std::array kOutputs{kOrtTensorFloat, kOrtTensorUint8, kOrtTensorFloat};

  explicit AddNormQuantizeRows(const OrtKernelInfo* info);
  void compute(OrtKernelContext* context) const;

 private:
  float epsilon_;
};

// Sums, ranges, and scale, sum, bias and gain [4, columns] -> integers and ranges of gelu(product)
// times the gain.
template <typename Sums>
class GeluQuantizeRows : public SumsOperator<Sums> {
 public:
  static constexpr const char* kName =
      SumsOperator<Sums>::name_of("GeluQuantizeRows", "MultiplyGeluQuantizeRows");
  static constexpr auto kInputs = SumsOperator<Sums>::template inputs<2>();
  static constexpr std::array kOutputs{kOrtTensorUint8, kOrtTensorFloat};

  explicit GeluQuantizeRows(const OrtKernelInfo* info) : SumsOperator<Sums>(kName, info) {}
  void compute(OrtKernelContext* context) const;
};

}  // namespace maest
