#include "gelu.h"

#include "cpu.h"

namespace maest {

Isa gelu_kernel_isa(Isa isa) { return without_byte_products(isa); }

GeluKernel gelu_kernel(Isa isa) {
#if defined(__x86_64__)
  if (gelu_kernel_isa(isa) == Isa::kAvx512) return gelu_kernel_avx512;
  if (gelu_kernel_isa(isa) == Isa::kAvx2) return gelu_kernel_avx2;
#elif defined(__aarch64__)
  if (gelu_kernel_isa(isa) == Isa::kNeon) return gelu_kernel_neon;
#else
  (void)isa;
#endif
  return nullptr;
}

}  // namespace maest
