#include "side_by_side.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <system_error>
#include <vector>

namespace maest {
namespace {

constexpr std::chrono::milliseconds kLookEvery{50};

using Others = std::vector<std::future<void>>;  // waited for, whatever is thrown

Others begin_others(std::size_t count, const std::function<void()>& work) {
  Others others;
  for (std::size_t i = 0; i < count; ++i) {
    try {
      others.push_back(std::async(std::launch::async, work));
    } catch (const std::system_error&) {  // no more threads are to be had: fewer do the same work
      break;
    }
  }
  return others;
}

// Work that whoever is free takes, in order.
class Turns {
 public:
  Turns(std::size_t count, const std::function<void(std::size_t)>& work)
      : count_(count), work_(work) {}

  void take(const std::function<void()>& after = {}) {
    try {
      for (std::size_t i = next_++; i < count_; i = next_++) {
        work_(i);
        if (after) after();
      }
    } catch (...) {
      end();
      throw;
    }
  }

  void end() { next_ = count_; }

 private:
  std::size_t count_;
  const std::function<void(std::size_t)>& work_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace

void side_by_side(std::size_t count, std::size_t threads,
                  const std::function<void(std::size_t)>& work,
                  const std::function<void()>& between) {
  if (count == 0) return;
  Turns turns(count, work);
  Others others = begin_others(std::min(threads, count) - 1, [&turns] { turns.take(); });
  turns.take(between);
  for (std::future<void>& other : others) other.get();
}

void side_by_side_watched(std::size_t count, std::size_t threads,
                          const std::function<void(std::size_t)>& work,
                          const std::function<void()>& look, const std::function<void()>& stop) {
  Turns turns(count, work);
  Others others = begin_others(std::min(threads, count), [&turns] { turns.take(); });
  if (others.empty()) turns.take(look);
  std::exception_ptr seen;
  const auto look_once = [&] {
    try {
      look();
    } catch (...) {
      seen = std::current_exception();
      turns.end();
      stop();
    }
  };
  for (const std::future<void>& other : others) {
    while (!seen && other.wait_for(kLookEvery) == std::future_status::timeout) look_once();
    other.wait();
  }
  if (!seen) look_once();
  if (seen) std::rethrow_exception(seen);
  for (std::future<void>& other : others) other.get();
}

}  // namespace maest
