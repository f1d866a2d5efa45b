// Samples in, results of completed segments out. A whole signal is one push and one finish.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "extractor.h"
#include "interruptible.h"
#include "mel_frontend.h"
#include "segmenter.h"

namespace maest {

// Where time went, in seconds. What several threads did at once is added up.
struct Spent {
  double front_end = 0;
  double model = 0;  // patches gathered, and run
};

class Stream {
 public:
  // Throws `InvalidArgument` when the request does not fit the model.
  Stream(std::shared_ptr<const Extractor> extractor, const Request& request);

  // Mono samples at 16 kHz. Returns the segments that they complete.
  // Throws `InvalidArgument` for a sample that is not finite, before anything is consumed, and
  // after finish(); `Stopped`. After an error while computing, reset() starts anew.
  Outputs push(const float* samples, std::size_t count, const Watch& watch = {});

  // The end of the signal: returns the segments that its last frames complete, and the tail's.
  // Throws `InvalidArgument` when the whole signal was too short for a single segment; `Stopped`.
  Outputs finish(const Watch& watch = {});

  // For another thread: ends what push() or finish() computes, and refuses further calls until
  // reset(): they throw `Stopped`.
  void stop();

  const Plan& plan() const { return plan_; }

  // What push() returns of no segments.
  Outputs no_outputs() const { return extractor_->empty_outputs(plan_); }

  // Since the stream was made, over all its signals. May be asked while another thread computes.
  Spent spent() const;

  // Forgets the signal; the model stays. Of the next signal the first `lead_frames` belong to no
  // segment: they are what a part of a longer signal has before it, so that its first segment is
  // computed as in the whole. Throws `InvalidArgument` for less than 0.
  void reset(std::int64_t lead_frames = 0);

 private:
  std::int64_t most_gathered() const;
  void compute_ready(Outputs& outputs, std::int64_t at_least, const Watch& watch);
  void compute_tail(Outputs& outputs, const Watch& watch);
  void compute(const std::vector<Segment>& segments, Outputs& outputs, const Watch& watch);
  bool tail_has_new_patch() const;
  [[noreturn]] void refuse_short() const;

  std::shared_ptr<const Extractor> extractor_;
  Plan plan_;
  MelFrontend front_end_;
  Segmenter segmenter_;
  std::int64_t segments_ = 0;  // computed since the start
  // What other threads use meanwhile, in one place so that streams can be moved.
  struct Shared {
    std::atomic<std::int64_t> front_end_nanoseconds{0};
    std::atomic<std::int64_t> model_nanoseconds{0};
    Stop stop;
  };
  std::unique_ptr<Shared> shared_ = std::make_unique<Shared>();
};

// A whole signal: one push and one finish.
Outputs extract(std::shared_ptr<const Extractor> extractor, const Request& request,
                const float* samples, std::size_t count, const Watch& watch = {});

}  // namespace maest
