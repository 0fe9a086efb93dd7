#include "base/memory_info.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace qfast {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// A number in a file of its own; nothing for "max", an unreadable or a missing file.
std::optional<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number;
  if (file >> number) return number;
  return std::nullopt;
}

// The number that follows `key` in a file of lines "key number".
std::optional<std::uint64_t> read_field(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) {
      std::istringstream rest(line.substr(key.size()));
      std::uint64_t number;
      if (rest >> number) return number;
    }
  }
  return std::nullopt;
}

bool has_word(const std::string& list, const std::string& word) {  // "rw,cpu,cpuacct" has "cpu"
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

// The path of this process in one hierarchy: lines of /proc/self/cgroup are "id:controllers:path", "0::path" for v2.
std::string cgroup_path(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : has_word(controllers, controller)) return line.substr(second + 1);
  }
  return "/";
}

// Directories of the cgroups that hold this process, innermost first, in the v1 hierarchy of `controller` or, with an
// empty name, in v2.
std::vector<std::string> cgroup_directories(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line), after(line.substr(dash + 3));
    std::string id, parent, device, mount_root, mount_point, type, source, options;
    before >> id >> parent >> device >> mount_root >> mount_point;
    after >> type >> source >> options;
    if (controller.empty() ? type != "cgroup2" : type != "cgroup" || !has_word(options, controller)) continue;

    std::string path = cgroup_path(root, controller);
    // A container may see its own cgroup as the root of the mount: what lies above is cut off the path.
    if (mount_root != "/" && path.starts_with(mount_root)) path = path.substr(mount_root.size());
    std::vector<std::string> directories;
    for (; !path.empty() && path != "/"; path = path.substr(0, path.rfind('/'))) {
      directories.push_back(root + mount_point + path);
    }
    directories.push_back(root + mount_point);
    return directories;
  }
  return {};
}

struct CgroupMemoryFiles {
  const char* controller;
  const char* limit;
  const char* usage;
  const char* reclaimable;  // field of memory.stat: page cache that is dropped before anything is killed
};
constexpr CgroupMemoryFiles kV1{"memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file "};
constexpr CgroupMemoryFiles kV2{"", "/memory.max", "/memory.current", "inactive_file "};

void apply_cgroup_limits(const std::string& root, const CgroupMemoryFiles& files, MemoryInfo& info) {
  for (const std::string& directory : cgroup_directories(root, files.controller)) {
    const std::uint64_t limit = read_number(directory + files.limit).value_or(kNoLimit);
    if (limit >= info.total_bytes) continue;  // v1 writes "no limit" as a huge number
    const std::uint64_t used = read_number(directory + files.usage).value_or(0);
    const std::uint64_t cache = read_field(directory + "/memory.stat", files.reclaimable).value_or(0);
    const std::uint64_t held = used - std::min(used, cache);
    info.limit_bytes = std::min(info.limit_bytes, limit);
    info.available_bytes = std::min(info.available_bytes, limit - std::min(limit, held));
  }
}

// 0: no quota.
double quota_v1(const std::string& root) {
  double quota = 0;
  for (const std::string& directory : cgroup_directories(root, "cpu")) {
    const auto time = read_number(directory + "/cpu.cfs_quota_us");
    const auto period = read_number(directory + "/cpu.cfs_period_us");
    if (!time || !period || *period == 0 || *time > kNoLimit / 2) continue;  // no quota is -1, read modulo 2^64
    const double processors = static_cast<double>(*time) / static_cast<double>(*period);
    quota = quota == 0 ? processors : std::min(quota, processors);
  }
  return quota;
}

double quota_v2(const std::string& root) {
  double quota = 0;
  for (const std::string& directory : cgroup_directories(root, "")) {
    std::ifstream file(directory + "/cpu.max");  // "max 100000" or "150000 100000"
    double time, period;
    if (!(file >> time >> period) || period <= 0) continue;
    quota = quota == 0 ? time / period : std::min(quota, time / period);
  }
  return quota;
}

// The number that an environment variable begins with ("4" of "4,2"), if it is positive.
std::optional<int> positive_variable(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  if (end == text || (*end != '\0' && *end != ',') || number < 1) return std::nullopt;
  return static_cast<int>(std::min<long>(number, std::numeric_limits<int>::max()));
}

// Processors of the machine, whatever this process may use of them.
int online_cpu_count() {
#if defined(__linux__)
  return std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
#else
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#endif
}

// ulimit -v counts what is mapped, whether it is used or not.
void apply_address_space_limit(const std::string& root, MemoryInfo& info) {
#if defined(__linux__)
  rlimit space{};
  if (getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY) return;
  const std::uint64_t limit = space.rlim_cur;
  const std::uint64_t mapped =
      read_number(root + "/proc/self/statm").value_or(0) * static_cast<std::uint64_t>(getpagesize());
  info.limit_bytes = std::min(info.limit_bytes, limit);
  info.available_bytes = std::min(info.available_bytes, limit - std::min(limit, mapped));
#endif
}

}  // namespace

MemoryInfo memory_info(const std::string& root) {
  const std::string meminfo = root + "/proc/meminfo";
  MemoryInfo info;
  info.total_bytes = read_field(meminfo, "MemTotal:").value_or(0) * 1024;
  info.limit_bytes = info.total_bytes;
  info.available_bytes = read_field(meminfo, "MemAvailable:").value_or(0) * 1024;
  apply_cgroup_limits(root, kV1, info);
  apply_cgroup_limits(root, kV2, info);
  if (info.total_bytes > 0) apply_address_space_limit(root, info);
  return info;
}

int affinity_cpu_count() {
#if defined(__linux__)
  for (int capacity = 1024; capacity <= 1 << 20; capacity *= 4) {  // the kernel refuses a set smaller than its own
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(capacity));
    if (set == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(capacity));
    const int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int cgroup_cpu_quota(const std::string& root) {
  const double v1 = quota_v1(root), v2 = quota_v2(root);
  const double quota = v1 == 0 ? v2 : v2 == 0 ? v1 : std::min(v1, v2);
  return quota == 0 ? 0 : std::max(1, static_cast<int>(quota));
}

int default_threads() {
  const int allowed = affinity_cpu_count();
  int threads = allowed;
  if (const int quota = cgroup_cpu_quota(); quota > 0) threads = std::min(threads, quota);
  for (const char* name : {"SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"}) {
    if (const auto number = positive_variable(name)) threads = std::min(threads, *number);
  }
  for (const char* name :
       {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE", "PALS_LOCAL_SIZE"}) {
    const auto ranks = positive_variable(name);
    if (!ranks) continue;
    if (allowed == online_cpu_count()) threads = std::min(threads, std::max(1, allowed / *ranks));
    break;
  }
  return threads;
}

}  // namespace qfast
