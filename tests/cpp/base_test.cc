// Tests of csrc/base. Built with AddressSanitizer and with ThreadSanitizer too (CMake presets asan, tsan).
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/bits.h"
#include "base/cpu_features.h"
#include "base/error.h"
#include "base/memory_info.h"
#include "base/philox.h"
#include "check.h"

using namespace qfast;

namespace {

// --- bits and Philox ----------------------------------------------------------------------------------------------

static_assert(insert_zero_bit(0b1011, 2) == 0b10011);
static_assert(insert_zero_bit(0b1011, 0) == 0b10110);
static_assert(insert_zero_bits(0b111, std::array{0, 2}) == 0b11010);
static_assert(deposit_bits(0b101, 0b11010) == 0b10010);
static_assert(extract_bits(0b10010, 0b11010) == 0b101);
static_assert(gather_bits(0b100, std::array{2, 0}) == 0b01);
static_assert(scatter_bits(0b01, std::array{2, 0}) == 0b100);
static_assert(low_mask(0) == 0 && low_mask(64) == ~0ull && low_mask(3) == 7);
static_assert(parity(0b1011) == 1 && parity(0b11) == 0);
static_assert(log2_exact(1ull << 40) == 40 && is_power_of_two(64) && !is_power_of_two(0) && !is_power_of_two(6));

TEST(extract_undoes_deposit_for_random_masks) {
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t mask = philox_bits53(1, i, 0), source = philox_bits53(2, i, 0);
    const int width = std::popcount(mask);
    CHECK(extract_bits(deposit_bits(source, mask), mask) == (source & low_mask(width)));
  }
}

