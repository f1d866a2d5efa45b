#include "threads.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

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

// 0 when there is no quota.
int cpus_of_quota(double quota, double period) {
  return quota > 0 && period > 0 ? static_cast<int>(std::ceil(quota / period)) : 0;
}

double number_in(const std::string& path) {
  double number = 0;
  std::ifstream(path) >> number;
  return number;
}

// This process's path in the hierarchy, e.g. "/system.slice/job.scope"; "" at the root.
std::string own_group(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {  // "4:cpu,cpuacct:/path", version 2 is "0::/path"
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool wanted = controller.empty()
                            ? names == ",,"
                            : names.find("," + controller + ",") != std::string::npos;
    if (wanted) return line.substr(second + 1) == "/" ? "" : line.substr(second + 1);
  }
  return "";
}

int smaller_quota(int left, int right) {
  if (left == 0) return right;
  if (right == 0) return left;
  return std::min(left, right);
}

// The tightest quota of a group and its ancestors: any of them limits the process.
template <typename ReadQuota>
int tightest_quota(const std::string& root, std::string group, const ReadQuota& read_quota) {
  int tightest = read_quota(root);
  while (!group.empty()) {
    tightest = smaller_quota(tightest, read_quota(root + group));
    group.erase(group.rfind('/'));
  }
  return tightest;
}

int cpus_by_cgroup() {
  const int second = tightest_quota("/sys/fs/cgroup", own_group(""), [](const std::string& folder) {
    std::ifstream file(folder + "/cpu.max");  // "max 100000" or "150000 100000"
    double quota = 0;
    double period = 0;
    return (file >> quota >> period) ? cpus_of_quota(quota, period) : 0;
  });
  const int first =
      tightest_quota("/sys/fs/cgroup/cpu", own_group("cpu"), [](const std::string& folder) {
        return cpus_of_quota(number_in(folder + "/cpu.cfs_quota_us"),
                             number_in(folder + "/cpu.cfs_period_us"));
      });
  return smaller_quota(second, first);
}

}  // namespace

int available_cpus() {
  return std::max(1, smaller_quota(std::max(1, cpus_by_affinity()), cpus_by_cgroup()));
}

}  // namespace maest
