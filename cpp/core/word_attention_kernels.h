// Attention in 16-bit integers, for one head: for CPUs that are twice as fast at products of them
// as at those of float32, and no faster at products of bytes.
//
// As attention_kernels.h, with what 16 bits allow: products are so exact that nothing has to be
// taken off first. Sums of products have 32 bits, and integers are as large as these hold.
#pragma once

#include <cstddef>
#include <cstdint>

#include "attention_kernels.h"

namespace maest {

inline constexpr int kWordPanel = 16;       // keys, or channels, that one tile is wide
inline constexpr int kWordKeyBlock = 128;   // keys whose weights share a scale
inline constexpr int kWordQueryTile = 6;    // queries of one tile
inline constexpr int kWordQueryBlock = 48;  // queries that a block of keys is kept at hand for

// One head's keys and values; the memory is the caller's, aligned to 64 bytes.
struct WordHead {
  int tokens;            // keys
  int padded_tokens;     // the next multiple of kWordPanel
  int size;              // channels of a head
  int width;             // the next multiple of kWordPanel
  std::int16_t* keys;    // [padded_tokens / kWordPanel][width / 2][kWordPanel][2]
  float* key_scale;      // [padded_tokens]
  float* key_offset;     // [padded_tokens]: 0, or far below any score where there is no key
  std::int16_t* values;  // [width / kWordPanel][padded_tokens / 2][kWordPanel][2]
  float* value_scale;    // [width]
};

// Scratch memory of one thread, aligned likewise.
struct WordAttentionScratch {
  std::int16_t* queries;  // [kWordQueryBlock][width]
  float* sums;            // [kWordQueryBlock][width]: of weighted values
};

struct WordAttentionKernels {
  void (*pack)(TokenRows keys, TokenRows values, WordHead& head);

  // Writes `count` answers, at most kWordQueryBlock, each head.size values long.
  void (*attend)(const WordHead& head, TokenRows queries, int count,
                 const WordAttentionScratch& scratch, float* output, std::size_t output_stride);
};

// Only attention.cpp may use it.
extern const WordAttentionKernels word_attention_kernels_avx2;

}  // namespace maest
