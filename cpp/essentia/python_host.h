// Lives together with the program that hosts us, Python: lets its other threads run while one
// computes, and lets signals, such as Ctrl-C's, end a long computation.
#pragma once

#include "plugin.h"

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

 private:
  void* thread_ = nullptr;  // null when there is no Python, or it is not this thread's turn
};

// Sets the Python exception that ended this thread's last computation, if one did.
void raise_interruption();

}  // namespace maest::plugin
