// Attention in 8-bit integers with NEON, for attention_kernels_<isa>.cpp only: these define how
// bytes are multiplied, the struct Products, and instantiate `kernels` with it.
//
// What is computed is said in attention_kernels.h. Bytes lie as instructions take them: those of
// sixteen keys, or channels, as [step][16][kGroup], and those of a tile's queries, or weights, as
// [step][kQueryTile][kGroup]. Queries and keys are signed. Weights are unsigned, and values have
// Products::kValueMiddle added, which makes them unsigned too where one instruction wants both
// alike; what that adds to a sum is that many times the sum of the weights.
//
// All instances compute the same integers, and the same floats from them: results are equal.
#pragma once

#include <arm_neon.h>

#include "attention_kernels.h"

#define MAEST_INLINE inline __attribute__((always_inline))

namespace maest {
namespace {

constexpr int kLanes = 4;
constexpr int kColumns = 16;  // keys, or channels, that one tile is wide
constexpr int kVectors = kColumns / kLanes;
constexpr float kNoKey = -3e38F;          // a score that no key has
constexpr float kSmallestScale = 1e-30F;  // keeps kNoKey, times it, out of reach
constexpr float kLargest = 127.0F;        // of a signed byte, used symmetrically
constexpr float kLeastPower = -126.0F;    // 2 to less than it is not a normal number
constexpr float kLog2e = 1.44269504F;
constexpr float kLog2Of255 = 7.99435344F;

// Sums of products: of each query of a tile with sixteen keys, or of its weights with as many
// channels.
struct Tile {
  alignas(16) std::int32_t sums[kQueryTile][kColumns];
};

// 2^x for x of at most 8, within 8e-5 of itself: far less than a weight of 8 bits can tell. A
// minimax cubic for the fraction, -0.5 to 0.5.
MAEST_INLINE float32x4_t exp2_of(float32x4_t x) {
  const float32x4_t limited = vmaxq_f32(x, vdupq_n_f32(kLeastPower));  // leaves NaN as it is
  const float32x4_t whole = vrndnq_f32(limited);
  const float32x4_t rest = vsubq_f32(limited, whole);
  float32x4_t power = vdupq_n_f32(0.05517167F);
  power = vfmaq_f32(vdupq_n_f32(0.24261113F), power, rest);
  power = vfmaq_f32(vdupq_n_f32(0.69326099F), power, rest);
  power = vfmaq_f32(vdupq_n_f32(0.99992807F), power, rest);
  const int32x4_t exponent = vshlq_n_s32(vcvtq_s32_f32(whole), 23);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(power), exponent));
}

// The bits of |x|, which are ordered as the values are, with NaN above everything: a NaN in the
// input is found in the largest, and so in the scale and the result.
MAEST_INLINE int32x4_t magnitude(float32x4_t x) { return vreinterpretq_s32_f32(vabsq_f32(x)); }

// What the largest value of some is divided by to become 127.
MAEST_INLINE float32x4_t scales_of(int32x4_t largest_bits) {
  const float32x4_t largest = vreinterpretq_f32_s32(largest_bits);
  const uint32x4_t tiny = vcltq_f32(largest, vdupq_n_f32(kSmallestScale));
  return vbslq_f32(tiny, vdupq_n_f32(1.0F), vdivq_f32(largest, vdupq_n_f32(kLargest)));
}

// Four values, of which `left` are there; the others are zeros.
MAEST_INLINE float32x4_t load_left(const float* from, int left) {
  if (left >= kLanes) return vld1q_f32(from);
  float four[kLanes] = {};
  for (int i = 0; i < left; ++i) four[i] = from[i];
  return vld1q_f32(four);
}

// Four means over all tokens, from `channel` on; zeros for channels that are not there.
MAEST_INLINE float32x4_t channel_mean(TokenRows rows, int tokens, int channel, int left) {
  float32x4_t sum = vdupq_n_f32(0.0F);
  for (int token = 0; token < tokens; ++token) {
    sum = vaddq_f32(sum, load_left(rows.data + token * rows.stride + channel, left));
  }
  return vdivq_f32(sum, vdupq_n_f32(static_cast<float>(tokens)));
}

// A token's channels of one head, less what all tokens share.
struct Channels {
  const float* row;
  const float* mean;  // null for nothing
  int count;

  MAEST_INLINE float32x4_t at(int channel) const {
    const float32x4_t value = load_left(row + channel, count - channel);
    return mean == nullptr ? value : vsubq_f32(value, vld1q_f32(mean + channel));
  }

