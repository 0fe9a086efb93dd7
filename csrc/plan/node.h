// The circuit as the planner sees it: gates merged into nodes. A node is a matrix on one or two targets (with
// controls), a diagonal on any number of qubits, or a larger matrix. Its numbers are computed when parameters are
// bound, from the list of operations (sources) that it replaces; its pattern of zeros is known when the plan is made.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "circuit/flat.h"
#include "plan/cost_table.h"

namespace qfast {

enum class NodeKind : std::uint8_t {
  kOne,          // 2 x 2 on one target, any number of controls
  kTwo,          // 4 x 4 on two targets, no controls
  kDiagonal,     // product of the sources' diagonals over `qubits`
  kParity,       // exp(-i angle/2 Z...Z) over `qubits`, the last of which may be controls: too many for a table
  kMatrix,       // 2^k x 2^k on k targets, any number of controls
  kPermutation,  // of the basis states of many targets, with any number of controls: never a matrix
};

// How a source lies on its node's targets.
enum class Placement : std::uint8_t {
  kWhole,      // the operation's own qubits are the node's, in order
  kLow,        // one-qubit operation on target 0 of a kTwo node
  kHigh,       // on target 1
  kForward,    // two-qubit operation whose qubits are targets 0, 1
  kReverse,    // ... targets 1, 0
  kUnswapped,  // the diagonal that is left of a swap-like operation after the swap has become a relabelling
};

// Operations that no gate of the circuit stands for: basis changes of Pauli rotations.
enum : std::int64_t { kSourceHadamard = -1, kSourceYBasis = -2, kSourceYBasisInverse = -3 };

// Parts of a dense pair that was split by its Cartan decomposition (kak.h).
enum class PairPart : std::int64_t { kCore = 0, kPre0, kPre1, kPost0, kPost1 };
constexpr std::int64_t kFirstPairCode = -16;
constexpr std::int64_t pair_code(std::int64_t pair, PairPart part) {
  return kFirstPairCode - (5 * pair + static_cast<std::int64_t>(part));
}

struct Source {
  std::int64_t operation;  // row of the flat circuit, or one of the negative codes above
  std::int32_t next;       // index of the node's next source, -1 at the end
  Placement placement;
};

constexpr std::uint16_t kPatternDiagonal2 = 0b1000'0100'0010'0001;  // 4 x 4, bit 4*row + column
constexpr std::uint16_t kPatternPairs2 = 0b1001'0110'0110'1001;
constexpr std::uint16_t kPatternDiagonal1 = 0b1001;  // 2 x 2, bit 2*row + column

struct Node {
  NodeKind kind;
  bool is_alive = true;
  std::int16_t num_targets = 0;   // qubits that the node mixes; a diagonal has none
  std::int16_t num_diagonal = 0;  // controls, or all qubits of a diagonal
  std::int16_t num_controls = 0;  // kParity: how many of them are controls
  std::uint16_t pattern = 0;      // kOne, kTwo: which entries can differ from zero
  std::int32_t qubits_begin = 0;  // in Lowered::qubits: targets, then controls
  std::int32_t first_source = -1, last_source = -1;
  std::uint64_t control_state = 0;  // bit j: the value of control j at which the node acts
};

struct Lowered {
  int num_qubits = 0;
  std::vector<Node> nodes;           // alive ones only, in an order that the circuit allows
  std::vector<std::int32_t> qubits;  // labels: a swap renames qubits and leaves no node
  std::vector<Source> sources;
  std::vector<std::int64_t> phases;    // operations that are a global phase
  std::vector<std::int32_t> label_of;  // label_of[q]: the label that holds qubit q at the end
  std::vector<std::int32_t> pairs;     // first source of every dense pair that was split
  // Per node, for a kOne without controls: the nodes before and after it on its qubit that can take a diagonal from it
  // at no cost (pairs, tables), or -1.
  std::vector<std::array<std::int32_t, 2>> absorbers;

  const std::int32_t* qubits_of(const Node& n) const { return qubits.data() + n.qubits_begin; }
  int num_qubits_of(const Node& n) const { return n.num_targets + n.num_diagonal; }
};

// Cost of a node in fused multiply-adds per amplitude (real and imaginary part together).
double node_cost(const Node& n, const StepCosts& costs);

// Merges the circuit's gates into nodes. `patterns` are computed from the constants and, where a parameter is symbolic,
// hold for every value.
Lowered lower(const FlatCircuit& circuit, const StepCosts& costs);

}  // namespace qfast
