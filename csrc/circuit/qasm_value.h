// Values of OpenQASM expressions while a text is read, and the arithmetic of those that are known.
#pragma once

#include <cstdint>
#include <string>

#include "circuit/classical.h"
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

// The type of a whole number, a bool or bits; C's conversions as qfast/circuit/classical_code.py has them. They hold
// for what is known while the text is read and for what is not.
struct IntegerType {
  bool is_signed = true;
  bool is_bool = false;
  bool is_bits = false;
  int width = 64;

  bool is_logical() const { return is_bool || (is_bits && width == 1); }
  classical::Kind kind() const {
    return is_bool ? classical::Kind::kBool : is_signed ? classical::Kind::kInt : classical::Kind::kUint;
  }
};

// An operand: its type, or the value of a literal, which takes its partner's type if it fits.
struct IntegerOperand {
  IntegerType type;
  bool is_literal = false;
  bool is_large = false;   // a literal of 2^63 and more
  std::uint64_t word = 0;  // of a literal
};

IntegerOperand operand_of(const Value& v);  // of a known value
IntegerType own_type(const IntegerOperand& v);
IntegerType common_type(const IntegerOperand& a, const IntegerOperand& b, bool is_arithmetic);
IntegerType power_type(const IntegerOperand& base, const IntegerOperand& exponent);

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
