// Computing without the interpreter's lock, safely even while the interpreter ends.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "interruptible.h"
#include "signal_relay.h"

namespace maest::bindings {

// Frees the lock while it lives. A daemon thread that wants it back when the interpreter is ending
// is stopped here for good, as CPython does from 3.14 on: older versions unwind its stack, which
// no C++ frame below may survive.
class Unlocked {
 public:
  Unlocked();
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

// Lets Ctrl-C end a long call: Python's handlers run only when asked. To be called without the
// lock.
void check_signals();

// Calls something of Python's with true or false; throws what it raises. To be called without the
// lock.
void tell(const pybind11::object& whom, bool what);

// Lets Ctrl-C end a computation, in a moment, while it lives; to be made and destroyed with the
// lock. Does nothing in threads other than the main one, where Python has its handlers run.
class SignalWatch {
 public:
  // Throws what a handler raises of a signal that came before.
  SignalWatch();

  // For the computation, which does not hold the lock.
  Watch watch();

 private:
  Stop interrupt_;
  std::optional<SignalRelay> relay_;
};

}  // namespace maest::bindings
