// The Gaussian error linear unit of a perceptron's hidden layer, x * (1 + erf(x / sqrt(2))) / 2,
// taken of values plus a bias: one pass over memory that does not fit into a cache.
#pragma once

#include <cstddef>

namespace maest {

enum class Isa;  // cpu.h is not included: it would bring the standard library into the kernels

// Writes gelu(values + bias) of one row. Within 6e-7, and 4e-7 of |x| where that is more.
using GeluKernel = void (*)(const float* values, const float* bias, std::size_t count,
                            float* output);

// The instruction set that the kernel for `isa` was compiled for.
Isa gelu_kernel_isa(Isa isa);

// Null where there is none: ONNX Runtime's own is as good then.
GeluKernel gelu_kernel(Isa isa);

// One per instruction set; only gelu_kernel() may use them.
extern const GeluKernel gelu_kernel_avx2;
extern const GeluKernel gelu_kernel_avx512;
extern const GeluKernel gelu_kernel_neon;

}  // namespace maest
