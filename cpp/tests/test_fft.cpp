#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <memory>
#include <random>
#include <vector>

#include "core/cpu.h"
#include "core/mel_kernels.h"

namespace {

using maest::kFrameSize;
using maest::kHopSize;
using maest::kSpectrumSize;

std::vector<float> noise(int count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> samples;
  for (int i = 0; i < count; ++i) samples.push_back(uniform(generator));
  return samples;
}

// The samples of one frame as the FFT gets them: windowed, rounded to float.
std::vector<double> windowed(const float* samples) {
  std::vector<double> frame;
  for (int n = 0; n < kFrameSize; ++n) {
    const float product = samples[n] * maest::mel_tables().window[n];
    frame.push_back(product);
  }
  return frame;
}

double naive_power(const std::vector<double>& frame, int bin) {
  std::complex<double> sum = 0;
  for (int n = 0; n < kFrameSize; ++n) {
    sum += frame[n] * std::polar(1.0, -2 * M_PI * ((bin * n) % kFrameSize) / kFrameSize);
  }
  return std::norm(sum);
}

double energy(const std::vector<double>& frame) {
  double sum = 0;
  for (const double sample : frame) sum += sample * sample;
  return sum;
}

// power[bin] of every lane, from (lanes + 1) * kHopSize samples.
std::vector<std::vector<double>> power_of(const maest::MelKernels& kernels,
                                          const std::vector<float>& samples) {
  const auto workspace = std::make_unique<maest::MelWorkspace>();
  kernels.power_spectrum(maest::mel_tables(), samples.data(), *workspace);
  std::vector<std::vector<double>> power(kernels.lanes);
  for (int lane = 0; lane < kernels.lanes; ++lane) {
    for (int bin = 0; bin < kSpectrumSize; ++bin) {
      power[lane].push_back(workspace->power[bin * kernels.lanes + lane] / 4.0);
    }
  }
  return power;
}

void check_against_naive(const maest::MelKernels& kernels, const std::vector<float>& samples) {
  const auto power = power_of(kernels, samples);
  for (int lane = 0; lane < kernels.lanes; ++lane) {
    const std::vector<double> frame = windowed(samples.data() + lane * kHopSize);
    // The result is rounded to float; the FFT itself is in double.
    const double smallest = 1e-20 * energy(frame);
    for (int bin = 0; bin < kSpectrumSize; ++bin) {
      const double wanted = naive_power(frame, bin);
      EXPECT_NEAR(power[lane][bin], wanted, 1e-7 * wanted + smallest);
    }
  }
}

}  // namespace

TEST(Fft, fft_of_noise_is_the_naive_transform) {
  for (const maest::Isa isa : maest::runnable_isas()) {
    const maest::MelKernels& kernels = maest::mel_kernels(isa);
    check_against_naive(kernels, noise((kernels.lanes + 1) * kHopSize, 1));
  }
}

TEST(Fft, fft_of_impulses_is_the_naive_transform) {
  for (const maest::Isa isa : maest::runnable_isas()) {
    const maest::MelKernels& kernels = maest::mel_kernels(isa);
    for (const int place : {1, 2, 3, 64, 255, 256, 511, 700}) {
      std::vector<float> samples((kernels.lanes + 1) * kHopSize, 0.0F);
      samples[place] = 1.0F;
      check_against_naive(kernels, samples);
    }
  }
}

TEST(Fft, fft_of_a_loud_tone_keeps_the_quiet_bins) {
  for (const maest::Isa isa : maest::runnable_isas()) {
    const maest::MelKernels& kernels = maest::mel_kernels(isa);
    std::vector<float> samples = noise((kernels.lanes + 1) * kHopSize, 2);
    for (std::size_t n = 0; n < samples.size(); ++n) {
      const double tone = std::sin(2 * M_PI * 250.3 * static_cast<double>(n) / kFrameSize);
      samples[n] = static_cast<float>(tone + 1e-6 * samples[n]);
    }
    check_against_naive(kernels, samples);
  }
}

TEST(Fft, fft_keeps_the_energy) {
  for (const maest::Isa isa : maest::runnable_isas()) {
    const maest::MelKernels& kernels = maest::mel_kernels(isa);
    const std::vector<float> samples = noise((kernels.lanes + 1) * kHopSize, 3);
    const auto power = power_of(kernels, samples);
    for (int lane = 0; lane < kernels.lanes; ++lane) {
      double sum = power[lane].front() + power[lane].back();
      for (int bin = 1; bin < kSpectrumSize - 1; ++bin) sum += 2 * power[lane][bin];
      const double wanted = energy(windowed(samples.data() + lane * kHopSize));
      EXPECT_NEAR(sum / kFrameSize, wanted, 1e-6 * wanted);
    }
  }
}
