#include "side_by_side.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <system_error>
#include <vector>

namespace maest {

void side_by_side(std::size_t count, std::size_t threads,
                  const std::function<void(std::size_t)>& work,
                  const std::function<void()>& between) {
  std::atomic<std::size_t> next{0};
  const auto take_turns = [&](const std::function<void()>& after) {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i);
        if (after) after();
      }
    } catch (...) {
      next = count;
      throw;
    }
  };
  std::vector<std::future<void>> others;  // waited for, whatever is thrown
  for (std::size_t i = 1; i < std::min(threads, count); ++i) {
    try {
      others.push_back(std::async(std::launch::async, take_turns, std::function<void()>()));
    } catch (const std::system_error&) {  // no more threads are to be had: fewer do the same work
      break;
    }
  }
  take_turns(between);
  for (std::future<void>& other : others) other.get();
}

}  // namespace maest
