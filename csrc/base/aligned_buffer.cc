#include "base/aligned_buffer.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>
#include <string>

#if !defined(_WIN32)
#include <pthread.h>
#include <sys/mman.h>
#endif

#include "base/bits.h"
#include "base/error.h"
#include "base/memory_info.h"

namespace qfast {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Below this the C library's allocator reuses memory quickly by itself.
constexpr std::size_t kSmallestKept = std::size_t{64} << 10;
constexpr std::size_t kMaxKept = 64;
// Reading what the system has left takes some 30 us: not worth it for a buffer that costs less to fill.
constexpr std::size_t kSmallestChecked = std::size_t{16} << 20;

bool is_mapped(std::size_t size_bytes) {
#if defined(_WIN32)
  return false;
#else
  return size_bytes >= kHugePage;
#endif
}

// Only powers of two are kept: states are, and other sizes (batches of states) rarely come again.
bool is_kept_size(std::size_t size_bytes) { return size_bytes >= kSmallestKept && is_power_of_two(size_bytes); }

#if !defined(_WIN32)
std::size_t round_up(std::size_t size, std::size_t unit) { return (size + unit - 1) / unit * unit; }

// The length of the mapping behind a buffer of this size: whole pages of any size the system may have.
std::size_t mapped_bytes(std::size_t size_bytes) { return round_up(size_bytes, std::size_t{64} << 10); }

// Maps one huge page too much, cuts off what lies before the boundary and after the end.
void* map_at_huge_page(std::size_t size_bytes) {
  const std::size_t length = mapped_bytes(size_bytes);
  void* start = mmap(nullptr, length + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(start);
  const std::size_t skip = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (skip != 0) munmap(begin, skip);
  if (skip != kHugePage) munmap(begin + skip + length, kHugePage - skip);
#if defined(MADV_HUGEPAGE)
  madvise(begin + skip, length, MADV_HUGEPAGE);  // a wish: without it the buffer works with small pages
#endif
  return begin + skip;
}
#endif

void* allocate_from_system(std::size_t size_bytes) {
#if !defined(_WIN32)
  if (is_mapped(size_bytes)) return map_at_huge_page(size_bytes);
#endif
  return ::operator new(size_bytes, std::align_val_t{kCacheLine}, std::nothrow);
}

void free_to_system(void* data, std::size_t size_bytes) noexcept {
#if !defined(_WIN32)
  if (is_mapped(size_bytes)) {
    munmap(data, mapped_bytes(size_bytes));
    return;
  }
#endif
  ::operator delete(data, std::align_val_t{kCacheLine});
}

std::string readable_bytes(std::uint64_t bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 6; ++unit) value /= 1024;
  char text[48];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
  return text;
}

[[noreturn]] void throw_capacity(const char* what, std::size_t size_bytes, std::uint64_t available_bytes) {
  throw Error(ErrorKind::kCapacity, std::string(what) + " needs " + std::to_string(size_bytes) + " bytes (" +
                                        readable_bytes(size_bytes) + "); " + std::to_string(available_bytes) +
                                        " bytes (" + readable_bytes(available_bytes) +
                                        ") are available to this process; the largest power of two that fits is " +
                                        readable_bytes(std::bit_floor(available_bytes)) +
                                        ". Use fewer qubits or precision complex64, or free other states");
}

}  // namespace

// Never destroyed: arrays that view a buffer may die after the library's static objects.
struct StateBufferPoolStorage {
  union {
    StateBufferPool pool;
  };
  StateBufferPoolStorage() : pool() {}
  ~StateBufferPoolStorage() {}  // NOLINT: see above

  static void before_fork() { StateBufferPool::instance().mutex_.lock(); }
  static void after_fork_in_parent() { StateBufferPool::instance().mutex_.unlock(); }
  // Writing to a kept buffer would copy its pages; a fresh one costs the same and holds no memory of the parent.
  static void after_fork_in_child() {
    StateBufferPool::instance().trim_locked(0);
    StateBufferPool::instance().mutex_.unlock();
  }
};

namespace {

StateBufferPoolStorage storage;

#if !defined(_WIN32)
[[maybe_unused]] const int fork_handlers =
    pthread_atfork(&StateBufferPoolStorage::before_fork, &StateBufferPoolStorage::after_fork_in_parent,
                   &StateBufferPoolStorage::after_fork_in_child);
#endif

}  // namespace

