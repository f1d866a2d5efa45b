// The kernel for NEON; empty for other processors than aarch64.
#if defined(__aarch64__)
#define MAEST_KERNEL_NAMESPACE gelu_neon
#define MAEST_KERNEL gelu_kernel_neon
#define MAEST_LANES 4
#include "gelu_kernel_body.h"
#endif
