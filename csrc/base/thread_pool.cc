#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>
#include <thread>

#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#endif

#include "base/flush_denormals.h"
#include "base/memory_info.h"

namespace qfast {
namespace {

// How long an idle worker, or the caller at the end of a region, looks for news before it sleeps. A sleeping thread
// needs about 50 us to wake up, so spinning longer than that loses more than it saves.
constexpr std::chrono::microseconds kSpinTime{50};
constexpr int kPausesPerLook = 16;  // between two looks at the clock; a pause is 10 to 50 ns
constexpr int kBarrierPauses = 2000;

// Returns true as soon as `done()`; false after kSpinTime, or at once where spinning would keep others from running.
template <class Done>
bool spin_until(const Done& done, bool crowded) {
  if (done()) return true;
  if (crowded) return false;
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      spin_pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

int num_processors() {
  static const int count = affinity_cpu_count();
  return count;
}

}  // namespace

void SpinBarrier::wait_past(std::uint32_t round) const noexcept {
  if (parties_ <= num_processors()) {
    for (int i = 0; i < kBarrierPauses; ++i) {
      if (round_.load(std::memory_order_acquire) != round) return;
      spin_pause();
    }
  }
  while (round_.load(std::memory_order_acquire) == round) std::this_thread::yield();
}

// What one worker waits on: the number of regions it was called to.
struct alignas(64) ThreadPool::Slot {
  std::atomic<std::uint32_t> calls{0};
};

struct ThreadPoolStorage {
  union {
    ThreadPool pool;  // never destroyed: at exit its threads may still wait on it
  };
  constexpr ThreadPoolStorage() : pool() {}
  ~ThreadPoolStorage() {}  // NOLINT: see above

  // fork() copies only the thread that calls it: the threads, waiters and the busy flag of the copied pool belong to
  // threads that the child does not have. It begins anew in the same place; the old slots are leaked.
  static void reset_after_fork() noexcept;
};

namespace {

constinit ThreadPoolStorage storage;

#if !defined(_WIN32)
// When the library is loaded, not at first use: first use may be while another thread forks.
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, &ThreadPoolStorage::reset_after_fork);
#endif

}  // namespace

void ThreadPoolStorage::reset_after_fork() noexcept { new (&storage.pool) ThreadPool; }

ThreadPool& ThreadPool::instance() { return storage.pool; }

// Workers are woken along a binary tree, each by its parent, so that many threads start in few steps.
void ThreadPool::wake_children(int worker) noexcept {
  for (int child = 2 * worker + 1; child <= 2 * worker + 2 && child < num_workers_; ++child) {
    slots_[child]->calls.fetch_add(1, std::memory_order_release);
    slots_[child]->calls.notify_one();
  }
}

void ThreadPool::work(int worker, Slot& slot) noexcept {
  const FlushDenormals flush_denormals;
  const auto called = [&](std::uint32_t seen) { return slot.calls.load(std::memory_order_acquire) != seen; };
  for (std::uint32_t seen = 0;; ++seen) {
    while (!spin_until([&] { return called(seen); }, num_started() >= num_processors()) && !called(seen)) {
      slot.calls.wait(seen, std::memory_order_acquire);
    }
    wake_children(worker);
    (*region_)(worker, num_workers_, *barrier_);
    if (still_running_.fetch_sub(1, std::memory_order_acq_rel) == 1) still_running_.notify_one();
  }
}

// Called by the one thread that holds busy_.
void ThreadPool::start_threads(int wanted) noexcept {
  wanted = std::min(wanted, kMaxThreads - 1);
#if !defined(_WIN32)
  sigset_t all_signals, previous;  // signals are for the program's own threads: Python's handler runs in the main one
  sigfillset(&all_signals);
  pthread_sigmask(SIG_SETMASK, &all_signals, &previous);
#endif
  while (num_started() < wanted) {
    const int worker = num_started() + 1;
    Slot* slot = new (std::nothrow) Slot;
    if (slot == nullptr) break;
    slots_[worker] = slot;
    try {
      std::thread([this, worker, slot] { work(worker, *slot); }).detach();
    } catch (const std::system_error&) {  // the system has no thread left: the region runs with those there are
      delete slot;
      slots_[worker] = nullptr;
      break;
    }
    num_started_.store(worker, std::memory_order_relaxed);
  }
#if !defined(_WIN32)
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
#endif
}

void ThreadPool::parallel_region(int threads, Region region) noexcept {
  const FlushDenormals flush_denormals;
  const bool alone = threads <= 1 || busy_.exchange(true, std::memory_order_acquire);
  if (!alone && num_started() < threads - 1) start_threads(threads - 1);
  const int num_workers = alone ? 1 : std::min(threads, num_started() + 1);

  SpinBarrier barrier(num_workers);
  if (num_workers == 1) {
    region(0, 1, barrier);
  } else {
    region_ = &region;
    barrier_ = &barrier;
    num_workers_ = num_workers;
    still_running_.store(num_workers - 1, std::memory_order_relaxed);
    wake_children(0);
    region(0, num_workers, barrier);
    const auto finished = [&] { return still_running_.load(std::memory_order_acquire) == 0; };
    spin_until(finished, num_workers > num_processors());
    for (int left; (left = still_running_.load(std::memory_order_acquire)) != 0;) {
      still_running_.wait(left, std::memory_order_acquire);
    }
  }
  if (!alone) busy_.store(false, std::memory_order_release);
}

}  // namespace qfast
