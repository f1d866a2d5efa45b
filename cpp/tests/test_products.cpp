#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "arena.h"
#include "cpu.h"
#include "product_kernels.h"
#include "row_kernels.h"

using maest::Arena;
using maest::Isa;
using maest::ProductKernels;

namespace {

std::size_t rounded_up(std::size_t count, std::size_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

bool sums_in_sixteen_bits(Isa isa) {
  return maest::row_levels(isa, maest::kSafeLevels) != maest::kMostLevels;
}

// All kernels of this CPU, with the largest weights whose sums they may be given.
template <typename Check>
void for_each_kernels(const Check& check) {
  bool any = false;
  for (const Isa isa : maest::runnable_isas()) {
    const ProductKernels* const kernels = maest::product_kernels(isa);
    if (kernels == nullptr) continue;
    any = true;
    SCOPED_TRACE(maest::isa_name(isa));
    // Two neighbours times 255 fit into 16 bits up to 64 each.
    check(*kernels, sums_in_sixteen_bits(isa) ? 64 : 127);
  }
  if (!any) GTEST_SKIP() << "no kernels for this CPU";
}

struct Problem {
  std::size_t rows;
  std::size_t inputs;
  std::size_t columns;
  std::vector<std::uint8_t> values;
  std::vector<std::int8_t> weights;

  std::int32_t wanted(std::size_t row, std::size_t column) const {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < inputs; ++i) {
      sum += values[row * inputs + i] * weights[i * columns + column];
    }
    return sum;
  }
};

template <typename Value, typename Weight>
Problem problem_of(std::size_t rows, std::size_t inputs, std::size_t columns, const Value& value,
                   const Weight& weight) {
  Problem problem{rows, inputs, columns, {}, {}};
  for (std::size_t i = 0; i < rows * inputs; ++i) {
    problem.values.push_back(static_cast<std::uint8_t>(value()));
  }
  for (std::size_t i = 0; i < inputs * columns; ++i) {
    problem.weights.push_back(static_cast<std::int8_t>(weight()));
  }
  return problem;
}

// Inputs that are made up to a multiple of 4 are 255 there, which is to count for nothing.
void expect_exact(const ProductKernels& kernels, const Problem& problem) {
  const std::size_t inputs = rounded_up(problem.inputs, 4);
  std::vector<std::uint8_t> values(problem.rows * inputs, 255);
  for (std::size_t row = 0; row < problem.rows; ++row) {
    for (std::size_t i = 0; i < problem.inputs; ++i) {
      values[row * inputs + i] = problem.values[row * problem.inputs + i];
    }
  }
  const std::size_t bytes = maest::packed_bytes(kernels, problem.inputs, problem.columns);
  const std::size_t stride = maest::padded_columns(kernels, problem.columns);
  const std::size_t count = problem.rows * stride;
  constexpr std::size_t kAfter = 64;
  constexpr int kUntouched = 77;
  Arena memory(Arena::bytes<std::int8_t>(bytes + kAfter) +
               Arena::bytes<std::int32_t>(count + kAfter));
  auto* const packed = memory.take<std::int8_t>(bytes + kAfter);
  auto* const sums = memory.take<std::int32_t>(count + kAfter);
  for (std::size_t i = 0; i < kAfter; ++i) {
    packed[bytes + i] = kUntouched;
    sums[count + i] = kUntouched;
  }
  kernels.pack(problem.weights.data(), problem.inputs, problem.columns, packed);
  kernels.multiply(values.data(), {problem.rows, inputs, problem.columns}, packed, sums);
  for (std::size_t row = 0; row < problem.rows; ++row) {
    for (std::size_t column = 0; column < problem.columns; ++column) {
      ASSERT_EQ(sums[row * stride + column], problem.wanted(row, column))
          << problem.rows << " x " << problem.inputs << " x " << problem.columns << ", row " << row
          << ", column " << column;
    }
  }
  for (std::size_t i = 0; i < kAfter; ++i) {
    ASSERT_EQ(packed[bytes + i], kUntouched);
    ASSERT_EQ(sums[count + i], kUntouched);
  }
}

}  // namespace

TEST(Products, sums_are_those_of_a_plain_loop_whatever_the_sizes) {
  for_each_kernels([](const ProductKernels& kernels, int largest) {
    std::mt19937 random(1);
    std::uniform_int_distribution<int> value(0, 255);
    std::uniform_int_distribution<int> weight(-largest, largest);
    const auto check = [&](std::size_t rows, std::size_t inputs, std::size_t columns) {
      expect_exact(kernels, problem_of(
                                rows, inputs, columns, [&] { return value(random); },
                                [&] { return weight(random); }));
    };
    for (std::size_t rows = 1; rows <= 2 * kernels.rows_at_once + 1; ++rows) check(rows, 20, 33);
    for (std::size_t inputs = 1; inputs <= 21; ++inputs) check(7, inputs, 40);
    for (std::size_t columns = 1; columns <= 150; ++columns) check(5, 12, columns);
    check(25, 768, 384);
    check(3, 3072, 130);
  });
}

TEST(Products, the_largest_of_all_do_not_overflow) {
  for_each_kernels([](const ProductKernels& kernels, int largest) {
    for (const int weight : {largest, -largest}) {
      expect_exact(kernels, problem_of(7, 3072, 70, [] { return 255; }, [&] { return weight; }));
    }
    if (largest < 127) return;
    expect_exact(kernels, problem_of(7, 3072, 70, [] { return 255; }, [] { return -128; }));
  });
}

TEST(Products, neighbours_share_what_sixteen_bits_leave) {
  for_each_kernels([](const ProductKernels& kernels, int) {
    // 127 beside 1: what the making of files leaves to a pair of inputs, in any of its places.
    int number = 0;
    Problem problem{7, 64, 33, std::vector<std::uint8_t>(std::size_t{7} * 64, 255), {}};
    problem.weights.resize(std::size_t{64} * 33);
    for (std::size_t i = 0; i < 64; i += 2) {
      for (std::size_t column = 0; column < 33; ++column) {
        const auto sign = static_cast<std::int8_t>(number++ % 3 == 0 ? -1 : 1);
        const std::size_t first = (i / 2 + column) % 2;
        problem.weights[(i + first) * 33 + column] = static_cast<std::int8_t>(127 * sign);
        problem.weights[(i + 1 - first) * 33 + column] = sign;
      }
    }
    expect_exact(kernels, problem);
  });
}

TEST(Products, processors_without_vectors_of_bytes_leave_them_to_onnx_runtime) {
  for (const Isa isa : {Isa::kBaseline, Isa::kNeon, Isa::kDotprod, Isa::kI8mm}) {
    EXPECT_EQ(maest::product_kernels(isa), nullptr);
  }
}
