// Cooperative cancellation and progress: the caller sets a flag, the executor reads it once per batch of tiles
// (at least every 50 ms) and counts the work it has done.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/listener.h"

namespace qfast {

struct CancelToken {
  std::atomic<bool> cancelled{false};
  std::atomic<std::uint64_t> work_done{0};   // in units of the plan (tiles)
  std::atomic<std::uint64_t> work_total{0};  // 0 until the plan is known
};

// Whether work shall stop: its token, which may be null, is set, or the caller's listener has said so.
inline bool should_stop(const CancelToken* token) {
  return is_interrupted() || (token != nullptr && token->cancelled.load(std::memory_order_relaxed));
}

// For loops that make things rather than run them: a plan of a million gates takes seconds. Asks on every 64th turn.
inline void throw_if_interrupted(std::size_t turn) {
  if (turn % 64 == 63 && is_interrupted()) throw Error(ErrorKind::kCancelled, "interrupted");
}

}  // namespace qfast
