// Attention of several heads: queries, keys and values in float32 in, the mixed values in float32
// out. In 8-bit integers where the CPU is fast at them (what is approximated, and why, is said in
// attention_kernels.h), in 16-bit integers (word_attention_kernels.h) or in float32
// (float_attention_kernels.h).
#pragma once

#include <cstddef>
#include <functional>

#include "attention_kernels.h"
#include "cpu.h"

namespace maest {

struct AttentionShape {
  int batch;
  int queries;  // tokens that ask
  int keys;     // tokens that are asked, at least one
  int heads;
  int head_size;
};

// [batch, tokens, heads * head_size], with `stride` from token to token.
struct AttentionInput {
  const float* data;
  std::size_t stride;
};

// Does work(0) to work(count - 1), in any order, on one thread or on several.
using ForEach =
    std::function<void(std::size_t count, const std::function<void(std::size_t)>& work)>;

// What the kernels for `isa` compute in.
enum class AttentionKind { kNone, kFloat, kWords, kIntegers };

// AVX-512 with VNNI and NEON with products of bytes have integers of 8 bits, AVX2 of 16, NEON alone
// float32. With AVX-512 alone ONNX Runtime's own is taken.
AttentionKind attention_kind(Isa isa);

// The instruction set whose name they go by.
Isa attention_kernels_isa(Isa isa);

// Writes softmax(query * key / sqrt(head_size)) * value to output
// [batch, queries, heads * head_size], with the kernels for `isa`. A result does not depend on the
// number of threads. Throws InvalidArgument if there are none, or this CPU cannot run them.
void attention(Isa isa, const AttentionShape& shape, AttentionInput query, AttentionInput key,
               AttentionInput value, float* output, const ForEach& for_each);

}  // namespace maest
