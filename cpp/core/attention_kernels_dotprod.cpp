// The kernels for NEON with dot products of four bytes; empty for other processors than aarch64.
#if defined(__aarch64__)
#if !defined(__ARM_FEATURE_DOTPROD)
#error "compile this file with -march=armv8.2-a+dotprod"
#endif
#include "attention_kernels_neon_body.h"

namespace maest {
namespace {

// Sums of one query. Queries have a variable each, since the compiler keeps an array of them in
// memory.
struct Sums {
  int32x4_t v0, v1, v2, v3;

  MAEST_INLINE void store(std::int32_t* to) const {
    vst1q_s32(to, v0);
    vst1q_s32(to + kLanes, v1);
    vst1q_s32(to + 2 * kLanes, v2);
    vst1q_s32(to + 3 * kLanes, v3);
  }
};

// Bytes of one kind, signed or not: sixteen of them, and products with four of `rows`.
struct SignedBytes {
  using Vector = int8x16_t;

  static MAEST_INLINE Vector load(const void* from) {
    return vld1q_s8(static_cast<const std::int8_t*>(from));
  }
  static MAEST_INLINE Vector load_half(const void* from) {
    return vcombine_s8(vld1_s8(static_cast<const std::int8_t*>(from)), vdup_n_s8(0));
  }
  template <int kRow>
  static MAEST_INLINE void add(int32x4_t& sums, Vector columns, Vector rows) {
    sums = vdotq_laneq_s32(sums, columns, rows, kRow);
  }
};

struct UnsignedBytes {
  using Vector = uint8x16_t;

  static MAEST_INLINE Vector load(const void* from) {
    return vld1q_u8(static_cast<const std::uint8_t*>(from));
  }
  static MAEST_INLINE Vector load_half(const void* from) {
    return vcombine_u8(vld1_u8(static_cast<const std::uint8_t*>(from)), vdup_n_u8(0));
  }
  template <int kRow>
  static MAEST_INLINE void add(int32x4_t& sums, Vector columns, Vector rows) {
    sums = vreinterpretq_s32_u32(vdotq_laneq_u32(vreinterpretq_u32_s32(sums), columns, rows, kRow));
  }
};

template <typename Bytes>
struct Columns {
  typename Bytes::Vector v0, v1, v2, v3;

  template <int kRow>
  MAEST_INLINE void add(typename Bytes::Vector rows, Sums& sums) const {
    Bytes::template add<kRow>(sums.v0, v0, rows);
    Bytes::template add<kRow>(sums.v1, v1, rows);
    Bytes::template add<kRow>(sums.v2, v2, rows);
    Bytes::template add<kRow>(sums.v3, v3, rows);
  }
};

template <typename Bytes>
__attribute__((noinline)) void sum_products(const std::uint8_t* rows, const std::int8_t* columns,
                                            int steps, Tile& tile) {
  static_assert(kQueryTile == 6 && kColumns == 16);
  const Sums none = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
  Sums q0 = none, q1 = none, q2 = none, q3 = none, q4 = none, q5 = none;
  for (int step = 0; step < steps; ++step) {
    const auto first = Bytes::load(rows);
    const auto second = Bytes::load_half(rows + 16);
    const Columns<Bytes> sixteen{Bytes::load(columns), Bytes::load(columns + 16),
                                 Bytes::load(columns + 32), Bytes::load(columns + 48)};
    sixteen.template add<0>(first, q0);
    sixteen.template add<1>(first, q1);
    sixteen.template add<2>(first, q2);
    sixteen.template add<3>(first, q3);
    sixteen.template add<0>(second, q4);
    sixteen.template add<1>(second, q5);
    rows += 24;
    columns += 64;
  }
  q0.store(tile.sums[0]);
  q1.store(tile.sums[1]);
  q2.store(tile.sums[2]);
  q3.store(tile.sums[3]);
  q4.store(tile.sums[4]);
  q5.store(tile.sums[5]);
}

struct Products {
  static constexpr int kGroup = 4;
  static constexpr int kValueMiddle = 128;  // there is no product of unsigned and signed bytes

  static void sum_scores(const std::int8_t* queries, const std::int8_t* keys, int steps,
                         Tile& tile) {
    sum_products<SignedBytes>(reinterpret_cast<const std::uint8_t*>(queries), keys, steps, tile);
  }
  static void sum_values(const std::uint8_t* weights, const std::int8_t* values, int steps,
                         Tile& tile) {
    sum_products<UnsignedBytes>(weights, values, steps, tile);
  }
};

}  // namespace

extern const AttentionKernels attention_kernels_dotprod = kernels<Products>;

}  // namespace maest
#endif
