#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu.h"
#include "gelu.h"

using maest::Isa;

#define SKIP_WITHOUT_KERNEL()                                       \
  if (maest::gelu_kernel(maest::runnable_isas().back()) == nullptr) \
  GTEST_SKIP() << "no kernel for this CPU"

TEST(Gelu, gelu_is_that_of_the_error_function) {
  SKIP_WITHOUT_KERNEL();
  for (const Isa isa : maest::runnable_isas()) {
    const maest::GeluKernel kernel = maest::gelu_kernel(isa);
    if (kernel == nullptr) continue;
    std::vector<float> values;
    for (int i = -120'000; i <= 120'000; ++i) values.push_back(static_cast<float>(i) * 1e-4F);
    for (const float value : {0.0F, -0.0F, 1e-40F, 50.0F, -50.0F, 1e4F, -1e4F}) {
      values.push_back(value);
    }
    std::vector<float> bias(values.size());
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i % 7) - 3.0F;
    std::vector<float> found(values.size());
    kernel(values.data(), bias.data(), values.size(), found.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double x = values[i] + bias[i];
      const double wanted = x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
      EXPECT_NEAR(found[i], wanted, std::max(6e-7, 4e-7 * std::abs(x)));
    }
  }
}

TEST(Gelu, gelu_takes_any_number_of_columns) {
  SKIP_WITHOUT_KERNEL();
  for (const Isa isa : maest::runnable_isas()) {
    const maest::GeluKernel kernel = maest::gelu_kernel(isa);
    if (kernel == nullptr) continue;
    const std::vector<float> values(40, 0.7F);
    const std::vector<float> bias(40, 0.3F);
    std::vector<float> all(40);
    kernel(values.data(), bias.data(), 40, all.data());
    for (std::size_t count = 0; count <= 40; ++count) {
      std::vector<float> found(41, -1.0F);
      kernel(values.data(), bias.data(), count, found.data());
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(found[i], all[i]);
      EXPECT_EQ(found[count], -1.0F);
    }
  }
}

TEST(Gelu, gelu_hides_no_damage) {
  SKIP_WITHOUT_KERNEL();
  for (const Isa isa : maest::runnable_isas()) {
    const maest::GeluKernel kernel = maest::gelu_kernel(isa);
    if (kernel == nullptr) continue;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> values{nan, infinity, -infinity};
    const std::vector<float> bias(3, 0.0F);
    std::vector<float> found(3);
    kernel(values.data(), bias.data(), 3, found.data());
    for (const float value : found) EXPECT_TRUE(!std::isfinite(value));
  }
}
