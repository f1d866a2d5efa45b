#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/mel_bands.h"
#include "core/mel_frontend.h"
#include "core/mel_kernels.h"
#include "throws.h"

namespace {

using maest::Isa;
using maest::MelFrontend;

constexpr std::size_t kBands = maest::kMelBands;

std::vector<float> noise(std::size_t count) {
  std::mt19937 generator(7);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> samples;
  for (std::size_t i = 0; i < count; ++i) samples.push_back(uniform(generator));
  return samples;
}

std::vector<float> one_shot(Isa isa, const std::vector<float>& samples) {
  MelFrontend frontend(isa);
  std::vector<float> frames;
  frontend.push(samples.data(), samples.size(), frames);
  frontend.finish(frames);
  return frames;
}

// Pushes pieces of the given sizes, over and over.
std::vector<float> chunked(Isa isa, const std::vector<float>& samples,
                           const std::vector<std::size_t>& sizes) {
  MelFrontend frontend(isa);
  std::vector<float> frames;
  std::size_t done = 0;
  for (std::size_t i = 0; done < samples.size(); ++i) {
    const std::size_t count = std::min(sizes[i % sizes.size()], samples.size() - done);
    frontend.push(samples.data() + done, count, frames);
    done += count;
    EXPECT_EQ(frontend.samples_pushed(), static_cast<std::int64_t>(done));
    EXPECT_EQ(frontend.frames_emitted(), maest::completed_frame_count(done));
    EXPECT_EQ(frames.size(), kBands * frontend.frames_emitted());
  }
  frontend.finish(frames);
  EXPECT_EQ(frontend.frames_emitted(), maest::frame_count(done));
  return frames;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// One value, straight from the definition, in double.
double naive_value(const std::vector<float>& samples, long frame, int band) {
  const maest::MelRow& row = maest::mel_rows()[band];
  double sum = 0;
  for (std::size_t i = 0; i < row.weights.size(); ++i) {
    const double step = 2 * M_PI * (row.first_bin + static_cast<double>(i)) / 512;
    double real = 0;
    double imag = 0;
    for (long n = 0; n < 512; ++n) {
      const long at = 256 * frame - 256 + n;
      if (at < 0 || at >= static_cast<long>(samples.size())) continue;
      const float product = samples[at] * maest::hann_window()[n];
      real += product * std::cos(step * n);
      imag -= product * std::sin(step * n);
    }
    sum += row.weights[i] * (real * real + imag * imag);
  }
  return std::log10(1 + 10000 * sum);
}

// Sets ESSENTIA_MAEST_ISA until the end of the scope.
class IsaVariable {
 public:
  explicit IsaVariable(const char* value) {
    const char* const old = std::getenv(kName);
    had_value_ = old != nullptr;
    if (had_value_) old_ = old;
    setenv(kName, value, 1);
  }
  ~IsaVariable() {
    if (had_value_) {
      setenv(kName, old_.c_str(), 1);
    } else {
      unsetenv(kName);
    }
  }

 private:
  static constexpr const char* kName = "ESSENTIA_MAEST_ISA";
  bool had_value_;
  std::string old_;
};

}  // namespace

TEST(MelFrontend, frame_count_is_ceil_plus_one) {
  const std::pair<std::int64_t, std::int64_t> wanted[] = {
      {0, 0}, {1, 2}, {255, 2}, {256, 2}, {257, 3}, {512, 3}, {513, 4}, {480000, 1876}};
  for (const auto& [samples, frames] : wanted) {
    EXPECT_EQ(maest::frame_count(samples), frames);
  }
  EXPECT_EQ(maest::completed_frame_count(255), std::int64_t{0});
  EXPECT_EQ(maest::completed_frame_count(256), std::int64_t{1});
  EXPECT_EQ(maest::completed_frame_count(511), std::int64_t{1});
  EXPECT_THROWS(maest::frame_count(-1), maest::InvalidArgument, "-1");
  EXPECT_THROWS(maest::completed_frame_count(-5), maest::InvalidArgument, "-5");
}

TEST(MelFrontend, mel_frames_follow_the_definition) {
  const std::vector<float> samples = noise(256 * 19 + 77);
  for (const Isa isa : maest::runnable_isas()) {
    const std::vector<float> frames = one_shot(isa, samples);
    EXPECT_EQ(frames.size(), 21 * kBands);
    for (const long frame : {0L, 1L, 7L, 8L, 15L, 16L, 18L, 19L, 20L}) {
      for (int band = 0; band < maest::kMelBands; ++band) {
        EXPECT_NEAR(frames[frame * kBands + band], naive_value(samples, frame, band), 1e-6);
      }
    }
  }
}

TEST(MelFrontend, mel_of_silence_is_zero_without_noise) {
  for (const Isa isa : maest::runnable_isas()) {
    const std::vector<float> frames = one_shot(isa, std::vector<float>(5000, 0.0F));
    EXPECT_EQ(frames.size(), 21 * kBands);
    for (const float value : frames) EXPECT_EQ(value, 0.0F);
  }
}

TEST(MelFrontend, mel_logarithm_is_exact_over_its_range) {
  // A tone of every loudness that is accepted, up to the loudest.
  for (const Isa isa : maest::runnable_isas()) {
    for (double loudness = 1e-9; loudness < 1.1e12; loudness *= 3) {
      std::vector<float> samples;
      for (int n = 0; n < 600; ++n) {
        samples.push_back(static_cast<float>(loudness * std::sin(0.3 * n) * 0.9));
      }
      const std::vector<float> frames = one_shot(isa, samples);
      for (const int band : {20, 23, 24, 60}) {
        const double wanted = naive_value(samples, 1, band);
        EXPECT_NEAR(frames[kBands + band], wanted, 5e-7 + 3e-7 * wanted);
      }
    }
  }
}

TEST(MelFrontend, mel_chunks_give_the_bits_of_one_push) {
  const std::vector<std::vector<std::size_t>> sizes = {
      {1},   {2},   {3, 5, 7}, {127},  {255},          {256},
      {257}, {509}, {1021},    {4096}, {1, 4999, 256}, {512, 1, 511}};
  for (const Isa isa : maest::runnable_isas()) {
    for (const std::size_t length :
         {0, 1, 255, 256, 257, 511, 512, 513, 2303, 2304, 2305, 4352, 10007, 25000}) {
      const std::vector<float> samples = noise(length);
      const std::vector<float> whole = one_shot(isa, samples);
      EXPECT_EQ(whole.size(), kBands * maest::frame_count(length));
      for (const auto& pieces : sizes) EXPECT_TRUE(same_bits(chunked(isa, samples, pieces), whole));
    }
  }
}

TEST(MelFrontend, mel_frame_does_not_depend_on_its_lane) {
  // The same hop of samples over and over: all frames but the first and last two must be equal.
  for (const Isa isa : maest::runnable_isas()) {
    const std::vector<float> hop = noise(256);
    std::vector<float> samples;
    for (int i = 0; i < 40; ++i) samples.insert(samples.end(), hop.begin(), hop.end());
    const std::vector<float> frames = one_shot(isa, samples);
    for (std::size_t frame = 2; frame < 40; ++frame) {
      EXPECT_TRUE(std::memcmp(&frames[frame * kBands], &frames[kBands], kBands * sizeof(float)) ==
                  0);
    }
  }
}

TEST(MelFrontend, mel_isas_agree) {
  const std::vector<float> samples = noise(50000);
  const std::vector<float> wanted = one_shot(Isa::kBaseline, samples);
  for (const Isa isa : maest::runnable_isas()) {
    const std::vector<float> found = one_shot(isa, samples);
    EXPECT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-5);
  }
}

