// Pieces of work done by several threads, none of which waits for the others.
#pragma once

#include <cstddef>
#include <functional>

namespace maest {

// Calls work(0) to work(count - 1), as many at once as there are `threads` (1 or more), of which
// the calling thread is one: each takes the next as soon as it is free. `between` is called in the
// calling thread after each of its own. What the calling thread throws, or else the first other, is
// thrown when all have stopped; work that had not begun by then is left out.
void side_by_side(std::size_t count, std::size_t threads,
                  const std::function<void(std::size_t)>& work,
                  const std::function<void()>& between = {});

// The same, but the calling thread does no work (unless no other thread is to be had): it calls
// `look` twenty times a second, and once at the end. When that throws, it calls `stop`, which is to
// end the work that has begun, and throws it in the end.
void side_by_side_watched(std::size_t count, std::size_t threads,
                          const std::function<void(std::size_t)>& work,
                          const std::function<void()>& look, const std::function<void()>& stop);

}  // namespace maest
