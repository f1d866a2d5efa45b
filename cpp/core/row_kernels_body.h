// The kernels themselves, for row_kernels_<isa>.cpp only: these define MAEST_KERNEL_NAMESPACE,
// MAEST_LANES and MAEST_KERNELS (the name of the table that they define) and include this.
#pragma once

#include "kernel_gelu.h"
#include "row_kernels.h"

#define MAEST_INLINE inline __attribute__((always_inline))

namespace maest::MAEST_KERNEL_NAMESPACE {

typedef IntLanes UnalignedIntLanes __attribute__((aligned(4)));
typedef UnalignedIntLanes AliasingIntLanes __attribute__((may_alias));
typedef unsigned char ByteLanes __attribute__((vector_size(MAEST_LANES)));

constexpr std::size_t kWhole = kLanes;
constexpr float kSmallestSpan = 1e-30F;  // keeps what is divided by it out of reach of infinity

// Up to kWhole values; lanes beyond them hold `fill`.
static MAEST_INLINE Lanes load_part(const float* from, std::size_t count, float fill) {
  if (count == kWhole) return load_unaligned(from);
  Lanes part = broadcast(fill);
  for (std::size_t i = 0; i < count; ++i) part[i] = from[i];
  return part;
}

static MAEST_INLINE Lanes load_integers(const std::int32_t* from, std::size_t count) {
  IntLanes part = {};
  if (count == kWhole) {
    part = *reinterpret_cast<const AliasingIntLanes*>(from);
  } else {
    for (std::size_t i = 0; i < count; ++i) part[i] = from[i];
  }
  return __builtin_convertvector(part, Lanes);
}

static MAEST_INLINE void store_part(float* to, std::size_t count, Lanes values) {
  if (count == kWhole) {
    *reinterpret_cast<AliasingUnalignedLanes*>(to) = values;
  } else {
    for (std::size_t i = 0; i < count; ++i) to[i] = values[i];
  }
}

// Whole numbers from 0 to 255 as bytes. For AVX2 it is spelled out, since GCC 12 takes vectors of
// eight integers apart.
static MAEST_INLINE ByteLanes bytes_of(Lanes values) {
#if defined(__AVX2__) && MAEST_LANES == 8
  const __m256i integers = _mm256_cvttps_epi32((__m256)values);
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(integers), _mm256_extracti128_si256(integers, 1));
  const __m128i bytes = _mm_packus_epi16(words, words);
  ByteLanes low;
  __builtin_memcpy(&low, &bytes, sizeof(low));
  return low;
#else
  return __builtin_convertvector(__builtin_convertvector(values, IntLanes), ByteLanes);
#endif
}

static MAEST_INLINE void store_bytes(std::uint8_t* to, std::size_t count, Lanes values) {
  const ByteLanes bytes = bytes_of(values);
  if (count == kWhole) {
    __builtin_memcpy(to, &bytes, kWhole);
  } else {
    for (std::size_t i = 0; i < count; ++i) to[i] = bytes[i];
  }
}

// Calls work(at, count) for one vector after another; only the last may have fewer than kWhole.
template <typename Work>
static MAEST_INLINE void each_vector(std::size_t count, const Work& work) {
  std::size_t at = 0;
  for (; at + kWhole <= count; at += kWhole) work(at, kWhole);
  if (at < count) work(at, count - at);
}

// The same for what adds up: work(at, count, turn), where turns go from 0 to kTurns - 1, so that a
// step need not wait for the one before.
constexpr int kTurns = 4;

template <typename Work>
static MAEST_INLINE void each_in_turn(std::size_t count, const Work& work) {
  std::size_t at = 0;
  for (; at + kTurns * kWhole <= count; at += kTurns * kWhole) {
    work(at, kWhole, 0);
    work(at + kWhole, kWhole, 1);
    work(at + 2 * kWhole, kWhole, 2);
    work(at + 3 * kWhole, kWhole, 3);
  }
  for (; at + kWhole <= count; at += kWhole) work(at, kWhole, 0);
  if (at < count) work(at, count - at, 0);
}

static MAEST_INLINE float sum_of_turns(const Lanes (&parts)[kTurns]) {
  const Lanes values = (parts[0] + parts[1]) + (parts[2] + parts[3]);
  float sum = 0.0F;
  for (int i = 0; i < kLanes; ++i) sum += values[i];
  return sum;
}

