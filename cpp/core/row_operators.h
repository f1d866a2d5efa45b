// Operators on rows of 8-bit integers (row_kernels.h), as ort_operators.cpp registers them.
//
// A matrix product of a model in 8-bit integers is three nodes: one that quantises rows, ONNX's
// MatMulInteger, and one that takes its sums. What a node adds to a row besides (norm, GELU, what
// goes round a layer) it does while the row is in the cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ort_api.h"
#include "ort_kernel.h"
#include "row_kernels.h"

namespace maest {

// What the operators have in common: kernels, and work shared out by rows.
class RowOperator {
 public:
  static bool usable(Isa isa) { return row_kernels(isa) != nullptr; }
  static Isa kernel_isa(Isa isa) { return row_kernels_isa(isa); }

 protected:
  // Those that give integers read how many levels these may have.
  explicit RowOperator(const char* name) : RowOperator(name, kSafeLevels) {}
  RowOperator(const char* name, const OrtKernelInfo* info);

  // Rows of `columns` values each: all sizes of a tensor but the last.
  struct Rows {
    std::vector<std::int64_t> shape;
    std::size_t count;
    std::size_t columns;
  };

  // Each throws ModelError where sizes do not fit.
  Rows rows_of(const KernelInput& input) const;
  const RowRange* ranges_of(const KernelInput& input, const Rows& rows) const;
  const float* same_rows(const KernelInput& input, const Rows& rows) const;
  // The first `count` rows of a table, each as long as the rows.
  const float* table_of(const KernelInput& input, const Rows& rows, std::size_t count) const;

  static ProductColumns product_columns(const float* table, const Rows& rows) {
    return {table, table + rows.columns, table + 2 * rows.columns};
  }
  static RowRange* make_ranges(OrtKernelContext* context, std::size_t output, const Rows& rows);

  // Does work(first, end, scratch) for pieces of the rows; scratch is a row of float32.
  template <typename Work>
  static void each_piece(const OrtKernelContext* context, const Rows& rows, const Work& work) {
    constexpr std::size_t kRowsAtOnce = 16;
    kernel_for_each(context, (rows.count + kRowsAtOnce - 1) / kRowsAtOnce, [&](std::size_t piece) {
      std::vector<float> scratch(rows.columns);
      const std::size_t first = piece * kRowsAtOnce;
      const std::size_t end = first + kRowsAtOnce < rows.count ? first + kRowsAtOnce : rows.count;
      work(first, end, scratch.data());
    });
  }

  void quantize(const float* values, const Rows& rows, std::uint8_t* output,
                RowRange* range) const {
    kernels_->quantize(values, rows.columns, levels_, output, range);
  }

  const RowKernels* kernels_;

 private:
  RowOperator(const char* name, float levels);

  const char* name_;
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

// Sums of products [..., columns], ranges, and scale, sum and bias [3, columns] -> the products.
class DequantizeRows : public RowOperator {
 public:
  static constexpr const char* kName = "DequantizeRows";
  static constexpr std::array kInputs{kOrtTensorInt32, kOrtTensorFloat, kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorFloat};

  explicit DequantizeRows(const OrtKernelInfo*) : RowOperator(kName) {}
  void compute(OrtKernelContext* context) const;
};

// The same and a residual [..., columns], which is added.
class AddRows : public RowOperator {
 public:
  static constexpr const char* kName = "AddRows";
  static constexpr std::array kInputs{kOrtTensorInt32, kOrtTensorFloat, kOrtTensorFloat,
                                      kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorFloat};

  explicit AddRows(const OrtKernelInfo*) : RowOperator(kName) {}
  void compute(OrtKernelContext* context) const;
};

// AddRows, then NormQuantizeRows of its result: that result, integers and ranges.
class AddNormQuantizeRows : public RowOperator {
 public:
  static constexpr const char* kName = "AddNormQuantizeRows";
  static constexpr std::array kInputs{kOrtTensorInt32, kOrtTensorFloat, kOrtTensorFloat,
                                      kOrtTensorFloat, kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorFloat, kOrtTensorUint8, kOrtTensorFloat};

  explicit AddNormQuantizeRows(const OrtKernelInfo* info);
  void compute(OrtKernelContext* context) const;

 private:
  float epsilon_;
};

// Sums, ranges, and scale, sum, bias and gain [4, columns] -> integers and ranges of gelu(product)
// times the gain.
class GeluQuantizeRows : public RowOperator {
 public:
  static constexpr const char* kName = "GeluQuantizeRows";
  static constexpr std::array kInputs{kOrtTensorInt32, kOrtTensorFloat, kOrtTensorFloat};
  static constexpr std::array kOutputs{kOrtTensorUint8, kOrtTensorFloat};

  explicit GeluQuantizeRows(const OrtKernelInfo* info) : RowOperator(kName, info) {}
  void compute(OrtKernelContext* context) const;
};

}  // namespace maest
