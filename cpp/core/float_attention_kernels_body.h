// The kernels themselves, for float_attention_kernels_<isa>.cpp only: these define
// MAEST_KERNEL_NAMESPACE, MAEST_LANES (4) and MAEST_KERNELS (the name of the table that they
// define) and include this.
#pragma once

#include "float_attention_kernels.h"
#include "kernel_lanes.h"

#define MAEST_INLINE inline __attribute__((always_inline))

namespace maest::MAEST_KERNEL_NAMESPACE {

constexpr float kNoKey = -3e38F;        // a score that no key has
constexpr float kLeastPower = -126.0F;  // 2 to less than it is not a normal number
constexpr float kLog2e = 1.44269504F;

// 2^x for x of at most 0, within 3e-7 of itself: Taylor's polynomial of the fraction, -0.5 to 0.5.
static MAEST_INLINE Lanes exp2_of(Lanes x) {
  const Lanes limited = x < kLeastPower ? broadcast(kLeastPower) : x;
  // Adding it leaves the nearest integer, and the 127 of an exponent, in the lowest bits.
  constexpr float kRounds = 12582912.0F + 127.0F;  // 1.5 * 2^23
  const Lanes shifted = limited + kRounds;
  const Lanes rest = limited - (shifted - kRounds);
  Lanes power = broadcast(1.5403530e-4F);
  power = power * rest + 1.3333558e-3F;
  power = power * rest + 9.6181291e-3F;
  power = power * rest + 5.5504109e-2F;
  power = power * rest + 2.4022651e-1F;
  power = power * rest + 6.9314718e-1F;
  power = power * rest + 1.0F;
  return power * reinterpret_cast<Lanes>(reinterpret_cast<IntLanes>(shifted) << 23);
}

// One row of a tile. Rows have a variable each, since the compiler keeps an array of them in
// memory.
struct Row {
  Lanes v0, v1, v2, v3;
};
static_assert(sizeof(Row) == kFloatPanel * sizeof(float) && kFloatQueryTile == 6);

static MAEST_INLINE Row load_row(const float* from) {
  return {load(from), load(from + kLanes), load(from + 2 * kLanes), load(from + 3 * kLanes)};
}

static MAEST_INLINE void add_products(const float* row, Row columns, Row& sums) {
  const Lanes spread = broadcast(*row);
  sums.v0 += spread * columns.v0;
  sums.v1 += spread * columns.v1;
  sums.v2 += spread * columns.v2;
  sums.v3 += spread * columns.v3;
}

static MAEST_INLINE Row kept(const float* sums, const float* keep, int row) {
  Row scaled = {};
  add_products(keep + row, load_row(sums), scaled);
  return scaled;
}

static MAEST_INLINE void store(float* to, Row row) {
  MAEST_KERNEL_NAMESPACE::store(to, row.v0);
  MAEST_KERNEL_NAMESPACE::store(to + kLanes, row.v1);
  MAEST_KERNEL_NAMESPACE::store(to + 2 * kLanes, row.v2);
  MAEST_KERNEL_NAMESPACE::store(to + 3 * kLanes, row.v3);
}

// A tile: for each of six rows and each column of the panel the sum of `steps` products, and of
// what is in `sums` times the row's factor, unless `keep` is null.
__attribute__((noinline)) static void sum_products(const float* rows, std::size_t stride,
                                                   const float* panel, int steps, const float* keep,
                                                   float* sums, std::size_t sums_stride) {
  Row q0 = {}, q1 = {}, q2 = {}, q3 = {}, q4 = {}, q5 = {};
  if (keep != nullptr) {
    q0 = kept(sums, keep, 0);
    q1 = kept(sums + sums_stride, keep, 1);
    q2 = kept(sums + 2 * sums_stride, keep, 2);
    q3 = kept(sums + 3 * sums_stride, keep, 3);
    q4 = kept(sums + 4 * sums_stride, keep, 4);
    q5 = kept(sums + 5 * sums_stride, keep, 5);
  }
  for (int step = 0; step < steps; ++step) {
    const Row columns = load_row(panel);
    add_products(rows, columns, q0);
    add_products(rows + stride, columns, q1);
    add_products(rows + 2 * stride, columns, q2);
    add_products(rows + 3 * stride, columns, q3);
    add_products(rows + 4 * stride, columns, q4);
    add_products(rows + 5 * stride, columns, q5);
    ++rows;
    panel += kFloatPanel;
  }
  store(sums, q0);
  store(sums + sums_stride, q1);
  store(sums + 2 * sums_stride, q2);
  store(sums + 3 * sums_stride, q3);
  store(sums + 4 * sums_stride, q4);
  store(sums + 5 * sums_stride, q5);
}

// A panel of keys, of which `count` are there, so that a channel's values lie side by side.
static void pack_keys(const float* keys, std::size_t stride, int count, std::size_t size,
                      float* panel) {
  std::size_t channel = 0;
  if (count == kFloatPanel) {
    for (; channel + 4 <= size; channel += 4) {
      for (int key = 0; key < kFloatPanel; key += kLanes) {
        Lanes four[4];
        for (int i = 0; i < 4; ++i) {
          four[i] = load_quarters(keys + (key + i) * stride + channel, static_cast<int>(stride));
        }
        transpose_quarters(four);
        for (int i = 0; i < 4; ++i) {
          MAEST_KERNEL_NAMESPACE::store(panel + (channel + i) * kFloatPanel + key, four[i]);
        }
      }
    }
  }
  for (; channel < size; ++channel) {
    for (int key = 0; key < kFloatPanel; ++key) {
      panel[channel * kFloatPanel + key] = key < count ? keys[key * stride + channel] : 0.0F;
    }
  }
}

// The channels from `first` on of a token's values.
static void pack_values(const float* values, int first, int size, float* row) {
  if (first + kFloatPanel <= size) {
    __builtin_memcpy(row, values + first, kFloatPanel * sizeof(float));
  } else {
    for (int i = 0; i < kFloatPanel; ++i) row[i] = first + i < size ? values[first + i] : 0.0F;
  }
}

static void pack(TokenRows keys, TokenRows values, FloatHead& head) {
  const auto size = static_cast<std::size_t>(head.size);
  for (int token = 0; token < head.padded_tokens; token += kFloatPanel) {
    const int left = head.tokens - token;
    pack_keys(keys.data + token * keys.stride, keys.stride, left < kFloatPanel ? left : kFloatPanel,
              size, head.keys + token * size);
  }
  for (int token = 0; token < head.tokens; ++token) {
    for (int channel = 0; channel < head.width; channel += kFloatPanel) {
      pack_values(values.data + token * values.stride, channel, head.size,
                  head.values + static_cast<std::size_t>(channel) * head.padded_tokens +
                      static_cast<std::size_t>(token) * kFloatPanel);
    }
  }
}

// Scores of one tile of queries and one block of keys, then their weights.
struct Block {
  alignas(64) float scores[kFloatQueryTile][kFloatKeyBlock];
};

// What is known of a query after some blocks of keys.
struct Known {
  float highest[kFloatQueryBlock];
  alignas(64) float total[kFloatQueryBlock][kLanes];  // weights, added up by lanes
};

static MAEST_INLINE float highest_of(Lanes values) {
  float highest = values[0];
  for (int i = 1; i < kLanes; ++i) highest = values[i] > highest ? values[i] : highest;
  return highest;
}

// Turns a query's scores of `count` keys into weights; gives what weights of earlier blocks are to
// be multiplied with.
static MAEST_INLINE float weigh(float* scores, int count, int padded, float& highest,
                                float* total) {
  for (int key = count; key < padded; ++key) scores[key] = kNoKey;
  Lanes peaks = load(scores);
  for (int key = kLanes; key < padded; key += kLanes) {
    const Lanes score = load(scores + key);
    peaks = score > peaks ? score : peaks;
  }
  const float here = highest_of(peaks);
  const float before = highest;
  highest = here > before ? here : before;
  const float keep = exp2_of(broadcast(before - highest))[0];
  Lanes sum = load(total) * keep;
  for (int key = 0; key < padded; key += kLanes) {
    const Lanes weight = exp2_of(load(scores + key) - highest);
    MAEST_KERNEL_NAMESPACE::store(scores + key, weight);
    sum += weight;
  }
  MAEST_KERNEL_NAMESPACE::store(total, sum);
  return keep;
}

static void add_block(const FloatHead& head, int tile, int first_key, int count, Known& known,
                      const FloatAttentionScratch& scratch) {
  Block block;
  const auto size = static_cast<std::size_t>(head.size);
  const auto width = static_cast<std::size_t>(head.width);
  const int padded = (count + kFloatPanel - 1) / kFloatPanel * kFloatPanel;
  for (int key = 0; key < padded; key += kFloatPanel) {
    sum_products(scratch.queries + tile * size, size, head.keys + (first_key + key) * size,
                 head.size, nullptr, block.scores[0] + key, kFloatKeyBlock);
  }
  float keep[kFloatQueryTile];
  for (int row = 0; row < kFloatQueryTile; ++row) {
    keep[row] =
        weigh(block.scores[row], count, padded, known.highest[tile + row], known.total[tile + row]);
  }
  for (int column = 0; column < head.width; column += kFloatPanel) {
    sum_products(block.scores[0], kFloatKeyBlock,
                 head.values + static_cast<std::size_t>(column) * head.padded_tokens +
                     static_cast<std::size_t>(first_key) * kFloatPanel,
                 count, keep, scratch.sums + tile * width + column, width);
  }
}

static void attend(const FloatHead& head, TokenRows queries, int count,
                   const FloatAttentionScratch& scratch, float* output, std::size_t output_stride) {
  Known known;
  const int padded = (count + kFloatQueryTile - 1) / kFloatQueryTile * kFloatQueryTile;
  const float to_power = kLog2e / __builtin_sqrtf(static_cast<float>(head.size));
  for (int row = 0; row < padded; ++row) {
    // Rows past the last repeat it, and are not written.
    const float* const query = queries.data + (row < count ? row : count - 1) * queries.stride;
    float* const scaled = scratch.queries + static_cast<std::size_t>(row) * head.size;
    for (int channel = 0; channel < head.size; ++channel) {
      scaled[channel] = query[channel] * to_power;
    }
    known.highest[row] = kNoKey;
    MAEST_KERNEL_NAMESPACE::store(known.total[row], Lanes{});
  }
  for (int at = 0; at < padded * head.width; ++at) scratch.sums[at] = 0.0F;
  for (int key = 0; key < head.tokens; key += kFloatKeyBlock) {
    const int keys = head.tokens - key < kFloatKeyBlock ? head.tokens - key : kFloatKeyBlock;
    for (int tile = 0; tile < padded; tile += kFloatQueryTile) {
      add_block(head, tile, key, keys, known, scratch);
    }
  }
  for (int row = 0; row < count; ++row) {
    float total = 0.0F;
    for (int i = 0; i < kLanes; ++i) total += known.total[row][i];
    const float factor = 1.0F / total;
    const float* const sums = scratch.sums + static_cast<std::size_t>(row) * head.width;
    float* const answer = output + row * output_stride;
    for (int channel = 0; channel < head.size; ++channel) answer[channel] = sums[channel] * factor;
  }
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

namespace maest {

extern const FloatAttentionKernels MAEST_KERNELS{MAEST_KERNEL_NAMESPACE::pack,
                                                 MAEST_KERNEL_NAMESPACE::attend};

}  // namespace maest
