// Attention in float32, for one head: what is compiled once per instruction set.
//
// Keys and values of a head are packed once; then any range of queries is answered, block of keys
// by block of keys, so that the matrix of weights is never written out and what is at hand stays
// in the cache. As attention_kernels.h, whose integers are faster where the CPU multiplies bytes.
#pragma once

#include <cstddef>

#include "attention_kernels.h"

namespace maest {

inline constexpr int kFloatPanel = 16;       // keys, or channels, that one tile is wide
inline constexpr int kFloatKeyBlock = 64;    // keys that are taken at once
inline constexpr int kFloatQueryTile = 6;    // queries of one tile
inline constexpr int kFloatQueryBlock = 48;  // queries that a block of keys is kept at hand for

// One head's keys and values; the memory is the caller's, aligned to 64 bytes.
struct FloatHead {
  int tokens;         // keys
  int padded_tokens;  // the next multiple of kFloatPanel
  int size;           // channels of a head
  int width;          // the next multiple of kFloatPanel
  float* keys;        // [padded_tokens / kFloatPanel][size][kFloatPanel]
  float* values;      // [width / kFloatPanel][padded_tokens][kFloatPanel]
};

// Scratch memory of one thread, aligned likewise.
struct FloatAttentionScratch {
  float* queries;  // [kFloatQueryBlock][size]
  float* sums;     // [kFloatQueryBlock][width]: of weighted values
};

struct FloatAttentionKernels {
  void (*pack)(TokenRows keys, TokenRows values, FloatHead& head);

  // Writes `count` answers, at most kFloatQueryBlock, each head.size values long. Weights are
  // within 3e-7 of themselves, relative.
  void (*attend)(const FloatHead& head, TokenRows queries, int count,
                 const FloatAttentionScratch& scratch, float* output, std::size_t output_stride);
};

// Only attention.cpp may use it.
extern const FloatAttentionKernels float_attention_kernels_neon;

}  // namespace maest
