#include "unlocked.h"

#include <unistd.h>

#include <stdexcept>

#include "register.h"
#include "runtime_use.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

bool interpreter_is_ending() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

[[noreturn]] void wait_for_ever() {
  for (;;) pause();
}

// Calls what takes the lock. The interpreter may begin to end while it waits.
template <typename Take>
void take_lock(const Take& take) {
  try {
    if (!interpreter_is_ending()) {
      take();
      return;
    }
    wait_for_ever();
  } catch (...) {
    wait_for_ever();  // the unwinding of a thread that CPython ends: to leave this block aborts
  }
}

}  // namespace

Unlocked::Unlocked() : state_(PyEval_SaveThread()) {}

Unlocked::~Unlocked() {
  take_lock([this] { PyEval_RestoreThread(state_); });
}

void check_signals() {
  PyGILState_STATE state{};
  take_lock([&] { state = PyGILState_Ensure(); });
  const bool interrupted = PyErr_CheckSignals() != 0;
  if (!interrupted) {
    PyGILState_Release(state);
    return;
  }
  py::error_already_set error;
  PyGILState_Release(state);
  throw error;
}

// The end of the interpreter waits for what such threads have begun.
void register_end(py::module_&) {
  if (Py_AtExit(end_runtime_uses) != 0) throw std::runtime_error("no room for an exit handler");
}

}  // namespace maest::bindings
