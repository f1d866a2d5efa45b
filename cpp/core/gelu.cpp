#include "gelu.h"

#include "cpu.h"

namespace maest {

GeluKernel gelu_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512 || isa == Isa::kAvx512Vnni) return gelu_kernel_avx512;
  if (isa == Isa::kAvx2) return gelu_kernel_avx2;
#else
  (void)isa;
#endif
  return nullptr;
}

}  // namespace maest
