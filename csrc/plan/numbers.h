// The numbers of a plan for one set of parameter values: matrices of nodes, tables of diagonals. What a kernel wants of
// them (a form, a layout) is chosen by bind.cc for one set and by bind_lanes.cc for several.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "circuit/flat.h"
#include "kernels/trig_kernels.h"
#include "plan/chain.h"
#include "plan/gauge.h"
#include "plan/plan.h"

namespace qfast {

// Kept from set to set, so that a second set allocates nothing. `plan` and `circuit` must outlive it.
class Numbers {
 public:
  Numbers(const Plan& plan, const FlatCircuit& circuit, const TrigKernels& trig);

  // `values` are the circuit's parameters in order. Throws Error(kParameter) where an expression is not finite.
  void compute(const double* values);

  const Matrix2& one(std::int32_t node) const { return nodes_.one[static_cast<std::size_t>(node)]; }
  const Matrix4& two(std::int32_t node) const { return nodes_.two[static_cast<std::size_t>(node)]; }
  // Row-major 2^k x 2^k of a TileOp::kMatrix. Valid until the next call, as is table().
  std::span<const Complex> matrix(const TileOp& op);
  // One entry per index of the group; a parity has three slices, even, odd, even, so that the parities of the block
  // number and of the tile each advance one slice, and with controls two more of ones, for blocks where one fails.
  std::span<const Complex> table(const DiagonalGroup& group);
  // Product of the circuit's global phases.
  Complex phase() const;

 private:
  // What the nodes with highest bit h contribute to a table: for each value of bit h a number, and one factor per value
  // of each lower bit.
  struct TableFactors {
    std::array<Complex, 2> constant;
    std::array<std::array<std::array<Complex, 2>, 32>, 2> lower;  // [value of h][lower bit][its value], where used
    std::array<std::uint32_t, 2> lower_used;
    std::array<bool, 2> is_used;
  };

  // One factor of a one-qubit node whose gates are all rotations about an axis, phases, or fixed.
  struct Factor {
    enum class Kind : std::uint8_t { kRx, kRy, kRz, kPhase, kFixed } kind;
    std::int32_t index;  // parameter slot, or of fixed_
  };
  // How a node's numbers come about: its factors in order, or (none) a chain of its sources.
  struct Recipe {
    std::int32_t begin = 0, end = 0;  // in factors_
    bool is_fixed = false;            // computed once, whatever the parameter values
  };

  const Node& node(std::int32_t i) const { return plan_.lowered.nodes[static_cast<std::size_t>(i)]; }
  const Source& source(std::int32_t i) const { return plan_.lowered.sources[static_cast<std::size_t>(i)]; }
  std::size_t index_of(const Node& n) const { return static_cast<std::size_t>(&n - plan_.lowered.nodes.data()); }
  void write_recipes();
  bool add_factor(const Source& source);
  void find_half_angles();
  Matrix2 cook(const Recipe& recipe) const;
  void node_diagonal(const Node& n, std::vector<Complex>& out);
  void whole_diagonal(const Node& n, std::vector<Complex>& out);
  void operation_diagonal(std::int64_t index, std::vector<Complex>& out);
  void fill_table(const DiagonalGroup& group);
  void fill_parity(const DiagonalGroup& group);
  void gather_factors(const DiagonalGroup& group, const Node& n);
  void multiply_out(const TableFactors& f, std::size_t value, std::size_t h);
  void multiply_wide(const DiagonalGroup& group, const Node& n);

  const Plan& plan_;
  const FlatCircuit& circuit_;
  const TrigKernels& trig_;
  std::vector<bool> is_symbolic_;  // by parameter slot
  std::vector<Recipe> recipes_;    // by node
  std::vector<Factor> factors_;
  std::vector<Matrix2> fixed_;
  std::vector<double> params_, half_, sines_, cosines_;  // by slot; those of half the angle
  NodeNumbers nodes_;
  std::vector<Complex> scratch_, table_, diagonal_, product_;
  std::vector<TableFactors> table_factors_;  // by table bit
  std::vector<std::int32_t> wide_;           // nodes of a table on more than two qubits
};

}  // namespace qfast
