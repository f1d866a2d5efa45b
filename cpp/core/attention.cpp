#include "attention.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "error.h"

namespace maest {
namespace {

int rounded_up(int count, int multiple) { return (count + multiple - 1) / multiple * multiple; }

// Memory that is handed out in pieces, each aligned for the kernels; not cleared.
class Arena {
 public:
  explicit Arena(std::size_t bytes)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(kPackAlignment, padded(bytes)))) {
    if (!memory_) throw std::bad_alloc();
  }

  template <typename T>
  static std::size_t bytes(std::size_t count) {
    return padded(count * sizeof(T));
  }

  template <typename T>
  T* take(std::size_t count) {
    T* const taken = reinterpret_cast<T*>(memory_.get() + used_);
    used_ += bytes<T>(count);
    return taken;
  }

 private:
  static std::size_t padded(std::size_t bytes) {
    return (bytes + kPackAlignment - 1) / kPackAlignment * kPackAlignment;
  }

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t used_ = 0;
};

struct HeadSizes {
  explicit HeadSizes(const AttentionShape& shape)
      : tokens(shape.keys),
        padded_tokens(rounded_up(shape.keys, kKeyPanel)),
        size(shape.head_size),
        depth(rounded_up(shape.head_size, 4)),
        width(rounded_up(shape.head_size, kKeyPanel)) {}

  std::size_t key_bytes() const { return static_cast<std::size_t>(padded_tokens) * depth; }
  std::size_t value_bytes() const { return static_cast<std::size_t>(padded_tokens) * width; }
  std::size_t bytes() const {
    return Arena::bytes<std::int8_t>(key_bytes()) + Arena::bytes<std::int8_t>(value_bytes()) +
           3 * Arena::bytes<float>(padded_tokens) + 2 * Arena::bytes<float>(width);
  }

  PackedHead take_from(Arena& arena) const {
    PackedHead head{};
    head.tokens = tokens;
    head.padded_tokens = padded_tokens;
    head.size = size;
    head.depth = depth;
    head.width = width;
    head.keys = arena.take<std::int8_t>(key_bytes());
    head.key_start = arena.take<std::int32_t>(padded_tokens);
    head.key_scale = arena.take<float>(padded_tokens);
    head.key_offset = arena.take<float>(padded_tokens);
    head.values = arena.take<std::int8_t>(value_bytes());
    head.value_scale = arena.take<float>(width);
    head.value_mean = arena.take<float>(width);
    return head;
  }

  int tokens, padded_tokens, size, depth, width;
};

// Queries that a thread takes at once: few enough that many threads share a head.
constexpr int kQueriesAtOnce = 8 * kQueryBlock;

}  // namespace

bool has_attention_kernels(Isa isa) {
#if defined(__x86_64__)
  return isa == Isa::kAvx512Vnni && cpu_can_run(isa);
#else
  (void)isa;
  return false;
#endif
}

void quantized_attention(const AttentionShape& shape, AttentionInput query, AttentionInput key,
                         AttentionInput value, float* output, const ForEach& for_each) {
#if defined(__x86_64__)
  require_runnable(Isa::kAvx512Vnni);
  const AttentionKernels& kernels = attention_kernels_avx512vnni;
  const HeadSizes sizes(shape);
  const auto heads = static_cast<std::size_t>(shape.batch) * shape.heads;
  Arena arena(heads * sizes.bytes());
  std::vector<PackedHead> packed(heads);
  for (PackedHead& head : packed) head = sizes.take_from(arena);
  // The first value of a token of head `number`, counted over all of the batch.
  const auto rows = [&](AttentionInput input, int tokens, std::size_t number, int token) {
    const std::size_t at = number / shape.heads * tokens + token;
    return TokenRows{input.data + at * input.stride + number % shape.heads * shape.head_size,
                     input.stride};
  };
  for_each(heads, [&](std::size_t number) {
    kernels.pack_keys(rows(key, shape.keys, number, 0), packed[number]);
    kernels.pack_values(rows(value, shape.keys, number, 0), packed[number]);
  });
  const auto pieces =
      static_cast<std::size_t>((shape.queries + kQueriesAtOnce - 1) / kQueriesAtOnce);
  const std::size_t output_stride = static_cast<std::size_t>(shape.heads) * shape.head_size;
  for_each(heads * pieces, [&](std::size_t work) {
    const std::size_t number = work / pieces;
    const PackedHead& head = packed[number];
    const auto query_bytes = static_cast<std::size_t>(kQueryBlock) * head.depth;
    const auto sums = static_cast<std::size_t>(kQueryBlock) * head.width;
    Arena own(Arena::bytes<std::uint8_t>(query_bytes) + Arena::bytes<float>(sums));
    const AttentionScratch scratch{own.take<std::uint8_t>(query_bytes), own.take<float>(sums)};
    const int begin = static_cast<int>(work % pieces) * kQueriesAtOnce;
    const int end = std::min(begin + kQueriesAtOnce, shape.queries);
    for (int at = begin; at < end; at += kQueryBlock) {
      const std::size_t token = number / shape.heads * shape.queries + at;
      kernels.attend(
          head, rows(query, shape.queries, number, at), std::min(kQueryBlock, end - at), scratch,
          output + token * output_stride + number % shape.heads * shape.head_size, output_stride);
    }
  });
#else
  (void)shape, (void)query, (void)key, (void)value, (void)output, (void)for_each;
  throw InvalidArgument("attention in 8-bit integers needs an x86-64 CPU with AVX-512 and VNNI");
#endif
}

}  // namespace maest
