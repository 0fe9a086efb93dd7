// Values of OpenQASM expressions while a text is read, and the arithmetic of those that are known.
#pragma once

#include <cstdint>
#include <string>

#include "circuit/qasm_syntax.h"

namespace qfast::qasm {

// What is wrong with an operation; the reader adds the place.
struct Refusal {
  std::string message;
};

enum class ValueKind : std::uint8_t {
  kBool,
  kInt,
  kUint,
  kFloat,
  kAngle,
  kBits,     // known; kBits is a constant bit string
  kSymbol,   // an expression of input parameters: items of the reader's code pool
  kRuntime,  // a classical expression: a node of the circuit
  kQubits,   // a list of qubits
  kClbits,   // a list of classical bits
};

struct Value {
  ValueKind kind = ValueKind::kInt;
  bool plain = false;              // a literal or made of literals only: it takes any type
  bool scalar = false;             // kQubits, kClbits: one bit, not a register of one
  TypeKind type = TypeKind::kInt;  // kRuntime
  std::int32_t width = 0;          // kInt, kUint, kAngle, kBits, kRuntime: bits; 0: no declared width
  union {
    std::int64_t integer = 0;  // kBool, kInt
    std::uint64_t bits;        // kUint, kBits
    double real;               // kFloat, kAngle
    struct {
      std::int32_t first;  // kSymbol: code; kQubits, kClbits: lists; kRuntime: node
      std::int32_t count;
    } span;
  };

  bool is_known() const { return kind <= ValueKind::kBits; }
  bool is_integer() const { return kind == ValueKind::kInt || kind == ValueKind::kUint; }
};

Value make_bool(bool value);
Value make_int(std::int64_t value, int width = 0);
Value make_uint(std::uint64_t value, int width = 0);
Value make_float(double value);
Value make_angle(double radians, int width);
Value make_bits(std::uint64_t value, int width);

const char* type_name(TypeKind kind);
std::string describe(const Value& value);  // for messages

double to_double(const Value& value);                           // a known number
bool to_bool(const Value& value);                               // a known value
std::int64_t to_integer(const Value& value, const char* what);  // a known whole number

// Conversion of a known value to a declared type, as an assignment or a cast does it.
Value convert(const Value& value, TypeKind type, int width);

// Operators and functions of known values. `real_arithmetic`: 1/2 is 0.5 (OpenQASM 2, and the exponent of pow).
Value apply_unary(Tok op, const Value& value);
Value apply_binary(Tok op, const Value& left, const Value& right, bool real_arithmetic);

// clang-format off
enum class Function : std::uint8_t {
  kArccos, kArcsin, kArctan, kCeiling, kCos, kExp, kFloor, kLog, kMod, kPopcount, kPow, kRotl, kRotr, kSin, kSqrt, kTan,
};
// clang-format on
struct FunctionRow {
  std::string_view name;   // in OpenQASM 3
  std::string_view name2;  // in OpenQASM 2; empty: not there
  int arity;
};
const FunctionRow& function_row(Function function);
constexpr int kNumFunctions = 16;
Value apply_function(Function function, const Value* arguments);

std::string_view operator_text(Tok op);

}  // namespace qfast::qasm
