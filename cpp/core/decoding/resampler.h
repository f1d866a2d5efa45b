// Any rate to that of the models, as Essentia's Resample of quality 4: straight lines between
// samples, with libsamplerate's arithmetic to the bit, whatever the pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace maest {

class Resampler {
 public:
  // Throws `InvalidArgument` for a rate that Essentia does not resample either.
  explicit Resampler(int rate);

  // Appends what these samples complete.
  void push(const float* samples, std::size_t count, std::vector<float>& resampled);

  // Makes number `output` (from 0) of a signal's resampled samples the next one; those before are
  // not computed. Returns the sample of the signal with which the next push() has to begin.
  std::int64_t start_at(std::int64_t output);

  // How many resampled samples a signal of `samples` gives.
  std::int64_t count_of(std::int64_t samples) const;

  // The sample of the signal that the next push() begins with.
  std::int64_t next_sample() const { return pushed_; }

  int rate() const { return rate_; }

 private:
  // Where a resampled sample lies: `fraction` of the way to sample number `to` from the one before.
  struct Position {
    std::int64_t to = 0;
    double fraction = 0;
  };

  void step(Position& position) const;
  void step(Position& position, std::int64_t times) const;
  std::size_t next_positions(std::size_t count);
  void interpolate(const float* samples, std::size_t count, float* resampled) const;

  // Positions that are computed at a time.
  static constexpr std::size_t kBlock = 256;

  int rate_;
  double step_;              // samples from one resampled sample to the next
  double whole_step_;        // rounded down
  bool exact_;               // adding step_ to a fraction never rounds: whole numbers do the same
  int bits_ = 0;             // if so, fractions are multiples of 2 to the power of -bits_ ...
  std::int64_t units_ = 0;   // ... and step_ is so many of them
  Position next_;            // numbers count from the first sample that is not pushed yet
  std::int64_t pushed_ = 0;  // samples, those that were left out included
  std::int64_t given_ = 0;   // resampled samples, likewise
  float last_ = 0;           // the last sample pushed
  bool started_ = false;     // whether there is one
  std::vector<Position> block_;
};

}  // namespace maest
