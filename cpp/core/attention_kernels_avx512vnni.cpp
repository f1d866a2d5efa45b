// The kernels for AVX-512 with VNNI; empty for other processors than x86-64.
#if defined(__x86_64__)
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VNNI__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni"
#endif
#include <immintrin.h>

#include "attention_kernels.h"

#define MAEST_INLINE inline __attribute__((always_inline))

namespace maest {
namespace {

constexpr int kLanes = 16;
constexpr int kVectors = kKeyPanel / kLanes;
constexpr int kPanels = kKeyBlock / kKeyPanel;
constexpr int kGroup = 4;  // products that one instruction adds up
constexpr int kTileBytes = kKeyPanel * kGroup;
constexpr float kNoKey = -3e38F;          // a score that no key has
constexpr float kSmallestScale = 1e-30F;  // keeps kNoKey, times it, out of reach
constexpr float kLargest = 127.0F;        // of a signed byte, used symmetrically
constexpr int kMiddle = 128;              // what makes a signed byte unsigned
constexpr float kLog2e = 1.44269504F;
constexpr float kLog2Of255 = 7.99435344F;
alignas(64) constexpr std::int32_t kZeros[kKeyPanel] = {};

struct Tile {
  alignas(64) std::int32_t sums[kQueryTile][kKeyPanel];
};

// 2^x within 8e-5 of itself: far less than a weight of 8 bits can tell. A minimax cubic for the
// fraction, -0.5 to 0.5.
inline __m512 exp2_of(__m512 x) {
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 power = _mm512_set1_ps(0.05517167F);
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(0.24261113F));
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(0.69326099F));
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(0.99992807F));
  return _mm512_scalef_ps(power, whole);
}

// The bits of |x|, which are ordered as the values are, with NaN above everything: a NaN in the
// input is found in the largest, and so in the scale and the result.
inline __m512i magnitude(__m512 x) {
  return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

inline float as_float(int bits) { return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits))); }

inline __mmask16 lanes_left(int count) {
  return count >= kLanes ? static_cast<__mmask16>(0xffff)
                         : static_cast<__mmask16>((1U << (count > 0 ? count : 0)) - 1U);
}

// 64 columns of a panel, or the sums of one query over them. Queries have a variable each, since
// the compiler keeps an array of them in memory.
struct Columns {
  __m512i v0, v1, v2, v3;
};

MAEST_INLINE Columns load(const void* memory) {
  const auto* const at = static_cast<const __m512i*>(memory);
  return {_mm512_load_si512(at), _mm512_load_si512(at + 1), _mm512_load_si512(at + 2),
          _mm512_load_si512(at + 3)};
}

MAEST_INLINE void store(const Columns& columns, std::int32_t* memory) {
  _mm512_store_si512(memory, columns.v0);
  _mm512_store_si512(memory + kLanes, columns.v1);
  _mm512_store_si512(memory + 2 * kLanes, columns.v2);
  _mm512_store_si512(memory + 3 * kLanes, columns.v3);
}

MAEST_INLINE void add_products(const std::uint8_t* row, const Columns& columns, Columns& sums) {
  int four;
  __builtin_memcpy(&four, row, sizeof(four));
  const __m512i spread = _mm512_set1_epi32(four);
  sums.v0 = _mm512_dpbusd_epi32(sums.v0, spread, columns.v0);
  sums.v1 = _mm512_dpbusd_epi32(sums.v1, spread, columns.v1);
  sums.v2 = _mm512_dpbusd_epi32(sums.v2, spread, columns.v2);
  sums.v3 = _mm512_dpbusd_epi32(sums.v3, spread, columns.v3);
}

