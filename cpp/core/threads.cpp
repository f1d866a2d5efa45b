#include "threads.h"

#include <algorithm>
#include <thread>

#include "cpu_quota.h"
#include "error.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace maest {
namespace {

int cpus_by_affinity() {
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int checked_threads(int threads) {
  if (threads < 0 || threads > kMostThreads) {
    throw InvalidArgument(message("num_threads is ", threads, "; wanted is 1 to ", kMostThreads,
                                  ", or 0 for all CPUs this process may use"));
  }
  return threads == 0 ? available_cpus() : threads;
}

int available_cpus() { return smaller_quota(std::max(1, cpus_by_affinity()), cpus_by_quota()); }

}  // namespace maest
