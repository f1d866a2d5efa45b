// Ends what ONNX Runtime computes, from another thread.
#pragma once

#include <array>
#include <mutex>
#include <vector>

struct OrtRunOptions;

namespace maest {

// Given to any number of runs, one after another or at once. Safe to use from several threads.
class Stop {
 public:
  // Ends the runs that have it, at the end of the operator that each is in, and lets none begin.
  void stop();

  // Lets runs begin again.
  void reset();

  bool stopped() const;

  // Throws `Stopped` after stop().
  void require_going() const;

 private:
  friend class StoppableRun;

  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::vector<OrtRunOptions*> running_;
};

// Those that may end a run; null is nobody.
using Stops = std::array<Stop*, 2>;

// One run's options, while it lives.
class StoppableRun {
 public:
  // Throws `Stopped` after the stop() of one of them.
  explicit StoppableRun(const Stops& stops);
  ~StoppableRun();
  StoppableRun(const StoppableRun&) = delete;
  StoppableRun& operator=(const StoppableRun&) = delete;

  // Null for a run that nobody ends.
  const OrtRunOptions* options() const { return options_; }

  // Throws `Stopped` if the run was to end.
  void require_going() const;

 private:
  Stops stops_;
  OrtRunOptions* options_ = nullptr;
};

}  // namespace maest
