// Computing without the interpreter's lock, safely even while the interpreter ends.
#pragma once

#include <pybind11/pybind11.h>

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

}  // namespace maest::bindings
