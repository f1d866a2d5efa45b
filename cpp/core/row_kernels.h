// Rows of float32 as rows of 8-bit integers: what comes before and after products of integers.
//
// A row, the values of one token, has a range of its own: a value is about step * integer + low,
// with integers from 0 to `levels`. So a token that is larger than the others costs them nothing,
// and a result does not depend on what else is computed with it. The product of such a row with a
// column of signed integers, whose scale is s, is then
// step * s * (sum of the products of integers) + low * (sum of the column).
#pragma once

#include <cstddef>
#include <cstdint>

namespace maest {

enum class Isa;  // cpu.h is not included: it would bring the standard library into the kernels

struct RowRange {
  float step;
  float low;
};

// Of the columns of a product: their scales, the sums of their weights, and what is added.
struct ProductColumns {
  const float* scale;
  const float* sum;
  const float* bias;
};

// A row that is not finite has a range that is not either.
struct RowKernels {
  void (*quantize)(const float* values, std::size_t count, float levels, std::uint8_t* output,
                   RowRange* range);

  // LayerNorm: (x - mean) / sqrt(variance + epsilon) * scale + bias.
  void (*norm)(const float* values, const float* scale, const float* bias, std::size_t count,
               float epsilon, float* output);

  // The product of a row as float32, plus `residual` unless that is null.
  void (*dequantize)(const std::int32_t* sums, RowRange range, ProductColumns columns,
                     const float* residual, std::size_t count, float* output);

  // gelu(product) * gain, within what gelu.h says.
  void (*gelu)(const std::int32_t* sums, RowRange range, ProductColumns columns, const float* gain,
               std::size_t count, float* output);
};

// Null where there are none.
const RowKernels* row_kernels(Isa isa);

inline constexpr float kMostLevels = 255.0F;

// What suits any matrix on x86 without VNNI: 2 * 127 * 127 fits into 16 bits.
inline constexpr float kSafeLevels = 127.0F;

// The instruction set whose name the kernels for `isa` go by: two that differ in kernels or in
// levels have two.
Isa row_kernels_isa(Isa isa);

// The largest integer of a row. With VNNI, and on aarch64, ONNX Runtime sums products up exactly.
// On x86 without VNNI it adds two products in saturating 16 bits: a model file says what its matrix
// leaves room for.
float row_levels(Isa isa, float saturating);

// One per instruction set; only row_kernels() may use them.
extern const RowKernels row_kernels_avx2;
extern const RowKernels row_kernels_avx512;
extern const RowKernels row_kernels_neon;

}  // namespace maest
