// Cooperative cancellation and progress: the caller sets a flag, the executor reads it once per batch of tiles
// (at least every 50 ms) and counts the work it has done.
#pragma once

#include <atomic>
#include <cstdint>

namespace qfast {

struct CancelToken {
  std::atomic<bool> cancelled{false};
  std::atomic<std::uint64_t> work_done{0};   // in units of the plan (tiles)
  std::atomic<std::uint64_t> work_total{0};  // 0 until the plan is known
};

}  // namespace qfast
