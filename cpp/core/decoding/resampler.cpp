// Compiled without fused multiplication and addition: they would change last bits.
#include "resampler.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "mel_config.h"

namespace maest {
namespace {

constexpr double kMostTimes = 256;  // libsamplerate's limit, up and down

// Bits of a double behind its first.
constexpr int kPrecision = 52;

}  // namespace

// libsamplerate keeps, as a double, how far the next sample lies behind one that is there, adds the
// step, and takes away what is whole. Only that addition rounds, and it does not where a fraction
// and the step have the same last bit and no bit is carried past the step's first: so it is for
// 44.1, 48 and 96 kHz. There all positions of a block are computed independently, in whole numbers.
Resampler::Resampler(int rate) : rate_(rate), block_(kBlock + 1) {
  // Essentia's ratio is a float.
  const double ratio = static_cast<float>(kSampleRate) / static_cast<float>(rate);
  if (!(rate > 0 && ratio >= 1 / kMostTimes && ratio <= kMostTimes)) {
    throw InvalidArgument(message("a sample rate of ", rate, " Hz; wanted is one from ",
                                  kSampleRate / static_cast<int>(kMostTimes) + 1, " to ",
                                  kSampleRate * static_cast<int>(kMostTimes), " Hz"));
  }
  step_ = 1.0 / ratio;
  whole_step_ = std::floor(step_);
  const int exponent = std::ilogb(step_);
  exact_ = step_ + 1 <= std::ldexp(1.0, exponent + 1);
  if (exact_) {
    bits_ = kPrecision - exponent;
    units_ = static_cast<std::int64_t>(std::ldexp(step_, bits_));
  }
}

void Resampler::step(Position& position) const {
  const double sum = position.fraction + step_;
  const double rest = sum - whole_step_;
  // Without a branch: nobody could foretell it.
  const double more = rest >= 1 ? 1.0 : 0.0;
  position.fraction = rest - more;
  position.to += static_cast<std::int64_t>(whole_step_) + static_cast<std::int64_t>(more);
}

void Resampler::step(Position& position, std::int64_t times) const {
  if (!exact_) {
    for (; times > 0; --times) step(position);
    return;
  }
  const std::int64_t mask = (std::int64_t{1} << bits_) - 1;
  auto units = static_cast<std::int64_t>(std::ldexp(position.fraction, bits_));
  while (times > 0) {
    const std::int64_t now = std::min<std::int64_t>(times, kBlock);
    units += now * units_;
    position.to += units >> bits_;
    units &= mask;
    times -= now;
  }
  position.fraction = std::ldexp(static_cast<double>(units), -bits_);
}

// The next `count` (at most kBlock) positions and the one after them, into block_.
std::size_t Resampler::next_positions(std::size_t count) {
  if (!exact_) {
    Position position = next_;
    block_[0] = position;
    for (std::size_t i = 1; i <= count; ++i) {
      step(position);
      block_[i] = position;
    }
    return count;
  }
  const std::int64_t mask = (std::int64_t{1} << bits_) - 1;
  const double unit = std::ldexp(1.0, -bits_);
  const auto start = static_cast<std::int64_t>(std::ldexp(next_.fraction, bits_));
  const std::int64_t to = next_.to;
  for (std::size_t i = 0; i <= count; ++i) {
    const std::int64_t units = start + static_cast<std::int64_t>(i) * units_;
    block_[i] = {to + (units >> bits_), static_cast<double>(units & mask) * unit};
  }
  return count;
}

void Resampler::interpolate(const float* samples, std::size_t count, float* resampled) const {
  const auto between = [](float from, float to, double fraction) {
    return static_cast<float>(from + fraction * (to - from));
  };
  std::size_t i = 0;
  for (; i < count && block_[i].to == 0; ++i) {
    resampled[i] = between(last_, samples[0], block_[i].fraction);
  }
  for (; i < count; ++i) {
    const float* const to = samples + block_[i].to;
    resampled[i] = between(to[-1], to[0], block_[i].fraction);
  }
}

void Resampler::push(const float* samples, std::size_t count, std::vector<float>& resampled) {
  if (count == 0) return;
  if (!started_) {
    last_ = samples[0];
    started_ = true;
  }
  const auto here = static_cast<std::int64_t>(count);
  const std::size_t before = resampled.size();
  if (rate_ == kSampleRate) {
    // Between equal rates Essentia copies.
    const std::int64_t left_out = std::min(next_.to, here);
    resampled.insert(resampled.end(), samples + left_out, samples + count);
    next_.to -= left_out;
  } else {
    while (next_.to < here) {
      const auto room = static_cast<double>(here - next_.to) / step_ + 2;
      std::size_t some = next_positions(room < kBlock ? static_cast<std::size_t>(room) : kBlock);
      next_ = block_[some];
      while (some > 0 && block_[some - 1].to >= here) next_ = block_[--some];
      const std::size_t size = resampled.size();
      resampled.resize(size + some);
      interpolate(samples, some, resampled.data() + size);
    }
    next_.to -= here;
  }
  given_ += static_cast<std::int64_t>(resampled.size() - before);
  pushed_ += here;
  last_ = samples[count - 1];
}

std::int64_t Resampler::start_at(std::int64_t output) {
  if (output < given_) {
    next_ = {};
    pushed_ = 0;
    given_ = 0;
  }
  // Of the whole signal from here on.
  Position position{pushed_ + next_.to, next_.fraction};
  if (rate_ == kSampleRate) {
    position.to += output - given_;
  } else {
    step(position, output - given_);
  }
  // A copy needs no sample before; at the beginning the first sample stands for it.
  const bool needs_one_before = rate_ != kSampleRate && position.to > 0;
  pushed_ = position.to - (needs_one_before ? 1 : 0);
  next_ = {position.to - pushed_, position.fraction};
  given_ = output;
  started_ = false;
  return pushed_;
}

std::int64_t Resampler::count_of(std::int64_t samples) const {
  if (rate_ == kSampleRate || samples <= 0) return std::max<std::int64_t>(samples, 0);
  // A little less than it can be; steps are added up, and rounding with them.
  std::int64_t count = std::max<std::int64_t>(
      0, static_cast<std::int64_t>(static_cast<double>(samples) / step_) - 2);
  Position position;
  step(position, count);
  for (; position.to < samples; ++count) step(position);
  return count;
}

}  // namespace maest
