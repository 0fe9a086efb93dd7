// Any text is read or refused with an Error of the kind kQasm; what is read keeps the contract of the flat circuit.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "circuit/qasm_circuit.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void check_block(const qfast::QasmCircuit& circuit, const qfast::QasmBlock& block) {
  const qfast::FlatCircuit& rows = block.rows;
  const std::size_t size = rows.opcodes.size();
  check(rows.num_controls.size() == size && rows.ctrl_states.size() == size && rows.data.size() == size);
  check(rows.qubit_end.size() == size && rows.param_end.size() == size);
  check(size == 0 || rows.qubit_end.back() == static_cast<std::int64_t>(rows.qubits.size()));
  check(size == 0 || rows.param_end.back() == static_cast<std::int64_t>(rows.params.size()));
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint16_t opcode = rows.opcodes[i];
    check(opcode <= qfast::k_assign);
    if (opcode == qfast::k_measure) check(rows.data[i] >= 0 && rows.data[i] < circuit.num_clbits);
    if (opcode == qfast::k_unitary || opcode == qfast::k_diagonal) {
      check(rows.data[i] >= 0 && rows.data[i] < static_cast<std::int64_t>(rows.complex_data.size()));
    }
    const std::int64_t first = i == 0 ? 0 : rows.qubit_end[i - 1];
    check(first <= rows.qubit_end[i] && rows.num_controls[i] <= 64);
    if (opcode < qfast::kNumGates && opcode != qfast::k_unitary && opcode != qfast::k_diagonal) {
      const qfast::GateRow& row = qfast::gate_table()[opcode];
      check(rows.qubit_end[i] - first == rows.num_controls[i] + row.own_controls + row.num_targets);
      check(rows.param_end[i] - (i == 0 ? 0 : rows.param_end[i - 1]) == row.num_params);
    }
  }
  for (const std::int32_t qubit : rows.qubits) check(qubit >= 0 && qubit < circuit.num_qubits);
  std::size_t expressions = 0;
  for (const double value : rows.params) expressions += std::isnan(value);
  check(expressions == rows.expressions.slots.size() && expressions == rows.expressions.code_end.size());
  for (const qfast::QasmFlow& flow : block.flows) {
    for (const std::int32_t id : flow.blocks) check(id > 0 && id < static_cast<std::int64_t>(circuit.blocks.size()));
    check(flow.expression < static_cast<std::int64_t>(circuit.nodes.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const qfast::QasmCircuit circuit = qfast::read_qasm({reinterpret_cast<const char*>(data), size}, "", "");
    for (const qfast::QasmBlock& block : circuit.blocks) check_block(circuit, block);
    for (std::size_t i = 0; i < circuit.nodes.size(); ++i) {
      const qfast::ClassicalNode& node = circuit.nodes[i];
      const bool has_operands = node.kind > qfast::ClassicalNode::Kind::kBool;
      if (has_operands) check(node.left >= 0 && node.left < static_cast<std::int64_t>(i));
    }
  } catch (const qfast::Error& error) {
    check(error.kind() == qfast::ErrorKind::kQasm);
  }
  return 0;
}
