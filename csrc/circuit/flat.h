// A circuit as flat columns. Python's circuits append to these very columns (bindings/rows.h), the OpenQASM reader and
// the C ABI too, and a plan shares them: nothing is copied on the way. Measurements, resets and control flow never
// reach the planner: layer 4 (qfast/simulation/script.py) splits a circuit at them.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "circuit/shared_column.h"

namespace qfast {

// A parameter slot whose value is an expression of the circuit's parameters, as postfix code.
// Opcodes: see ExprOp; kPushConst takes its operand from `constants`, kPushParam is followed by a parameter index.
enum class ExprOp : std::int32_t {
  kPushConst = 0,  // next word: index into constants
  kPushParam = 1,  // next word: index into the parameter values
  kAdd = 2,
  kSub = 3,
  kMul = 4,
  kDiv = 5,
  kPow = 6,
  kNeg = 7,
  kSin = 8,
  kCos = 9,
  kTan = 10,
  kAsin = 11,
  kAcos = 12,
  kAtan = 13,
  kExp = 14,
  kLog = 15,
  kSqrt = 16,
  kAbs = 17,
};

struct ExpressionTable {
  std::vector<std::int64_t> slots;     // index into FlatCircuit::params, ascending
  std::vector<std::int64_t> code_end;  // per slot: end of its code
  std::vector<std::int32_t> code;
  std::vector<double> constants;
  std::int64_t num_parameters = 0;  // length of the values vector given at run time
};

// One instruction on its way into the columns.
struct FlatRow {
  std::uint16_t opcode = 0;
  std::uint16_t num_controls = 0;
  std::uint64_t ctrl_state = 0;
  std::int32_t data = -1;
};

struct FlatRows {
  // One entry per instruction:
  SharedColumn<std::uint16_t> opcodes;       // row of the gate table (circuit/gates.h, qfast/circuit/gates.py)
  SharedColumn<std::uint16_t> num_controls;  // extra controls, the first of its qubits; controls that belong to the
                                             // gate itself (cx, ccx, …) are not counted here
  SharedColumn<std::uint64_t> ctrl_states;   // bit j: the value that extra control j must have
  SharedColumn<std::int32_t> data;           // index into the circuit's data items, or -1
  SharedColumn<std::int64_t> qubit_end;      // qubits of instruction i: qubits[qubit_end[i-1] .. qubit_end[i])
  SharedColumn<std::int64_t> param_end;      // likewise for params
  // Ragged columns:
  SharedColumn<std::int32_t> qubits;  // extra controls first, then the gate's own qubits in its own order
  SharedColumn<double> params;        // NaN where an expression supplies the value

  std::int64_t size() const { return static_cast<std::int64_t>(opcodes.size()); }

  // Ends a row whose qubits and params have been appended.
  void end_row(const FlatRow& row) {
    num_controls.push_back(row.num_controls);
    ctrl_states.push_back(row.ctrl_state);
    data.push_back(row.data);
    qubit_end.push_back(static_cast<std::int64_t>(qubits.size()));
    param_end.push_back(static_cast<std::int64_t>(params.size()));
    opcodes.push_back(row.opcode);
  }
};

// A unitary circuit. In it, `data` is an index into complex_data or integer_data, by the row's data kind.
struct FlatCircuit : FlatRows {
  std::int32_t num_qubits = 0;
  std::vector<std::vector<Complex>> complex_data;       // matrices (row-major), diagonals
  std::vector<std::vector<std::int64_t>> integer_data;  // permutations (image of each index), Pauli letters 0..3 = IXYZ
  ExpressionTable expressions;
};

}  // namespace qfast
