// The kernels for AVX-512 with VNNI; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX512F__) || !defined(__AVX512VNNI__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni"
#endif
#define MAEST_KERNEL_NAMESPACE products_avx512vnni
#define MAEST_KERNELS product_kernels_avx512vnni
#define MAEST_LANES 16
#include "product_kernels_lanes.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

// 24 sums, four vectors of weights, and inputs: 29 registers of 32.
constexpr std::size_t kRows = 6;
constexpr std::size_t kVectors = 4;

static inline Sums add_products(Sums sums, Sums inputs, Sums weights) {
  return _mm512_dpbusd_epi32(sums, inputs, weights);
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

#include "product_kernels_body.h"
#endif
