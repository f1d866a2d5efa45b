// The kernels for AVX2; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX2__)
#error "compile this file with -mavx2"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace maest::products_avx2 {

using Sums = __m256i;
constexpr std::size_t kLanes = 8;
constexpr std::size_t kRows = 4;  // 8 sums, two vectors of weights, inputs, ones, and a product
constexpr std::size_t kVectors = 2;

static inline Sums nothing() { return _mm256_setzero_si256(); }
static inline void store(std::int32_t* to, Sums sums) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), sums);
}
static inline Sums four_inputs(std::uint32_t group) {
  return _mm256_set1_epi32(static_cast<int>(group));
}
static inline Sums weights_at(const std::int8_t* packed) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(packed));
}
static inline Sums add_products(Sums sums, Sums inputs, Sums weights) {
  const Sums pairs = _mm256_maddubs_epi16(inputs, weights);
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

}  // namespace maest::products_avx2

#define MAEST_KERNEL_NAMESPACE products_avx2
#define MAEST_KERNELS product_kernels_avx2
#include "product_kernels_body.h"
#endif
