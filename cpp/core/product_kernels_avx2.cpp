// The kernels for AVX2; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX2__)
#error "compile this file with -mavx2"
#endif
#define MAEST_KERNEL_NAMESPACE products_avx2
#define MAEST_KERNELS product_kernels_avx2
#define MAEST_LANES 8
#include "product_kernels_lanes.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

// 8 sums, two vectors of weights, inputs, ones, and a product: 13 registers of 16.
constexpr std::size_t kRows = 4;
constexpr std::size_t kVectors = 2;

static inline Sums add_products(Sums sums, Sums inputs, Sums weights) {
  const Sums pairs = _mm256_maddubs_epi16(inputs, weights);
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

#include "product_kernels_body.h"
#endif