static void quantize(const float* values, std::size_t count, float levels, std::uint8_t* output,
                     RowRange* range) {
  const float first = values[0];
  const Lanes all_first = broadcast(first);
  Lanes lowest_of[kTurns] = {all_first, all_first, all_first, all_first};
  Lanes highest_of[kTurns] = {all_first, all_first, all_first, all_first};
  Lanes damage_of[kTurns] = {};  // NaN once there is a value that is not finite
  each_in_turn(count,
               [&](std::size_t at, std::size_t part, int turn) __attribute__((always_inline)) {
                 const Lanes value = load_part(values + at, part, first);
                 lowest_of[turn] = value < lowest_of[turn] ? value : lowest_of[turn];
                 highest_of[turn] = value > highest_of[turn] ? value : highest_of[turn];
                 damage_of[turn] += value * 0.0F;
               });
  Lanes lowest = lowest_of[0];
  Lanes highest = highest_of[0];
  for (int turn = 1; turn < kTurns; ++turn) {
    lowest = lowest_of[turn] < lowest ? lowest_of[turn] : lowest;
    highest = highest_of[turn] > highest ? highest_of[turn] : highest;
  }
  float low = lowest[0];
  float high = highest[0];
  for (int i = 1; i < kLanes; ++i) {
    low = lowest[i] < low ? lowest[i] : low;
    high = highest[i] > high ? highest[i] : high;
  }
  const float span = high - low;
  const bool flat = span < kSmallestSpan;
  const float factor = flat ? 0.0F : levels / span;
  each_vector(count, [&](std::size_t at, std::size_t part) __attribute__((always_inline)) {
    const Lanes value = load_part(values + at, part, first);
    store_bytes(output + at, part, (value - low) * factor + 0.5F);
  });
  range->step = flat ? 0.0F : span / levels;
  range->low = low + sum_of_turns(damage_of);
}

static void norm(const float* values, const float* scale, const float* bias, std::size_t count,
                 float epsilon, float* output) {
  Lanes total[kTurns] = {};
  each_in_turn(count, [&](std::size_t at, std::size_t part, int turn) __attribute__((
                          always_inline)) { total[turn] += load_part(values + at, part, 0.0F); });
  const float mean = sum_of_turns(total) / static_cast<float>(count);
  Lanes squares[kTurns] = {};
  each_in_turn(count,
               [&](std::size_t at, std::size_t part, int turn) __attribute__((always_inline)) {
                 const Lanes off = load_part(values + at, part, mean) - mean;
                 squares[turn] += off * off;
               });
  const float variance = sum_of_turns(squares) / static_cast<float>(count);
  const float factor = 1.0F / __builtin_sqrtf(variance + epsilon);
  each_vector(count, [&](std::size_t at, std::size_t part) __attribute__((always_inline)) {
    const Lanes off = load_part(values + at, part, mean) - mean;
    store_part(output + at, part,
               off * factor * load_part(scale + at, part, 0.0F) + load_part(bias + at, part, 0.0F));
  });
}

// The product of a row with columns, from the sums of the products of integers.
struct Product {
  const std::int32_t* sums;
  RowRange range;
  ProductColumns columns;

  MAEST_INLINE Lanes at(std::size_t at, std::size_t part) const {
    const Lanes sum = load_integers(sums + at, part);
    const Lanes start = load_part(columns.sum + at, part, 0.0F) * range.low +
                        load_part(columns.bias + at, part, 0.0F);
    return sum * (load_part(columns.scale + at, part, 0.0F) * range.step) + start;
  }
};

static void dequantize(const std::int32_t* sums, RowRange range, ProductColumns columns,
                       const float* residual, std::size_t count, float* output) {
  const Product product{sums, range, columns};
  if (residual == nullptr) {
    each_vector(count, [&](std::size_t at, std::size_t part) __attribute__((always_inline)) {
      store_part(output + at, part, product.at(at, part));
    });
    return;
  }
  each_vector(count, [&](std::size_t at, std::size_t part) __attribute__((always_inline)) {
    store_part(output + at, part, product.at(at, part) + load_part(residual + at, part, 0.0F));
  });
}

static void product_gelu(const std::int32_t* sums, RowRange range, ProductColumns columns,
                         const float* gain, std::size_t count, float* output) {
  const Product product{sums, range, columns};
  each_vector(count, [&](std::size_t at, std::size_t part) __attribute__((always_inline)) {
    store_part(output + at, part, gelu(product.at(at, part)) * load_part(gain + at, part, 0.0F));
  });
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

namespace maest {

extern const RowKernels MAEST_KERNELS{
    MAEST_KERNEL_NAMESPACE::quantize, MAEST_KERNEL_NAMESPACE::norm,
    MAEST_KERNEL_NAMESPACE::dequantize, MAEST_KERNEL_NAMESPACE::product_gelu};

}  // namespace maest
