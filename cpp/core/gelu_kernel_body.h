// The kernel itself, for gelu_kernel_<isa>.cpp only: these define MAEST_KERNEL_NAMESPACE,
// MAEST_LANES and MAEST_KERNEL (the name of the pointer that they define) and include this.
#pragma once

#include "gelu.h"
#include "kernel_gelu.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

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