StateBufferPool& StateBufferPool::instance() { return storage.pool; }

StateBuffer::~StateBuffer() {
  if (data_ != nullptr) StateBufferPool::instance().recycle(data_, size_bytes_);
}

StateBuffer StateBufferPool::allocate(std::size_t size_bytes, const char* what) {
  if (size_bytes == 0)
    throw Error(ErrorKind::kInput, "a state buffer of 0 bytes was asked for; a state has at least 1");
  const std::lock_guard lock(mutex_);
  if (!budget_is_set_) {
    budget_is_set_ = true;
    stats_.budget_bytes = memory_info().limit_bytes / 8;
  }
  const auto same_size = [&](const Kept& kept) { return kept.size_bytes == size_bytes; };
  // The youngest, whose pages are the likeliest to be in the cache.
  if (const auto found = std::find_if(kept_.rbegin(), kept_.rend(), same_size); found != kept_.rend()) {
    void* data = found->data;
    kept_.erase(std::next(found).base());
    stats_.kept_bytes -= size_bytes;
    stats_.reuses += 1;
    count_live_locked(size_bytes);
    return {data, size_bytes, false};
  }
  check_capacity_locked(size_bytes, what);
  void* data = allocate_from_system(size_bytes);
  if (data == nullptr) {
    trim_locked(0);
    data = allocate_from_system(size_bytes);
  }
  if (data == nullptr) throw_capacity(what, size_bytes, memory_info().available_bytes);
  stats_.allocations += 1;
  count_live_locked(size_bytes);
  return {data, size_bytes, is_mapped(size_bytes)};
}

// Kept buffers count as used memory: they go first when the new one would not fit beside them.
void StateBufferPool::check_capacity_locked(std::size_t size_bytes, const char* what) {
  if (size_bytes < kSmallestChecked) return;
  const std::uint64_t available = memory_info().available_bytes;
  if (available == 0 || size_bytes <= available) return;  // 0: the system does not tell
  if (size_bytes > available + stats_.kept_bytes) throw_capacity(what, size_bytes, available + stats_.kept_bytes);
  trim_locked(0);
}

void StateBufferPool::count_live_locked(std::size_t size_bytes) {
  stats_.live_bytes += size_bytes;
  stats_.live_buffers += 1;
  stats_.peak_live_bytes = std::max(stats_.peak_live_bytes, stats_.live_bytes);
}

void StateBufferPool::recycle(void* data, std::size_t size_bytes) noexcept {
  const std::lock_guard lock(mutex_);
  stats_.live_bytes -= size_bytes;
  stats_.live_buffers -= 1;
  if (!is_kept_size(size_bytes) || size_bytes > stats_.budget_bytes) {
    free_to_system(data, size_bytes);
    return;
  }
  trim_locked(stats_.budget_bytes - size_bytes);
  if (kept_.size() == kMaxKept) trim_locked(stats_.kept_bytes - kept_.front().size_bytes);
  try {
    kept_.push_back({data, size_bytes});
    stats_.kept_bytes += size_bytes;
  } catch (const std::bad_alloc&) {
    free_to_system(data, size_bytes);
  }
}

void StateBufferPool::trim(std::size_t keep_bytes) {
  const std::lock_guard lock(mutex_);
  trim_locked(keep_bytes);
}

void StateBufferPool::trim_locked(std::size_t keep_bytes) noexcept {
  std::size_t freed = 0;
  for (; stats_.kept_bytes > keep_bytes; ++freed) {
    free_to_system(kept_[freed].data, kept_[freed].size_bytes);
    stats_.kept_bytes -= kept_[freed].size_bytes;
  }
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(freed));
}

void StateBufferPool::set_budget(std::size_t budget_bytes) {
  const std::lock_guard lock(mutex_);
  budget_is_set_ = true;
  stats_.budget_bytes = budget_bytes;
  trim_locked(budget_bytes);
}

BufferStats StateBufferPool::stats() {
  const std::lock_guard lock(mutex_);
  BufferStats stats = stats_;
  stats.kept_buffers = kept_.size();
  return stats;
}

}  // namespace qfast
