// Matrices of single operations of a flat circuit.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "circuit/flat.h"
#include "circuit/gates.h"

namespace qfast {

// Entries below this, relative to a unitary's unit rows, are rounding of an exact zero (cos(π/2) = 6e-17).
constexpr double kRoundingOfZero = 1e-15;
inline bool is_zero(Complex z) { return std::norm(z) <= kRoundingOfZero * kRoundingOfZero; }
inline bool is_zero(double x) { return std::abs(x) <= kRoundingOfZero; }

// One row of a flat circuit, with its qubits split into controls (extra ones, then the gate's own) and targets.
struct Operation {
  const GateRow* row;
  const std::int32_t* qubits;  // controls, then targets
  int num_controls;
  int num_targets;
  std::uint64_t control_state;  // bit j: value of control j at which the gate acts
  std::int64_t first_param;
  std::int32_t data;
  std::uint16_t opcode;
};

Operation operation_at(const FlatCircuit& circuit, std::int64_t index);

// The 2^t x 2^t row-major matrix on the targets (not the controls). `params` are the circuit's parameter slots with
// every expression evaluated.
void target_matrix(const FlatCircuit& circuit, const Operation& op, const double* params, std::vector<Complex>& out);

// The same with the controls as the least significant qubits: 2^(c+t) x 2^(c+t).
void full_matrix(const FlatCircuit& circuit, const Operation& op, const double* params, std::vector<Complex>& out);

// True when the gate is diagonal for every parameter value, judged from its matrix or its data.
bool is_diagonal(const std::vector<Complex>& matrix, int dim);

// The circuit's parameter slots with generic values where one is symbolic: zeros of a matrix that survive them are
// zeros of the gate's form.
std::vector<double> generic_parameters(const FlatCircuit& circuit);

// Evaluates every expression slot: params = the circuit's own with the expressions' values filled in. Slots marked in
// `skipped`, one entry a slot or none at all, have no value yet and stay as they are.
void evaluate_parameters(const FlatCircuit& circuit, const double* values, std::vector<double>& params,
                         std::span<const std::uint8_t> skipped = {});

}  // namespace qfast
