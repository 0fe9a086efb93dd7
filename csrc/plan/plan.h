// A plan: what the executor does with a state of 2^n amplitudes, without any number that depends on parameter values.
//
// The state is processed in sweeps. A sweep reads every tile once (a tile: all amplitudes whose index differs only in
// the sweep's tile bits), applies tile ops to it, and writes it back. Memory bits are bits of the amplitude index;
// labels are qubits up to the relabellings that swaps have become.
#pragma once

#include <cstdint>
#include <vector>

#include "circuit/flat.h"
#include "kernels/tile_kernels.h"
#include "plan/cost_table.h"
#include "plan/node.h"

namespace qfast {

// A condition on the memory bits outside the tile: (tile base & mask) == value.
struct OuterCondition {
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
};

// Several diagonal nodes as one table, or one parity node as two phases.
struct DiagonalGroup {
  std::vector<std::int32_t> nodes;
  bool is_parity = false;
  bool has_lanes = false;                // the table holds one number per lane
  std::vector<std::int32_t> labels;      // of the table's index bits, least significant first: lanes (if any), block
                                         // bits, other tile bits, memory bits outside the tile; -1: bit without effect
  std::vector<std::int32_t> outer_bits;  // memory bits that select the slice of the table, least significant first
  std::uint64_t outer_mask = 0;          // parity: memory bits outside the tile
  std::uint64_t controls = 0;            // parity: labels that are controls and lie in the tile
  std::uint64_t control_value = 0;       // ... those of them that must be 1
  std::uint32_t inner_bits = 0;          // number of index bits below the outer ones
  std::vector<std::uint32_t> block_offset;  // by block number: offset into a slice, in numbers (re, im)
};

struct PlanStep {
  enum class Kind : std::uint8_t { kOne, kTwo, kDiagonal, kSwapLane, kFlip } kind;
  std::int8_t target = 0;        // block bit (kFlip: exchanged)
  std::int8_t second = 0;        // kTwo: the other block bit (target < second); kSwapLane: the lane bit
  std::int8_t control_mask = 0;  // kOne: over the other block bits, ascending
  bool is_reversed = false;      // kTwo: the node's first target lies on `second`
  std::int32_t index = 0;        // node, or diagonal group
  OuterCondition condition;
};

struct TileOp {
  enum class Kind : std::uint8_t { kBlock, kMatrix, kPermutation } kind = Kind::kBlock;
  BlockGeometry geometry;
  std::vector<PlanStep> steps;                  // kBlock
  std::int32_t node = -1;                       // kMatrix, kPermutation
  std::vector<std::int8_t> targets;             // kMatrix: vector-index positions
  std::uint32_t lane_mask = 0, lane_value = 0;  // kMatrix: acts on lanes l with (l & lane_mask) == lane_value
  OuterCondition condition;                     // kMatrix, kPermutation (all controls)
};

struct Sweep {
  std::vector<std::int32_t>
      tile_bits;  // memory bits by tile bit, ascending; -1: padding of a state smaller than a tile
  std::vector<TileOp> ops;
  std::vector<std::int32_t> store_bits;  // memory bit at which tile bit k is written (a permutation of tile_bits)
  std::vector<std::int32_t> outer_bits;  // memory bits outside the tile, ascending
};

// A sweep that moves amplitudes through the index map of its only op, and knows no tiles: tile_bits are the memory bits
// of the map's targets, in their order, and store_bits the same, ascending.
inline bool is_permutation(const Sweep& sweep) {
  return !sweep.ops.empty() && sweep.ops.front().kind == TileOp::Kind::kPermutation;
}

struct Plan {
  int num_qubits = 0;
  int tile_bits = 0;  // of every sweep
  int lane_bits = 0;
  int block_bits = 0;
  int max_table_bits = 0;  // index bits of a table of merged diagonals
  PlanCosts costs;
  Lowered lowered;
  std::vector<Sweep> sweeps;
  std::vector<DiagonalGroup> groups;
};

struct PlanTarget {
  int lane_bits;
  int block_bits;
  int tile_bits;  // wished for; at least what the widest gate needs, at most what the state has
  PlanCosts costs = {};
};

Plan make_plan(const FlatCircuit& circuit, const PlanTarget& target);

// Fills `sweep.ops` with block ops for the nodes in `order`; `place[label]` is the memory bit of a label (kept up to
// date only across sweeps), `destination[label]` where it shall be after the sweep.
void make_tile_program(Plan& plan, Sweep& sweep, const std::vector<std::int32_t>& order,
                       const std::vector<std::int32_t>& place, const std::vector<std::int32_t>& destination);

}  // namespace qfast