// A tile: for each of six rows and each column of the panel, the sum of `steps` times four
// products of unsigned bytes of the row and signed bytes of the column, and of `start`.
__attribute__((noinline)) void sum_products(const std::uint8_t* rows, std::size_t stride,
                                            const std::int8_t* panel, int steps,
                                            const std::int32_t* start, Tile& tile) {
  static_assert(kQueryTile == 6 && kKeyPanel == 64);
  const Columns first = load(start);
  Columns q0 = first, q1 = first, q2 = first, q3 = first, q4 = first, q5 = first;
  for (int step = 0; step < steps; ++step) {
    const Columns columns = load(panel);
    add_products(rows, columns, q0);
    add_products(rows + stride, columns, q1);
    add_products(rows + 2 * stride, columns, q2);
    add_products(rows + 3 * stride, columns, q3);
    add_products(rows + 4 * stride, columns, q4);
    add_products(rows + 5 * stride, columns, q5);
    rows += kGroup;
    panel += kTileBytes;
  }
  store(q0, tile.sums[0]);
  store(q1, tile.sums[1]);
  store(q2, tile.sums[2]);
  store(q3, tile.sums[3]);
  store(q4, tile.sums[4]);
  store(q5, tile.sums[5]);
}

// The mean of each of up to 16 channels, from `channel` on, over all tokens.
inline __m512 channel_mean(TokenRows rows, int tokens, int channel, __mmask16 mask) {
  __m512 sum = _mm512_setzero_ps();
  for (int token = 0; token < tokens; ++token) {
    sum =
        _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, rows.data + token * rows.stride + channel));
  }
  return _mm512_div_ps(sum, _mm512_set1_ps(static_cast<float>(tokens)));
}

// What `largest`, given by its bits, is divided by to become 127.
inline float scale_of(int largest_bits) {
  const float largest = as_float(largest_bits);
  return largest < kSmallestScale ? 1.0F : largest / kLargest;
}

// A token's channels of one head, less what all tokens share.
struct Channels {
  const float* row;
  const float* mean;  // null for nothing
  int count;

  __m512 at(int channel) const {
    const __mmask16 mask = lanes_left(count - channel);
    const __m512 value = _mm512_maskz_loadu_ps(mask, row + channel);
    if (mean == nullptr) return value;
    return _mm512_sub_ps(value, _mm512_maskz_loadu_ps(mask, mean + channel));
  }

  float scale() const {
    __m512i largest = _mm512_setzero_si512();
    for (int channel = 0; channel < count; channel += kLanes) {
      largest = _mm512_max_epi32(largest, magnitude(at(channel)));
    }
    return scale_of(_mm512_reduce_max_epi32(largest));
  }

  __m512i quantized(int channel, __m512 factor) const {
    return _mm512_cvtps_epi32(_mm512_mul_ps(at(channel), factor));
  }
};

void pack_keys(TokenRows keys, PackedHead& head) {
  // The mean's place until the scales are known: value_mean is filled by pack_values, later.
  float* const mean = head.value_mean;
  for (int channel = 0; channel < head.size; channel += kLanes) {
    const __mmask16 mask = lanes_left(head.size - channel);
    _mm512_mask_storeu_ps(mean + channel, mask, channel_mean(keys, head.tokens, channel, mask));
  }
  const std::size_t panel_bytes = static_cast<std::size_t>(head.depth) * kKeyPanel;
  float damage = 0.0F;  // NaN once there is a key that is not finite
  for (int token = 0; token < head.padded_tokens; ++token) {
    std::int8_t* const column =
        head.keys + token / kKeyPanel * panel_bytes + token % kKeyPanel * kGroup;
    const bool real = token < head.tokens;
    const Channels channels{keys.data + (real ? token : 0) * keys.stride, mean, head.size};
    const float scale = real ? channels.scale() : 0.0F;
    // A factor of zero makes the channels of a key that is not there zeros.
    const __m512 factor = _mm512_set1_ps(real ? 1.0F / scale : 0.0F);
    __m512i sum = _mm512_setzero_si512();
    for (int channel = 0; channel < head.depth; channel += kLanes) {
      const __m512i values = channels.quantized(channel, factor);
      sum = _mm512_add_epi32(sum, values);
      alignas(16) std::int8_t bytes[kLanes];
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes), _mm512_cvtsepi32_epi8(values));
      const int left = head.depth - channel < kLanes ? head.depth - channel : kLanes;
      for (int i = 0; i < left; i += kGroup) {
        __builtin_memcpy(column + (channel + i) / kGroup * kTileBytes, bytes + i, kGroup);
      }
    }
    // Unsigned, since the integers of a key that is not finite may be of any size.
    alignas(64) std::uint32_t sums[kLanes];
    _mm512_store_si512(sums, sum);
    std::uint32_t total = 0;
    for (const std::uint32_t part : sums) total += part;
    head.key_start[token] = static_cast<std::int32_t>(0U - kMiddle * total);
    head.key_scale[token] = scale;
    head.key_offset[token] = real ? 0.0F : kNoKey;
    damage += scale * 0.0F;
  }
  if (damage == 0.0F) return;
  for (int token = 0; token < head.padded_tokens; ++token) head.key_offset[token] = damage;
}

