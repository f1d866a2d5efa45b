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

// Where in its segments a model hears anything.
struct Hearing {
  std::int64_t segment_frames = 0;
  std::int64_t hop_frames = 0;
  int patch_frames = 0;
  std::vector<int> first_frames;  // of the kept columns of a segment, ascending
};

Hearing hearing_of(const Plan& plan, const PatchGrid& grid);

// All that the kept patches of segments are computed from, in order, with gaps between.
class HeardSamples {
 public:
  // Of a whole signal of `samples`; everything is heard from the start of what may be a tail.
  HeardSamples(const Hearing& hearing, std::int64_t samples);

  // Of one segment that begins with `first_frame` of the signal, and is computed from `section`.
  HeardSamples(const Hearing& hearing, std::int64_t first_frame, SampleRange section);

  // Whether there is a gap at all.
  bool has_gaps() const { return has_gaps_; }

  // Samples that the signal has to have for this to hold.
  std::int64_t needed() const { return needed_; }

  // The next range. The last of a whole signal has no end: it may be longer than it is said to be.
  SampleRange next();
  static bool has_end(const SampleRange& range);

 private:
  SampleRange window() const;
  void advance();
  void look_for_gaps();

  Hearing hearing_;
  std::int64_t first_frame_ = 0;
  std::int64_t segments_ = 1;
  std::int64_t needed_;
  SampleRange all_;   // what is heard if there are no gaps
  SampleRange tail_;  // the last range, or a part of it: the end is always seen
  bool has_gaps_ = false;
  std::int64_t segment_ = 0;  // the next window
  std::size_t column_ = 0;
};

}  // namespace maest
