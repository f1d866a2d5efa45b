#include "ffmpeg_opening.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <new>

namespace maest {
namespace {

// Many threads open at the same time, or one forks.
class Gate {
 public:
  void enter() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return forking_ == 0; });
    ++inside_;
  }

  void leave() {
    const std::lock_guard<std::mutex> lock(mutex_);
    --inside_;
    changed_.notify_all();
  }

  void before_fork() {
    std::unique_lock<std::mutex> lock(mutex_);
    ++forking_;
    changed_.wait(lock, [this] { return inside_ == 0; });
  }

  void after_fork() {
    const std::lock_guard<std::mutex> lock(mutex_);
    --forking_;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  int forking_ = 0;
};

// Never freed: threads may still decode while a process ends.
Gate& gate() {
  static Gate* const only = [] {
    auto* const made = new Gate();
    pthread_atfork([] { gate().before_fork(); }, [] { gate().after_fork(); },
                   // Threads that are not there any more may have been copied within its mutex.
                   [] { new (&gate()) Gate(); });
    return made;
  }();
  return *only;
}

// Of this thread, one within the other: who is inside must not wait for a fork that waits for it.
thread_local int depth = 0;

}  // namespace

FfmpegOpening::FfmpegOpening() {
  if (depth++ == 0) gate().enter();
}

FfmpegOpening::~FfmpegOpening() {
  if (--depth == 0) gate().leave();
}

}  // namespace maest
