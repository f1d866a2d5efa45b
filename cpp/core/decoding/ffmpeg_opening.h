// Opening and closing codecs in a process that forks.
#pragma once

namespace maest {

// Held by a thread while FFmpeg opens or closes something for it: a process is not forked
// meanwhile. FFmpeg's lock round both would stay locked in the child, which could never open a
// file. Not to be nested.
class FfmpegOpening {
 public:
  FfmpegOpening();
  ~FfmpegOpening();
  FfmpegOpening(const FfmpegOpening&) = delete;
  FfmpegOpening& operator=(const FfmpegOpening&) = delete;
};

}  // namespace maest
