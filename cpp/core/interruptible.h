// Long computations that the calling thread can be called away from.
#pragma once

#include <cstddef>
#include <functional>

#include "stop.h"

namespace maest {

// How the calling thread of a long computation is interrupted.
struct Watch {
  // Called in the calling thread between segments. What it throws ends the computation.
  std::function<void()> look = {};
  // For another thread, when there is something to see: after its stop(), `look` is called in a
  // moment, also in the middle of a segment. If that throws nothing, the computation goes on, and
  // `look` is called twenty times a second until it is done.
  Stop* interrupt = nullptr;
};

// As side_by_side, of work that ONNX Runtime does with the `Stops` that it is given: `own`, and the
// watch's. An interrupted piece of work is begun anew. What `look` throws is thrown after
// own.stop().
void compute_watched(std::size_t count, std::size_t threads,
                     const std::function<void(std::size_t, const Stops&)>& work, Stop& own,
                     const Watch& watch);

}  // namespace maest
