#include "signal_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "runtime_use.h"

namespace maest {

// One per process, and never ended: it sleeps in poll().
struct SignalRelay::Thread {
  std::mutex mutex;
  Stop* interrupt = nullptr;
  int forward = -1;
  int read_end = -1;
  int write_end = -1;
  unsigned generation = fork_generation();

  bool begin();
  void wait();
  void take();  // with the mutex held
};

bool SignalRelay::Thread::begin() {
  int ends[2];
  if (pipe(ends) != 0) return false;
  read_end = ends[0];
  write_end = ends[1];
  for (const int end : ends) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
    fcntl(end, F_SETFL, O_NONBLOCK);
  }
  // Signals are for the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool begun = true;
  try {
    std::thread([this] { wait(); }).detach();
  } catch (const std::system_error&) {
    close(read_end);
    close(write_end);
    begun = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return begun;
}

void SignalRelay::Thread::wait() {
  for (;;) {
    pollfd waited = {read_end, POLLIN, 0};
    if (poll(&waited, 1, -1) != 1) continue;
    const std::lock_guard<std::mutex> lock(mutex);
    take();
  }
}

void SignalRelay::Thread::take() {
  char bytes[64];
  ssize_t count = 0;
  while ((count = read(read_end, bytes, sizeof bytes)) > 0) {
    // A full pipe: whoever reads it has enough to wake up for.
    if (forward >= 0) count = write(forward, bytes, static_cast<std::size_t>(count));
    if (interrupt != nullptr) interrupt->stop();
  }
}

SignalRelay::Thread* SignalRelay::thread() {
  // Called in one thread only. A forked process has no thread of its parent's.
  static Thread* running = nullptr;
  if (running != nullptr && running->generation == fork_generation()) return running;
  auto fresh = std::make_unique<Thread>();
  running = fresh->begin() ? fresh.release() : nullptr;
  return running;
}

SignalRelay::SignalRelay(SetDescriptor set, Stop& interrupt) : set_(set), thread_(thread()) {
  if (thread_ == nullptr) return;
  const std::lock_guard<std::mutex> lock(thread_->mutex);
  forward_before_ = thread_->forward;
  interrupt_before_ = thread_->interrupt;
  descriptor_before_ = set_(thread_->write_end);
  // Else this is a signal's handler that computes while another computation waits for it.
  if (descriptor_before_ != thread_->write_end) thread_->forward = descriptor_before_;
  thread_->interrupt = &interrupt;
}

SignalRelay::~SignalRelay() {
  if (thread_ == nullptr) return;
  const std::lock_guard<std::mutex> lock(thread_->mutex);
  const int now = set_(descriptor_before_);
  if (now != thread_->write_end) set_(now);  // a handler has set another
  thread_->take();
  thread_->forward = forward_before_;
  thread_->interrupt = interrupt_before_;
}

}  // namespace maest
