#include "row_kernels.h"

#include "cpu.h"

namespace maest {

const RowKernels* row_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512Vnni || isa == Isa::kAvx512) return &row_kernels_avx512;
  if (isa == Isa::kAvx2 || isa == Isa::kAvxVnni) return &row_kernels_avx2;
#elif defined(__aarch64__)
  if (row_kernels_isa(isa) == Isa::kNeon) return &row_kernels_neon;
#else
  (void)isa;
#endif
  return nullptr;
}

Isa row_kernels_isa(Isa isa) {
  return isa == Isa::kAvx512Vnni || isa == Isa::kAvxVnni ? isa : without_byte_products(isa);
}

float row_levels(Isa isa, float saturating) {
  // With NEON alone ONNX Runtime adds two products in 16 bits, too, of signed bytes: inputs less
  // 128, and weights, which the making of files keeps from -127 to 127. 2 * 128 * 127 fits.
  const Isa kernels = row_kernels_isa(isa);
  const bool exact =
      kernels == Isa::kAvx512Vnni || kernels == Isa::kAvxVnni || kernels == Isa::kNeon;
  return exact ? kMostLevels : saturating;
}

}  // namespace maest