TEST(MelFrontend, mel_bad_samples_are_refused_and_change_nothing) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::pair<float, const char*> bad_values[] = {
      {std::nanf(""), "nan"}, {infinity, "inf"}, {-infinity, "-inf"}, {-2e12F, "-2e+12"}};
  const std::vector<float> good = noise(3000);
  for (const auto& [bad_value, text] : bad_values) {
    MelFrontend frontend;
    std::vector<float> frames;
    frontend.push(good.data(), 1000, frames);
    const std::size_t size = frames.size();
    std::vector<float> bad(good.begin() + 1000, good.end());
    bad[777] = bad_value;
    bad[1500] = bad_value;
    const std::string wanted = maest::message("sample 1777 is ", text, ", wanted finite");
    EXPECT_THROWS(frontend.push(bad.data(), bad.size(), frames), maest::InvalidArgument, wanted);
    EXPECT_EQ(frontend.samples_pushed(), std::int64_t{1000});
    EXPECT_EQ(frontend.frames_emitted(), std::int64_t{3});
    EXPECT_EQ(frames.size(), size);
    frontend.push(good.data() + 1000, 2000, frames);
    frontend.finish(frames);
    EXPECT_TRUE(same_bits(frames, one_shot(maest::default_isa(), good)));
  }
}

