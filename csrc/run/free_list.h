// Objects that threads take and give back.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

namespace qfast {

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
