// Attention in 8-bit integers, for one head: what is compiled once per instruction set.
//
// Keys and values of a head are packed once; then any range of queries is answered, block of keys
// by block of keys, so that the matrix of weights is never written out. Queries and keys have
// one scale per token, values one per channel, and the weights of a block of keys one of their own:
// a weight that is small beside the largest of all is not lost beside its neighbours. What all
// keys share shifts every score of a query alike, and what all values share comes out as it went
// in, so both are taken off first and the scales measure what differs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace maest {

inline constexpr int kKeyPanel = 64;    // keys, or channels, that one tile is wide
inline constexpr int kKeyBlock = 128;   // keys whose weights share a scale
inline constexpr int kDepthStep = 8;    // channels that one instruction may take at once
inline constexpr int kQueryTile = 6;    // queries of one tile
inline constexpr int kQueryBlock = 24;  // queries that a block of keys is kept at hand for

// Rows of float32, one per token; `stride` is from token to token, in values.
struct TokenRows {
  const float* data;
  std::size_t stride;
};

// One head's keys and values; the memory is the caller's, aligned to 64 bytes. The order of bytes
// is that of AVX-512; NEON has its own (attention_kernels_neon_body.h).
struct PackedHead {
  int tokens;               // keys
  int padded_tokens;        // the next multiple of kKeyPanel
  int size;                 // channels of a head
  int depth;                // the next multiple of kDepthStep
  int width;                // the next multiple of kKeyPanel
  std::int8_t* keys;        // [padded_tokens / kKeyPanel][depth / 4][kKeyPanel][4]
  std::int32_t* key_start;  // [padded_tokens]: what makes up for queries that are unsigned
  float* key_scale;         // [padded_tokens]
  float* key_offset;        // [padded_tokens]: 0, or far below any score where there is no key
  std::int8_t* values;      // [width / kKeyPanel][padded_tokens / 4][kKeyPanel][4]
  float* value_scale;       // [width]
  float* value_mean;        // [width]
};

// Scratch memory of one thread, aligned likewise.
struct AttentionScratch {
  std::uint8_t* queries;  // [kQueryBlock][depth]
  float* sums;            // [kQueryBlock][width]: of weighted values
};

struct AttentionKernels {
  void (*pack_keys)(TokenRows keys, PackedHead& head);
  void (*pack_values)(TokenRows values, PackedHead& head);

  // Writes `count` answers, at most kQueryBlock, each head.size values long.
  void (*attend)(const PackedHead& head, TokenRows queries, int count,
                 const AttentionScratch& scratch, float* output, std::size_t output_stride);
};

// One table per instruction set; only attention.cpp may use them.
extern const AttentionKernels attention_kernels_avx512vnni;
extern const AttentionKernels attention_kernels_dotprod;
extern const AttentionKernels attention_kernels_i8mm;

}  // namespace maest
