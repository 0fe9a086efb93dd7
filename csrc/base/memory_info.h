// What of the machine this process may use: memory under its cgroup, processors under its affinity mask and quota.
#pragma once

#include <cstdint>
#include <string>

#include "base/types.h"

namespace qfast {

struct MemoryInfo {
  std::uint64_t total_bytes = 0;  // of the machine
  std::uint64_t limit_bytes = 0;  // the tightest of the machine, the cgroups above this process (v1 and v2), ulimit -v
  std::uint64_t available_bytes = 0;  // can still be allocated without swapping or being killed
};

// Reads /proc and /sys below `root`, which tests replace. All zero where the system does not tell.
QFAST_API MemoryInfo memory_info(const std::string& root = "");

// Processors in the affinity mask of this process; at least 1.
QFAST_API int affinity_cpu_count();

// Processors that the CPU quota of the cgroups allows, rounded down (a worker that runs out of quota holds up all the
// others at the next barrier) but at least 1; 0 if there is no quota.
QFAST_API int cgroup_cpu_quota(const std::string& root = "");

// min(affinity, quota, SLURM_CPUS_PER_TASK, OMP_NUM_THREADS), at least 1; for MPI ranks that are not bound, the
// processors divided by the ranks of the node. Variables that are no positive numbers are ignored: they are the batch
// system's or meant for others. `cpu_limit` in src/qfast/config/machine.py reads the same.
QFAST_API int default_threads();

}  // namespace qfast
