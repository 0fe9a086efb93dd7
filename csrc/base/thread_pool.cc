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
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "base/assert.h"
#include "base/memory_info.h"

namespace qfast {
namespace {

// How long an idle worker, or the caller at the end, looks for news before it sleeps. A sleeping thread needs about
// 50 us to wake up, and waking it costs the waker 20.
constexpr std::int64_t kSpinNs = 100'000, kSpinInTeamNs = 200'000;
constexpr int kPausesPerLook = 16;  // between two looks at the clock; a pause is 10 to 50 ns

// The account of what workers bring. Beside a busy process a worker works for its turn, some milliseconds, and then
// keeps the caller waiting for as long: what it may owe after having paid well is limited, so that the next such wait
// sends it away.
constexpr std::int64_t kMostCreditNs = 1'000'000;
constexpr std::int64_t kMostDebtNs = 200'000;  // waking a worker for the first time costs some tens of us
constexpr std::int64_t kLeastBackoffNs = 2'000'000, kMostBackoffNs = 256'000'000;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Returns true as soon as `done()`; false after `patience()` nanoseconds, or at once where spinning would keep others
// from running.
template <class Done, class Patience>
bool spin_until(const Done& done, bool crowded, const Patience& patience) {
  if (done()) return true;
  if (crowded) return false;
  const std::int64_t begin = now_ns();
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      spin_pause();
    }
  } while (now_ns() < begin + patience());
  return false;
}

// Sleeping while a word has a value, for some milliseconds at most, and waking who sleeps: std::atomic knows no time.
#if defined(__linux__)
void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  const timespec most{0, 10'000'000};
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_PRIVATE, value, &most, nullptr, 0);
}
void wake_one(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}
#else
void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  if (word.load() == value) std::this_thread::sleep_for(std::chrono::microseconds(200));
}
void wake_one(std::atomic<std::uint32_t>&) {}
#endif

int num_processors() {
  static const int count = affinity_cpu_count();
  return count;
}

// The door's value: the number of the work, the size of the team it is open to (0: closed), and the workers inside.
constexpr int kSizeShift = 16, kNumberShift = 32;
constexpr std::uint64_t kInsideMask = 0xffff, kSizeMask = kInsideMask << kSizeShift;

std::uint32_t number_of(std::uint64_t door) { return static_cast<std::uint32_t>(door >> kNumberShift); }
int size_of(std::uint64_t door) { return static_cast<int>((door & kSizeMask) >> kSizeShift); }
std::uint64_t inside_of(std::uint64_t door) { return door & kInsideMask; }

}  // namespace

// --- pieces ---------------------------------------------------------------------------------------------------------

std::int64_t Pieces::join(Work work) noexcept {
  if (is_stopped() || next_.load(std::memory_order_relaxed) >= count_) return 0;
  Taker taker(*this);
  try {
    work(taker);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_ || taker.current_ < error_piece_) {
      error_ = std::current_exception();
      error_piece_ = taker.current_;
    }
    is_given_up_.store(true, std::memory_order_relaxed);
  }
  return taker.num_taken_;
}

// --- the pool -------------------------------------------------------------------------------------------------------

// What one worker sleeps on.
struct alignas(64) ThreadPool::Slot {
  static constexpr std::uint32_t kAwake = 0, kAsleep = 1;
  std::atomic<std::uint32_t> state{kAwake};
};

struct ThreadPoolStorage {
  union {
    ThreadPool pool;  // never destroyed: at exit its threads may still wait on it
  };
  constexpr ThreadPoolStorage() : pool() {}
  ~ThreadPoolStorage() {}  // NOLINT: see above

