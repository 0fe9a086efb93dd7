#include "capi/checked_circuit.h"

#include <algorithm>
#include <cmath>

#include "base/bits.h"
#include "base/cpu_features.h"
#include "base/error.h"
#include "circuit/gates.h"

namespace qfast {
namespace {

constexpr int kMaxQubits = 63;  // an index is a signed 64-bit number
constexpr int kMaxMatrixQubits = 10;
constexpr double kUnitaryTolerance = 1e-8;

std::string known_gates() {
  std::string names;
  for (const GateRow& row : gate_table()) {
    if (row.data != DataKind::kNone) continue;
    if (!names.empty()) names += ' ';
    names += row.name;
  }
  return names;
}

void check_unitary(const std::string& place, std::span<const Complex> matrix, std::size_t dim) {
  for (std::size_t i = 0; i < dim; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      Complex product = 0;
      for (std::size_t k = 0; k < dim; ++k) product += matrix[i * dim + k] * std::conj(matrix[j * dim + k]);
      const double error = std::abs(product - (i == j ? 1.0 : 0.0));
      if (!(error <= kUnitaryTolerance)) {  // NaN too
        throw Error(ErrorKind::kGate, place + ": the matrix is not unitary: rows " + std::to_string(j) + " and " +
                                          std::to_string(i) + " have an inner product that is off by " +
                                          std::to_string(error) + "; 1e-8 is allowed");
      }
    }
  }
}

}  // namespace

CheckedCircuit::CheckedCircuit(int num_qubits) {
  if (num_qubits < 0 || num_qubits > kMaxQubits) {
    throw Error(ErrorKind::kInput, "a circuit of " + std::to_string(num_qubits) +
                                       " qubits was asked for; it may have 0 to " + std::to_string(kMaxQubits));
  }
  rows_.num_qubits = num_qubits;
}

std::string CheckedCircuit::place(std::string_view gate) const {
  return "gate '" + std::string(gate) + "' at instruction " + std::to_string(rows_.size());
}

void CheckedCircuit::check_qubits(std::string_view gate, std::span<const std::int32_t> qubits) const {
  std::uint64_t seen = 0;
  for (std::int32_t qubit : qubits) {
    if (qubit < 0 || qubit >= num_qubits()) {
      throw Error(ErrorKind::kCircuit, place(gate) + ": qubit " + std::to_string(qubit) +
                                           " is out of range; the circuit has " + std::to_string(num_qubits()) +
                                           " qubits");
    }
    if ((seen >> qubit) & 1) {
      throw Error(ErrorKind::kCircuit, place(gate) + ": qubit " + std::to_string(qubit) + " is listed twice");
    }
    seen |= 1ull << qubit;
  }
}

void CheckedCircuit::append(std::string_view gate, int num_controls, std::uint64_t control_state,
                            std::span<const std::int32_t> qubits, std::span<const double> parameters) {
  const int opcode = find_gate(gate);
  const GateRow* row = opcode < 0 ? nullptr : &gate_table()[static_cast<std::size_t>(opcode)];
  if (row == nullptr || row->data != DataKind::kNone) {
    throw Error(ErrorKind::kGate, place(gate) + " is not known; known are: " + known_gates());
  }
  if (num_controls < 0 || (control_state & ~low_mask(num_controls)) != 0) {
    throw Error(ErrorKind::kCircuit, place(gate) + ": " + std::to_string(num_controls) + " controls with the state " +
                                         std::to_string(control_state) +
                                         "; the state must have no bit beyond the controls");
  }
  const int expected = num_controls + row->own_controls + row->num_targets;
  if (static_cast<int>(qubits.size()) != expected) {
    throw Error(ErrorKind::kCircuit,
                place(gate) + " acts on " + std::to_string(expected) + " qubits, got " + std::to_string(qubits.size()));
  }
  if (static_cast<int>(parameters.size()) != row->num_params) {
    throw Error(ErrorKind::kGate, place(gate) + " takes " + std::to_string(row->num_params) + " parameters, got " +
                                      std::to_string(parameters.size()));
  }
  check_qubits(gate, qubits);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!std::isfinite(parameters[i])) {
      throw Error(ErrorKind::kParameter, place(gate) + ": parameter " + std::to_string(i) + " is " +
                                             std::to_string(parameters[i]) + "; it must be finite");
    }
  }
  add_row(static_cast<std::uint16_t>(opcode), num_controls, control_state, -1, qubits, parameters);
}

