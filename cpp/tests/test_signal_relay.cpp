#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "ort_library.h"
#include "signal_relay.h"

using maest::SignalRelay;
using maest::Stop;

namespace {

// What a runtime writes signals to.
int descriptor = -1;

int set_descriptor(int fresh) {
  const int before = descriptor;
  descriptor = fresh;
  return before;
}

void note_signal() {
  const char number = 2;
  EXPECT_EQ(write(descriptor, &number, 1), 1);
}

bool soon_stopped(const Stop& stop) {
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!stop.stopped() && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return stop.stopped();
}

}  // namespace

TEST(SignalRelay, a_signal_stops_while_it_lives) {
  for (int round = 0; round < 3; ++round) {
    Stop stop;
    {
      const SignalRelay relay(set_descriptor, stop);
      EXPECT_FALSE(stop.stopped());
      note_signal();
      EXPECT_TRUE(soon_stopped(stop));
    }
    EXPECT_EQ(descriptor, -1);
  }
}

TEST(SignalRelay, whoever_was_told_before_is_told) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  set_descriptor(ends[1]);
  for (int round = 0; round < 100; ++round) {
    Stop stop;
    {
      const SignalRelay relay(set_descriptor, stop);
      note_signal();
    }
    EXPECT_TRUE(stop.stopped());  // by now at the latest
    EXPECT_EQ(descriptor, ends[1]);
    char number = 0;
    EXPECT_EQ(read(ends[0], &number, 1), 1);
    EXPECT_EQ(number, 2);
  }
  set_descriptor(-1);
  close(ends[0]);
  close(ends[1]);
}

TEST(SignalRelay, computations_within_a_handler_have_their_own) {
  Stop outer;
  Stop inner;
  const SignalRelay waiting(set_descriptor, outer);
  {
    const SignalRelay computing(set_descriptor, inner);
    note_signal();
    EXPECT_TRUE(soon_stopped(inner));
    EXPECT_FALSE(outer.stopped());
  }
  note_signal();
  EXPECT_TRUE(soon_stopped(outer));
}

TEST(SignalRelay, another_descriptor_that_a_handler_sets_stays) {
  Stop stop;
  {
    const SignalRelay relay(set_descriptor, stop);
    set_descriptor(1);
  }
  EXPECT_EQ(set_descriptor(-1), 1);
}