  MAEST_INLINE float scale() const {
    int32x4_t largest = vdupq_n_s32(0);
    for (int channel = 0; channel < count; channel += kLanes) {
      largest = vmaxq_s32(largest, magnitude(at(channel)));
    }
    return vgetq_lane_f32(scales_of(vdupq_n_s32(vmaxvq_s32(largest))), 0);
  }

  // Four channels as integers; zeros for NaN.
  MAEST_INLINE int16x4_t four(int channel, float factor) const {
    return vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(at(channel), factor)));
  }

  // Writes groups of the channels, `stride` bytes apart.
  template <int kGroup>
  void store(float factor, int depth, std::int8_t* to, std::size_t stride) const {
    for (int channel = 0; channel < depth; channel += 2 * kLanes) {
      const int16x8_t both = vcombine_s16(four(channel, factor), four(channel + kLanes, factor));
      std::int8_t bytes[2 * kLanes];
      vst1_s8(bytes, vqmovn_s16(both));
      for (int i = 0; i < 2 * kLanes; i += kGroup) {
        __builtin_memcpy(to, bytes + i, kGroup);
        to += stride;
      }
    }
  }
};

// Tokens that take part: the keys, and what fills the last sixteen.
inline int used_tokens(const PackedHead& head) {
  return (head.tokens + kColumns - 1) / kColumns * kColumns;
}

template <typename Products>
void pack_keys(TokenRows keys, PackedHead& head) {
  static_assert(kKeyPanel % kColumns == 0 && kKeyBlock % kColumns == 0);
  // The mean's place until the scales are known: value_mean is filled by pack_values, later.
  float* const mean = head.value_mean;
  for (int channel = 0; channel < head.depth; channel += kLanes) {
    vst1q_f32(mean + channel, channel_mean(keys, head.tokens, channel, head.size - channel));
  }
  float damage = 0.0F;  // NaN once there is a key that is not finite
  const int used = used_tokens(head);
  for (int token = 0; token < used; ++token) {
    const bool real = token < head.tokens;
    const Channels channels{keys.data + (real ? token : 0) * keys.stride, mean, head.size};
    const float scale = real ? channels.scale() : 0.0F;
    std::int8_t* const column = head.keys +
                                static_cast<std::size_t>(token / kColumns * kColumns) * head.depth +
                                token % kColumns * Products::kGroup;
    // A factor of zero makes the channels of a key that is not there zeros.
    channels.store<Products::kGroup>(real ? 1.0F / scale : 0.0F, head.depth, column,
                                     kColumns * Products::kGroup);
    head.key_scale[token] = scale;
    head.key_offset[token] = real ? 0.0F : kNoKey;
    damage += scale * 0.0F;
  }
  if (damage == 0.0F) return;
  for (int token = 0; token < used; ++token) head.key_offset[token] = damage;
}

// The integers of four tokens from `token` on, in four channels: a channel's side by side.
template <typename Products, typename ValueOf>
MAEST_INLINE uint32x4_t four_tokens(const ValueOf& value_of, int token, int tokens,
                                    float32x4_t factor) {
  uint32x4_t four = vdupq_n_u32(0);
  for (int i = 0; i < 4 && token + i < tokens; ++i) {
    const int32x4_t one = vcvtnq_s32_f32(vmulq_f32(value_of(token + i), factor));
    const uint32x4_t byte =
        vandq_u32(vreinterpretq_u32_s32(vaddq_s32(one, vdupq_n_s32(Products::kValueMiddle))),
                  vdupq_n_u32(0xff));
    four = vorrq_u32(four, vshlq_u32(byte, vdupq_n_s32(8 * i)));
  }
  return four;
}

template <typename Products>
void pack_values(TokenRows values, PackedHead& head) {
  static_assert(Products::kGroup == 4 || Products::kGroup == 8);
  const int used = used_tokens(head);
  for (int channel = 0; channel < head.width; channel += kLanes) {
    const int left = head.size - channel;
    const float32x4_t mean = channel_mean(values, head.tokens, channel, left);
    const auto value_of = [&](int token) {
      return vsubq_f32(load_left(values.data + token * values.stride + channel, left), mean);
    };
    int32x4_t largest = vdupq_n_s32(0);
    for (int token = 0; token < head.tokens; ++token) {
      largest = vmaxq_s32(largest, magnitude(value_of(token)));
    }
    const float32x4_t scale = scales_of(largest);
    vst1q_f32(head.value_scale + channel, scale);
    vst1q_f32(head.value_mean + channel, mean);
    const float32x4_t factor = vdivq_f32(vdupq_n_f32(1.0F), scale);
    auto* to = reinterpret_cast<std::uint32_t*>(
        head.values + static_cast<std::size_t>(channel / kColumns * kColumns) * head.padded_tokens +
        channel % kColumns * Products::kGroup);
    for (int token = 0; token < used; token += Products::kGroup) {
      const uint32x4_t first = four_tokens<Products>(value_of, token, head.tokens, factor);
      if constexpr (Products::kGroup == 4) {
        vst1q_u32(to, first);
      } else {
        const uint32x4_t second = four_tokens<Products>(value_of, token + 4, head.tokens, factor);
        vst1q_u32(to, vzip1q_u32(first, second));
        vst1q_u32(to + kLanes, vzip2q_u32(first, second));
      }
      to += kColumns * Products::kGroup / sizeof(*to);
    }
  }
}

