#include "plan/assert_plan.h"

#include <algorithm>

#include "base/assert.h"
#include "base/bits.h"
#include "circuit/gates.h"

namespace qfast {

#if defined(NDEBUG)

void assert_circuit(const FlatCircuit&) {}
void assert_plan(const Plan&) {}

#else

namespace {

// Adds a bit to a set that does not have it yet.
void assert_new(std::uint64_t& seen, std::int64_t bit, std::int64_t limit) {
  QFAST_ASSERT(bit >= 0 && bit < limit && limit <= 64);
  QFAST_ASSERT((seen >> bit & 1) == 0);
  seen |= std::uint64_t{1} << bit;
}

void assert_step(const Plan& plan, const PlanStep& step) {
  QFAST_ASSERT(step.target >= 0 && step.target < plan.block_bits);
  switch (step.kind) {
    case PlanStep::Kind::kOne:
      QFAST_ASSERT(step.index >= 0 && static_cast<std::size_t>(step.index) < plan.lowered.nodes.size());
      QFAST_ASSERT((step.control_mask >> (plan.block_bits - 1)) == 0);
      break;
    case PlanStep::Kind::kTwo:
      QFAST_ASSERT(step.index >= 0 && static_cast<std::size_t>(step.index) < plan.lowered.nodes.size());
      QFAST_ASSERT(step.target < step.second && step.second < plan.block_bits);
      break;
    case PlanStep::Kind::kDiagonal:
      QFAST_ASSERT(step.index >= 0 && static_cast<std::size_t>(step.index) < plan.groups.size());
      break;
    case PlanStep::Kind::kSwapLane:
      QFAST_ASSERT(step.second >= 0 && step.second < plan.lane_bits);
      break;
    case PlanStep::Kind::kFlip:
      break;
  }
}

void assert_sweep(const Plan& plan, const Sweep& sweep) {
  if (is_permutation(sweep)) {
    QFAST_ASSERT(sweep.ops.size() == 1);
    return;
  }
  QFAST_ASSERT(sweep.tile_bits.size() == static_cast<std::size_t>(plan.tile_bits));
  QFAST_ASSERT(sweep.store_bits.size() == sweep.tile_bits.size());
  std::uint64_t inside = 0, outside = 0, stored = 0;
  for (const std::int32_t bit : sweep.tile_bits) {
    if (bit >= 0) assert_new(inside, bit, plan.num_qubits);
  }
  for (const std::int32_t bit : sweep.store_bits) {
    if (bit >= 0) assert_new(stored, bit, plan.num_qubits);
  }
  for (const std::int32_t bit : sweep.outer_bits) assert_new(outside, bit, plan.num_qubits);
  QFAST_ASSERT(inside == stored && (inside & outside) == 0);
  QFAST_ASSERT((inside | outside) == low_mask(plan.num_qubits));
  const int vector_bits = plan.tile_bits - plan.lane_bits;
  for (const TileOp& op : sweep.ops) {
    QFAST_ASSERT((op.condition.value & ~op.condition.mask) == 0 && (op.condition.mask & ~outside) == 0);
    const BlockGeometry& g = op.geometry;
    QFAST_ASSERT(std::is_sorted(g.inserted, g.inserted + g.num_inserted));
    QFAST_ASSERT(g.num_blocks == 1u << (vector_bits - g.num_inserted));
    std::uint64_t bits = 0;
    if (op.kind == TileOp::Kind::kMatrix) {
      for (const std::int8_t target : op.targets) assert_new(bits, target, vector_bits);
      continue;
    }
    for (int b = 0; b < plan.block_bits; ++b) assert_new(bits, g.block_bits[b], vector_bits);
    for (const PlanStep& step : op.steps) assert_step(plan, step);
  }
}

}  // namespace

void assert_circuit(const FlatCircuit& circuit) {
  const std::size_t size = circuit.opcodes.size();
  QFAST_ASSERT(circuit.num_controls.size() == size && circuit.ctrl_states.size() == size);
  QFAST_ASSERT(circuit.data.size() == size && circuit.qubit_end.size() == size && circuit.param_end.size() == size);
  std::int64_t first_qubit = 0, first_param = 0;
  for (std::size_t i = 0; i < size; ++i) {
    QFAST_ASSERT(circuit.opcodes[i] < kNumGates);
    const GateRow& row = gate_table()[circuit.opcodes[i]];
    const std::int64_t end = circuit.qubit_end[i];
    QFAST_ASSERT(end >= first_qubit + circuit.num_controls[i] + row.own_controls);
    QFAST_ASSERT(static_cast<std::size_t>(end) <= circuit.qubits.size());
    QFAST_ASSERT(circuit.param_end[i] >= first_param + row.num_params);
    QFAST_ASSERT(static_cast<std::size_t>(circuit.param_end[i]) <= circuit.params.size());
    std::uint64_t seen = 0;
    for (std::int64_t k = first_qubit; k < end; ++k) {
      assert_new(seen, circuit.qubits[static_cast<std::size_t>(k)], circuit.num_qubits);
    }
    if (row.data != DataKind::kNone) {
      const bool is_complex = row.data == DataKind::kMatrix || row.data == DataKind::kDiagonal;
      const std::size_t items = is_complex ? circuit.complex_data.size() : circuit.integer_data.size();
      QFAST_ASSERT(circuit.data[i] >= 0 && static_cast<std::size_t>(circuit.data[i]) < items);
    }
    first_qubit = end;
    first_param = circuit.param_end[i];
  }
}

void assert_plan(const Plan& plan) {
  QFAST_ASSERT(plan.tile_bits <= kMaxTileBits && plan.block_bits <= kMaxBlockBits);
  QFAST_ASSERT(plan.tile_bits >= plan.lane_bits + plan.block_bits || plan.sweeps.empty());
  for (const Sweep& sweep : plan.sweeps) assert_sweep(plan, sweep);
}

#endif

}  // namespace qfast
