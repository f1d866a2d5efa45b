// How many CPUs the control groups of Linux let this process use.
#pragma once

#include <string>

namespace maest {

// The tightest quota of this process's groups and their ancestors, in whole CPUs and rounded up;
// 0 when there is none. `own_groups` is the list of the process's groups, `root` where versions 1
// and 2 are mounted.
int cpus_by_quota(const std::string& own_groups = "/proc/self/cgroup",
                  const std::string& root = "/sys/fs/cgroup");

// The lower of two numbers of CPUs, 0 being no limit.
int smaller_quota(int left, int right);

}  // namespace maest