TEST(MelFrontend, mel_bad_sample_far_into_a_long_push_changes_nothing) {
  const std::vector<float> good = noise(100000);
  for (const std::size_t place : {16383, 16384, 40000, 98999}) {
    for (const Isa isa : maest::runnable_isas()) {
      MelFrontend frontend(isa);
      std::vector<float> frames;
      frontend.push(good.data(), 1000, frames);
      const std::vector<float> before = frames;
      std::vector<float> bad(good.begin() + 1000, good.end());
      bad[place] = std::nanf("");
      EXPECT_THROWS(frontend.push(bad.data(), bad.size(), frames), maest::InvalidArgument,
                    maest::message("sample ", place + 1000, " is "));
      EXPECT_TRUE(same_bits(frames, before));
      EXPECT_EQ(frontend.samples_pushed(), std::int64_t{1000});
      frontend.push(good.data() + 1000, good.size() - 1000, frames);
      frontend.finish(frames);
      EXPECT_TRUE(same_bits(frames, one_shot(isa, good)));
    }
  }
}

TEST(MelFrontend, mel_push_refuses_a_null_pointer_and_takes_an_empty_chunk) {
  MelFrontend frontend;
  std::vector<float> frames;
  EXPECT_THROWS(frontend.push(nullptr, 3, frames), maest::InvalidArgument, "null pointer");
  frontend.push(nullptr, 0, frames);
  frontend.finish(frames);
  EXPECT_TRUE(frames.empty());
  EXPECT_EQ(frontend.frames_emitted(), std::int64_t{0});
}

TEST(MelFrontend, mel_push_after_finish_needs_reset) {
  const std::vector<float> samples = noise(1000);
  MelFrontend frontend;
  std::vector<float> frames;
  frontend.push(samples.data(), samples.size(), frames);
  EXPECT_TRUE(!frontend.finished());
  frontend.finish(frames);
  EXPECT_TRUE(frontend.finished());
  const std::vector<float> first = frames;
  EXPECT_THROWS(frontend.push(samples.data(), 7, frames), maest::InvalidArgument, "reset()");
  frontend.finish(frames);
  EXPECT_TRUE(same_bits(frames, first));

  frontend.reset();
  EXPECT_TRUE(!frontend.finished());
  EXPECT_EQ(frontend.samples_pushed(), std::int64_t{0});
  EXPECT_EQ(frontend.frames_emitted(), std::int64_t{0});
  std::vector<float> again;
  frontend.push(samples.data(), samples.size(), again);
  frontend.finish(again);
  EXPECT_TRUE(same_bits(again, first));
}

TEST(MelFrontend, mel_frontend_moves_in_mid_signal) {
  const std::vector<float> samples = noise(3000);
  MelFrontend first;
  std::vector<float> frames;
  first.push(samples.data(), 1234, frames);
  MelFrontend second(std::move(first));
  second.push(samples.data() + 1234, 3000 - 1234, frames);
  second.finish(frames);
  EXPECT_TRUE(same_bits(frames, one_shot(maest::default_isa(), samples)));
}

TEST(MelFrontend, mel_frames_are_appended) {
  const std::vector<float> samples = noise(600);
  std::vector<float> frames = {1.5F, 2.5F};
  MelFrontend frontend;
  frontend.push(samples.data(), samples.size(), frames);
  EXPECT_EQ(frames.size(), 2 + 2 * kBands);
  EXPECT_EQ(frames[1], 2.5F);
}

TEST(MelFrontend, isa_is_chosen_by_the_environment) {
  for (const Isa isa : maest::runnable_isas()) {
    const IsaVariable variable(maest::isa_name(isa));
    EXPECT_TRUE(maest::default_isa() == isa);
  }
  const IsaVariable empty("");
  EXPECT_TRUE(maest::default_isa() == maest::runnable_isas().back());
}

TEST(MelFrontend, isa_that_does_not_exist_or_run_is_refused) {
  {
    const IsaVariable variable("sse9");
    EXPECT_THROWS(maest::default_isa(), maest::InvalidArgument, "ESSENTIA_MAEST_ISA");
    EXPECT_THROWS(MelFrontend(), maest::InvalidArgument, "sse9");
  }
  for (const Isa isa : {Isa::kBaseline, Isa::kNeon, Isa::kDotprod, Isa::kI8mm, Isa::kAvx2,
                        Isa::kAvx512, Isa::kAvx512Vnni}) {
    EXPECT_TRUE(maest::isa_from_name(maest::isa_name(isa)) == isa);
    if (maest::cpu_can_run(isa)) {
      EXPECT_TRUE(maest::require_runnable(isa) == isa);
      continue;
    }
    const IsaVariable variable(maest::isa_name(isa));
    EXPECT_THROWS(maest::default_isa(), maest::InvalidArgument, "cannot run");
    EXPECT_THROWS(MelFrontend(isa), maest::InvalidArgument, maest::isa_name(isa));
  }
}
