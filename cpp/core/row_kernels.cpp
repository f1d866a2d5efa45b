#include "row_kernels.h"

#include "cpu.h"

namespace maest {

const RowKernels* row_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512Vnni || isa == Isa::kAvx512) return &row_kernels_avx512;
  if (isa == Isa::kAvx2) return &row_kernels_avx2;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return &row_kernels_neon;
#else
  (void)isa;
#endif
  return nullptr;
}

float row_levels(Isa isa, float without_vnni) {
  return isa == Isa::kAvx512Vnni ? kMostLevels : without_vnni;
}

}  // namespace maest
