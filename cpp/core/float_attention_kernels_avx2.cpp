// The kernels for AVX2; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this file with -mavx2 -mfma"
#endif
#define MAEST_KERNEL_NAMESPACE float_attention_avx2
#define MAEST_KERNELS float_attention_kernels_avx2
#define MAEST_LANES 8
#include "float_attention_kernels_body.h"
#endif
