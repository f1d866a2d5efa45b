// The kernels for NEON; empty for other processors than aarch64.
#if defined(__aarch64__)
#define MAEST_KERNEL_NAMESPACE rows_neon
#define MAEST_KERNELS row_kernels_neon
#define MAEST_LANES 4
#include "row_kernels_body.h"
#endif
