// The one thread pool of the process. A plan runs in one parallel region: every worker executes the same function and
// they meet at spin barriers, so a region costs a few microseconds and nothing is allocated.
//
// The pool serves one region at a time. A second caller does not wait: its region runs with one worker, itself. No
// result may depend on the number of workers.
//
// Threads start at the first region that needs them, sleep when idle, and do not survive fork(): the child starts
// with an empty pool.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/function_ref.h"
#include "base/types.h"

namespace qfast {

// Tells the processor that this is a spin loop.
inline void spin_pause() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // `yield` is a no-op on most cores; isb takes about as long as x86's pause
#endif
}

// A barrier for a fixed number of workers that all run at the same time. Waiting spins; after a while, or at once
// where there are more workers than processors, it gives the processor away between two looks.
class QFAST_API SpinBarrier {
 public:
  explicit SpinBarrier(int parties) : parties_(parties) {}
  SpinBarrier(const SpinBarrier&) = delete;
  SpinBarrier& operator=(const SpinBarrier&) = delete;

  // Everything written before it by any worker is visible after it to every worker.
  void arrive_and_wait() noexcept {
    if (parties_ == 1) return;
    const std::uint32_t round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == parties_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
    } else {
      wait_past(round);
    }
  }

 private:
  void wait_past(std::uint32_t round) const noexcept;

  const int parties_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> round_{0};
};

class QFAST_API ThreadPool {
 public:
  using Region = FunctionRef<void(int worker, int num_workers, SpinBarrier& barrier)>;

  static ThreadPool& instance();

  // Runs region(worker, num_workers, barrier) on num_workers threads at once, of which the caller is worker 0, and
  // returns when all have finished. num_workers is `threads` if the pool is free and has that many threads, less if
  // the system gives it fewer, and 1 if another region is running (a region inside a region, for one). Denormals are
  // flushed to zero inside. An exception that leaves the region ends the process.
  void parallel_region(int threads, Region region) noexcept;

  // Threads started so far, the callers not counted.
  int num_started() const noexcept { return num_started_.load(std::memory_order_relaxed); }

  static constexpr int kMaxThreads = 1024;

 private:
  struct Slot;
  friend struct ThreadPoolStorage;
  constexpr ThreadPool() = default;

  void start_threads(int wanted) noexcept;
  void wake_children(int worker) noexcept;
  void work(int worker, Slot& slot) noexcept;

  std::atomic<bool> busy_{false};
  std::atomic<int> num_started_{0};
  Slot* slots_[kMaxThreads] = {};  // by worker; [0], the caller, stays null
  // The running region; written by the caller before the first wake, read by those who are woken.
  const Region* region_ = nullptr;
  SpinBarrier* barrier_ = nullptr;
  int num_workers_ = 0;
  alignas(64) std::atomic<int> still_running_{0};
};

// Calls body(first, last) on pieces of [0, count) of at most `grain` items, in no fixed order, on up to `threads`
// threads. With few pieces or one thread nothing is woken.
template <class Body>
void parallel_for(int threads, std::int64_t count, std::int64_t grain, const Body& body) {
  const std::int64_t pieces = (count + grain - 1) / grain;
  std::atomic<std::int64_t> next{0};
  ThreadPool::instance().parallel_region(
      static_cast<int>(pieces < threads ? pieces : threads), [&](int, int, SpinBarrier&) {
        for (;;) {
          const std::int64_t first = next.fetch_add(grain, std::memory_order_relaxed);
          if (first >= count) return;
          body(first, first + grain < count ? first + grain : count);
        }
      });
}

}  // namespace qfast
