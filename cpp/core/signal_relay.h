// Signals that end what ONNX Runtime computes in the thread that is to handle them.
//
// A runtime such as Python's only notes a signal when it comes, and handles it in its main thread,
// later. It can be told to write a byte to a file as well: here a thread waits for it.
#pragma once

#include "stop.h"

namespace maest {

class SignalRelay {
 public:
  // Tells the runtime which descriptor to write to when it notes a signal, -1 for none; returns the
  // one before. Python's signal.set_wakeup_fd.
  using SetDescriptor = int (*)(int descriptor);

  // While it lives, `interrupt` is stopped when a signal comes. What was written to the descriptor
  // that the runtime had before goes there, too. To be made and destroyed where `set` may be
  // called; of several, the last is destroyed first. Does nothing where no thread or pipe is to be
  // had.
  SignalRelay(SetDescriptor set, Stop& interrupt);
  ~SignalRelay();
  SignalRelay(const SignalRelay&) = delete;
  SignalRelay& operator=(const SignalRelay&) = delete;

 private:
  struct Thread;
  static Thread* thread();

  SetDescriptor set_;
  Thread* thread_;
  int descriptor_before_ = -1;
  int forward_before_ = -1;
  Stop* interrupt_before_ = nullptr;
};

}  // namespace maest
