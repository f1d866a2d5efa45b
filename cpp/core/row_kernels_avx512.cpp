// The kernels for AVX-512; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || \
    !defined(__AVX512VL__) || !defined(__FMA__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma"
#endif
#define MAEST_KERNEL_NAMESPACE rows_avx512
#define MAEST_KERNELS row_kernels_avx512
#define MAEST_LANES 16
#include "row_kernels_body.h"
#endif
