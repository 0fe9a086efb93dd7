// What workers of one parallel region share that each take one piece of work after the other.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>

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

// Objects that are kept for whoever needs one next, so that a second run allocates nothing. Without a lock: one that a
// thread held at a fork() would stay locked in the child.
template <class X>
class FreeList {
 public:
  FreeList() = default;
  ~FreeList() {
    for (std::atomic<X*>& slot : slots_) delete slot.load(std::memory_order_acquire);
  }
  FreeList(const FreeList&) = delete;
  FreeList& operator=(const FreeList&) = delete;

  template <class Make>
  std::unique_ptr<X> take(const Make& make) {
    for (std::atomic<X*>& slot : slots_) {
      if (slot.load(std::memory_order_relaxed) == nullptr) continue;
      if (X* found = slot.exchange(nullptr, std::memory_order_acquire)) return std::unique_ptr<X>(found);
    }
    return make();
  }

  // More than there are places for are destroyed.
  void give_back(std::unique_ptr<X> x) {
    for (std::atomic<X*>& slot : slots_) {
      X* empty = nullptr;
      if (slot.load(std::memory_order_relaxed) != nullptr) continue;
      if (slot.compare_exchange_strong(empty, x.get(), std::memory_order_release)) {
        static_cast<void>(x.release());
        return;
      }
    }
  }

 private:
  static constexpr std::size_t kPlaces = 64;
  std::array<std::atomic<X*>, kPlaces> slots_{};
};

}  // namespace qfast
