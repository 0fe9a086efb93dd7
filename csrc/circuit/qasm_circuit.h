// What the OpenQASM reader makes: flat columns (circuit/flat.h) for the circuit and for each block of control flow, and
// what stands around them. qfast/circuit/qasm.py turns it into a qfast.circuit.Circuit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "circuit/flat.h"
#include "circuit/gates.h"

namespace qfast {

// Opcodes of the rows that are no gates, in the order of qfast/circuit/gates.py.
enum : std::uint16_t {
  k_measure = kNumGates,  // 1 qubit; data: the classical bit
  k_reset,
  k_barrier,
  k_if_else,  // these six: data is an index into QasmBlock::flows, qubits are those that the bodies touch
  k_while_loop,
  k_for_loop,
  k_switch_case,
  k_break_loop,  // no data
  k_continue_loop,
  k_assign,
};

struct QasmRegister {
  std::string name;
  std::int32_t size = 0;
};

enum class VariableKind : std::uint8_t { kInt, kUint, kBool, kFloat };

struct QasmVariable {
  std::string name;
  VariableKind kind = VariableKind::kInt;
  int width = 0;  // bits of an int or uint; 0 for bool and float
};

// A node of a classical expression; operands are nodes that stand before it.
struct ClassicalNode {
  enum class Kind : std::uint8_t {
    kBit,
    kBits,
    kVariable,
    kInt,
    kWideInt,
    kReal,
    kBool,
    kUnary,
    kBinary,
    kIndex,
    kCast,
    kCall
  };
  Kind kind{};
  std::string_view op;  // kUnary, kBinary: the operator; kCall: the function; kCast: int, uint, bool or float. Static.
  std::int32_t left = -1;    // operands; kBit, kBits: the first bit; kVariable: index into QasmCircuit::variables;
                             // kWideInt: into wide_integers
  std::int32_t right = -1;   // kBits: number of bits; kCast: width, 0 for bool and float
  std::int64_t integer = 0;  // kInt, kBool
  double real = 0.0;         // kReal
  std::int32_t depth = 1;    // of the tree below
  bool is_unsigned = false;  // kInt: `integer` holds a uint64
  bool real_valued = false;  // the value is a float
};

// One row of control flow or an assignment; `blocks` index QasmCircuit::blocks.
struct QasmFlow {
  std::uint16_t opcode = 0;
  std::int32_t expression = -1;      // condition, switch target or assigned value: index into QasmCircuit::nodes
  std::int32_t target = -1;          // k_assign: node; k_for_loop: variable, or -1
  std::vector<std::int32_t> blocks;  // if: body[, else]; loops: body; switch: one per case[, default]
  std::vector<std::vector<std::int64_t>> values;  // switch: of each case; for: one list of the values
  bool is_range = false;                          // for: the list is first value, step, number of values
  bool is_unsigned = false;                       // switch: the values are uint64
};

struct QasmBlock {
  FlatCircuit rows;  // data of unitary and diagonal rows: complex_data; expressions: over QasmCircuit::parameters
  std::vector<QasmFlow> flows;
};

struct QasmCircuit {
  int version = 3;
  std::int32_t num_qubits = 0;
  std::int32_t num_clbits = 0;
  std::vector<QasmRegister> qubit_registers;  // in order, without gaps
  std::vector<QasmRegister> classical_registers;
  std::vector<std::string> parameters;  // inputs, and variables that stand in angles
  std::vector<std::string> inputs;      // all declared inputs, used or not
  std::vector<QasmVariable> variables;
  std::vector<ClassicalNode> nodes;
  std::vector<std::string> wide_integers;  // of more than 64 bits, as they are written
  std::vector<QasmBlock> blocks;           // blocks[0] is the circuit itself
};

// Reads OpenQASM 2 or 3.
//   text      UTF-8
//   filename  for messages; may be empty
//   folder    where includes are looked up; empty: only the built-in libraries can be included
// Throws Error(kQasm) with line and column (counted in characters from 1), with nothing half done.
QFAST_API QasmCircuit read_qasm(std::string_view text, const std::string& filename, const std::string& folder);

}  // namespace qfast
