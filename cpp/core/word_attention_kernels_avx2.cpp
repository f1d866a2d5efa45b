// The kernels for AVX2; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this file with -mavx2 -mfma"
#endif
#include <immintrin.h>

#include "word_attention_kernels.h"

#define MAEST_INLINE inline __attribute__((always_inline))

namespace maest {
namespace {

constexpr int kLanes = 8;
constexpr float kNoKey = -3e38F;          // a score that no key has
constexpr float kSmallestScale = 1e-30F;  // keeps kNoKey, times it, out of reach
constexpr float kLargestWord = 32767.0F;
constexpr float kLargestSum = 2147483647.0F;
// Of weights and of values: sums of kWordKeyBlock products of them fit into 32 bits, and would if
// the largest were rounded up once more.
constexpr int kLargest = 4095;
static_assert(kWordKeyBlock * (kLargest + 1LL) * (kLargest + 1LL) <= (1LL << 31));
constexpr float kLog2OfLargest = 11.9996477F;
constexpr float kLog2e = 1.44269504F;

// 2^x for x of at least -126, within 8e-5 of itself: less than a weight of 12 bits can tell. A
// minimax cubic for the fraction, -0.5 to 0.5. What is not finite stays so.
MAEST_INLINE __m256 exp2_of(__m256 x) {
  // Adding it leaves the nearest integer, and the 127 of an exponent, in the lowest bits.
  const __m256 rounds = _mm256_set1_ps(12582912.0F + 127.0F);  // 1.5 * 2^23
  const __m256 shifted = _mm256_add_ps(x, rounds);
  const __m256 rest = _mm256_sub_ps(x, _mm256_sub_ps(shifted, rounds));
  __m256 power = _mm256_set1_ps(0.05517167F);
  power = _mm256_fmadd_ps(power, rest, _mm256_set1_ps(0.24261113F));
  power = _mm256_fmadd_ps(power, rest, _mm256_set1_ps(0.69326099F));
  power = _mm256_fmadd_ps(power, rest, _mm256_set1_ps(0.99992807F));
  const __m256i whole = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
  return _mm256_mul_ps(power, _mm256_castsi256_ps(whole));
}

// `x`, or `low` where x is less; NaN stays NaN.
MAEST_INLINE __m256 at_least(float low, __m256 x) { return _mm256_max_ps(_mm256_set1_ps(low), x); }

// Up to eight values; lanes beyond them are 0.
MAEST_INLINE __m256 load_part(const float* from, int count) {
  if (count >= kLanes) return _mm256_loadu_ps(from);
  const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), places));
}

// The bits of |x|, which are ordered as the values are, with NaN above everything: a NaN in the
// input is found in the largest, and so in the scale and the result.
MAEST_INLINE __m256i magnitude(__m256 x) {
  return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

MAEST_INLINE float largest_of(__m256i magnitudes) {
  __m128i four =
      _mm_max_epi32(_mm256_castsi256_si128(magnitudes), _mm256_extracti128_si256(magnitudes, 1));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(2, 3, 0, 1)));
  return _mm_cvtss_f32(_mm_castsi128_ps(four));
}

MAEST_INLINE float highest_of(__m256 values) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

// The next multiple of kWordPanel values of a row as integers, and what they are to be multiplied
// with. The product of two such rows fits into 32 bits.
MAEST_INLINE float quantize(const float* from, int size, int width, std::int16_t* to) {
  __m256i largest = _mm256_setzero_si256();
  for (int at = 0; at < size; at += kLanes) {
    largest = _mm256_max_epi32(largest, magnitude(load_part(from + at, size - at)));
  }
  // Less 1, for what rounding adds.
  const float share = __builtin_sqrtf(kLargestSum / static_cast<float>(width)) - 1.0F;
  const float peak = largest_of(largest);
  const float scale =
      peak < kSmallestScale ? 1.0F : peak / (share < kLargestWord ? share : kLargestWord);
  const __m256 factor = _mm256_set1_ps(1.0F / scale);
  for (int at = 0; at < width; at += 2 * kLanes) {
    const __m256 low = load_part(from + at, size - at);
    const __m256 high = size - at > kLanes ? load_part(from + at + kLanes, size - at - kLanes)
                                           : _mm256_setzero_ps();
    const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(low, factor)),
                                             _mm256_cvtps_epi32(_mm256_mul_ps(high, factor)));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + at),
                       _mm256_permute4x64_epi64(words, _MM_SHUFFLE(3, 1, 2, 0)));
  }
  return scale;
}

