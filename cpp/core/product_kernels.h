// Products of rows of 8-bit integers (row_kernels.h) and a matrix of signed ones: exact sums in 32
// bits, the same on every CPU.
//
// Weights are packed once: columns in panels, and in a panel four inputs of a column side by side,
// as the CPUs' instructions for sums of four products of bytes take them. A panel is read from its
// beginning to its end; what few rows take of it stays in the registers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace maest {

enum class Isa;  // cpu.h is not included: it would bring the standard library into the kernels

// Rows, one after another, of `inputs` values each, and how many columns they give.
struct ProductShape {
  std::size_t rows;
  std::size_t inputs;
  std::size_t columns;
};

struct ProductKernels {
  // Columns are made up to a multiple of so many, with zeros.
  std::size_t lanes;

  // Rows that are computed at once: a number of rows that this divides wastes nothing.
  std::size_t rows_at_once;

  // Packs weights [inputs, columns] into packed_bytes() of memory, aligned to 64 bytes.
  void (*pack)(const std::int8_t* weights, std::size_t inputs, std::size_t columns,
               std::int8_t* packed);

  // Writes `rows` rows of padded_columns() sums, aligned to 64 bytes. `inputs` is a multiple of 4,
  // made up with any values where the weights packed were fewer.
  void (*multiply)(const std::uint8_t* values, ProductShape shape, const std::int8_t* packed,
                   std::int32_t* sums);
};

// Null where there are none. Those for CPUs that do not multiply bytes (AVX2 and AVX-512 without
// VNNI) add two products in 16 bits: a model file says how large inputs may be so that these fit.
const ProductKernels* product_kernels(Isa isa);

inline std::size_t padded_columns(const ProductKernels& kernels, std::size_t columns) {
  return (columns + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
}

inline std::size_t packed_bytes(const ProductKernels& kernels, std::size_t inputs,
                                std::size_t columns) {
  return (inputs + 3) / 4 * 4 * padded_columns(kernels, columns);
}

// One per instruction set; only product_kernels() may use them.
extern const ProductKernels product_kernels_avx2;
extern const ProductKernels product_kernels_avxvnni;
extern const ProductKernels product_kernels_avx512;
extern const ProductKernels product_kernels_avx512vnni;

}  // namespace maest
