// Releasing the GIL where it pays.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>

namespace qfast {

// Work of fewer than this many amplitude updates takes microseconds. Giving the GIL away for it would cost more: where
// another thread wants it, getting it back takes a switch interval.
constexpr std::uint64_t kShortWork = 1u << 15;

// Holds the GIL released for its lifetime, unless the work is short.
class ReleaseGil {
 public:
  explicit ReleaseGil(std::uint64_t amplitude_updates) {
    if (amplitude_updates >= kShortWork) released_.emplace();
  }

 private:
  std::optional<pybind11::gil_scoped_release> released_;
};

}  // namespace qfast
