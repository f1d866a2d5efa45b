// The kernels for AVX2 with VNNI; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVXVNNI__)
#error "compile this file with -mavx2 -mavxvnni"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace maest::products_avxvnni {

using Sums = __m256i;
constexpr std::size_t kLanes = 8;
constexpr std::size_t kRows = 6;  // 12 sums, two vectors of weights, and inputs
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
  return _mm256_dpbusd_avx_epi32(sums, inputs, weights);
}

}  // namespace maest::products_avxvnni

#define MAEST_KERNEL_NAMESPACE products_avxvnni
#define MAEST_KERNELS product_kernels_avxvnni
#include "product_kernels_body.h"
#endif
