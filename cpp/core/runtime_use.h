// ONNX Runtime in a process that forks or ends while threads of it compute.
//
// A fork copies one thread of many. What the others held stays locked in the child and what waits
// for them waits for ever, so a child uses nothing of its parent's that may depend on them, and
// never releases anything of it.
#pragma once

#include <mutex>

namespace maest {

// Held by a thread while ONNX Runtime computes for it.
class RuntimeUse {
 public:
  // Does not return after end_runtime_uses(), but in the thread that called it.
  RuntimeUse();
  ~RuntimeUse();
  RuntimeUse(const RuntimeUse&) = delete;
  RuntimeUse& operator=(const RuntimeUse&) = delete;
};

// For the end of the process, when threads that nobody waits for may still compute: waits until
// none uses ONNX Runtime (10 s at the most), and lets none but the calling one begin. What they use
// can go then.
void end_runtime_uses();

// To be called once ONNX Runtime has made a session: exit() then begins with end_runtime_uses(),
// before ONNX Runtime's own exit handlers. Calls after the first do nothing.
void end_runtime_uses_at_exit();

// To be called once ONNX Runtime is loaded: a process forked from this one then ends without
// ONNX Runtime's exit handlers, and so without those that were registered before the fork: they
// wait for threads that only the parent has. Calls after the first do nothing.
void outlive_forks();

// How often this process and its forebears were forked since outlive_forks(): in a child it is
// another number than whatever its parent made was made with.
unsigned fork_generation();

// A mutex that is not locked in a forked process, whoever held it in its parent.
std::mutex& fork_safe_mutex();

// Whether no thread was computing when processes were forked since `generation`.
bool forked_at_rest(unsigned generation);

}  // namespace maest
