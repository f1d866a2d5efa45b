#include "python_host.h"

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

void raise_interruption() {
  const Interruption raised = std::exchange(interruption, {});
  if (raised.type != nullptr) {
    python().restore_exception(raised.type, raised.value, raised.traceback);
  }
}

}  // namespace maest::plugin
