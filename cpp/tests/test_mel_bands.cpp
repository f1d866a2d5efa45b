#include <gtest/gtest.h>

#include <cmath>

#include "core/mel_bands.h"
#include "core/mel_kernels.h"

namespace {

constexpr double kBinWidth = 16000.0 / 512;

// Slaney's scale, in double.
double mel_to_hertz(double mel) {
  return mel < 15 ? mel * 200 / 3 : 1000 * std::pow(6.4, (mel - 15) / 27);
}

double corner(int index) {
  const double highest = 15 + 27 * std::log(8.0) / std::log(6.4);
  return mel_to_hertz(highest * index / 97);
}

}  // namespace

TEST(MelBands, mel_rows_are_positive_and_within_the_spectrum) {
  EXPECT_EQ(maest::mel_rows().size(), std::size_t{96});
  int previous = 0;
  for (const maest::MelRow& row : maest::mel_rows()) {
    EXPECT_TRUE(!row.weights.empty());
    EXPECT_TRUE(row.first_bin >= previous);
    EXPECT_TRUE(row.first_bin + static_cast<int>(row.weights.size()) <= maest::kSpectrumSize);
    for (const float weight : row.weights) EXPECT_TRUE(weight > 0.0F);
    previous = row.first_bin;
  }
}

TEST(MelBands, mel_rows_are_triangles_of_area_one) {
  for (int band = 0; band < maest::kMelBands; ++band) {
    const double low = corner(band);
    const double peak = corner(band + 1);
    const double high = corner(band + 2);
    const maest::MelRow& row = maest::mel_rows()[band];
    for (int bin = 0; bin < maest::kSpectrumSize; ++bin) {
      const double frequency = bin * kBinWidth;
      const double rising = (frequency - low) / (peak - low);
      const double falling = (high - frequency) / (high - peak);
      const double wanted = std::fmax(0.0, std::fmin(rising, falling)) * 2 / (high - low);
      const int index = bin - row.first_bin;
      const bool stored = index >= 0 && index < static_cast<int>(row.weights.size());
      EXPECT_NEAR(stored ? row.weights[index] : 0.0, wanted, 1e-6);
    }
  }
}

TEST(MelBands, mel_rows_sum_to_one_where_they_span_many_bins) {
  for (int band = 60; band < maest::kMelBands; ++band) {
    double sum = 0;
    for (const float weight : maest::mel_rows()[band].weights) sum += weight * kBinWidth;
    EXPECT_NEAR(sum, 1.0, 0.1);
  }
}

// Weights printed by Essentia's MelBands(inputSize=257, numberBands=96, sampleRate=16000,
// highFrequencyBound=8000, warpingFormula=slaneyMel, weighting=linear, normalize=unit_tri).
TEST(MelBands, mel_rows_are_those_of_essentia) {
  const struct {
    int band;
    int bin;
    float weight;
  } wanted[] = {
      {0, 1, 0.0319992229F},      {1, 1, 0.000158567927F},    {1, 2, 0.031840656F},
      {31, 31, 0.00482385978F},   {31, 32, 0.0267590489F},    {32, 32, 0.00462246826F},
      {32, 33, 0.0268932562F},    {33, 33, 0.00339974789F},   {33, 34, 0.0279927794F},
      {33, 35, 0.00142835663F},   {60, 79, 0.00413231459F},   {60, 81, 0.0109320963F},
      {60, 83, 0.0015295326F},    {94, 233, 0.000264168193F}, {94, 240, 0.00410275115F},
      {94, 247, 0.000488730031F}, {95, 241, 0.000465021207F}, {95, 248, 0.00398445874F},
      {95, 255, 0.000497948378F},
  };
  for (const auto& [band, bin, weight] : wanted) {
    const maest::MelRow& row = maest::mel_rows()[band];
    EXPECT_NEAR(row.weights.at(bin - row.first_bin), weight, 1e-8);
  }
  std::size_t count = 0;
  for (const maest::MelRow& row : maest::mel_rows()) count += row.weights.size();
  EXPECT_EQ(count, std::size_t{502});
}

TEST(MelBands, hann_window_is_symmetric_with_zeros_at_its_ends) {
  const std::vector<float>& window = maest::hann_window();
  EXPECT_EQ(window.size(), std::size_t{512});
  EXPECT_EQ(window.front(), 0.0F);
  EXPECT_EQ(window.back(), 0.0F);
  for (int n = 0; n < 256; ++n) {
    EXPECT_NEAR(window[n], window[511 - n], 1e-7);
    EXPECT_NEAR(window[n], std::pow(std::sin(M_PI * n / 511), 2), 1e-7);
  }
}

TEST(MelBands, mel_tables_hold_all_rows) {
  const maest::MelTables& tables = maest::mel_tables();
  int used = 0;
  for (int band = 0; band < maest::kMelBands; ++band) {
    const maest::MelRow& row = maest::mel_rows()[band];
    EXPECT_EQ(tables.first_bin[band], row.first_bin);
    EXPECT_EQ(tables.weight_count[band], static_cast<int>(row.weights.size()));
    for (const float weight : row.weights) {
      EXPECT_NEAR(tables.weights[used++], weight * 2500, 1e-4);
    }
  }
}
