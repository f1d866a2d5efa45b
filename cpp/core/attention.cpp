#include "attention.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "arena.h"
#include "attention_kernels.h"
#include "error.h"
#include "float_attention_kernels.h"
#include "word_attention_kernels.h"

namespace maest {
namespace {

int rounded_up(int count, int multiple) { return (count + multiple - 1) / multiple * multiple; }

// What the kinds of kernels differ in, for the function below.
struct Integers {
  using Head = PackedHead;
  static constexpr int kQueriesPerBlock = kQueryBlock;
  // Queries that a thread takes at once: few enough that many threads share a head.
  static constexpr int kQueriesAtOnce = 8 * kQueryBlock;

  static Head sizes(const AttentionShape& shape) {
    Head head{};
    head.tokens = shape.keys;
    head.padded_tokens = rounded_up(shape.keys, kKeyPanel);
    head.size = shape.head_size;
    head.depth = rounded_up(shape.head_size, kDepthStep);
    head.width = rounded_up(shape.head_size, kKeyPanel);
    return head;
  }

  static std::size_t key_bytes(const Head& head) {
    return static_cast<std::size_t>(head.padded_tokens) * head.depth;
  }
  static std::size_t value_bytes(const Head& head) {
    return static_cast<std::size_t>(head.padded_tokens) * head.width;
  }

  static std::size_t bytes(const Head& head) {
    return Arena::bytes<std::int8_t>(key_bytes(head)) +
           Arena::bytes<std::int8_t>(value_bytes(head)) +
           3 * Arena::bytes<float>(head.padded_tokens) + 2 * Arena::bytes<float>(head.width);
  }

  static void take(Arena& arena, Head& head) {
    head.keys = arena.take<std::int8_t>(key_bytes(head));
    head.key_start = arena.take<std::int32_t>(head.padded_tokens);
    head.key_scale = arena.take<float>(head.padded_tokens);
    head.key_offset = arena.take<float>(head.padded_tokens);
    head.values = arena.take<std::int8_t>(value_bytes(head));
    head.value_scale = arena.take<float>(head.width);
    head.value_mean = arena.take<float>(head.width);
  }

  void pack(TokenRows keys, TokenRows values, Head& head) const {
    kernels.pack_keys(keys, head);
    kernels.pack_values(values, head);
  }

  // Calls work(scratch) with what a thread needs.
  template <typename Work>
  static void with_scratch(const Head& head, const Work& work) {
    const auto query_bytes = static_cast<std::size_t>(kQueryBlock) * head.depth;
    const auto sums = static_cast<std::size_t>(kQueryBlock) * head.width;
    Arena own(Arena::bytes<std::uint8_t>(query_bytes) + Arena::bytes<float>(sums));
    work(AttentionScratch{own.take<std::uint8_t>(query_bytes), own.take<float>(sums)});
  }

  const AttentionKernels& kernels;
};

struct Words {
  using Head = WordHead;
  static constexpr int kQueriesPerBlock = kWordQueryBlock;
  static constexpr int kQueriesAtOnce = 4 * kWordQueryBlock;

  static Head sizes(const AttentionShape& shape) {
    Head head{};
    head.tokens = shape.keys;
    head.padded_tokens = rounded_up(shape.keys, kWordPanel);
    head.size = shape.head_size;
    head.width = rounded_up(shape.head_size, kWordPanel);
    return head;
  }

  static std::size_t words(const Head& head) {
    return static_cast<std::size_t>(head.padded_tokens) * head.width;
  }

  static std::size_t bytes(const Head& head) {
    return 2 * Arena::bytes<std::int16_t>(words(head)) +
           2 * Arena::bytes<float>(head.padded_tokens) + Arena::bytes<float>(head.width);
  }

  static void take(Arena& arena, Head& head) {
    head.keys = arena.take<std::int16_t>(words(head));
    head.key_scale = arena.take<float>(head.padded_tokens);
    head.key_offset = arena.take<float>(head.padded_tokens);
    head.values = arena.take<std::int16_t>(words(head));
    head.value_scale = arena.take<float>(head.width);
  }

  void pack(TokenRows keys, TokenRows values, Head& head) const {
    kernels.pack(keys, values, head);
  }

  template <typename Work>
  static void with_scratch(const Head& head, const Work& work) {
    const auto values = static_cast<std::size_t>(kWordQueryBlock) * head.width;
    Arena own(Arena::bytes<std::int16_t>(values) + Arena::bytes<float>(values));
    work(WordAttentionScratch{own.take<std::int16_t>(values), own.take<float>(values)});
  }

  const WordAttentionKernels& kernels;
};

struct Floats {
  using Head = FloatHead;
  static constexpr int kQueriesPerBlock = kFloatQueryBlock;
  static constexpr int kQueriesAtOnce = 4 * kFloatQueryBlock;

  static Head sizes(const AttentionShape& shape) {
    Head head{};
    head.tokens = shape.keys;
    head.padded_tokens = rounded_up(shape.keys, kFloatPanel);
    head.size = shape.head_size;
    head.width = rounded_up(shape.head_size, kFloatPanel);
    return head;
  }

  static std::size_t bytes(const Head& head) {
    const auto tokens = static_cast<std::size_t>(head.padded_tokens);
    return Arena::bytes<float>(tokens * head.size) + Arena::bytes<float>(tokens * head.width);
  }

