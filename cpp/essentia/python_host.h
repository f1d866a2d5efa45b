// Lives together with the program that hosts us, Python: lets its other threads run while one
// computes, and lets signals, such as Ctrl-C's, end a long computation.
#pragma once

#include <optional>

#include "interruptible.h"
#include "plugin.h"
#include "signal_relay.h"

namespace maest::plugin {

void set_python(const EssentiaMaestPython& python);

// While it lives, other Python threads run. Nothing that they may change is to be touched
// meanwhile. Does nothing where there is no Python.
class PythonPause {
 public:
  PythonPause();
  ~PythonPause();
  PythonPause(const PythonPause&) = delete;
  PythonPause& operator=(const PythonPause&) = delete;

  // Runs Python's signal handlers. Throws `Error` when one raises an exception, which is kept for
  // raise_interruption: Essentia would replace it by a RuntimeError.
  void check_signals();

  // Whether other threads run: there is a Python, and it was this thread's turn.
  bool pausing() const { return thread_ != nullptr; }

 private:
  void* thread_ = nullptr;  // null when there is no Python, or it is not this thread's turn
};

// A pause in which signals end a computation, in a moment. In threads other than Python's main one,
// where handlers do not run, it is a pause and no more.
class WatchedPause {
 public:
  // Throws `Error` as check_signals, for a signal that came before.
  WatchedPause();

  // For the computation.
  Watch watch();

 private:
  // From Python's turn to Python's turn.
  struct Relayed {
    explicit Relayed(Stop& interrupt);
    std::optional<SignalRelay> relay;
  };

  Stop interrupt_;
  Relayed relayed_;
  PythonPause pause_;
};

// Sets the Python exception that ended this thread's last computation, if one did.
void raise_interruption();

}  // namespace maest::plugin