// Scores of one tile of queries and one block of keys, and their weights.
struct Block {
  alignas(64) float scores[kQueryTile][kKeyBlock];
  alignas(64) std::uint8_t weights[kKeyBlock * kQueryTile];
};

// What is known of a query after some blocks of keys.
struct Rows {
  float scale[kQueryBlock];    // from a score to a power of two
  float highest[kQueryBlock];  // the highest score, as a power of two
  float total[kQueryBlock];    // of the weights
};

template <typename Products>
inline void store_scores(const PackedHead& head, const std::int8_t* queries, int first_key,
                         int keys, Block& block, float (&highest)[kQueryTile]) {
  float32x4_t peaks[kQueryTile];
  for (float32x4_t& peak : peaks) peak = vdupq_n_f32(kNoKey);
  Tile tile;
  for (int at = 0; at < keys; at += kColumns) {
    const int key = first_key + at;
    Products::sum_scores(queries, head.keys + static_cast<std::size_t>(key) * head.depth,
                         head.depth / Products::kGroup, tile);
    for (int v = 0; v < kColumns; v += kLanes) {
      const float32x4_t scale = vld1q_f32(head.key_scale + key + v);
      const float32x4_t offset = vld1q_f32(head.key_offset + key + v);
      for (int row = 0; row < kQueryTile; ++row) {
        const float32x4_t sum = vcvtq_f32_s32(vld1q_s32(tile.sums[row] + v));
        const float32x4_t score = vfmaq_f32(offset, sum, scale);
        peaks[row] = vmaxq_f32(peaks[row], score);
        vst1q_f32(block.scores[row] + at + v, score);
      }
    }
  }
  for (int row = 0; row < kQueryTile; ++row) highest[row] = vmaxvq_f32(peaks[row]);
}

// Turns the scores of a query into weights from 0 to 255, the highest being 255; gives their sum.
template <int kGroup>
inline int store_weights(const float* scores, int keys, float scale, float highest,
                         std::uint8_t* weights) {
  const float32x4_t peak = vdupq_n_f32(highest);
  const float32x4_t shift = vdupq_n_f32(kLog2Of255);
  int total = 0;
  for (int key = 0; key < keys; key += kColumns) {
    int16x4_t integers[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const float32x4_t score = vld1q_f32(scores + key + v * kLanes);
      // Taken off first, the highest leaves nothing to rounding, however high it is.
      const float32x4_t power = vfmaq_n_f32(shift, vsubq_f32(score, peak), scale);
      integers[v] = vqmovn_s32(vcvtnq_s32_f32(exp2_of(power)));
    }
    const uint8x16_t sixteen = vcombine_u8(vqmovun_s16(vcombine_s16(integers[0], integers[1])),
                                           vqmovun_s16(vcombine_s16(integers[2], integers[3])));
    total += vaddlvq_u8(sixteen);
    std::uint8_t bytes[kColumns];
    vst1q_u8(bytes, sixteen);
    for (int i = 0; i < kColumns; i += kGroup) {
      __builtin_memcpy(weights, bytes + i, kGroup);
      weights += kQueryTile * kGroup;
    }
  }
  return total;
}

