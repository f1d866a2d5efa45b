// The kernels for AVX2 with VNNI; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX2__) || !defined(__AVXVNNI__)
#error "compile this file with -mavx2 -mavxvnni"
#endif
#define MAEST_KERNEL_NAMESPACE products_avxvnni
#define MAEST_KERNELS product_kernels_avxvnni
#define MAEST_LANES 8
#include "product_kernels_lanes.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

// 12 sums, two vectors of weights, and inputs: 15 registers of 16.
constexpr std::size_t kRows = 6;
constexpr std::size_t kVectors = 2;

static inline Sums add_products(Sums sums, Sums inputs, Sums weights) {
  return _mm256_dpbusd_avx_epi32(sums, inputs, weights);
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

#include "product_kernels_body.h"
#endif
