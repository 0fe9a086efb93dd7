// The gate table of the core: one row per gate, in the order of qfast/circuit/gates.py (the opcode is the row's
// index; tests/circuit/test_gate_table.py checks both tables against each other).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/types.h"

namespace qfast {

enum class DataKind : std::uint8_t {
  kNone,
  kMatrix,       // complex 2^k x 2^k, row-major
  kDiagonal,     // complex 2^k
  kPermutation,  // integer 2^k: basis state i becomes data[i]
  kPauli,        // integer k letters, 0..3 = I X Y Z; one angle: exp(-i angle/2 P)
};

// Writes the 2^t x 2^t row-major matrix of the gate without its own controls; t = num_targets.
using MatrixFn = void (*)(const double* params, Complex* out);

struct GateRow {
  std::string_view name;
  std::int8_t own_controls;  // leading qubits that control the rest (cx: 1, ccx: 2)
  std::int8_t num_targets;   // qubits of `matrix`; -1: as many as the instruction has
  std::int8_t num_params;
  DataKind data;
  MatrixFn matrix;  // null for data gates
};

enum : std::uint16_t {
#define QFAST_GATE(id, name, controls, targets, params) k_##id,
#include "circuit/gates.def"
#undef QFAST_GATE
  k_unitary,
  k_diagonal,
  k_permutation,
  k_pauli_rotation,
  kNumGates
};

QFAST_API std::span<const GateRow> gate_table();

// Row index of a gate by name, or -1.
QFAST_API int find_gate(std::string_view name);

}  // namespace qfast