void pack_keys(TokenRows keys, WordHead& head) {
  // The values' place until their turn comes.
  std::int16_t* const row = head.values;
  float damage = 0.0F;  // NaN once there is a key that is not finite
  for (int token = 0; token < head.padded_tokens; ++token) {
    const bool real = token < head.tokens;
    const float scale =
        quantize(keys.data + (real ? token : 0) * keys.stride, head.size, head.width, row);
    std::int16_t* const column =
        head.keys + static_cast<std::size_t>(token / kWordPanel) * head.width * kWordPanel +
        token % kWordPanel * 2;
    for (int channel = 0; channel < head.width; channel += 2) {
      __builtin_memcpy(column + channel * kWordPanel, row + channel, 2 * sizeof(*row));
    }
    head.key_scale[token] = real ? scale : 0.0F;
    head.key_offset[token] = real ? 0.0F : kNoKey;
    damage += scale * 0.0F;
  }
  if (damage == 0.0F) return;
  for (int token = 0; token < head.padded_tokens; ++token) head.key_offset[token] = damage;
}

void pack_values(TokenRows values, WordHead& head) {
  auto* const largest = reinterpret_cast<__m256i*>(head.value_scale);
  for (int v = 0; v < head.width / kLanes; ++v) {
    _mm256_store_si256(largest + v, _mm256_setzero_si256());
  }
  for (int token = 0; token < head.tokens; ++token) {
    const float* const row = values.data + token * values.stride;
    for (int channel = 0; channel < head.size; channel += kLanes) {
      __m256i* const place = largest + channel / kLanes;
      const __m256i more = magnitude(load_part(row + channel, head.size - channel));
      _mm256_store_si256(place, _mm256_max_epi32(_mm256_load_si256(place), more));
    }
  }
  // What values are multiplied with, until they are packed.
  for (int channel = 0; channel < head.width; ++channel) {
    const float peak = head.value_scale[channel];
    head.value_scale[channel] = peak < kSmallestScale ? 1.0F : kLargest / peak;
  }
  for (int token = 0; token < head.padded_tokens; token += 2) {
    // Weights leave `weigh` with their groups of four in this order.
    const int group = token % kWordPanel / 4;
    const int first = token + (group == 1 ? 4 : group == 2 ? -4 : 0);
    for (int channel = 0; channel < head.width; channel += kLanes) {
      const __m256 factor = _mm256_load_ps(head.value_scale + channel);
      const auto integers = [&](int at) __attribute__((always_inline)) {
        if (at >= head.tokens || channel >= head.size) return _mm256_setzero_si256();
        const float* const from = values.data + at * values.stride + channel;
        return _mm256_cvtps_epi32(_mm256_mul_ps(load_part(from, head.size - channel), factor));
      };
      const __m256i even = integers(first);
      const __m256i odd = _mm256_slli_epi32(integers(first + 1), 16);
      std::int16_t* const panel = head.values + static_cast<std::size_t>(channel / kWordPanel) *
                                                    head.padded_tokens * kWordPanel;
      _mm256_store_si256(
          reinterpret_cast<__m256i*>(panel + token * kWordPanel + channel % kWordPanel * 2),
          _mm256_blend_epi16(even, odd, 0xaa));
    }
  }
  for (int channel = 0; channel < head.width; ++channel) {
    head.value_scale[channel] = 1.0F / head.value_scale[channel];
  }
}

void pack(TokenRows keys, TokenRows values, WordHead& head) {
  pack_keys(keys, head);
  pack_values(values, head);
}

// Sums of one query over a panel. Queries have a variable each, since the compiler keeps an array
// of them in memory.
struct Sums {
  __m256i low = _mm256_setzero_si256();
  __m256i high = _mm256_setzero_si256();
};

MAEST_INLINE void add_products(const std::int16_t* row, Sums columns, Sums& sums) {
  int two;
  __builtin_memcpy(&two, row, sizeof(two));
  const __m256i spread = _mm256_set1_epi32(two);
  sums.low = _mm256_add_epi32(sums.low, _mm256_madd_epi16(spread, columns.low));
  sums.high = _mm256_add_epi32(sums.high, _mm256_madd_epi16(spread, columns.high));
  // One row after another: GCC would load all six first, and has no registers left for sums.
  asm("" : "+x"(sums.low), "+x"(sums.high));
}

// A tile: for each of six rows and each column of the panel, the sum of `steps` times two products.
MAEST_INLINE void sum_products(const std::int16_t* rows, std::size_t stride,
                               const std::int16_t* panel, int steps, Sums& q0, Sums& q1, Sums& q2,
                               Sums& q3, Sums& q4, Sums& q5) {
  static_assert(kWordQueryTile == 6 && kWordPanel == 2 * kLanes);
  for (int step = 0; step < steps; ++step) {
    const auto* const at = reinterpret_cast<const __m256i*>(panel);
    const Sums columns{_mm256_load_si256(at), _mm256_load_si256(at + 1)};
    add_products(rows, columns, q0);
    add_products(rows + stride, columns, q1);
    add_products(rows + 2 * stride, columns, q2);
    add_products(rows + 3 * stride, columns, q3);
    add_products(rows + 4 * stride, columns, q4);
    add_products(rows + 5 * stride, columns, q5);
    rows += 2;
    panel += 2 * kWordPanel;
  }
}