template <typename Products>
void add_block(const PackedHead& head, int tile, int first_key, int keys, Block& block, Rows& rows,
               const AttentionScratch& scratch) {
  float peaks[kQueryTile];
  const auto* const queries = reinterpret_cast<const std::int8_t*>(scratch.queries) +
                              static_cast<std::size_t>(tile) * head.depth;
  store_scores<Products>(head, queries, first_key, keys, block, peaks);
  float keep[kQueryTile];
  float add[kQueryTile];
  int middle[kQueryTile];
  for (int row = 0; row < kQueryTile; ++row) {
    const float scale = rows.scale[tile + row];
    const int total = store_weights<Products::kGroup>(block.scores[row], keys, scale, peaks[row],
                                                      block.weights + row * Products::kGroup);
    // The two powers: of what was highest before, and of what is here.
    const float32x2_t both =
        vset_lane_f32(peaks[row] * scale, vdup_n_f32(rows.highest[tile + row]), 1);
    const float32x2_t highest = vpmax_f32(both, both);
    const float32x2_t less = vsub_f32(both, highest);
    const float32x4_t powers = exp2_of(vcombine_f32(less, less));
    keep[row] = vgetq_lane_f32(powers, 0);
    add[row] = vgetq_lane_f32(powers, 1);
    rows.highest[tile + row] = vget_lane_f32(highest, 0);
    rows.total[tile + row] =
        __builtin_fmaf(static_cast<float>(total), add[row], rows.total[tile + row] * keep[row]);
    middle[row] = Products::kValueMiddle * total;
  }
  Tile mixed;
  for (int column = 0; column < head.size; column += kColumns) {
    const std::int8_t* const panel = head.values +
                                     static_cast<std::size_t>(column) * head.padded_tokens +
                                     static_cast<std::size_t>(first_key) * kColumns;
    Products::sum_values(block.weights, panel, keys / Products::kGroup, mixed);
    for (int row = 0; row < kQueryTile; ++row) {
      const int32x4_t less = vdupq_n_s32(middle[row]);
      float* const sums = scratch.sums + static_cast<std::size_t>(tile + row) * head.width + column;
      for (int v = 0; v < kColumns; v += kLanes) {
        const float32x4_t before = vmulq_n_f32(vld1q_f32(sums + v), keep[row]);
        const float32x4_t more = vcvtq_f32_s32(vsubq_s32(vld1q_s32(mixed.sums[row] + v), less));
        vst1q_f32(sums + v, vfmaq_n_f32(before, more, add[row]));
      }
    }
  }
}

template <typename Products>
void attend(const PackedHead& head, TokenRows queries, int count, const AttentionScratch& scratch,
            float* output, std::size_t output_stride) {
  Rows rows;
  const int padded = (count + kQueryTile - 1) / kQueryTile * kQueryTile;
  const float to_power = kLog2e / __builtin_sqrtf(static_cast<float>(head.size));
  for (int row = 0; row < padded; ++row) {
    // Rows past the last repeat it, and are not written.
    const int query = row < count ? row : count - 1;
    const Channels channels{queries.data + query * queries.stride, nullptr, head.size};
    const float scale = channels.scale();
    auto* const bytes = reinterpret_cast<std::int8_t*>(scratch.queries) +
                        static_cast<std::size_t>(row / kQueryTile * kQueryTile) * head.depth +
                        row % kQueryTile * Products::kGroup;
    channels.store<Products::kGroup>(1.0F / scale, head.depth, bytes,
                                     kQueryTile * Products::kGroup);
    const float power = scale * to_power;
    rows.scale[row] = power < kSmallestScale ? kSmallestScale : power;
    rows.highest[row] = kNoKey;
    rows.total[row] = 0.0F;
  }
  for (int at = 0; at < padded * head.width; at += kLanes) {
    vst1q_f32(scratch.sums + at, vdupq_n_f32(0.0F));
  }
  const int used = used_tokens(head);
  Block block;
  for (int key = 0; key < used; key += kKeyBlock) {
    const int keys = used - key < kKeyBlock ? used - key : kKeyBlock;
    for (int tile = 0; tile < padded; tile += kQueryTile) {
      add_block<Products>(head, tile, key, keys, block, rows, scratch);
    }
  }
  for (int row = 0; row < count; ++row) {
    const float* const sums = scratch.sums + static_cast<std::size_t>(row) * head.width;
    const float32x4_t total = vdupq_n_f32(rows.total[row]);
    float* const answer = output + row * output_stride;
    for (int channel = 0; channel < head.size; channel += kLanes) {
      const float32x4_t mixed = vdivq_f32(vld1q_f32(sums + channel), total);
      float four[kLanes];
      vst1q_f32(four, vfmaq_f32(vld1q_f32(head.value_mean + channel), mixed,
                                vld1q_f32(head.value_scale + channel)));
      const int left = head.size - channel < kLanes ? head.size - channel : kLanes;
      for (int i = 0; i < left; ++i) answer[channel + i] = four[i];
    }
  }
}

template <typename Products>
constexpr AttentionKernels kernels{pack_keys<Products>, pack_values<Products>, attend<Products>};

}  // namespace
}  // namespace maest
