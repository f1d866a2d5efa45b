#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "decoding/sample_formats.h"

namespace maest {
namespace {

// What `samples` (interleaved) become, given interleaved or in planes; both must agree.
template <typename Sample>
std::vector<float> mixed(SampleType type, const std::vector<Sample>& samples, int channels,
                         std::size_t begin = 0) {
  const auto width = static_cast<std::size_t>(channels);
  const std::size_t count = samples.size() / width - begin;
  const void* const whole = samples.data();
  std::vector<float> mono(count);
  mix_samples({type, false}, &whole, channels, begin, count, mono.data());

  std::vector<std::vector<Sample>> planes(width);
  for (std::size_t i = 0; i < samples.size(); ++i) planes[i % width].push_back(samples[i]);
  std::vector<const void*> addresses;
  for (const auto& plane : planes) addresses.push_back(plane.data());
  std::vector<float> from_planes(count);
  mix_samples({type, true}, addresses.data(), channels, begin, count, from_planes.data());
  EXPECT_EQ(mono, from_planes);
  return mono;
}

using Floats = std::vector<float>;

TEST(SampleFormats, WholeNumbersSpanOneBelowToAlmostOne) {
  EXPECT_EQ(mixed<std::uint8_t>(SampleType::u8, {0, 128, 255}, 1), (Floats{-1, 0, 127.0F / 128}));
  EXPECT_EQ(mixed<std::int16_t>(SampleType::s16, {-32768, 0, 1, 32767}, 1),
            (Floats{-1, 0, 1.0F / 32768, 32767.0F / 32768}));
  EXPECT_EQ(mixed<std::int32_t>(SampleType::s32, {INT32_MIN, 0, 256, 1 << 30}, 1),
            (Floats{-1, 0, 1.0F / (1 << 23), 0.5F}));
  EXPECT_EQ(mixed<std::int64_t>(SampleType::s64, {INT64_MIN, 0, std::int64_t{1} << 62}, 1),
            (Floats{-1, 0, 0.5F}));
}

TEST(SampleFormats, FloatsStayAsTheyAre) {
  EXPECT_EQ(mixed<float>(SampleType::f32, {-3.5F, 1e-30F}, 1), (Floats{-3.5F, 1e-30F}));
  EXPECT_EQ(mixed<double>(SampleType::f64, {0.1, -2}, 1), (Floats{0.1F, -2}));
}

TEST(SampleFormats, TwoChannelsAreAveragedInFloat) {
  EXPECT_EQ(mixed<std::int16_t>(SampleType::s16, {32767, -32768, 1, 2}, 2),
            (Floats{-0.5F / 32768, 1.5F / 32768}));
  // The sum of these is rounded to float before it is halved.
  const float left = 1;
  const float right = std::nextafter(0.5F, 1.0F);
  EXPECT_EQ(mixed<float>(SampleType::f32, {left, right}, 2), (Floats{(left + right) * 0.5F}));
}

TEST(SampleFormats, MoreChannelsAreAveragedInDouble) {
  EXPECT_EQ(mixed<std::int16_t>(SampleType::s16, {3, 6, 9, -3, 0, 0}, 3),
            (Floats{6.0F / 32768, -1.0F / 32768}));
  // In float the small ones would be lost beside the large one.
  const float small = std::numeric_limits<float>::epsilon() / 4;
  const double mean = (1.0 + 5.0 * static_cast<double>(small)) / 6;
  EXPECT_EQ(mixed<float>(SampleType::f32, {1, small, small, small, small, small}, 6),
            (Floats{static_cast<float>(mean)}));
}

TEST(SampleFormats, FirstSamplesCanBeLeftOut) {
  EXPECT_EQ(mixed<std::int16_t>(SampleType::s16, {9, 9, 2, 4, 6, 8}, 2, 1),
            (Floats{3.0F / 32768, 7.0F / 32768}));
  EXPECT_EQ(mixed<float>(SampleType::f32, {9, 9, 9, 1, 2, 3}, 3, 1), (Floats{2}));
  EXPECT_EQ(mixed<std::uint8_t>(SampleType::u8, {0, 0, 255}, 1, 2), (Floats{127.0F / 128}));
}

TEST(SampleFormats, SizesAreThoseOfOneSample) {
  EXPECT_EQ(sample_size(SampleType::u8), 1U);
  EXPECT_EQ(sample_size(SampleType::s16), 2U);
  EXPECT_EQ(sample_size(SampleType::s32), 4U);
  EXPECT_EQ(sample_size(SampleType::s64), 8U);
  EXPECT_EQ(sample_size(SampleType::f32), 4U);
  EXPECT_EQ(sample_size(SampleType::f64), 8U);
}

}  // namespace
}  // namespace maest
