// The kernels for NEON with products of matrices of bytes; empty for other processors than aarch64.
#if defined(__aarch64__)
#if !defined(__ARM_FEATURE_MATMUL_INT8)
#error "compile this file with -march=armv8.2-a+dotprod+i8mm"
#endif
#include "attention_kernels_neon_body.h"

namespace maest {
namespace {

MAEST_INLINE int32x4_t add_product(int32x4_t sums, int8x16_t rows, int8x16_t columns) {
  return vmmlaq_s32(sums, rows, columns);
}
MAEST_INLINE int32x4_t add_product(int32x4_t sums, uint8x16_t rows, int8x16_t columns) {
  return vusmmlaq_s32(sums, rows, columns);
}

MAEST_INLINE int8x16_t load(const std::int8_t* from) { return vld1q_s8(from); }
MAEST_INLINE uint8x16_t load(const std::uint8_t* from) { return vld1q_u8(from); }

// Sums of two columns: of each pair of queries two of the first, then two of the second. A variable
// for every two columns, since the compiler keeps an array of them in memory.
struct Sums {
  int32x4_t p0, p1, p2;

  template <typename Rows>
  MAEST_INLINE void add(Rows first, Rows second, Rows third, const std::int8_t* columns) {
    const int8x16_t both = vld1q_s8(columns);
    p0 = add_product(p0, first, both);
    p1 = add_product(p1, second, both);
    p2 = add_product(p2, third, both);
  }
};

// Writes four columns of two queries.
MAEST_INLINE void store_pair(int32x4_t left, int32x4_t right, int row, int column, Tile& tile) {
  const int64x2_t low = vreinterpretq_s64_s32(left);
  const int64x2_t high = vreinterpretq_s64_s32(right);
  vst1q_s32(tile.sums[row] + column, vreinterpretq_s32_s64(vzip1q_s64(low, high)));
  vst1q_s32(tile.sums[row + 1] + column, vreinterpretq_s32_s64(vzip2q_s64(low, high)));
}

MAEST_INLINE void store(const Sums& left, const Sums& right, int column, Tile& tile) {
  store_pair(left.p0, right.p0, 0, column, tile);
  store_pair(left.p1, right.p1, 2, column, tile);
  store_pair(left.p2, right.p2, 4, column, tile);
}

// Eight of the sixteen columns: for more, the compiler has too few registers.
template <typename Byte>
MAEST_INLINE void sum_half(const Byte* rows, const std::int8_t* columns, int steps, int column,
                           Tile& tile) {
  const Sums none = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
  Sums c0 = none, c1 = none, c2 = none, c3 = none;
  for (int step = 0; step < steps; ++step) {
    const auto first = load(rows);
    const auto second = load(rows + 16);
    const auto third = load(rows + 32);
    c0.add(first, second, third, columns);
    c1.add(first, second, third, columns + 16);
    c2.add(first, second, third, columns + 32);
    c3.add(first, second, third, columns + 48);
    rows += 48;
    columns += 128;
  }
  store(c0, c1, column, tile);
  store(c2, c3, column + 4, tile);
}

template <typename Byte>
__attribute__((noinline)) void sum_products(const Byte* rows, const std::int8_t* columns, int steps,
                                            Tile& tile) {
  static_assert(kQueryTile == 6 && kColumns == 16);
  sum_half(rows, columns, steps, 0, tile);
  sum_half(rows, columns + 64, steps, 8, tile);
}

struct Products {
  static constexpr int kGroup = 8;
  static constexpr int kValueMiddle = 0;

  static void sum_scores(const std::int8_t* queries, const std::int8_t* keys, int steps,
                         Tile& tile) {
    sum_products(queries, keys, steps, tile);
  }
  static void sum_values(const std::uint8_t* weights, const std::int8_t* values, int steps,
                         Tile& tile) {
    sum_products(weights, values, steps, tile);
  }
};

}  // namespace

extern const AttentionKernels attention_kernels_i8mm = kernels<Products>;

}  // namespace maest
#endif
