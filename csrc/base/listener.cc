#include "base/listener.h"

#include <chrono>

namespace qfast {
namespace {

constexpr std::int64_t kIntervalNs = 20'000'000;

thread_local Listener* listener = nullptr;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Listener::Listener(Hear hear) noexcept : hear_(hear), outer_(listener), next_ns_(now_ns() + kIntervalNs) {
  listener = this;
}

Listener::~Listener() { listener = outer_; }

bool is_interrupted() {
  Listener* const own = listener;
  if (own == nullptr) return false;
  if (own->is_interrupted_) return true;
  const std::int64_t now = now_ns();
  if (now < own->next_ns_) return false;
  own->is_interrupted_ = own->hear_();
  own->next_ns_ = now_ns() + kIntervalNs;
  return own->is_interrupted_;
}

}  // namespace qfast
