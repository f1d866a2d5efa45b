#include "ffmpeg_locks.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>

namespace maest {
namespace {

// Unlike a mutex it may be released by a thread that did not obtain it: one that was opening a
// codec while the lock was registered.
class Lock {
 public:
  void obtain() {
    std::unique_lock<std::mutex> guard(mutex_);
    released_.wait(guard, [this] { return !held_; });
    held_ = true;
  }

  void release() {
    const std::lock_guard<std::mutex> guard(mutex_);
    held_ = false;
    released_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  bool held_ = false;
};

// FFmpeg asks for two. They are never freed: threads may still decode while a process ends.
constexpr int kMostLocks = 2;
Lock* locks[kMostLocks];
std::atomic<int> lock_count{0};

void before_fork() {
  for (int i = 0; i < lock_count; ++i) locks[i]->obtain();
}

void after_fork_in_parent() {
  for (int i = 0; i < lock_count; ++i) locks[i]->release();
}

// Threads that are not there may have been copied in the middle of a lock.
void after_fork_in_child() {
  for (int i = 0; i < lock_count; ++i) new (locks[i]) Lock();
}

Lock* new_lock() {
  if (lock_count == kMostLocks) return nullptr;
  if (lock_count == 0 &&
      pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0) {
    return nullptr;
  }
  Lock* const lock = locks[lock_count] = new Lock();
  ++lock_count;
  return lock;
}

}  // namespace

int manage_ffmpeg_lock(void** mutex, int operation) {
  enum { kCreate, kObtain, kRelease, kDestroy };
  auto* const lock = static_cast<Lock*>(*mutex);
  switch (operation) {
    case kCreate:
      *mutex = new_lock();
      return *mutex == nullptr ? 1 : 0;
    case kObtain:
      lock->obtain();
      return 0;
    case kRelease:
      lock->release();
      return 0;
    default:
      return 0;
  }
}

}  // namespace maest