// kat_vectors of the Random123 library, version 1.14.
static_assert(philox4x32_10({0, 0, 0, 0}, {0, 0}) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(philox4x32_10({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) ==
              PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
// The key's low word is the seed's low word; the counter holds shot and site, low words first.
static_assert(philox_block(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e) ==
              PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
static_assert(philox_uniform(0, 0, 0) == ((0x6627e8d5u >> 5) * 67108864.0 + (0xe169c58du >> 6)) / 9007199254740992.0);

// --- processor and machine ----------------------------------------------------------------------------------------

TEST(isa_names_round_trip_and_unknown_names_are_refused) {
  for (Isa isa : available_isas()) CHECK(isa_from_name(isa_name(isa)) == isa);
  CHECK(isa_available(Isa::kBaseline));
  CHECK(available_isas().front() == Isa::kBaseline);
  try {
    isa_from_name("sse9");
    CHECK(!"sse9 was accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kEngine);
    CHECK(std::string(error.what()).find("'sse9'") != std::string::npos);
  }
}

// The choice is made once in a process, so each value of the variable needs a process of its own.
int exit_code_with_isa(const char* value) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("QFAST_ISA", value, 1);
    try {
      _exit(static_cast<int>(default_isa()));
    } catch (const Error& error) {
      _exit(error.kind() == ErrorKind::kEngine ? 50 : 51);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(the_environment_forces_an_isa_or_is_refused) {
  CHECK(exit_code_with_isa("baseline") == 0);
  CHECK(exit_code_with_isa("") == static_cast<int>(available_isas().back()));
  CHECK(exit_code_with_isa("avx1024") == 50);
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    CHECK(exit_code_with_isa(std::string(isa_name(isa)).c_str()) == (isa_available(isa) ? static_cast<int>(isa) : 50));
  }
}

class FakeRoot {
 public:
  FakeRoot() {
    char name[] = "/tmp/qfast-test-XXXXXX";
    path_ = mkdtemp(name);
    write("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB\n");
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  void write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path_ + file).parent_path());
    std::ofstream(path_ + file) << text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr std::uint64_t kGiB = 1ull << 30;

TEST(without_cgroups_the_limits_are_the_machines) {
  const FakeRoot root;
  const MemoryInfo info = memory_info(root.path());
  CHECK(info.total_bytes == 16 * kGiB && info.limit_bytes == 16 * kGiB && info.available_bytes == 8 * kGiB);
  CHECK(cgroup_cpu_quota(root.path()) == 0);
}

TEST(the_tightest_cgroup_v2_above_the_process_counts) {
  FakeRoot root;
  root.write("/proc/self/cgroup", "0::/job/step\n");
  root.write("/proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n");
  root.write("/sys/fs/cgroup/job/step/memory.max", "max\n");
  root.write("/sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
  root.write("/sys/fs/cgroup/job/memory.max", "4294967296\n");
  root.write("/sys/fs/cgroup/job/memory.current", "2147483648\n");
  root.write("/sys/fs/cgroup/job/memory.stat", "active_file 5\ninactive_file 1073741824\n");
  root.write("/sys/fs/cgroup/job/cpu.max", "350000 100000\n");
  const MemoryInfo info = memory_info(root.path());
  CHECK(info.limit_bytes == 4 * kGiB);
  CHECK(info.available_bytes == 3 * kGiB);
  CHECK(cgroup_cpu_quota(root.path()) == 3);
}

TEST(cgroup_v1_in_a_container_that_sees_its_own_root) {
  FakeRoot root;
  root.write("/proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc/inner\n");
  root.write("/proc/self/mountinfo",
             "33 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
             "34 31 0:31 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n");
  root.write("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  root.write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "268435456\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  const MemoryInfo info = memory_info(root.path());
  CHECK(info.limit_bytes == kGiB);
  CHECK(info.available_bytes == kGiB / 4 * 3);
  CHECK(cgroup_cpu_quota(root.path()) == 1);
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  CHECK(cgroup_cpu_quota(root.path()) == 0);
}

TEST(this_machine_has_memory_processors_and_a_name) {
  const MemoryInfo info = memory_info();
  CHECK(info.available_bytes > 0 && info.available_bytes <= info.limit_bytes && info.limit_bytes <= info.total_bytes);
  CHECK(affinity_cpu_count() >= 1);
  CHECK(!cpu_info().model.empty());
}

TEST(slurm_lowers_the_default_threads) {
  setenv("SLURM_CPUS_PER_TASK", "1", 1);
  CHECK(default_threads() == 1);
  setenv("SLURM_CPUS_PER_TASK", "nonsense", 1);
  CHECK(default_threads() >= 1);
  unsetenv("SLURM_CPUS_PER_TASK");
}

// --- state buffers ------------------------------------------------------------------------------------------------

StateBufferPool& buffers() { return StateBufferPool::instance(); }

TEST(buffers_are_aligned) {
  buffers().trim();
  for (int log2_bytes = 0; log2_bytes <= 24; ++log2_bytes) {
    const std::size_t size = std::size_t{1} << log2_bytes;
    const StateBuffer buffer = buffers().allocate(size);
    const auto address = reinterpret_cast<std::uintptr_t>(buffer.data());
    CHECK(address % (size >= (2 << 20) ? 2 << 20 : 64) == 0);
    CHECK(buffer.size_bytes() == size);
    static_cast<char*>(buffer.data())[0] = static_cast<char*>(buffer.data())[size - 1] = 1;
  }
}

TEST(fresh_large_buffers_are_zero_and_dead_ones_come_back) {
  buffers().trim();
  void* address = nullptr;
  {
    const StateBuffer buffer = buffers().allocate(4 << 20);
    address = buffer.data();
    const char* bytes = static_cast<const char*>(address);
    CHECK(buffer.is_zero());
    CHECK(std::all_of(bytes, bytes + buffer.size_bytes(), [](char byte) { return byte == 0; }));
    CHECK(buffers().stats().kept_bytes == 0);
  }
  CHECK(buffers().stats().kept_bytes == 4 << 20);
  const std::uint64_t reuses = buffers().stats().reuses;
  const StateBuffer again = buffers().allocate(4 << 20);
  CHECK(again.data() == address && !again.is_zero());
  CHECK(buffers().stats().reuses == reuses + 1 && buffers().stats().kept_bytes == 0);
}

TEST(the_budget_bounds_what_is_kept_and_the_oldest_go_first) {
  buffers().trim();
  const std::size_t budget = buffers().stats().budget_bytes;
  buffers().set_budget(6 << 20);
  { const StateBuffer a = buffers().allocate(4 << 20); }
  { const StateBuffer b = buffers().allocate(2 << 20); }
  CHECK(buffers().stats().kept_bytes == 6 << 20);
  { const StateBuffer c = buffers().allocate(1 << 20); }
  CHECK(buffers().stats().kept_bytes == 3 << 20);
  { const StateBuffer d = buffers().allocate(8 << 20); }  // more than the whole budget
  CHECK(buffers().stats().kept_bytes == 3 << 20);
  buffers().set_budget(0);
  CHECK(buffers().stats().kept_bytes == 0 && buffers().stats().kept_buffers == 0);
  buffers().set_budget(budget);
}

TEST(other_sizes_than_powers_of_two_are_served_and_not_kept) {
  buffers().trim();
  for (std::size_t size : {std::size_t{100}, std::size_t{3} << 16, (std::size_t{5} << 20) + 16}) {
    const StateBuffer buffer = buffers().allocate(size);
    std::memset(buffer.data(), 1, size);
    CHECK(buffer.size_bytes() == size);
  }
  CHECK(buffers().stats().kept_buffers == 0);
}

TEST(moving_a_buffer_leaves_one_owner) {
  const std::uint64_t live = buffers().stats().live_buffers;
  StateBuffer a = buffers().allocate(128);
  StateBuffer b = std::move(a);
  CHECK(!a && b);
  b = StateBuffer();
  CHECK(!b && buffers().stats().live_buffers == live);
}

TEST(what_does_not_fit_is_refused_with_the_numbers) {
  try {
    buffers().allocate(std::size_t{1} << 52);
    CHECK(!"4 PiB were given");
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(error.kind() == ErrorKind::kCapacity);
    CHECK(message.find("4503599627370496 bytes (4.00 PiB)") != std::string::npos);
    CHECK(message.find("largest power of two that fits") != std::string::npos);
  }
}

TEST(buffers_are_safe_from_many_threads) {
  std::vector<std::thread> users;
  for (int i = 0; i < 8; ++i) {
    users.emplace_back([] {
      for (int repetition = 0; repetition < 200; ++repetition) {
        const StateBuffer buffer = buffers().allocate(std::size_t{1} << (14 + repetition % 4));
        static_cast<char*>(buffer.data())[repetition] = 1;
      }
    });
  }
  for (std::thread& user : users) user.join();
  CHECK(buffers().stats().live_bytes == 0);
}

}  // namespace