  // fork() copies only the thread that calls it: the threads, visitors and the busy flag of the copied pool belong to
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

// Sleepers are woken along a binary tree, each by its parent, so that many threads start in few steps.
void ThreadPool::wake_children(int worker, int size) noexcept {
  for (int child = 2 * worker + 1; child <= 2 * worker + 2 && child < size; ++child) {
    std::atomic<std::uint32_t>& state = slots_[child]->state;
    if (state.load() != Slot::kAsleep || state.exchange(Slot::kAwake) != Slot::kAsleep) continue;
    state.notify_one();
  }
}

// One thread's life. A worker that falls asleep and a caller that opens the door each write their own word first and
// read the other's then, in one order for all (seq_cst): at least one of them sees the other.
void ThreadPool::live(int worker, Slot& slot) noexcept {
  const FlushDenormals flush_denormals;
  std::uint32_t seen = 0;
  std::uint64_t door = 0;
  const auto is_called = [&] {
    door = door_.load();
    return number_of(door) != seen && size_of(door) > worker;
  };
  const auto patience = [&] { return busy_.load(std::memory_order_relaxed) ? kSpinInTeamNs : kSpinNs; };
  for (;;) {
    while (!spin_until(is_called, num_started() >= num_processors(), patience)) {
      slot.state.store(Slot::kAsleep);
      if (!is_called()) slot.state.wait(Slot::kAsleep);
      slot.state.store(Slot::kAwake);
    }
    seen = number_of(door);
    wake_children(worker, size_of(door));
    while (number_of(door) == seen && size_of(door) > worker) {
      if (!door_.compare_exchange_weak(door, door + 1)) continue;
      visit();
      break;
    }
  }
}

// Inside the door: pieces_ and what it refers to stay until this thread has left.
void ThreadPool::visit() noexcept {
  pieces_->join(*work_);
  const std::uint64_t door = door_.fetch_sub(1) - 1;
  if (inside_of(door) == 0 && size_of(door) == 0 && caller_sleeps_.load() != 0 && caller_sleeps_.exchange(0) != 0) {
    wake_one(caller_sleeps_);
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
      std::thread([this, worker, slot] { live(worker, *slot); }).detach();
    } catch (const std::system_error&) {  // the system has no thread left: the work is done by those there are
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

// Returns the size of the team; if it is more than 1, the pool is the caller's until give_back(). Workers are woken
// here, that they are there when the first work of more than one piece comes.
int ThreadPool::take(int threads, Help help) noexcept {
  if (threads <= 1 || busy_.exchange(true, std::memory_order_acquire)) return 1;
  if (num_started() < threads - 1) start_threads(threads - 1);
  const int size = std::min(threads, num_started() + 1);
  if (size == 1) {
    give_back();
  } else if (const std::int64_t begin = now_ns(); help == Help::kAlways || begin >= alone_until_ns_) {
    wake_children(0, size);
    const std::int64_t end = now_ns();
    if (help == Help::kIfItPays) settle(begin - end, end);
  }
  return size;
}

void ThreadPool::run(int size, Help help, Pieces& pieces, Pieces::Work work) noexcept {
  const std::int64_t begin = now_ns();
  if (help == Help::kIfItPays && begin < alone_until_ns_) {
    pieces.join(work);
    return;
  }
  QFAST_ASSERT(inside_of(door_.load()) == 0 && size_of(door_.load()) == 0);
  pieces_ = &pieces;
  work_ = &work;
  const std::uint64_t number = number_of(door_.load(std::memory_order_relaxed)) + 1;
  door_.store(number << kNumberShift | static_cast<std::uint64_t>(size) << kSizeShift);
  wake_children(0, size);
  const std::int64_t woken = now_ns();
  const std::int64_t own_pieces = pieces.join(work);
  const std::int64_t worked = now_ns();
  if (inside_of(door_.fetch_and(~kSizeMask)) != 0) wait_for_visitors(size);
  if (help != Help::kIfItPays) return;
  const std::int64_t end = now_ns();
  // What this thread would have needed for all pieces, if it has done enough of them to tell.
  const double own_ns = static_cast<double>(worked - woken);
  const double alone_ns =
      own_pieces == 0 ? own_ns : own_ns * static_cast<double>(pieces.count()) / static_cast<double>(own_pieces);
  settle(static_cast<std::int64_t>(alone_ns) - (end - begin), end);
}

void ThreadPool::wait_for_visitors(int size) noexcept {
  const auto is_empty = [&] { return inside_of(door_.load()) == 0; };
  if (spin_until(is_empty, size > num_processors(), [] { return kSpinNs; })) return;
  for (;;) {
    caller_sleeps_.store(1);
    if (is_empty()) break;
    sleep_while(caller_sleeps_, 1);
    is_interrupted();  // it sets the token of the work, which those inside look at
  }
  caller_sleeps_.store(0);
}

// Enters what the workers have saved, or cost, and sends them away for a while when they have cost too much; for longer
// each time, until they have paid well again.
void ThreadPool::settle(std::int64_t saved_ns, std::int64_t now_ns) noexcept {
  balance_ns_ = std::min(balance_ns_ + saved_ns, kMostCreditNs);
  if (balance_ns_ == kMostCreditNs) backoff_ns_ = 0;
  if (balance_ns_ >= -kMostDebtNs) return;
  backoff_ns_ = std::clamp(2 * backoff_ns_, kLeastBackoffNs, kMostBackoffNs);
  alone_until_ns_ = now_ns + backoff_ns_;
  balance_ns_ = 0;
}

// --- a team ---------------------------------------------------------------------------------------------------------

Team::Team(int threads, Help help) noexcept : help_(help), size_(ThreadPool::instance().take(threads, help)) {}

Team::~Team() {
  if (size_ > 1) ThreadPool::instance().give_back();
}

bool Team::run(std::int64_t num_pieces, const CancelToken* cancel, Pieces::Work work) {
  Pieces pieces(num_pieces, cancel);
  if (size_ == 1 || num_pieces <= 1) {
    pieces.join(work);
  } else {
    ThreadPool::instance().run(static_cast<int>(std::min<std::int64_t>(size_, num_pieces)), help_, pieces, work);
  }
  return pieces.finish();
}

}  // namespace qfast
