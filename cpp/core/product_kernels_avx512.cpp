// The kernels for AVX-512 without VNNI; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX512F__) || !defined(__AVX512BW__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif
#define MAEST_KERNEL_NAMESPACE products_avx512
#define MAEST_KERNELS product_kernels_avx512
#define MAEST_LANES 16
#include "product_kernels_lanes.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

// 18 sums, three vectors of weights, inputs, ones, and a product: 24 registers of 32.
constexpr std::size_t kRows = 6;
constexpr std::size_t kVectors = 3;

static inline Sums add_products(Sums sums, Sums inputs, Sums weights) {
  const Sums pairs = _mm512_maddubs_epi16(inputs, weights);
  return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

#include "product_kernels_body.h"
#endif
