#include "kernels.h"

#include "attention.h"
#include "cpu.h"
#include "gelu.h"
#include "mel_kernels.h"
#include "row_kernels.h"

namespace maest {

KernelNames kernels_for(Isa isa) {
  return {isa_name(isa), isa_name(mel_kernels_isa(isa)),
          gelu_kernel(isa) != nullptr ? isa_name(gelu_kernel_isa(isa)) : kLeftToOrt,
          attention_kind(isa) != AttentionKind::kNone ? isa_name(attention_kernels_isa(isa))
                                                      : kLeftToOrt,
          row_kernels(isa) != nullptr ? isa_name(row_kernels_isa(isa)) : kLeftToOrt};
}

}  // namespace maest
