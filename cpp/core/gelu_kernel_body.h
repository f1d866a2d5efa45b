// The kernel itself, for gelu_kernel_<isa>.cpp only: these define MAEST_KERNEL_NAMESPACE,
// MAEST_LANES and MAEST_KERNEL (the name of the pointer that they define) and include this.
#pragma once

#include "gelu.h"
#include "kernel_lanes.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

constexpr float kFarthest = 3.6F;  // beyond it erf is 1 but for 4e-7
constexpr float kSqrtHalf = 0.707106781F;

static inline Lanes gelu(Lanes x) {
  const Lanes scaled = x * kSqrtHalf;
  const Lanes low = scaled < -kFarthest ? broadcast(-kFarthest) : scaled;
  const Lanes z = low > kFarthest ? broadcast(kFarthest) : low;
  // Minimax polynomial of erf(z) / z in z * z, which is moved to -1 to 1 (Lawson's iteration, error
  // of erf 9e-8): so moved, its coefficients are small and lose nothing to rounding.
  const Lanes t = z * z * (2.0F / (kFarthest * kFarthest)) - 1.0F;
  Lanes sum = broadcast(-9.657633491e-04F);
  sum = sum * t + 2.631476382e-03F;
  sum = sum * t + -2.843569499e-03F;
  sum = sum * t + 4.572009668e-03F;
  sum = sum * t + -1.162676141e-02F;
  sum = sum * t + 2.124679089e-02F;
  sum = sum * t + -3.255026042e-02F;
  sum = sum * t + 4.829282686e-02F;
  sum = sum * t + -6.802956760e-02F;
  sum = sum * t + 8.981190622e-02F;
  sum = sum * t + -1.137939692e-01F;
  sum = sum * t + 1.438109279e-01F;
  sum = sum * t + -1.954905093e-01F;
  sum = sum * t + 3.927121162e-01F;
  const Lanes half = x * 0.5F;
  return half * (sum * z) + half;
}

static void biased_gelu(const float* values, const float* bias, std::size_t count, float* output) {
  std::size_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    const Lanes result = gelu(load_unaligned(values + at) + load_unaligned(bias + at));
    *reinterpret_cast<AliasingUnalignedLanes*>(output + at) = result;
  }
  if (at == count) return;
  Lanes rest = {};
  for (std::size_t i = at; i < count; ++i) rest[i - at] = values[i] + bias[i];
  const Lanes result = gelu(rest);
  for (std::size_t i = at; i < count; ++i) output[i] = result[i - at];
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

namespace maest {

extern const GeluKernel MAEST_KERNEL = MAEST_KERNEL_NAMESPACE::biased_gelu;

}  // namespace maest
