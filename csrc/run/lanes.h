// Several parameter sets of a small circuit at once, one in each lane of the vectors.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernel_table.h"
#include "plan/bind_lanes.h"
#include "run/expectation.h"
#include "run/state_view.h"

namespace qfast {

// States of all lanes fit a core's second-level cache up to this size: 512 KiB.
constexpr int kLargestInLanes = 12;

// A Pauli sum as states in lanes read it: bits in the order in which the plan leaves them.
class LaneSum {
 public:
  // Mostly for few X masks; has_room() is false where its tables would crowd the states out of the cache.
  LaneSum(const PauliSum& sum, const Plan& plan, const RealKernels& kernels);
  bool has_room() const { return has_room_; }

  // ⟨H⟩ of every lane of a tile.
  template <class T>
  void expectations(const LaneKernels<T>& kernels, const T* tile, std::size_t lanes, Complex* out) const;

 private:
  // All strings of one X mask whose products count alike.
  struct Entry {
    std::size_t x;
    bool is_imaginary;                   // sums imaginary parts of the products
    bool goes_to_imaginary;              // contributes to the imaginary part of ⟨H⟩
    std::size_t z_above;                 // one string only: its Z mask above a block
    std::vector<double> signed_weights;  // of one block, or (several strings) of all amplitudes
  };
  using Strings = std::vector<std::pair<std::size_t, double>>;  // Z masks and weights
  void add_entry(std::size_t x, bool is_imaginary, bool goes_to_imaginary, const Strings& strings,
                 const RealKernels& kernels);

  int tile_bits_;
  std::vector<Entry> entries_;
  bool has_room_ = true;
};

template <class T>
class LaneRun {
 public:
  // A plan whose ops this knows; others are for the executor.
  static bool can_run(const Plan& plan);
  // The plan has lane_bits 0 and all qubits in one tile; it and the circuit must outlive this.
  LaneRun(const Plan& plan, const FlatCircuit& circuit, const KernelTable& kernels);

  int lanes() const { return lanes_; }
  // Runs the circuit from |0...0> for 1 to lanes() rows of values; further lanes repeat the last row.
  void run(const double* values, std::int64_t num_params, int num_rows);
  // Writes lane l's state to states + l * 2^n amplitudes, for the first num_rows lanes.
  void copy_states(int num_rows, T* states) const;
  // One number a lane, lanes() of them.
  void expectations(const LaneSum& sum, Complex* out) const;

 private:
  T* tile() const { return static_cast<T*>(tile_.data()); }

  const Plan& plan_;
  const FlatCircuit& circuit_;
  const TileKernels<T>& kernels_;
  const LaneKernels<T>& sums_;
  const TrigKernels& trig_;
  int lanes_;
  LanePlan<T> bound_;
  std::vector<const double*> rows_;
  std::vector<LiveStep<T>> steps_;
  StateBuffer tile_, scratch_;
};

extern template class LaneRun<float>;
extern template class LaneRun<double>;

}  // namespace qfast
