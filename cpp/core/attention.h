// Attention of several heads in 8-bit integers: queries, keys and values in float32 in, the mixed
// values in float32 out. What is approximated, and why, is said in attention_kernels.h.
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

// Whether there are kernels for `isa`: AVX-512 with VNNI has them.
bool has_attention_kernels(Isa isa);

// Writes softmax(query * key / sqrt(head_size)) * value to output
// [batch, queries, heads * head_size]. A result does not depend on the number of threads. Throws
// InvalidArgument if this CPU has no kernels.
void quantized_attention(const AttentionShape& shape, AttentionInput query, AttentionInput key,
                         AttentionInput value, float* output, const ForEach& for_each);

}  // namespace maest
