// A stretch of gates as operations on packs of branches. There is no planning: one pass over the gates, in which
// one-qubit gates that follow each other on a qubit become one, and the form of a matrix is read from its numbers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "circuit/flat.h"
#include "kernels/walk_kernels.h"

namespace qfast {

template <class T>
class LaneProgram {
 public:
  // `values`: the stretch's parameters. Those marked in `is_variable` (empty: none) differ from branch to branch:
  // their gates are kept apart and given numbers by bind(). The circuit must outlive this.
  LaneProgram(const FlatCircuit& circuit, std::span<const double> values, std::span<const std::uint8_t> is_variable);

  // The ops in order; a run of ops ends where gates with variables begin, and the other way round.
  struct Part {
    std::size_t first_op, num_ops;
    bool by_lane;  // numbers come from bind()
  };
  const std::vector<Part>& parts() const { return parts_; }
  const LaneOp* ops() const { return ops_.data(); }
  const T* numbers() const { return numbers_.data(); }
  const std::uint32_t* tables() const { return tables_.data(); }
  std::size_t num_bound() const { return num_bound_; }  // numbers that differ from branch to branch
  std::int64_t num_gates() const { return num_gates_; }
  int widest_dense() const { return widest_dense_; }  // targets

  // Writes the numbers of one lane: number k to out[k * lanes].
  void bind(std::span<const double> values, std::size_t lanes, T* out) const;

 private:
  void add_gate(std::int64_t index, std::span<const double> params);
  void add_variable_gate(std::int64_t index);
  void add_matrix(const std::vector<Complex>& matrix, std::span<const std::int32_t> targets, LaneOp op);
  void add_pauli(std::int64_t index, double angle, LaneOp op);
  void add_one_qubit(const Complex* matrix, LaneOp op);
  void flush(std::int32_t qubit);
  void flush_all();
  void push(const LaneOp& op, std::span<const Complex> numbers);
  std::uint32_t add_table(std::span<const std::int32_t> targets);
  void begin_part(bool by_lane);

  const FlatCircuit& circuit_;
  std::vector<LaneOp> ops_;
  std::vector<T> numbers_;
  std::vector<std::uint32_t> tables_;
  std::vector<Part> parts_;
  std::vector<std::int64_t> bound_gates_;  // rows of the circuit, in the order of bound numbers
  std::size_t num_bound_ = 0;
  std::int64_t num_gates_ = 0;
  int widest_dense_ = 0;
  struct Pending {
    bool is_there = false;
    Complex matrix[4];
  };
  std::vector<Pending> pending_;  // by qubit: a one-qubit matrix that has not been written yet
};

extern template class LaneProgram<float>;
extern template class LaneProgram<double>;

}  // namespace qfast
