// How many CPUs this process may use.
#pragma once

namespace maest {

// The lower of the scheduling affinity and the container's CPU quota (cgroup 1 and 2), at least 1.
int available_cpus();

}  // namespace maest
