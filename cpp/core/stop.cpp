#include "stop.h"

#include <algorithm>

#include "error.h"
#include "ort_api.h"

namespace maest {

void Stop::stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  for (OrtRunOptions* options : running_) {
    const OrtApi& api = ort_api();
    api.check(api.RunOptionsSetTerminate(options), "ending a run");
  }
}

void Stop::reset() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = false;
}

bool Stop::stopped() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stopped_;
}

void Stop::require_going() const {
  if (stopped())
    throw Stopped("the computation was stopped; a stream is of use again after reset()");
}

StoppableRun::StoppableRun(const Stops& stops) : stops_(stops) {
  require_going();
  const OrtApi& api = ort_api();
  for (Stop* stop : stops_) {
    if (stop == nullptr) continue;
    if (options_ == nullptr) {
      api.check(api.CreateRunOptions(&options_), "creating a run's options");
      // What goes wrong is told by an exception; that a run was ended is no error.
      api.check(api.RunOptionsSetRunLogSeverityLevel(options_, kOrtLoggingFatal), "a run's log");
    }
    const std::lock_guard<std::mutex> lock(stop->mutex_);
    if (stop->stopped_) api.check(api.RunOptionsSetTerminate(options_), "ending a run");
    stop->running_.push_back(options_);
  }
}

StoppableRun::~StoppableRun() {
  if (options_ == nullptr) return;
  for (Stop* stop : stops_) {
    if (stop == nullptr) continue;
    const std::lock_guard<std::mutex> lock(stop->mutex_);
    std::vector<OrtRunOptions*>& running = stop->running_;
    running.erase(std::remove(running.begin(), running.end(), options_), running.end());
  }
  ort_api().ReleaseRunOptions(options_);
}

void StoppableRun::require_going() const {
  for (const Stop* stop : stops_) {
    if (stop != nullptr) stop->require_going();
  }
}

}  // namespace maest
