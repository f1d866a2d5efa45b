#include "python_host.h"

#include <pthread.h>
#include <unistd.h>

#include <utility>

#include "error.h"

namespace maest::plugin {
namespace {

struct Interruption {
  void* type = nullptr;
  void* value = nullptr;
  void* traceback = nullptr;
};

thread_local Interruption interruption;

EssentiaMaestPython& python() {
  static EssentiaMaestPython functions = {};
  return functions;
}

[[noreturn]] void wait_for_ever() {
  for (;;) pause();
}

// For SignalRelay. A call of what is written in C: of what is written in Python, a signal's handler
// might come in between, and what it raises be lost.
int set_wakeup_descriptor(int descriptor) {
  const EssentiaMaestPython& host = python();
  void* const before = host.call(host.set_wakeup_fd, "i", descriptor);
  if (before == nullptr) {  // the one before has been closed
    host.clear_exception();
    return -1;
  }
  const long number = host.as_long(before);
  host.release(before);
  return static_cast<int>(number);
}

// A thread that wants its turn when the interpreter is ending stays here for good, as CPython has
// it from 3.14 on: older versions unwind its stack, which C++ does not survive.
void take_turn(void* thread) {
  if (python().is_ending() != 0) wait_for_ever();
  try {
    python().take_turn(thread);
  } catch (...) {
    wait_for_ever();  // in here: an unwinding of that kind must not be caught and ended
  }
}

}  // namespace

void set_python(const EssentiaMaestPython& functions) { python() = functions; }

PythonPause::PythonPause() {
  if (python().holds_turn != nullptr && python().holds_turn() != 0) {
    thread_ = python().give_turn_away();
  }
}

PythonPause::~PythonPause() {
  if (thread_ != nullptr) take_turn(thread_);
}

void PythonPause::check_signals() {
  if (thread_ == nullptr) return;
  take_turn(std::exchange(thread_, nullptr));
  if (python().check_signals() != 0) {
    python().fetch_exception(&interruption.type, &interruption.value, &interruption.traceback);
    throw Error("interrupted");
  }
  thread_ = python().give_turn_away();
}

WatchedPause::Relayed::Relayed(Stop& interrupt) {
  const EssentiaMaestPython& host = python();
  if (host.holds_turn == nullptr || host.holds_turn() == 0) return;
  if (pthread_equal(pthread_self(), reinterpret_cast<pthread_t>(host.main_thread)) == 0) return;
  relay.emplace(set_wakeup_descriptor, interrupt);
}

WatchedPause::WatchedPause() : relayed_(interrupt_) {
  if (relayed_.relay) pause_.check_signals();  // of what came before
}

Watch WatchedPause::watch() {
  if (!pause_.pausing()) return {};
  return {[this] { pause_.check_signals(); }, &interrupt_};
}

void raise_interruption() {
  const Interruption raised = std::exchange(interruption, {});
  if (raised.type != nullptr) {
    python().restore_exception(raised.type, raised.value, raised.traceback);
  }
}

}  // namespace maest::plugin
