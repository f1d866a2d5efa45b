// How many CPUs this process may use.
#pragma once

namespace maest {

// More threads than this are refused, and more segments at once: a number far above the CPUs of any
// machine is a mistake, and the threads would be started before the operating system says so. Not
// the number of CPUs of this machine: a setting that works on one must not fail on a smaller one.
inline constexpr int kMostThreads = 1024;

// The number of threads that a user's `threads` comes to; 0 is all CPUs this process may use.
// Throws `InvalidArgument`.
int checked_threads(int threads);

// The lower of the scheduling affinity and the container's CPU quota (cgroup 1 and 2), at least 1.
int available_cpus();

}  // namespace maest