void pack_values(TokenRows values, PackedHead& head) {
  for (int channel = 0; channel < head.width; channel += kLanes) {
    const __mmask16 mask = lanes_left(head.size - channel);
    const __m512 mean = channel_mean(values, head.tokens, channel, mask);
    const auto value_of = [&](int token) {
      return _mm512_sub_ps(
          _mm512_maskz_loadu_ps(mask, values.data + token * values.stride + channel), mean);
    };
    __m512i largest = _mm512_setzero_si512();
    for (int token = 0; token < head.tokens; ++token) {
      largest = _mm512_max_epi32(largest, magnitude(value_of(token)));
    }
    const __m512 peak = _mm512_castsi512_ps(largest);
    const __mmask16 tiny = _mm512_cmp_ps_mask(peak, _mm512_set1_ps(kSmallestScale), _CMP_LT_OQ);
    const __m512 scale = _mm512_mask_blend_ps(tiny, _mm512_div_ps(peak, _mm512_set1_ps(kLargest)),
                                              _mm512_set1_ps(1.0F));
    _mm512_store_ps(head.value_scale + channel, scale);
    _mm512_store_ps(head.value_mean + channel, mean);
    const __m512 factor = _mm512_div_ps(_mm512_set1_ps(1.0F), scale);
    std::int8_t* const panel =
        head.values +
        static_cast<std::size_t>(channel / kKeyPanel) * head.padded_tokens * kKeyPanel +
        channel % kKeyPanel * kGroup;
    for (int token = 0; token < head.padded_tokens; token += kGroup) {
      __m512i four = _mm512_setzero_si512();
      for (int i = 0; i < kGroup && token + i < head.tokens; ++i) {
        const __m512i one = _mm512_cvtps_epi32(_mm512_mul_ps(value_of(token + i), factor));
        const __m512i byte = _mm512_and_si512(one, _mm512_set1_epi32(0xff));
        four = _mm512_or_si512(four, _mm512_sllv_epi32(byte, _mm512_set1_epi32(8 * i)));
      }
      // Weights leave `store_weights` with their groups of four in this order.
      const int group = token % kKeyPanel / kGroup;
      const int place = token / kKeyPanel * (kKeyPanel / kGroup) + group % 4 * 4 + group / 4;
      _mm512_store_si512(panel + static_cast<std::size_t>(place) * kTileBytes, four);
    }
  }
}

// Scores of one tile of queries and one block of keys, and their weights.
struct Block {
  alignas(64) float scores[kQueryTile][kKeyBlock];
  alignas(64) std::uint8_t weights[kQueryTile][kKeyBlock];
};

// What is known of a query after some blocks of keys.
struct Rows {
  float scale[kQueryBlock];                      // from a score to a power of two
  float highest[kQueryBlock];                    // the highest score, as a power of two
  alignas(64) float total[kQueryBlock][kLanes];  // weights, added up by lanes
};

