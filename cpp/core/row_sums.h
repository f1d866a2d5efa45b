// Where the operators on rows (row_operators.h) have sums of products from: an input of theirs, or
// a product that they compute themselves, some rows at a time, so that the sums of these are still
// in the cache when they are used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "arena.h"
#include "ort_api.h"
#include "ort_kernel.h"
#include "product_kernels.h"

namespace maest {

// All sizes of a tensor but the last count rows.
struct RowShape {
  std::vector<std::int64_t> shape;
  std::size_t count;
  std::size_t columns;
};

// Throws ModelError, which names `what`, where a tensor has no rows of at least one value.
RowShape row_shape(const KernelInput& input, const char* what);

// Does work(first, end) for pieces of `count` rows, on the session's threads.
template <typename Work>
void for_pieces(const OrtKernelContext* context, std::size_t count, std::size_t piece,
                const Work& work) {
  kernel_for_each(context, (count + piece - 1) / piece, [&](std::size_t number) {
    const std::size_t first = number * piece;
    work(first, first + piece < count ? first + piece : count);
  });
}

// Sums that are an input, [..., columns].
class GivenSums {
 public:
  static constexpr std::array kInputs{kOrtTensorInt32};
  static bool usable(Isa) { return true; }

  explicit GivenSums(const char* name) : name_(name) {}

  // Of one call.
  struct Call {
    RowShape rows;  // of the sums
    const std::int32_t* sums;
  };
  Call begin(const OrtKernelContext* context) const;

  // Does work(first, end, sums, stride) for pieces of the rows: sums of row `first`, and how many
  // there are from one row to the next.
  template <typename Work>
  void for_each(const OrtKernelContext* context, const Call& call, const Work& work) const {
    for_pieces(context, call.rows.count, kRowsAtOnce, [&](std::size_t first, std::size_t end) {
      work(first, end, call.sums + first * call.rows.columns, call.rows.columns);
    });
  }

 private:
  static constexpr std::size_t kRowsAtOnce = 16;

  const char* name_;
};

// Rows of integers [..., inputs] times weights [inputs, columns], which are packed at the first
// call: they are constants of the model (graph_check.h sees to that).
class MultipliedSums {
 public:
  static constexpr std::array kInputs{kOrtTensorUint8, kOrtTensorInt8};
  static bool usable(Isa isa) { return product_kernels(isa) != nullptr; }

  explicit MultipliedSums(const char* name);

  struct Call {
    RowShape rows;  // of the sums
    const std::uint8_t* integers;
    std::size_t inputs;
    const std::int8_t* packed;
  };
  Call begin(const OrtKernelContext* context) const;

  template <typename Work>
  void for_each(const OrtKernelContext* context, const Call& call, const Work& work) const {
    const std::size_t stride = padded_columns(*kernels_, call.rows.columns);
    for_pieces(context, call.rows.count, piece_of(call.rows.count),
               [&](std::size_t first, std::size_t end) {
                 std::int32_t* const sums = multiply(call, first, end);
                 work(first, end, sums, stride);
               });
  }

 private:
  struct Packed {
    KernelInput weights{};
    std::unique_ptr<Arena> memory;
    const std::int8_t* packed = nullptr;
  };

  std::size_t piece_of(std::size_t rows) const;
  const std::int8_t* packed_of(const KernelInput& weights) const;
  // Sums of some rows, in memory of the calling thread.
  std::int32_t* multiply(const Call& call, std::size_t first, std::size_t end) const;

  const char* name_;
  const ProductKernels* kernels_;
  mutable std::mutex mutex_;
  mutable Packed packed_;
};

}  // namespace maest
