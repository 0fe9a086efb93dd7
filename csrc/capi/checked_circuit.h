// A circuit behind the C interface: every append is checked, for the planner checks nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "circuit/flat.h"
#include "circuit/qasm_circuit.h"
#include "run/program.h"

namespace qfast {

// A circuit that a single run of gates cannot execute.
class UnsupportedCircuit : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class CheckedCircuit {
 public:
  // Throws Error(kInput) for fewer than 0 or more than 63 qubits.
  explicit CheckedCircuit(int num_qubits);

  // Throws Error(kQasm), or UnsupportedCircuit where gates and final measurements are not all there is.
  static CheckedCircuit from_qasm(std::string_view text);

  // Throws Error(kGate), Error(kCircuit) or Error(kParameter).
  void append(std::string_view gate, int num_controls, std::uint64_t control_state,
              std::span<const std::int32_t> qubits, std::span<const double> parameters);
  void append_matrix(std::span<const std::int32_t> qubits, const double* matrix);

  int num_qubits() const { return rows_.num_qubits; }
  std::int64_t num_gates() const { return rows_.size(); }
  const std::vector<std::string>& parameters() const { return parameters_; }
  const std::vector<std::int32_t>& measured_qubits() const { return measured_qubits_; }  // by classical bit, or -1

  // The plan, made at the first call after an append. May be called by several threads at once.
  const Program& program(Precision precision);

 private:
  CheckedCircuit() = default;
  void add_row(std::uint16_t opcode, int num_controls, std::uint64_t control_state, std::int32_t data,
               std::span<const std::int32_t> qubits, std::span<const double> parameters);
  void check_qubits(std::string_view gate, std::span<const std::int32_t> qubits) const;
  std::string place(std::string_view gate) const;
  void copy_gates(const QasmCircuit& source);

  FlatCircuit rows_;
  std::vector<std::string> parameters_;
  std::vector<std::int32_t> measured_qubits_;
  struct Plans {
    std::mutex mutex;
    std::unique_ptr<Program> by_precision[2];
  };
  std::unique_ptr<Plans> plans_ = std::make_unique<Plans>();
};

}  // namespace qfast