inline void store_scores(const PackedHead& head, const std::uint8_t* queries, int first_panel,
                         int panels, Block& block, __m512 (&highest)[kQueryTile]) {
  for (int row = 0; row < kQueryTile; ++row) highest[row] = _mm512_set1_ps(kNoKey);
  Tile tile;
  for (int panel = 0; panel < panels; ++panel) {
    const int key = (first_panel + panel) * kKeyPanel;
    sum_products(queries, head.depth, head.keys + static_cast<std::size_t>(key) * head.depth,
                 head.depth / kGroup, head.key_start + key, tile);
    for (int v = 0; v < kVectors; ++v) {
      const __m512 scale = _mm512_load_ps(head.key_scale + key + v * kLanes);
      const __m512 offset = _mm512_load_ps(head.key_offset + key + v * kLanes);
      for (int row = 0; row < kQueryTile; ++row) {
        const __m512 sum = _mm512_cvtepi32_ps(_mm512_load_si512(tile.sums[row] + v * kLanes));
        const __m512 score = _mm512_fmadd_ps(sum, scale, offset);
        highest[row] = _mm512_max_ps(highest[row], score);
        _mm512_store_ps(block.scores[row] + panel * kKeyPanel + v * kLanes, score);
      }
    }
  }
}

// Turns the scores of a query into weights from 0 to 255, the highest being 255.
inline void store_weights(const float* scores, int panels, float scale, float highest,
                          std::uint8_t* weights) {
  const __m512 factor = _mm512_set1_ps(scale);
  const __m512 peak = _mm512_set1_ps(highest);
  const __m512 shift = _mm512_set1_ps(kLog2Of255);
  for (int panel = 0; panel < panels; ++panel) {
    __m512i integers[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const __m512 score = _mm512_load_ps(scores + panel * kKeyPanel + v * kLanes);
      // Taken off first, the highest leaves nothing to rounding, however high it is.
      const __m512 power = _mm512_fmadd_ps(_mm512_sub_ps(score, peak), factor, shift);
      integers[v] = _mm512_cvtps_epi32(exp2_of(power));
    }
    const __m512i low = _mm512_packs_epi32(integers[0], integers[1]);
    const __m512i high = _mm512_packs_epi32(integers[2], integers[3]);
    _mm512_store_si512(weights + panel * kKeyPanel, _mm512_packus_epi16(low, high));
  }
}

