// The numbers of all nodes, with the phases of one-qubit matrices moved to where they cost nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/chain.h"
#include "plan/node.h"

namespace qfast {

// diag(1, value) on a label, given to a diagonal node.
struct AbsorbedPhase {
  Complex value;
  std::int32_t label;
  std::int32_t next;  // index of the node's next phase, -1 at the end
};

struct NodeNumbers {
  std::vector<Matrix2> one;  // by node; kOne only
  std::vector<Matrix4> two;  // by node; kTwo only
  std::vector<AbsorbedPhase> phases;
  std::vector<std::int32_t> first_phase;  // by node: kDiagonal only, -1 without
};

// A 2 x 2 unitary is diag · real rotation · diag. Where the nodes before and after it on its qubit are pairs or tables,
// the two diagonals go there, and the rotation costs 2 fused multiply-adds per amplitude instead of 6.
void move_phases(const Lowered& lowered, NodeNumbers& numbers);

}  // namespace qfast