// The scales of a panel of keys, and what is added.
struct Scores {
  const float* scale;
  const float* offset;

  MAEST_INLINE void store(Sums sums, float* to) const {
    const __m256 low = _mm256_cvtepi32_ps(sums.low);
    const __m256 high = _mm256_cvtepi32_ps(sums.high);
    _mm256_store_ps(to, _mm256_fmadd_ps(low, _mm256_load_ps(scale), _mm256_load_ps(offset)));
    _mm256_store_ps(to + kLanes, _mm256_fmadd_ps(high, _mm256_load_ps(scale + kLanes),
                                                 _mm256_load_ps(offset + kLanes)));
  }
};

// One tile of queries and one block of keys.
struct Block {
  alignas(64) float scores[kWordQueryTile][kWordKeyBlock];
  alignas(64) std::int16_t weights[kWordQueryTile][kWordKeyBlock];
};

__attribute__((noinline)) void store_scores(const WordHead& head, const std::int16_t* queries,
                                            int first_key, int keys, Block& block) {
  const auto width = static_cast<std::size_t>(head.width);
  for (int key = 0; key < keys; key += kWordPanel) {
    Sums q0, q1, q2, q3, q4, q5;
    sum_products(queries, width, head.keys + (first_key + key) * width, head.width / 2, q0, q1, q2,
                 q3, q4, q5);
    const Scores scores{head.key_scale + first_key + key, head.key_offset + first_key + key};
    scores.store(q0, block.scores[0] + key);
    scores.store(q1, block.scores[1] + key);
    scores.store(q2, block.scores[2] + key);
    scores.store(q3, block.scores[3] + key);
    scores.store(q4, block.scores[4] + key);
    scores.store(q5, block.scores[5] + key);
  }
}

MAEST_INLINE float highest_of_row(const float* scores, int keys) {
  __m256 low = _mm256_load_ps(scores);
  __m256 high = _mm256_load_ps(scores + kLanes);
  for (int key = kWordPanel; key < keys; key += kWordPanel) {
    low = _mm256_max_ps(low, _mm256_load_ps(scores + key));
    high = _mm256_max_ps(high, _mm256_load_ps(scores + key + kLanes));
  }
  return highest_of(_mm256_max_ps(low, high));
}

