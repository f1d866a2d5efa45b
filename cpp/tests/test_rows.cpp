#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "cpu.h"
#include "row_kernels.h"

using maest::Isa;
using maest::ProductColumns;
using maest::RowKernels;
using maest::RowRange;

namespace {

std::vector<float> normal(std::size_t count, float mean = 0.0F) {
  std::mt19937 generator(static_cast<unsigned>(count));
  std::normal_distribution<float> distribution(mean, 1.0F);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(generator);
  return values;
}

// All kernels of this CPU, with largest integers that a row may have.
template <typename Check>
void for_each_kernels(const Check& check) {
  bool any = false;
  for (const Isa isa : maest::runnable_isas()) {
    const RowKernels* const kernels = maest::row_kernels(isa);
    if (kernels == nullptr) continue;
    any = true;
    SCOPED_TRACE(maest::isa_name(isa));
    for (const float levels : {maest::kSafeLevels, 180.0F, maest::kMostLevels}) {
      check(*kernels, levels);
    }
  }
  if (!any) GTEST_SKIP() << "no kernels for this CPU";
}

}  // namespace

TEST(Rows, every_value_is_within_half_a_step) {
  for_each_kernels([](const RowKernels& kernels, float levels) {
    for (std::size_t count = 1; count <= 70; ++count) {
      const std::vector<float> values = normal(count, 3.0F);
      std::vector<std::uint8_t> found(count + 1, 77);
      RowRange range{};
      kernels.quantize(values.data(), count, levels, found.data(), &range);
      EXPECT_EQ(found[count], 77);
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_LE(static_cast<float>(found[i]), levels);
        EXPECT_NEAR(range.low + range.step * static_cast<float>(found[i]), values[i],
                    range.step * 0.501F + 1e-6F);
      }
      const auto [least, most] = std::minmax_element(values.begin(), values.end());
      EXPECT_EQ(range.low, *least);
      EXPECT_FLOAT_EQ(range.low + range.step * levels, *most);
    }
  });
}

TEST(Rows, a_row_of_one_value_is_exact) {
  for_each_kernels([](const RowKernels& kernels, float levels) {
    for (const float value : {0.0F, -3.7F, 1e30F, 1e-40F}) {
      const std::vector<float> values(21, value);
      std::vector<std::uint8_t> found(21);
      RowRange range{};
      kernels.quantize(values.data(), 21, levels, found.data(), &range);
      for (const std::uint8_t integer : found) {
        EXPECT_EQ(range.low + range.step * static_cast<float>(integer), value);
      }
    }
  });
}

TEST(Rows, damage_is_not_hidden) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for_each_kernels([&](const RowKernels& kernels, float levels) {
    for (const float bad : {nan, infinity, -infinity}) {
      for (const std::size_t place : {0, 5, 16, 20}) {
        std::vector<float> values = normal(21);
        values[place] = bad;
        std::vector<std::uint8_t> found(21);
        RowRange range{};
        kernels.quantize(values.data(), 21, levels, found.data(), &range);
        EXPECT_FALSE(std::isfinite(range.low));
      }
    }
  });
}

TEST(Rows, norm_is_that_of_its_definition) {
  for_each_kernels([](const RowKernels& kernels, float) {
    for (const std::size_t count : {1, 7, 64, 100, 768}) {
      const std::vector<float> values = normal(count, 2.0F);
      const std::vector<float> scale = normal(count, 1.0F);
      const std::vector<float> bias = normal(count);
      std::vector<float> found(count);
      kernels.norm(values.data(), scale.data(), bias.data(), count, 1e-6F, found.data());
      double mean = 0;
      for (const float value : values) mean += value / static_cast<double>(count);
      double variance = 0;
      for (const float value : values) {
        variance += (value - mean) * (value - mean) / static_cast<double>(count);
      }
      for (std::size_t i = 0; i < count; ++i) {
        const double wanted = (values[i] - mean) / std::sqrt(variance + 1e-6) * scale[i] + bias[i];
        EXPECT_NEAR(found[i], wanted, 1e-5 * (1 + std::abs(wanted)));
      }
    }
  });
}

TEST(Rows, products_are_those_of_the_values) {
  for_each_kernels([](const RowKernels& kernels, float) {
    const std::size_t count = 45;
    const RowRange range{0.02F, -1.5F};
    std::vector<std::int32_t> sums(count);
    for (std::size_t i = 0; i < count; ++i) sums[i] = static_cast<std::int32_t>(i * 977) - 20'000;
    const std::vector<float> scale = normal(count, 0.01F);
    const std::vector<float> sum = normal(count);
    const std::vector<float> bias = normal(count, 0.5F);
    const std::vector<float> other = normal(count, 4.0F);
    const ProductColumns columns{scale.data(), sum.data(), bias.data()};
    std::vector<float> plain(count);
    std::vector<float> added(count);
    std::vector<float> activated(count);
    kernels.dequantize(sums.data(), range, columns, nullptr, count, plain.data());
    kernels.dequantize(sums.data(), range, columns, other.data(), count, added.data());
    kernels.gelu(sums.data(), range, columns, other.data(), count, activated.data());
    for (std::size_t i = 0; i < count; ++i) {
      const double product = static_cast<double>(range.step) * scale[i] * sums[i] +
                             static_cast<double>(range.low) * sum[i] + bias[i];
      const double allowed = 1e-5 * (1 + std::abs(product));
      EXPECT_NEAR(plain[i], product, allowed);
      EXPECT_NEAR(added[i], product + other[i], allowed);
      const double gelu = product * (1 + std::erf(product / std::sqrt(2.0))) / 2;
      EXPECT_NEAR(activated[i], gelu * other[i], allowed * (1 + std::abs(other[i])));
    }
  });
}

TEST(Rows, sums_of_two_products_fit_into_sixteen_bits_on_x86_without_vnni) {
  EXPECT_LE(2 * maest::kSafeLevels * 127, std::numeric_limits<std::int16_t>::max());
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    EXPECT_EQ(maest::row_levels(isa, 180.0F), 180.0F);
  }
  for (const Isa isa : {Isa::kAvx512Vnni, Isa::kAvxVnni, Isa::kNeon, Isa::kDotprod, Isa::kI8mm}) {
    EXPECT_EQ(maest::row_levels(isa, 180.0F), maest::kMostLevels);
  }
}
