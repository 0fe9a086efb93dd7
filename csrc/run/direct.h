// Small circuits without a plan. A state of a few qubits lies in the vector registers: gate after gate becomes a step
// of the tile kernels on it, and the time that a planner needs, or the tables that it makes, would outweigh all of
// them. Which circuits go this way follows from their structure alone, so that every verb computes the same numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "circuit/flat.h"
#include "kernels/kernel_table.h"
#include "plan/bind.h"
#include "plan/chain.h"
#include "plan/matrices.h"
#include "run/program.h"

namespace qfast {

// Whether every gate is one that DirectSteps knows, and the circuit small enough for it to be worth it.
bool is_direct(const FlatCircuit& circuit, int block_bits);

// The steps of one circuit at one set of values.
template <class T>
class DirectSteps {
 public:
  explicit DirectSteps(const TileKernels<T>& kernels) : kernels_(kernels) {}

  // Computes them anew. The circuit is one that is_direct().
  void bind(const FlatCircuit& circuit, const double* values);

  // What was made: passes over the tile, steps by kind, real operations per amplitude.
  struct Summary {
    int passes = 0;
    std::array<int, 5> steps{};  // as explain.cc names them
    double flops_per_amplitude = 0;
  };
  Summary summary() const;

  // `amplitudes`: 2^n interleaved complex numbers of any alignment. On the calling thread alone.
  void run(T* amplitudes, Start start) const;

 private:
  static constexpr int kMaxPositions = 8;  // lanes and vector bits of a tile
  static constexpr std::size_t kMaxVectors = 32;

  // Steps on the same block bits: one pass over the tile.
  struct Block {
    BlockGeometry geometry;
    std::size_t first_step = 0, last_step = 0;
  };

  void begin(const FlatCircuit& circuit);
  void list_uses(const FlatCircuit& circuit);
  void add_gate(const FlatCircuit& circuit, const Operation& op, const double* params);
  void add_one(int qubit, Matrix2 m);
  void add_two(const std::int32_t* qubits, Matrix4 m);
  void add_controlled(const Operation& op, const Matrix2& m);
  void add_diagonal(const Operation& op, const Complex* diagonal);
  void swap(int a, int b);
  void settle(int qubit);
  void end();

  void bring(const std::int32_t* qubits, int count);
  void open_block(std::uint32_t needed_bits);
  void swap_lane(int slot, int lane);
  int slot_of(int qubit) const;
  int worst_slot(std::uint32_t kept_slots) const;

  void add_step(std::uint16_t code, const Complex* numbers, std::size_t count, bool is_real);
  void renormalise();

  const TileKernels<T>& kernels_;
  int num_qubits_ = 0, lane_bits_ = 0, vector_bits_ = 0, num_positions_ = 0;

  // While steps are made: where the qubits are. Qubits beyond the circuit's fill the tile; they are always 0.
  std::array<std::int8_t, kMaxPositions> place_{}, at_{};  // position of a qubit, qubit at a position
  std::array<std::int8_t, kMaxBlockBits> block_{};         // vector bits of the open block, ascending
  std::array<std::int32_t, kMaxPositions> next_use_{};     // gate that uses a qubit next
  std::array<bool, kMaxPositions> has_pending_{};          // one-qubit gates that have not become a step yet
  std::array<Matrix2, kMaxPositions> pending_{};
  std::vector<std::int32_t> next_uses_;  // by place in the circuit's qubits: the qubit's next gate
  std::vector<Complex> matrix_;
  std::vector<double> params_;
  Complex scale_;

  // The result.
  std::vector<Block> blocks_;
  std::vector<LiveStep<T>> steps_;
  std::vector<T> numbers_;
  std::array<std::uint64_t, kMaxVectors> store_offsets_{};
  std::uint32_t skip_mask_ = 0;
};

extern template class DirectSteps<float>;
extern template class DirectSteps<double>;

}  // namespace qfast
