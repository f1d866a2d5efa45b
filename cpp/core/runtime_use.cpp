#include "runtime_use.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>

namespace maest {
namespace {

std::atomic<int> uses{0};
std::atomic<bool> ended{false};
pthread_t ending_thread;  // once `ended` is true
std::atomic<unsigned> generation{0};
std::atomic<unsigned> last_busy_generation{0};  // the first after a fork while a thread computed

// Made anew in a child: a mutex must not be unlocked by a thread that does not hold it.
alignas(std::mutex) std::byte mutex_memory[sizeof(std::mutex)];
std::mutex* mutex = new (mutex_memory) std::mutex;

[[noreturn]] void wait_for_ever() {
  for (;;) pause();
}

#ifdef __GLIBC__
void end_at_once(int status, void*) {
  std::fflush(nullptr);
  _exit(status);
}
#endif

// Runs in the child, before fork() returns.
void after_fork() {
  ++generation;
  if (uses > 0) last_busy_generation = generation.load();
  uses = 0;
  mutex = new (mutex_memory) std::mutex;
#ifdef __GLIBC__
  // Handlers run from the last registered to the first: what the child itself registers still runs.
  on_exit(end_at_once, nullptr);
#endif
}

}  // namespace

RuntimeUse::RuntimeUse() {
  ++uses;
  if (!ended || pthread_equal(ending_thread, pthread_self()) != 0) return;
  --uses;
  wait_for_ever();
}

RuntimeUse::~RuntimeUse() { --uses; }

void end_runtime_uses() {
  if (ended) return;
  ending_thread = pthread_self();
  ended = true;
  for (int milliseconds = 0; uses > 0 && milliseconds < 10000; ++milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void end_runtime_uses_at_exit() {
  static std::once_flag once;
  std::call_once(once, [] { std::atexit(end_runtime_uses); });
}

void outlive_forks() {
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, after_fork); });
}

std::mutex& fork_safe_mutex() { return *mutex; }

unsigned fork_generation() { return generation; }

bool forked_at_rest(unsigned since) { return last_busy_generation <= since; }

}  // namespace maest
