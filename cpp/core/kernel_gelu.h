// The Gaussian error linear unit of a vector of floats; for kernels, as kernel_lanes.h says.
#pragma once

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

}  // namespace maest::MAEST_KERNEL_NAMESPACE
