// The one thread pool of the process, and the teams that share work on it.
//
// Work is cut into numbered pieces, which whoever is there takes from a counter. A caller works from the first moment,
// workers come when they come, and it is done when all pieces are: nobody waits for a worker that has not come, and one
// that comes late finds the door closed. What a caller does wait for is pieces that a worker has begun, so pieces are
// to be short.
//
// The pool serves one team at a time. A second one does not wait: its caller works alone. It works alone too for a
// while after workers have cost more time than they saved, as they do where other processes use the processors. No
// result may depend on who works.
//
// Threads start for the first team that needs them, sleep when idle, and do not survive fork(): the child starts with
// an empty pool.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

#include "base/cancel.h"
#include "base/error.h"
#include "base/flush_denormals.h"
#include "base/function_ref.h"
#include "base/listener.h"
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

// The pieces of one piece of work, numbered from 0, for all that work at it.
class QFAST_API Pieces {
 public:
  Pieces(std::int64_t count, const CancelToken* cancel) : count_(count), cancel_(cancel) {}
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  // Every thread takes through one of its own.
  class Taker {
   public:
    explicit Taker(Pieces& pieces) : pieces_(pieces) {}
    static constexpr std::int64_t kNone = -1;
    // The next piece, in ascending order; kNone when all are taken, or the work shall stop.
    std::int64_t take() {
      if (pieces_.is_stopped()) return kNone;
      if (is_interrupted()) {  // heard by the caller's thread alone, which tells the others
        pieces_.is_given_up_.store(true, std::memory_order_relaxed);
        return kNone;
      }
      const std::int64_t piece = pieces_.next_.fetch_add(1, std::memory_order_relaxed);
      if (piece >= pieces_.count_) return kNone;
      current_ = piece;
      ++num_taken_;
      return piece;
    }
    std::int64_t num_taken() const { return num_taken_; }

   private:
    friend class Pieces;
    Pieces& pieces_;
    std::int64_t current_ = 0, num_taken_ = 0;
  };
  using Work = FunctionRef<void(Taker& pieces)>;

  // Lets the calling thread work, unless nothing is left. What work throws stops all and is kept; of several errors
  // that of the lowest piece, whoever was quicker: pieces below it have been taken and are finished.
  // Returns the number of pieces that were taken.
  std::int64_t join(Work work) noexcept;

  // Throws the error that was kept. False when the token or the caller's listener stopped the work.
  bool finish() const {
    if (error_) std::rethrow_exception(error_);
    return !is_stopped();
  }
  std::int64_t count() const { return count_; }

 private:
  bool is_cancelled() const { return cancel_ && cancel_->cancelled.load(std::memory_order_relaxed); }
  bool is_stopped() const { return is_given_up_.load(std::memory_order_relaxed) || is_cancelled(); }

  const std::int64_t count_;
  const CancelToken* const cancel_;
  alignas(64) std::atomic<std::int64_t> next_{0};
  std::atomic<bool> is_given_up_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
  std::int64_t error_piece_ = 0;
};

// How a team decides whether its workers are called.
enum class Help : std::uint8_t {
  kIfItPays,
  kAlways,  // measurements of the machine and tests
};

// The threads of one caller: itself, and workers if the pool is free. Work done one after the other, as the sweeps of a
// plan, uses one team, whose workers stay awake in between. Denormals are flushed to zero in all of it.
class QFAST_API Team {
 public:
  explicit Team(int threads, Help help = Help::kIfItPays) noexcept;
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Threads that may work, the caller among them: `threads`; less if the system gives no more, 1 if the pool is taken
  // (inside another team's work, for one).
  int size() const noexcept { return size_; }

  // Calls work(pieces) on this thread and on every worker that comes, and returns when all pieces are done. Everything
  // written before it is visible to all of them, everything they wrote is visible after it. Throws what a piece has
  // thrown, that of the lowest. False when the token, or this thread's
  // listener (base/listener.h), stopped it; the pieces that were taken are then finished.
  bool run(std::int64_t num_pieces, const CancelToken* cancel, Pieces::Work work);

 private:
  const FlushDenormals flush_denormals_;
  const Help help_;
  int size_ = 1;
};

class QFAST_API ThreadPool {
 public:
  static ThreadPool& instance();

  // Threads started so far, the callers not counted.
  int num_started() const noexcept { return num_started_.load(std::memory_order_relaxed); }

  static constexpr int kMaxThreads = 1024;

 private:
  struct Slot;
  struct Visit;
  friend struct ThreadPoolStorage;
  friend class Team;
  constexpr ThreadPool() = default;

  int take(int threads, Help help) noexcept;
  void give_back() noexcept { busy_.store(false, std::memory_order_release); }
  void start_threads(int wanted) noexcept;
  void live(int worker, Slot& slot) noexcept;
  void wake_children(int worker, int size) noexcept;
  void visit() noexcept;
  void run(int size, Help help, Pieces& pieces, Pieces::Work work) noexcept;
  void wait_for_visitors(int size) noexcept;
  void settle(std::int64_t saved_ns, std::int64_t now_ns) noexcept;

  std::atomic<bool> busy_{false};
  std::atomic<int> num_started_{0};
  Slot* slots_[kMaxThreads] = {};  // by worker; [0], the caller, stays null
  // The open work; written by the caller before it opens the door, read by those inside.
  Pieces* pieces_ = nullptr;
  const Pieces::Work* work_ = nullptr;
  // The account of what workers bring (settle()); touched by the caller alone, who holds busy_.
  std::int64_t balance_ns_ = 0, backoff_ns_ = 0, alone_until_ns_ = 0;
  // Which work is open, to which workers, and how many are inside.
  alignas(64) std::atomic<std::uint64_t> door_{0};
  alignas(64) std::atomic<std::uint32_t> caller_sleeps_{0};
};

// Calls body(first, last) on pieces of [0, count) of at most `grain` items, in no fixed order, on the team. Throws what
// the lowest piece has thrown. False when the token or the caller's listener stopped it.
template <class Body>
bool parallel_for(Team& team, std::int64_t count, std::int64_t grain, const CancelToken* cancel, const Body& body) {
  return team.run((count + grain - 1) / grain, cancel, [&](Pieces::Taker& pieces) {
    for (std::int64_t piece; (piece = pieces.take()) >= 0;) {
      const std::int64_t first = piece * grain;
      body(first, first + grain < count ? first + grain : count);
    }
  });
}

// The same on up to `threads` threads. With few pieces or one thread nobody is woken. Throws Error(kCancelled) when the
// caller's listener stopped it.
template <class Body>
void parallel_for(int threads, std::int64_t count, std::int64_t grain, const Body& body) {
  const std::int64_t pieces = (count + grain - 1) / grain;
  Team team(static_cast<int>(pieces < threads ? pieces : threads));
  if (!parallel_for(team, count, grain, nullptr, body)) throw Error(ErrorKind::kCancelled, "interrupted");
}

}  // namespace qfast
