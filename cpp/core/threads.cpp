#include "threads.h"

#include <algorithm>
#include <thread>

#include "cpu_quota.h"

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

int available_cpus() { return smaller_quota(std::max(1, cpus_by_affinity()), cpus_by_quota()); }

}  // namespace maest