// Turns the scores of a query into weights from 0 to kLargest, which the highest gets. Gives their
// sums by lanes.
MAEST_INLINE __m256i weigh(const float* scores, int keys, float scale, float highest,
                           std::int16_t* weights) {
  const __m256 peak = _mm256_set1_ps(highest);
  const __m256 factor = _mm256_set1_ps(scale);
  const auto integers = [&](int key) __attribute__((always_inline)) {
    // Taken off first, the highest leaves nothing to rounding, however high it is.
    const __m256 off = _mm256_sub_ps(_mm256_load_ps(scores + key), peak);
    const __m256 power = _mm256_fmadd_ps(off, factor, _mm256_set1_ps(kLog2OfLargest));
    return _mm256_cvtps_epi32(exp2_of(at_least(-2.0F, power)));  // less is rounded to 0
  };
  __m256i total = _mm256_setzero_si256();
  for (int key = 0; key < keys; key += kWordPanel) {
    const __m256i words = _mm256_packs_epi32(integers(key), integers(key + kLanes));
    _mm256_store_si256(reinterpret_cast<__m256i*>(weights + key), words);
    total = _mm256_add_epi32(total, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
  }
  return total;
}

// What is known of a query after some blocks of keys.
struct Rows {
  float scale[kWordQueryBlock];                      // from a score to a power of two
  float highest[kWordQueryBlock];                    // the highest score, as a power of two
  alignas(64) float total[kWordQueryBlock][kLanes];  // weights, added up by lanes
};

// What sums of earlier blocks are multiplied with, and those of this one, for each row of a tile.
struct Factors {
  alignas(64) float keep[kLanes];
  alignas(64) float add[kLanes];
};

MAEST_INLINE void add_to(float* sums, __m256i more, float keep, float add) {
  const __m256 kept = _mm256_mul_ps(_mm256_load_ps(sums), _mm256_set1_ps(keep));
  _mm256_store_ps(sums, _mm256_fmadd_ps(_mm256_cvtepi32_ps(more), _mm256_set1_ps(add), kept));
}

MAEST_INLINE void add_row(float* sums, Sums more, const Factors& factors, int row) {
  add_to(sums, more.low, factors.keep[row], factors.add[row]);
  add_to(sums + kLanes, more.high, factors.keep[row], factors.add[row]);
}

__attribute__((noinline)) void add_values(const WordHead& head, const Block& block, int first_key,
                                          int keys, const Factors& factors, float* sums) {
  const auto width = static_cast<std::size_t>(head.width);
  const std::int16_t* panel = head.values + static_cast<std::size_t>(first_key) * kWordPanel;
  for (int column = 0; column < head.width; column += kWordPanel) {
    Sums q0, q1, q2, q3, q4, q5;
    sum_products(block.weights[0], kWordKeyBlock, panel, keys / 2, q0, q1, q2, q3, q4, q5);
    add_row(sums, q0, factors, 0);
    add_row(sums + width, q1, factors, 1);
    add_row(sums + 2 * width, q2, factors, 2);
    add_row(sums + 3 * width, q3, factors, 3);
    add_row(sums + 4 * width, q4, factors, 4);
    add_row(sums + 5 * width, q5, factors, 5);
    sums += kWordPanel;
    panel += static_cast<std::size_t>(head.padded_tokens) * kWordPanel;
  }
}

void add_block(const WordHead& head, int tile, int first_key, int keys, Block& block, Rows& rows,
               const WordAttentionScratch& scratch) {
  const std::size_t first = static_cast<std::size_t>(tile) * head.width;
  store_scores(head, scratch.queries + first, first_key, keys, block);
  alignas(64) float here[kLanes] = {};
  alignas(64) float before[kLanes] = {};
  alignas(64) float highest[kLanes];
  float peaks[kWordQueryTile];
  __m256i totals[kWordQueryTile];
  for (int row = 0; row < kWordQueryTile; ++row) {
    peaks[row] = highest_of_row(block.scores[row], keys);
    here[row] = peaks[row] * rows.scale[tile + row];
    before[row] = rows.highest[tile + row];
  }
  for (int row = 0; row < kWordQueryTile; ++row) {
    totals[row] =
        weigh(block.scores[row], keys, rows.scale[tile + row], peaks[row], block.weights[row]);
  }
  const __m256 now = _mm256_load_ps(here);
  const __m256 old = _mm256_load_ps(before);
  const __m256 peak = _mm256_max_ps(now, old);
  _mm256_store_ps(highest, peak);
  constexpr float kNothing = -100.0F;  // 2 to this, times anything that is added, is lost
  Factors factors;
  _mm256_store_ps(factors.keep, exp2_of(at_least(kNothing, _mm256_sub_ps(old, peak))));
  _mm256_store_ps(factors.add, exp2_of(at_least(kNothing, _mm256_sub_ps(now, peak))));
  for (int row = 0; row < kWordQueryTile; ++row) {
    rows.highest[tile + row] = highest[row];
    add_to(rows.total[tile + row], totals[row], factors.keep[row], factors.add[row]);
  }
  add_values(head, block, first_key, keys, factors, scratch.sums + first);
}

void attend(const WordHead& head, TokenRows queries, int count, const WordAttentionScratch& scratch,
            float* output, std::size_t output_stride) {
  Rows rows;
  const auto width = static_cast<std::size_t>(head.width);
  const int padded = (count + kWordQueryTile - 1) / kWordQueryTile * kWordQueryTile;
  const float to_power = kLog2e / __builtin_sqrtf(static_cast<float>(head.size));
  for (int row = 0; row < padded; ++row) {
    // Rows past the last repeat it, and are not written.
    const float* const query = queries.data + (row < count ? row : count - 1) * queries.stride;
    const float scale = quantize(query, head.size, head.width, scratch.queries + row * width);
    const float power = scale * to_power + scale * 0.0F;  // NaN for what is not finite
    rows.scale[row] = power < kSmallestScale ? kSmallestScale : power;
    rows.highest[row] = kNoKey;
    _mm256_store_ps(rows.total[row], _mm256_setzero_ps());
  }
  for (int at = 0; at < padded * head.width; at += kLanes) {
    _mm256_store_ps(scratch.sums + at, _mm256_setzero_ps());
  }
  Block block;
  for (int key = 0; key < head.padded_tokens; key += kWordKeyBlock) {
    const int left = head.padded_tokens - key;
    const int keys = left < kWordKeyBlock ? left : kWordKeyBlock;
    for (int tile = 0; tile < padded; tile += kWordQueryTile) {
      add_block(head, tile, key, keys, block, rows, scratch);
    }
  }
  for (int row = 0; row < count; ++row) {
    float total = 0.0F;
    for (const float part : rows.total[row]) total += part;
    const float factor = 1.0F / total;
    const float* const sums = scratch.sums + row * width;
    float* const answer = output + row * output_stride;
    for (int channel = 0; channel < head.size; ++channel) {
      answer[channel] = sums[channel] * factor * head.value_scale[channel];
    }
  }
}

}  // namespace

extern const WordAttentionKernels word_attention_kernels_avx2 = {pack, attend};

}  // namespace maest
#endif
