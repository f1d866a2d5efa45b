// What of a signal a model hears: with patchout in time, frames of columns that are dropped bear on
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "extractor.h"

namespace maest {

// Samples at 16 kHz, from `begin` up to, not including, `end`.
struct SampleRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// All that the kept patches of whole segments are computed from, and everything from the start of
// what may be a tail, in order, with gaps between.
class HeardSamples {
 public:
  // Of a signal of `samples`.
  HeardSamples(const Plan& plan, const PatchGrid& grid, std::int64_t samples);

  // Whether there is a gap at all.
  bool has_gaps() const { return has_gaps_; }

  // The next range. The last has no end: a signal may be longer than it is said to be.
  SampleRange next();

 private:
  SampleRange window() const;
  void advance();

  int patch_frames_;
  std::int64_t hop_frames_;
  std::vector<int> first_frames_;  // of the kept columns of a segment
  std::int64_t segments_;
  SampleRange tail_;
  bool has_gaps_;
  std::int64_t segment_ = 0;  // the next window
  std::size_t column_ = 0;
};

}  // namespace maest
