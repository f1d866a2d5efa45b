#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "side_by_side.h"
#include "throws.h"

using maest::side_by_side;
using maest::side_by_side_watched;

TEST(SideBySide, all_work_is_done_once_by_no_more_threads_than_allowed) {
  for (const std::size_t count : {0U, 1U, 2U, 17U}) {
    for (const std::size_t threads : {1U, 3U, 40U}) {
      std::vector<std::atomic<int>> done(count);
      std::atomic<int> working{0};
      std::atomic<int> most{0};
      side_by_side(count, threads, [&](std::size_t i) {
        const int now = ++working;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        ++done[i];
        --working;
      });
      for (const std::atomic<int>& times : done) EXPECT_EQ(times.load(), 1);
      EXPECT_TRUE(most.load() <= static_cast<int>(std::min(threads, count)));
    }
  }
}

TEST(SideBySide, no_thread_waits_for_a_slow_neighbour) {
  std::atomic<std::size_t> done{0};
  side_by_side(9, 2, [&](std::size_t i) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    // The first piece of work ends when all others have: whoever waited for it would never end.
    while (i == 0 && done < 8 && std::chrono::steady_clock::now() < patience) {
      std::this_thread::yield();
    }
    if (i == 0) {
      EXPECT_EQ(done.load(), std::size_t{8});
    }
    ++done;
  });
  EXPECT_EQ(done.load(), std::size_t{9});
}

TEST(SideBySide, between_is_called_in_the_calling_thread) {
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> own{0};
  int calls = 0;
  side_by_side(
      50, 3,
      [&](std::size_t) {
        if (std::this_thread::get_id() == caller) ++own;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      },
      [&] {
        EXPECT_TRUE(std::this_thread::get_id() == caller);
        ++calls;
      });
  EXPECT_EQ(calls, own.load());
}

TEST(SideBySide, what_is_thrown_ends_the_rest) {
  for (const std::size_t threads : {1U, 2U}) {
    std::atomic<int> begun{0};
    const auto fail = [&](std::size_t i) {
      ++begun;
      if (i == 3) throw std::runtime_error("the fourth");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    };
    EXPECT_THROWS(side_by_side(1000, threads, fail), std::runtime_error, "the fourth");
    EXPECT_TRUE(begun.load() < 500);
  }
  std::atomic<int> begun{0};
  const auto work = [&](std::size_t) { ++begun; };
  const auto interrupt = [] { throw std::runtime_error("Ctrl-C"); };
  EXPECT_THROWS(side_by_side(1000, 1, work, interrupt), std::runtime_error, "Ctrl-C");
  EXPECT_EQ(begun.load(), 1);
}

TEST(SideBySide, a_watching_thread_looks_while_others_work) {
  const std::thread::id caller = std::this_thread::get_id();
  const auto nothing = [] {};
  for (const std::size_t threads : {1U, 3U}) {
    std::atomic<int> looks{0};
    const auto work = [&](std::size_t) {
      EXPECT_TRUE(std::this_thread::get_id() != caller);
      // Ends when the calling thread has looked: whoever only looked between would never.
      const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (looks == 0 && std::chrono::steady_clock::now() < patience) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    };
    const auto look = [&] {
      EXPECT_TRUE(std::this_thread::get_id() == caller);
      ++looks;
    };
    side_by_side_watched(5, threads, work, look, nothing);
    EXPECT_TRUE(looks >= 2);  // while they work, and at the end
  }
  int looks = 0;
  side_by_side_watched(3, 2, [](std::size_t) {}, [&] { ++looks; }, nothing);
  EXPECT_EQ(looks, 1);  // quick work is looked after as well
}

TEST(SideBySide, what_a_look_throws_stops_work) {
  std::atomic<bool> stopped{false};
  std::atomic<int> ended{0};
  const auto work = [&](std::size_t) {
    while (!stopped) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ++ended;
    throw std::runtime_error("stopped");  // not what is told
  };
  const auto interrupt = [] { throw std::runtime_error("Ctrl-C"); };
  EXPECT_THROWS(side_by_side_watched(1000, 2, work, interrupt, [&] { stopped = true; }),
                std::runtime_error, "Ctrl-C");
  EXPECT_EQ(ended.load(), 2);  // nothing goes on behind the caller's back
}