  static void take(Arena& arena, Head& head) {
    const auto tokens = static_cast<std::size_t>(head.padded_tokens);
    head.keys = arena.take<float>(tokens * head.size);
    head.values = arena.take<float>(tokens * head.width);
  }

  void pack(TokenRows keys, TokenRows values, Head& head) const {
    kernels.pack(keys, values, head);
  }

  template <typename Work>
  static void with_scratch(const Head& head, const Work& work) {
    const auto queries = static_cast<std::size_t>(kFloatQueryBlock) * head.size;
    const auto sums = static_cast<std::size_t>(kFloatQueryBlock) * head.width;
    Arena own(Arena::bytes<float>(queries) + Arena::bytes<float>(sums));
    work(FloatAttentionScratch{own.take<float>(queries), own.take<float>(sums)});
  }

  const FloatAttentionKernels& kernels;
};

template <typename Kind>
void attend(const Kind& kind, const AttentionShape& shape, AttentionInput query, AttentionInput key,
            AttentionInput value, float* output, const ForEach& for_each) {
  const typename Kind::Head sizes = Kind::sizes(shape);
  const auto heads = static_cast<std::size_t>(shape.batch) * shape.heads;
  Arena arena(heads * Kind::bytes(sizes));
  std::vector<typename Kind::Head> packed(heads, sizes);
  for (typename Kind::Head& head : packed) Kind::take(arena, head);
  // The first value of a token of head `number`, counted over all of the batch.
  const auto rows = [&](AttentionInput input, int tokens, std::size_t number, int token) {
    const std::size_t at = number / shape.heads * tokens + token;
    return TokenRows{input.data + at * input.stride + number % shape.heads * shape.head_size,
                     input.stride};
  };
  for_each(heads, [&](std::size_t number) {
    kind.pack(rows(key, shape.keys, number, 0), rows(value, shape.keys, number, 0), packed[number]);
  });
  const auto pieces =
      static_cast<std::size_t>((shape.queries + Kind::kQueriesAtOnce - 1) / Kind::kQueriesAtOnce);
  const std::size_t output_stride = static_cast<std::size_t>(shape.heads) * shape.head_size;
  for_each(heads * pieces, [&](std::size_t work) {
    const std::size_t number = work / pieces;
    const typename Kind::Head& head = packed[number];
    Kind::with_scratch(head, [&](const auto& scratch) {
      const int begin = static_cast<int>(work % pieces) * Kind::kQueriesAtOnce;
      const int end = std::min(begin + Kind::kQueriesAtOnce, shape.queries);
      for (int at = begin; at < end; at += Kind::kQueriesPerBlock) {
        const std::size_t token = number / shape.heads * shape.queries + at;
        kind.kernels.attend(head, rows(query, shape.queries, number, at),
                            std::min(Kind::kQueriesPerBlock, end - at), scratch,
                            output + token * output_stride + number % shape.heads * shape.head_size,
                            output_stride);
      }
    });
  });
}

// Null where there are none.
const AttentionKernels* integer_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512Vnni) return &attention_kernels_avx512vnni;
#elif defined(__aarch64__)
  if (isa == Isa::kDotprod) return &attention_kernels_dotprod;
  if (isa == Isa::kI8mm) return &attention_kernels_i8mm;
#else
  (void)isa;
#endif
  return nullptr;
}

const WordAttentionKernels* word_kernels(Isa isa) {
#if defined(__x86_64__)
  if (attention_kernels_isa(isa) == Isa::kAvx2) return &word_attention_kernels_avx2;
#else
  (void)isa;
#endif
  return nullptr;
}

const FloatAttentionKernels* float_kernels(Isa isa) {
#if defined(__aarch64__)
  if (isa == Isa::kNeon) return &float_attention_kernels_neon;
#else
  (void)isa;
#endif
  return nullptr;
}

}  // namespace

Isa attention_kernels_isa(Isa isa) { return isa == Isa::kAvxVnni ? Isa::kAvx2 : isa; }

AttentionKind attention_kind(Isa isa) {
  if (integer_kernels(isa) != nullptr) return AttentionKind::kIntegers;
  if (word_kernels(isa) != nullptr) return AttentionKind::kWords;
  return float_kernels(isa) != nullptr ? AttentionKind::kFloat : AttentionKind::kNone;
}

void attention(Isa isa, const AttentionShape& shape, AttentionInput query, AttentionInput key,
               AttentionInput value, float* output, const ForEach& for_each) {
  require_runnable(isa);
  if (const AttentionKernels* const kernels = integer_kernels(isa)) {
    attend(Integers{*kernels}, shape, query, key, value, output, for_each);
  } else if (const WordAttentionKernels* const words = word_kernels(isa)) {
    attend(Words{*words}, shape, query, key, value, output, for_each);
  } else if (const FloatAttentionKernels* const floats = float_kernels(isa)) {
    attend(Floats{*floats}, shape, query, key, value, output, for_each);
  } else {
    throw InvalidArgument(
        message("there are no kernels of attention for '", isa_name(isa),
                "'; wanted is 'neon', 'dotprod', 'i8mm', 'avx2', 'avxvnni' or 'avx512vnni'"));
  }
}

}  // namespace maest
