// A file of which no more is decoded than what a model hears.
#pragma once

#include <cstddef>
#include <cstdint>

#include "decoding/audio_file.h"
#include "heard.h"

namespace maest {

class HeardFile {
 public:
  // `file` is where `heard` begins, at the earliest, and is used up.
  HeardFile(AudioFile& file, const HeardSamples& heard, Skipping allowed);

  // Whether anything can be left out.
  static bool gains(const AudioFile& file, const HeardSamples& heard, Skipping allowed) {
    return heard.has_gaps() && file.can_skip(allowed);
  }

  // As AudioFile's, but for silence where nothing is heard.
  std::size_t read(float* samples, std::size_t count);

  // The file is not as long as was taken for granted, or changes its rate: what was read is that of
  // another plan. Or it is damaged: what a decoder makes of that depends on what it had before. The
  // file was begun anew.
  bool failed() const { return failed_; }

 private:
  std::size_t fill_gap(float* samples, std::size_t count);
  void fail();
  bool holds();

  AudioFile& file_;
  HeardSamples heard_;
  Skipping allowed_;
  SampleRange range_;
  std::int64_t at_;  // the next sample that read() gives
  bool skipped_ = false;
  bool failed_ = false;
  bool ended_ = false;
};

}  // namespace maest
