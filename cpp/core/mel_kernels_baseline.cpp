// The kernels for any CPU that the compiler targets by default.
#define MAEST_KERNEL_NAMESPACE kernels_baseline
#define MAEST_KERNEL_TABLE mel_kernels_baseline
#define MAEST_LANES 4
#include "mel_kernels_body.h"