void CheckedCircuit::append_matrix(std::span<const std::int32_t> qubits, const double* matrix) {
  if (qubits.empty() || qubits.size() > kMaxMatrixQubits) {
    throw Error(ErrorKind::kGate, place("unitary") + " acts on " + std::to_string(qubits.size()) +
                                      " qubits; a matrix may act on 1 to " + std::to_string(kMaxMatrixQubits));
  }
  check_qubits("unitary", qubits);
  const std::size_t dim = std::size_t{1} << qubits.size();
  std::vector<Complex> copy(dim * dim);
  for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = {matrix[2 * i], matrix[2 * i + 1]};
  check_unitary(place("unitary"), copy, dim);
  rows_.complex_data.push_back(std::move(copy));
  add_row(k_unitary, 0, 0, static_cast<std::int32_t>(rows_.complex_data.size()) - 1, qubits, {});
}

void CheckedCircuit::add_row(std::uint16_t opcode, int num_controls, std::uint64_t control_state, std::int32_t data,
                             std::span<const std::int32_t> qubits, std::span<const double> parameters) {
  rows_.qubits.append(qubits);
  rows_.params.append(parameters);
  rows_.end_row({opcode, static_cast<std::uint16_t>(num_controls), control_state, data});
  for (auto& plan : plans_->by_precision) plan.reset();
}

CheckedCircuit CheckedCircuit::from_qasm(std::string_view text) {
  const QasmCircuit source = read_qasm(text, "", "");
  CheckedCircuit circuit(source.num_qubits);
  circuit.parameters_ = source.parameters;
  circuit.measured_qubits_.assign(static_cast<std::size_t>(source.num_clbits), -1);
  circuit.copy_gates(source);
  return circuit;
}

// Copies the gates and notes the measurements. Parameters keep their slots: rows that are left out have none.
void CheckedCircuit::copy_gates(const QasmCircuit& source) {
  const FlatCircuit& rows = source.blocks.front().rows;
  if (source.parameters.size() != source.inputs.size()) {
    throw UnsupportedCircuit(
        "an angle of the circuit depends on a classical variable; the C interface runs gates and "
        "final measurements only");
  }
  rows_.complex_data = rows.complex_data;
  rows_.integer_data = rows.integer_data;
  rows_.expressions = rows.expressions;
  enum : std::uint8_t { kUntouched, kUsed, kMeasured };
  std::vector<std::uint8_t> life(static_cast<std::size_t>(rows.num_qubits), kUntouched);
  std::int64_t first_qubit = 0, first_param = 0;
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::span qubits(rows.qubits.data() + first_qubit, rows.qubits.data() + rows.qubit_end[at]);
    const std::span params(rows.params.data() + first_param, rows.params.data() + rows.param_end[at]);
    first_qubit = rows.qubit_end[at];
    first_param = rows.param_end[at];
    const std::uint16_t opcode = rows.opcodes[at];
    if (opcode == k_barrier) continue;
    const auto refuse = [&](const std::string& what) {
      throw UnsupportedCircuit("instruction " + std::to_string(i) + " " + what +
                               "; the C interface runs gates and final measurements only");
    };
    if (opcode > k_barrier) refuse("is control flow or an assignment");
    for (std::int32_t qubit : qubits) {
      std::uint8_t& stage = life[static_cast<std::size_t>(qubit)];
      if (opcode == k_reset && stage != kUntouched)
        refuse("resets qubit " + std::to_string(qubit) + " after its first use");
      if (opcode < kNumGates && stage == kMeasured) {
        refuse("acts on qubit " + std::to_string(qubit) + " after its measurement");
      }
      if (opcode == k_measure) stage = kMeasured;
      if (opcode < kNumGates) stage = kUsed;
    }
    if (opcode == k_measure) measured_qubits_[static_cast<std::size_t>(rows.data[at])] = qubits[0];
    if (opcode < kNumGates) add_row(opcode, rows.num_controls[at], rows.ctrl_states[at], rows.data[at], qubits, params);
  }
}

const Program& CheckedCircuit::program(Precision precision) {
  const std::lock_guard lock(plans_->mutex);
  std::unique_ptr<Program>& plan = plans_->by_precision[static_cast<std::size_t>(precision)];
  if (plan == nullptr) plan = std::make_unique<Program>(rows_, precision, default_isa());
  return *plan;
}

}  // namespace qfast
