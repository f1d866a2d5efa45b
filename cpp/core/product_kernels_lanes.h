// Vectors of sums of 32 bits, and of what is multiplied for them. Only for the kernels of an
// instruction set, product_kernels_<isa>.cpp, which define MAEST_KERNEL_NAMESPACE and MAEST_LANES
// first: see kernel_lanes.h for why nothing here is from the standard library.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace maest::MAEST_KERNEL_NAMESPACE {

constexpr std::size_t kLanes = MAEST_LANES;
static_assert(kLanes == 8 || kLanes == 16, "lanes fill a register");

#if MAEST_LANES == 16
using Sums = __m512i;
static inline Sums nothing() { return _mm512_setzero_si512(); }
static inline void store(std::int32_t* to, Sums sums) { _mm512_store_si512(to, sums); }
static inline Sums four_inputs(std::uint32_t group) {
  return _mm512_set1_epi32(static_cast<int>(group));
}
static inline Sums weights_at(const std::int8_t* packed) { return _mm512_load_si512(packed); }
#else
using Sums = __m256i;
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
#endif

}  // namespace maest::MAEST_KERNEL_NAMESPACE
