// A plan with numbers: every step's constants for one set of parameter values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "circuit/flat.h"
#include "plan/numbers.h"
#include "plan/plan.h"

namespace qfast {

// Growing array of numbers, aligned for the widest vectors.
template <class T>
class Arena {
 public:
  // Appends `count` numbers and returns their offset, a multiple of 64 bytes where `is_table`; what is left out before
  // it is zero, so that arenas can be compared.
  std::size_t reserve(std::size_t count, bool is_table) {
    constexpr std::size_t kStep = 64 / sizeof(T);
    const std::size_t at = is_table ? (size_ + kStep - 1) / kStep * kStep : size_;
    if (at + count > capacity_) grow(at + count);
    std::fill(data() + size_, data() + at, T(0));
    size_ = at + count;
    return at;
  }
  T* data() { return numbers_.get(); }
  const T* data() const { return numbers_.get(); }
  std::size_t size() const { return size_; }
  void clear() { size_ = 0; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  void grow(std::size_t needed) {
    capacity_ = needed * 2 + 1024;
    std::unique_ptr<T[], Free> wider(static_cast<T*>(::operator new[](capacity_ * sizeof(T), std::align_val_t{64})));
    std::copy(numbers_.get(), numbers_.get() + size_, wider.get());
    numbers_ = std::move(wider);
  }
  std::unique_ptr<T[], Free> numbers_;
  std::size_t size_ = 0, capacity_ = 0;
};

struct BoundStep {
  std::size_t constants = 0;             // offset in the arena
  const DiagonalGroup* group = nullptr;  // diagonal steps
  OuterCondition condition;
  std::uint16_t code = 0;
};

struct BoundOp {
  const TileOp* op;
  std::size_t first_step = 0, last_step = 0;  // kBlock
  std::size_t matrix = 0, lane_mask = 0;      // kMatrix: offsets in the arena
};

struct BoundSweep {
  std::vector<BoundOp> ops;
  Complex scale{1.0, 0.0};            // what the normalised steps have left out; applied on the way back to memory
  std::vector<std::uint32_t> source;  // of a permutation; see permutation_source()
};

template <class T>
struct BoundPlan {
  Arena<T> arena;
  std::vector<BoundStep> steps;
  std::vector<BoundSweep> sweeps;
  std::unique_ptr<Numbers> numbers;
};

// By what factor numbers that are rounded to T shrink or grow a state, `left_out` being the squares of those that no
// step multiplies by. Where a gate is repeated this adds up: the scale of the sweep takes it back. 1 in double
// precision.
template <class T>
double lost_norm(std::span<const Complex> numbers, double left_out = 0) {
  if constexpr (sizeof(T) == sizeof(double)) return 1;
  double exact = left_out, rounded = left_out;
  for (const Complex z : numbers) {
    exact += std::norm(z);
    rounded += std::norm(Complex{static_cast<T>(z.real()), static_cast<T>(z.imag())});
  }
  return std::sqrt(exact / rounded);
}

// Computes all numbers. `values` are the circuit's parameters in order; `plan` and `circuit` must outlive `out`, and be
// the same in every call with it.
template <class T>
void bind(const Plan& plan, const FlatCircuit& circuit, const TrigKernels& trig, const double* values,
          BoundPlan<T>& out);

extern template void bind<float>(const Plan&, const FlatCircuit&, const TrigKernels&, const double*, BoundPlan<float>&);
extern template void bind<double>(const Plan&, const FlatCircuit&, const TrigKernels&, const double*,
                                  BoundPlan<double>&);

}  // namespace qfast