inline void add_block(const PackedHead& head, int tile, int first_panel, int panels, Block& block,
                      Rows& rows, const AttentionScratch& scratch) {
  __m512 peaks[kQueryTile];
  store_scores(head, scratch.queries + static_cast<std::size_t>(tile) * head.depth, first_panel,
               panels, block, peaks);
  float keep[kQueryTile];
  float add[kQueryTile];
  {
    alignas(64) float before[kLanes] = {};
    alignas(64) float here[kLanes] = {};
    for (int row = 0; row < kQueryTile; ++row) {
      const float scale = rows.scale[tile + row];
      const float peak = _mm512_reduce_max_ps(peaks[row]);
      here[row] = peak * scale;
      before[row] = rows.highest[tile + row];
      store_weights(block.scores[row], panels, scale, peak, block.weights[row]);
    }
    const __m512 old = _mm512_load_ps(before);
    const __m512 now = _mm512_load_ps(here);
    const __m512 highest = _mm512_max_ps(old, now);
    alignas(64) float power[kLanes];
    _mm512_store_ps(power, exp2_of(_mm512_sub_ps(old, highest)));
    for (int row = 0; row < kQueryTile; ++row) keep[row] = power[row];
    _mm512_store_ps(power, exp2_of(_mm512_sub_ps(now, highest)));
    for (int row = 0; row < kQueryTile; ++row) add[row] = power[row];
    _mm512_store_ps(power, highest);
    for (int row = 0; row < kQueryTile; ++row) rows.highest[tile + row] = power[row];
  }
  for (int row = 0; row < kQueryTile; ++row) {
    __m512i sum = _mm512_setzero_si512();
    for (int panel = 0; panel < panels; ++panel) {
      sum = _mm512_dpbusd_epi32(sum, _mm512_load_si512(block.weights[row] + panel * kKeyPanel),
                                _mm512_set1_epi8(1));
    }
    float* const total = rows.total[tile + row];
    const __m512 kept = _mm512_mul_ps(_mm512_load_ps(total), _mm512_set1_ps(keep[row]));
    _mm512_store_ps(total,
                    _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(add[row]), kept));
  }
  Tile mixed;
  for (int column = 0; column < head.width; column += kKeyPanel) {
    const std::int8_t* const panel = head.values +
                                     static_cast<std::size_t>(column) * head.padded_tokens +
                                     static_cast<std::size_t>(first_panel) * kKeyPanel * kKeyPanel;
    sum_products(block.weights[0], kKeyBlock, panel, panels * kKeyPanel / kGroup, kZeros, mixed);
    for (int row = 0; row < kQueryTile; ++row) {
      const __m512 kept = _mm512_set1_ps(keep[row]);
      const __m512 added = _mm512_set1_ps(add[row]);
      float* const sums = scratch.sums + static_cast<std::size_t>(tile + row) * head.width + column;
      for (int v = 0; v < kVectors; ++v) {
        const __m512 before = _mm512_mul_ps(_mm512_load_ps(sums + v * kLanes), kept);
        const __m512 more = _mm512_cvtepi32_ps(_mm512_load_si512(mixed.sums[row] + v * kLanes));
        _mm512_store_ps(sums + v * kLanes, _mm512_fmadd_ps(more, added, before));
      }
    }
  }
}

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
    const __m512 factor = _mm512_set1_ps(1.0F / scale);
    for (int channel = 0; channel < head.depth; channel += kLanes) {
      const __m512i values =
          _mm512_add_epi32(channels.quantized(channel, factor), _mm512_set1_epi32(kMiddle));
      _mm512_mask_cvtepi32_storeu_epi8(
          scratch.queries + static_cast<std::size_t>(row) * head.depth + channel,
          lanes_left(head.depth - channel), values);
    }
    const float power = scale * to_power;
    rows.scale[row] = power < kSmallestScale ? kSmallestScale : power;
    rows.highest[row] = kNoKey;
    _mm512_store_ps(rows.total[row], _mm512_setzero_ps());
  }
  for (int at = 0; at < padded * head.width; at += kLanes) {
    _mm512_store_ps(scratch.sums + at, _mm512_setzero_ps());
  }
  const int all_panels = head.padded_tokens / kKeyPanel;
  Block block;
  for (int panel = 0; panel < all_panels; panel += kPanels) {
    const int panels = all_panels - panel < kPanels ? all_panels - panel : kPanels;
    for (int tile = 0; tile < padded; tile += kQueryTile) {
      add_block(head, tile, panel, panels, block, rows, scratch);
    }
  }
  for (int row = 0; row < count; ++row) {
    const __m512 total = _mm512_set1_ps(_mm512_reduce_add_ps(_mm512_load_ps(rows.total[row])));
    for (int channel = 0; channel < head.size; channel += kLanes) {
      const __m512 sum =
          _mm512_load_ps(scratch.sums + static_cast<std::size_t>(row) * head.width + channel);
      const __m512 answer =
          _mm512_fmadd_ps(_mm512_div_ps(sum, total), _mm512_load_ps(head.value_scale + channel),
                          _mm512_load_ps(head.value_mean + channel));
      _mm512_mask_storeu_ps(output + row * output_stride + channel, lanes_left(head.size - channel),
                            answer);
    }
  }
}

}  // namespace

extern const AttentionKernels attention_kernels_avx512vnni = {pack_keys, pack_values, attend};

}  // namespace maest
#endif
