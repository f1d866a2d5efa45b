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

// signal.set_wakeup_fd, whose C function some builds of CPython do not export.
int set_wakeup_descriptor(int descriptor) {
  const py::error_scope kept;
  try {
    static const py::handle set =
        py::object(py::module_::import("signal").attr("set_wakeup_fd")).release();
    return set(descriptor, py::arg("warn_on_full_buffer") = false).cast<int>();
  } catch (const py::error_already_set&) {
    return -1;  // the one before has been closed
  }
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

// Calls `work` with the lock; throws the error that Python has if it gives false.
template <typename Work>
void locked(const Work& work) {
  PyGILState_STATE state{};
  take_lock([&] { state = PyGILState_Ensure(); });
  if (work()) {
    PyGILState_Release(state);
    return;
  }
  py::error_already_set error;
  PyGILState_Release(state);
  throw error;
}

}  // namespace

Unlocked::Unlocked() : state_(PyEval_SaveThread()) {}

Unlocked::~Unlocked() {
  take_lock([this] { PyEval_RestoreThread(state_); });
}

void check_signals() {
  locked([] { return PyErr_CheckSignals() == 0; });
}

void tell(const py::object& whom, bool what) {
  locked([&] {
    PyObject* const given = PyObject_CallOneArg(whom.ptr(), what ? Py_True : Py_False);
    Py_XDECREF(given);
    return given != nullptr;
  });
}

SignalWatch::SignalWatch() {
  const py::object main = py::module_::import("threading").attr("main_thread")();
  if (main.attr("ident").cast<unsigned long>() != PyThread_get_thread_ident()) return;
  relay_.emplace(set_wakeup_descriptor, interrupt_);
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

Watch SignalWatch::watch() {
  if (!relay_) return {};
  return {check_signals, &interrupt_};
}

// The end of the interpreter waits for what such threads have begun.
void register_end(py::module_&) {
  if (Py_AtExit(end_runtime_uses) != 0) throw std::runtime_error("no room for an exit handler");
}

}  // namespace maest::bindings
