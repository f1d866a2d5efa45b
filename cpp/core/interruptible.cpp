#include "interruptible.h"

#include <vector>

#include "error.h"
#include "side_by_side.h"

namespace maest {

void compute_watched(std::size_t count, std::size_t threads,
                     const std::function<void(std::size_t, const Stops&)>& work, Stop& own,
                     const Watch& watch) {
  std::vector<char> done(count);  // not of bool: each thread writes its own byte
  const auto look = [&] {
    try {
      watch.look();
    } catch (...) {
      own.stop();
      throw;
    }
  };
  const auto compute = [&](std::size_t i) {
    work(i, {&own, watch.interrupt});
    done[i] = 1;
  };
  try {
    side_by_side(count, threads, compute, watch.look ? look : std::function<void()>());
    return;
  } catch (const Stopped&) {
    if (own.stopped() || watch.interrupt == nullptr || !watch.interrupt->stopped()) throw;
  }
  watch.interrupt->reset();
  look();
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < count; ++i) {
    if (done[i] == 0) left.push_back(i);
  }
  const auto compute_left = [&](std::size_t i) { work(left[i], {&own, nullptr}); };
  side_by_side_watched(left.size(), threads, compute_left, watch.look, [&own] { own.stop(); });
}

}  // namespace maest
