#include "product_kernels.h"

#include "cpu.h"

namespace maest {

const ProductKernels* product_kernels(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kAvx512Vnni:
      return &product_kernels_avx512vnni;
    case Isa::kAvx512:
      return &product_kernels_avx512;
    case Isa::kAvxVnni:
      return &product_kernels_avxvnni;
    case Isa::kAvx2:
      return &product_kernels_avx2;
    default:
      return nullptr;
  }
#else
  (void)isa;  // ONNX Runtime's own are made for aarch64's products of bytes
  return nullptr;
#endif
}

}  // namespace maest
