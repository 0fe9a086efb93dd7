// What workers of one parallel region share that each take one piece of work after the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/cancel.h"

namespace qfast {

// Numbers 0, 1, 2 … to whoever asks next; the first exception stops all and is kept.
class SideBySide {
 public:
  explicit SideBySide(const CancelToken* cancel) : cancel_(cancel) {}

  // Past any number of pieces once all shall stop.
  std::int64_t take() {
    const bool is_cancelled = cancel_ && cancel_->cancelled.load(std::memory_order_relaxed);
    if (is_cancelled || is_stopped_.load(std::memory_order_relaxed)) return std::numeric_limits<std::int64_t>::max();
    return next_.fetch_add(1, std::memory_order_relaxed);
  }

  template <class Body>
  void guard(const Body& body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      is_stopped_.store(true);
    }
  }

  // Throws what a worker threw. False when the token was set.
  bool finish() const {
    if (error_) std::rethrow_exception(error_);
    return !(cancel_ && cancel_->cancelled.load());
  }

 private:
  const CancelToken* cancel_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> is_stopped_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
};

// Objects that are kept for whoever needs one next, so that a second run allocates nothing.
template <class X>
class FreeList {
 public:
  template <class Make>
  std::unique_ptr<X> take(const Make& make) {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<X> found = std::move(free_.back());
        free_.pop_back();
        return found;
      }
    }
    return make();
  }

  void give_back(std::unique_ptr<X> x) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(x));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<X>> free_;
};

}  // namespace qfast
