// The kernels for AVX-512 without VNNI; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX512F__) || !defined(__AVX512BW__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace maest::products_avx512 {

using Sums = __m512i;
constexpr std::size_t kLanes = 16;
constexpr std::size_t kRows = 6;
constexpr std::size_t kVectors = 3;

static inline Sums nothing() { return _mm512_setzero_si512(); }
static inline void store(std::int32_t* to, Sums sums) { _mm512_store_si512(to, sums); }
static inline Sums four_inputs(std::uint32_t group) {
  return _mm512_set1_epi32(static_cast<int>(group));
}
static inline Sums weights_at(const std::int8_t* packed) { return _mm512_load_si512(packed); }
static inline Sums add_products(Sums sums, Sums inputs, Sums weights) {
  const Sums pairs = _mm512_maddubs_epi16(inputs, weights);
  return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

}  // namespace maest::products_avx512

#define MAEST_KERNEL_NAMESPACE products_avx512
#define MAEST_KERNELS product_kernels_avx512
#include "product_kernels_body.h"
#endif
