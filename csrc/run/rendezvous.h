// Threads that start together: what a measurement of the machine's limits needs, and nothing else.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/thread_pool.h"

namespace qfast {

// Each of `parties` threads calls meet() once a round. It returns true when all have come; false, now and ever after,
// when one has not within a second: its processor belongs to others, and a measurement would be wrong.
class Rendezvous {
 public:
  explicit Rendezvous(int parties) : parties_(parties) {}

  bool meet() {
    const int round = round_.load(std::memory_order_acquire);
    if (round == kFailed) return false;
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == parties_) {
      arrived_.store(0, std::memory_order_relaxed);
      int expected = round;
      return round_.compare_exchange_strong(expected, round + 1, std::memory_order_acq_rel);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    for (int looks = 1;; ++looks) {
      int now = round_.load(std::memory_order_acquire);
      if (now != round) return now != kFailed;
      if (looks % 4096 != 0) {
        spin_pause();
        continue;
      }
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() < deadline) continue;
      if (round_.compare_exchange_strong(now, kFailed, std::memory_order_acq_rel)) return false;
    }
  }

 private:
  static constexpr int kFailed = -1;
  const int parties_;
  std::atomic<int> arrived_{0};
  std::atomic<int> round_{0};
};

[[noreturn]] inline void throw_no_threads(int threads) {
  throw Error(ErrorKind::kEngine, "the limits of " + std::to_string(threads) +
                                      " threads cannot be measured: they never ran at the same time; measure when "
                                      "nothing else runs");
}

// Calls work(worker, rendezvous) on `threads` threads that are there at the same time; false if they never were.
template <class Work>
bool run_together(int threads, const Work& work) {
  Team team(threads, Help::kAlways);
  if (team.size() != threads) return false;
  Rendezvous rendezvous(threads);
  std::atomic<bool> all_came{true};
  team.run(threads, nullptr, [&](Pieces::Taker& pieces) {
    const std::int64_t worker = pieces.take();  // one each: nobody leaves before all have come
    if (worker < 0) return;
    if (!rendezvous.meet() || !work(static_cast<int>(worker), rendezvous)) all_came = false;
  });
  return all_came;
}

}  // namespace qfast
