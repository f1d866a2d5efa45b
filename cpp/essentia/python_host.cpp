#include "python_host.h"

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

}  // namespace

void set_python(const EssentiaMaestPython& functions) { python() = functions; }

PythonPause::PythonPause() {
  if (python().holds_turn != nullptr && python().holds_turn() != 0) {
    thread_ = python().give_turn_away();
  }
}

PythonPause::~PythonPause() {
  if (thread_ != nullptr) python().take_turn(thread_);
}

void PythonPause::check_signals() {
  if (thread_ == nullptr) return;
  python().take_turn(std::exchange(thread_, nullptr));
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
