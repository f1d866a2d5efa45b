#include "row_sums.h"

#include <algorithm>
#include <cstring>

#include "cpu.h"
#include "error.h"

namespace maest {
namespace {

constexpr std::size_t kInputsOfGroup = 4;

// A thread's own memory for sums and for rows that are made longer: it is taken anew only where it
// is too small, since memory of that size comes from the system page by page.
std::byte* memory_of_thread(std::size_t bytes) {
  thread_local std::size_t size = 0;
  thread_local std::unique_ptr<Arena> memory;
  thread_local std::byte* piece = nullptr;
  if (size < bytes) {
    memory = std::make_unique<Arena>(bytes);
    piece = memory->take<std::byte>(bytes);
    size = bytes;
  }
  return piece;
}

}  // namespace

RowShape row_shape(const KernelInput& input, const char* what) {
  if (input.shape.empty() || input.shape.back() == 0) {
    throw ModelError(message(what, ": wanted are rows of at least one value"));
  }
  std::size_t count = 1;
  for (std::size_t i = 0; i + 1 < input.shape.size(); ++i) {
    count *= static_cast<std::size_t>(input.shape[i]);
  }
  return {input.shape, count, static_cast<std::size_t>(input.shape.back())};
}

GivenSums::Call GivenSums::begin(const OrtKernelContext* context) const {
  const KernelInput sums = kernel_input(context, 0);
  return {row_shape(sums, name_), sums.as<std::int32_t>()};
}

MultipliedSums::MultipliedSums(const char* name)
    : name_(name), kernels_(product_kernels(default_isa())) {
  if (kernels_ == nullptr) throw ModelError(message(name, ": no kernels for this CPU"));
}

MultipliedSums::Call MultipliedSums::begin(const OrtKernelContext* context) const {
  const KernelInput integers = kernel_input(context, 0);
  const KernelInput weights = kernel_input(context, 1);
  RowShape rows = row_shape(integers, name_);
  const std::size_t inputs = rows.columns;
  if (weights.shape.size() != 2 || weights.shape[1] < 1 ||
      weights.shape[0] != integers.shape.back()) {
    throw ModelError(message(name_, ": wanted are weights of ", inputs, " inputs"));
  }
  rows.shape.back() = weights.shape[1];
  rows.columns = static_cast<std::size_t>(weights.shape[1]);
  return {std::move(rows), integers.as<std::uint8_t>(), inputs, packed_of(weights)};
}

const std::int8_t* MultipliedSums::packed_of(const KernelInput& weights) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (packed_.packed == nullptr) {
    const auto inputs = static_cast<std::size_t>(weights.shape[0]);
    const auto columns = static_cast<std::size_t>(weights.shape[1]);
    const std::size_t bytes = packed_bytes(*kernels_, inputs, columns);
    packed_.memory = std::make_unique<Arena>(bytes);
    auto* const packed = packed_.memory->take<std::int8_t>(bytes);
    kernels_->pack(weights.as<std::int8_t>(), inputs, columns, packed);
    packed_.weights = weights;
    packed_.packed = packed;
  } else if (weights.data != packed_.weights.data || weights.shape != packed_.weights.shape) {
    throw ModelError(message(name_, ": wanted are weights that never change"));
  }
  return packed_.packed;
}

std::size_t MultipliedSums::piece_of(std::size_t rows) const {
  // Every piece reads all weights, out of the cache that all cores share: few rows cost time, many
  // have sums that leave a core's own cache. Where there are few in all, there is some for each of
  // many threads.
  constexpr std::size_t kLeast = 12;
  constexpr std::size_t kMost = 24;
  constexpr std::size_t kPieces = 16;
  const std::size_t wanted = std::clamp((rows + kPieces - 1) / kPieces, kLeast, kMost);
  return (wanted + kernels_->rows_at_once - 1) / kernels_->rows_at_once * kernels_->rows_at_once;
}

std::int32_t* MultipliedSums::multiply(const Call& call, std::size_t first, std::size_t end) const {
  const std::size_t count = end - first;
  const std::size_t sums = count * padded_columns(*kernels_, call.rows.columns);
  const std::size_t inputs = (call.inputs + kInputsOfGroup - 1) / kInputsOfGroup * kInputsOfGroup;
  const bool is_whole = inputs == call.inputs;
  const std::size_t sums_bytes = Arena::bytes<std::int32_t>(sums);
  std::byte* const memory = memory_of_thread(sums_bytes + (is_whole ? 0 : count * inputs));
  auto* const found = reinterpret_cast<std::int32_t*>(memory);
  const std::uint8_t* values = call.integers + first * call.inputs;
  if (!is_whole) {
    auto* const longer = reinterpret_cast<std::uint8_t*>(memory + sums_bytes);
    std::memset(longer, 0, count * inputs);
    for (std::size_t row = 0; row < count; ++row) {
      std::memcpy(longer + row * inputs, values + row * call.inputs, call.inputs);
    }
    values = longer;
  }
  kernels_->multiply(values, {count, inputs, call.rows.columns}, call.packed, found);
  return found;
}

}  // namespace maest
