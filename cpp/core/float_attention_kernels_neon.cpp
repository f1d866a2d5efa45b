// The kernels for NEON; empty for other processors than aarch64.
#if defined(__aarch64__)
#define MAEST_KERNEL_NAMESPACE float_attention_neon
#define MAEST_KERNELS float_attention_kernels_neon
#define MAEST_LANES 4
#include "float_attention_kernels_body.h"
#endif
