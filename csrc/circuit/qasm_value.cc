#include "circuit/qasm_value.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "circuit/classical.h"

namespace qfast::qasm {
namespace {

constexpr double kTau = 2 * std::numbers::pi;
constexpr int kMaxAngleWidth = 52;  // a wider angle[n] is as fine as a double and is not rounded
constexpr std::int64_t kIntMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kIntMax = std::numeric_limits<std::int64_t>::max();

std::uint64_t mask(int width) {
  return width == 0 || width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
}

std::int64_t wrap_signed(std::uint64_t bits, int width) {
  return static_cast<std::int64_t>(classical::wrapped(bits, classical::Kind::kInt, width == 0 ? 64 : width));
}

bool is_signed(const Value& v) { return v.kind == ValueKind::kInt || v.kind == ValueKind::kBool; }
std::uint64_t as_bits(const Value& v) { return is_signed(v) ? static_cast<std::uint64_t>(v.integer) : v.bits; }

// One operation of two numbers of one type, by the machine that computes at run time.
std::uint64_t compute(classical::Op op, const IntegerType& type, std::uint64_t a, std::uint64_t b,
                      classical::Kind count = classical::Kind::kInt) {
  const classical::Kind kind = type.kind();
  const std::array<std::uint64_t, 2> constants = {a, b};
  const std::array<classical::Instruction, 3> code = {{
      {classical::Op::kConst, kind, type.width, 0},
      {classical::Op::kConst, kind, type.width, 1},
      {op, kind, type.width, static_cast<std::int32_t>(count)},
  }};
  std::array<std::uint64_t, 4> stack{};
  try {
    classical::run(code, constants, {nullptr, nullptr}, stack.data());
  } catch (const Error& error) {
    throw Refusal{error.what()};
  }
  return stack[0];
}

Value of_type(std::uint64_t word, const IntegerType& type) {
  const int width = type.width;
  if (type.is_bool) return make_bool(word != 0);
  if (type.is_bits) return make_bits(word, width);
  return type.is_signed ? make_int(static_cast<std::int64_t>(word), width) : make_uint(word, width);
}

std::uint64_t to_type(const Value& v, const IntegerType& type) {
  if (type.is_bool) return as_bits(v) != 0;
  return classical::wrapped(as_bits(v), type.kind(), type.width);
}

// The representation of an angle[n]: its multiple of 2 pi / 2^n.
std::uint64_t angle_ticks(const Value& v) {
  return static_cast<std::uint64_t>(std::llround(v.real / kTau * std::ldexp(1.0, v.width))) & mask(v.width);
}
Value angle_from_ticks(std::uint64_t ticks, int width) {
  return make_angle(static_cast<double>(ticks & mask(width)) * kTau / std::ldexp(1.0, width), width);
}

[[noreturn]] void refuse_operands(std::string_view op, const Value& a, const Value& b) {
  throw Refusal{"'" + std::string(op) + "' is not defined for " + describe(a) + " and " + describe(b) +
                "; cast one of them"};
}

Value compare(Tok op, const Value& a, const Value& b) {
  const auto order = [&](const auto& x, const auto& y) {
    switch (op) {
      case Tok::kEqual:
        return x == y;
      case Tok::kNotEqual:
        return x != y;
      case Tok::kLess:
        return x < y;
      case Tok::kLessEqual:
        return x <= y;
      case Tok::kGreater:
        return x > y;
      default:
        return x >= y;
    }
  };
  const auto is_real = [](const Value& v) { return v.kind == ValueKind::kFloat || v.kind == ValueKind::kAngle; };
  if (is_real(a) || is_real(b)) return make_bool(order(to_double(a), to_double(b)));
  if (a.plain && b.plain && is_signed(a) != is_signed(b)) return make_bool(order(!is_signed(a), !is_signed(b)));
  const IntegerType type = common_type(operand_of(a), operand_of(b), false);
  if (type.is_signed) {
    return make_bool(order(static_cast<std::int64_t>(to_type(a, type)), static_cast<std::int64_t>(to_type(b, type))));
  }
  return make_bool(order(to_type(a, type), to_type(b, type)));
}

double real_power(double base, double exponent) {
  const double value = std::pow(base, exponent);
  if (std::isnan(value) && !std::isnan(base)) throw Refusal{"a negative number to a fractional power is not real"};
  if (!std::isfinite(value) && std::isfinite(base) && std::isfinite(exponent)) {
    throw Refusal{"this power is too large for a float"};
  }
  return value;
}

Value real_binary(Tok op, double a, double b) {
  switch (op) {
    case Tok::kPlus:
      return make_float(a + b);
    case Tok::kMinus:
      return make_float(a - b);
    case Tok::kStar:
      return make_float(a * b);
    case Tok::kSlash:
      if (b == 0) throw Refusal{"division by zero"};
      return make_float(a / b);
    case Tok::kPower:
      return make_float(real_power(a, b));
    default:
      throw Refusal{"'" + std::string(operator_text(op)) + "' is not defined for float; cast to int or uint first"};
  }
}

Value checked_plain(Tok op, const Value& a, const Value& b) {  // literals, which have no width
  std::int64_t result = 0;
  const bool overflow = op == Tok::kPlus    ? __builtin_add_overflow(a.integer, b.integer, &result)
                        : op == Tok::kMinus ? __builtin_sub_overflow(a.integer, b.integer, &result)
                                            : __builtin_mul_overflow(a.integer, b.integer, &result);
  if (overflow) throw Refusal{"the result does not fit into a 64-bit int; write one operand as a float (2.0)"};
  Value value = make_int(result);
  value.plain = true;
  return value;
}

Value divide_plain(Tok op, const Value& a, const Value& b, bool inexact_is_real) {
  if (b.integer == 0) throw Refusal{"division by zero"};
  if (a.integer == kIntMin && b.integer == -1) throw Refusal{"the result does not fit into a 64-bit int"};
  if (op == Tok::kSlash && a.integer % b.integer != 0) {
    if (inexact_is_real) return make_float(static_cast<double>(a.integer) / static_cast<double>(b.integer));
    const std::string x = std::to_string(a.integer), y = std::to_string(b.integer);
    throw Refusal{"in OpenQASM 3, " + x + "/" + y + " is a division of integers and drops the rest; write " + x +
                  ".0/" + y + " for the fraction, or int(" + x + "/" + y + ".0) for the whole part"};
  }
  Value value = make_int(op == Tok::kSlash ? a.integer / b.integer : a.integer % b.integer);
  value.plain = true;
  return value;
}

Value power_plain(const Value& a, const Value& b) {
  if (b.integer < 0) return make_float(real_power(to_double(a), to_double(b)));
  std::int64_t result = 1, base = a.integer;
  bool overflow = false;
  for (std::int64_t exponent = b.integer; exponent != 0; exponent >>= 1) {
    if (exponent & 1) overflow |= __builtin_mul_overflow(result, base, &result);
    if (exponent > 1) overflow |= __builtin_mul_overflow(base, base, &base);
  }
  if (overflow) throw Refusal{"the power does not fit into a 64-bit int; write the base as a float (2.0)"};
  Value value = make_int(result);
  value.plain = true;
  return value;
}

bool is_plain_int(const Value& v) { return v.plain && v.kind == ValueKind::kInt; }

Value integer_power(const Value& a, const Value& b) {
  const IntegerOperand left = operand_of(a), right = operand_of(b);
  const IntegerType type = power_type(left, right);
  const classical::Kind count = is_signed(b) ? classical::Kind::kInt : classical::Kind::kUint;
  return of_type(compute(classical::Op::kPower, type, to_type(a, type), as_bits(b), count), type);
}

Value shift(Tok op, const Value& a, const Value& b) {
  IntegerType type = own_type(operand_of(a));
  if (type.is_bool) type = {true, false, false, 64};
  const classical::Kind count = is_signed(b) ? classical::Kind::kInt : classical::Kind::kUint;
  const classical::Op code = op == Tok::kShiftLeft ? classical::Op::kShiftLeft : classical::Op::kShiftRight;
  const std::uint64_t word = compute(code, type, to_type(a, type), as_bits(b), count);
  Value result = of_type(word, type);
  result.plain = is_plain_int(a) && is_plain_int(b);
  if (result.plain && op == Tok::kShiftLeft && a.integer != 0 &&
      (b.integer > 62 || result.integer >> b.integer != a.integer)) {
    throw Refusal{"the result does not fit into a 64-bit int"};
  }
  return result;
}

// Both operands converted to the type that they share.
Value integer_binary(Tok op, const Value& a, const Value& b) {
  const bool is_mask = op == Tok::kAmpersand || op == Tok::kPipe || op == Tok::kCaret;
  if (is_mask && a.kind == ValueKind::kBits && b.kind == ValueKind::kBits && a.width != b.width) {
    throw Refusal{"bit strings of " + std::to_string(a.width) + " and " + std::to_string(b.width) +
                  " bits are combined; they must have the same length"};
  }
  const IntegerType type = common_type(operand_of(a), operand_of(b), !is_mask);
  const classical::Op code = op == Tok::kPlus        ? classical::Op::kAdd
                             : op == Tok::kMinus     ? classical::Op::kSubtract
                             : op == Tok::kStar      ? classical::Op::kMultiply
                             : op == Tok::kSlash     ? classical::Op::kDivide
                             : op == Tok::kPercent   ? classical::Op::kRemainder
                             : op == Tok::kAmpersand ? classical::Op::kAnd
                             : op == Tok::kPipe      ? classical::Op::kOr
                                                     : classical::Op::kXor;
  Value result = of_type(compute(code, type, to_type(a, type), to_type(b, type)), type);
  result.plain = is_mask && is_plain_int(a) && is_plain_int(b);
  return result;
}

Value angle_binary(Tok op, const Value& a, const Value& b) {
  const bool left = a.kind == ValueKind::kAngle, right = b.kind == ValueKind::kAngle;
  const int width = left && right ? std::max(a.width, b.width) : left ? a.width : b.width;
  if (op == Tok::kPlus || op == Tok::kMinus) {
    const double x = make_angle(to_double(a), width).real, y = make_angle(to_double(b), width).real;
    return make_angle(op == Tok::kPlus ? x + y : x - y, width);
  }
  if (op == Tok::kSlash && left && right) {
    if (b.real == 0) throw Refusal{"division by zero"};
    return make_uint(width > 0 ? angle_ticks(a) / angle_ticks(b) : static_cast<std::uint64_t>(a.real / b.real), width);
  }
  const Value& factor = left ? b : a;
  if (factor.is_integer() && op == Tok::kStar) {
    if (width > 0) return angle_from_ticks(angle_ticks(left ? a : b) * as_bits(factor), width);
    return make_angle(to_double(a) * to_double(b), 0);
  }
  if (factor.is_integer() && op == Tok::kSlash && left) {
    if (as_bits(b) == 0) throw Refusal{"division by zero"};
    if (width > 0) return angle_from_ticks(angle_ticks(a) / as_bits(b), width);
    return make_angle(a.real / to_double(b), 0);
  }
  refuse_operands(operator_text(op), a, b);
}

}  // namespace

Value make_bool(bool value) {
  Value v;
  v.kind = ValueKind::kBool;
  v.integer = value;
  return v;
}

Value make_int(std::int64_t value, int width) {
  Value v;
  v.width = width;
  v.integer = value;
  return v;
}

Value make_uint(std::uint64_t value, int width) {
  Value v;
  v.kind = ValueKind::kUint;
  v.width = width;
  v.bits = value;
  return v;
}

Value make_float(double value) {
  Value v;
  v.kind = ValueKind::kFloat;
  v.real = value;
  return v;
}

// Modulo 2 pi, and rounded to a multiple of 2 pi / 2^width where a width is given.
Value make_angle(double radians, int width) {
  if (width > kMaxAngleWidth) width = 0;
  if (!std::isfinite(radians)) throw Refusal{"an angle must be finite"};
  double reduced = std::fmod(radians, kTau);
  if (reduced < 0) reduced += kTau;
  if (width > 0) {
    const double ticks = std::ldexp(1.0, width);
    reduced = std::fmod(std::nearbyint(reduced / kTau * ticks), ticks) * kTau / ticks;
  } else if (reduced >= kTau) {
    reduced = 0;
  }
  Value v;
  v.kind = ValueKind::kAngle;
  v.width = width;
  v.real = reduced;
  return v;
}

Value make_bits(std::uint64_t value, int width) {
  Value v;
  v.kind = ValueKind::kBits;
  v.width = width;
  v.bits = value;
  return v;
}

const char* type_name(TypeKind kind) {
  static constexpr std::array<const char*, 6> kNames = {"bit", "bool", "int", "uint", "float", "angle"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string describe(const Value& v) {
  switch (v.kind) {
    case ValueKind::kBool:
      return "a bool";
    case ValueKind::kInt:
      return "the int " + std::to_string(v.integer);
    case ValueKind::kUint:
      return "the uint " + std::to_string(v.bits);
    case ValueKind::kFloat:
      return "a float";
    case ValueKind::kAngle:
      return "an angle";
    case ValueKind::kBits:
      return "a string of " + std::to_string(v.width) + " bits";
    case ValueKind::kSymbol:
      return "an expression of input parameters";
    case ValueKind::kRuntime:
      return std::string("a ") + type_name(v.type) + " known only at run time";
    case ValueKind::kQubits:
      return v.scalar ? "a qubit" : "a register of " + std::to_string(v.span.count) + " qubits";
    case ValueKind::kClbits:
      return v.scalar ? "a classical bit" : "a register of " + std::to_string(v.span.count) + " classical bits";
  }
  return "a value";
}

double to_double(const Value& v) {
  switch (v.kind) {
    case ValueKind::kBool:
    case ValueKind::kInt:
      return static_cast<double>(v.integer);
    case ValueKind::kUint:
    case ValueKind::kBits:
      return static_cast<double>(v.bits);
    case ValueKind::kFloat:
    case ValueKind::kAngle:
      return v.real;
    default:
      throw Refusal{"expected a number, not " + describe(v)};
  }
}

bool to_bool(const Value& v) {
  return v.kind == ValueKind::kFloat || v.kind == ValueKind::kAngle ? v.real != 0 : as_bits(v) != 0;
}

std::int64_t to_integer(const Value& v, const char* what) {
  if (v.kind == ValueKind::kUint && v.bits <= static_cast<std::uint64_t>(kIntMax)) {
    return static_cast<std::int64_t>(v.bits);
  }
  if (v.kind == ValueKind::kInt || v.kind == ValueKind::kBool) return v.integer;
  if (v.kind == ValueKind::kRuntime || v.kind == ValueKind::kSymbol || v.kind == ValueKind::kClbits) {
    throw Refusal{std::string(what) + " must be known when the text is read, and this is " + describe(v)};
  }
  throw Refusal{std::string(what) + " must be an integer, not " + describe(v)};
}

Value convert(const Value& v, TypeKind type, int width) {
  const bool real = v.kind == ValueKind::kFloat || v.kind == ValueKind::kAngle;
  switch (type) {
    case TypeKind::kBool:
      return make_bool(to_bool(v));
    case TypeKind::kFloat:
      if (v.kind == ValueKind::kBits) return make_float(static_cast<double>(v.bits));
      return make_float(width == 32 ? static_cast<double>(static_cast<float>(to_double(v))) : to_double(v));
    case TypeKind::kAngle:
      if (v.kind == ValueKind::kBits && width == v.width) return angle_from_ticks(v.bits, width);
      if (v.kind == ValueKind::kBits) throw Refusal{"bits of another width cannot be cast to angle"};
      return make_angle(to_double(v), width);
    case TypeKind::kInt:
    case TypeKind::kUint: {
      std::uint64_t bits = 0;
      if (real) {
        if (!(std::fabs(v.real) < 0x1p63)) throw Refusal{"this float does not fit into a 64-bit integer"};
        bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(v.real));
      } else {
        bits = as_bits(v);
      }
      return type == TypeKind::kInt ? make_int(wrap_signed(bits, width), width) : make_uint(bits & mask(width), width);
    }
    case TypeKind::kBit: {
      const int wanted = width == 0 ? 1 : width;
      if (v.kind == ValueKind::kBits && v.width != wanted) {
        throw Refusal{"a string of " + std::to_string(v.width) + " bits does not fit bit[" + std::to_string(wanted) +
                      "]"};
      }
      if (v.kind == ValueKind::kAngle && v.width == wanted) return make_bits(angle_ticks(v), wanted);
      if (real) throw Refusal{"a float or angle of another width cannot be cast to bits"};
      const std::uint64_t lost = as_bits(v) & ~mask(wanted);  // all ones: a negative number, which keeps its sign
      const bool negative = is_signed(v) && v.integer < 0 && (v.integer >> (wanted - 1)) == -1;
      if (lost != 0 && !negative && v.plain) {  // a literal; what has a type is cut off
        const std::string number = is_signed(v) ? std::to_string(v.integer) : std::to_string(v.bits);
        throw Refusal{"the number " + number + " does not fit into " + std::to_string(wanted) + " bits"};
      }
      return make_bits(as_bits(v) & mask(wanted), wanted);
    }
  }
  throw Refusal{"this conversion is not defined"};
}

Value apply_unary(Tok op, const Value& v) {
  switch (op) {
    case Tok::kPlus:
      return v;
    case Tok::kNot:
      return make_bool(!to_bool(v));
    case Tok::kTilde:
      if (v.kind == ValueKind::kBits) return make_bits(~v.bits & mask(v.width), v.width);
      if (v.kind == ValueKind::kUint) return make_uint(~v.bits & mask(v.width), v.width);
      if (v.kind == ValueKind::kInt) {
        Value result = make_int(~v.integer, v.width);
        result.plain = v.plain;
        return result;
      }
      break;
    default:
      if (v.kind == ValueKind::kFloat) return make_float(-to_double(v));
      if (v.kind == ValueKind::kAngle) return make_angle(-v.real, v.width);
      if (is_plain_int(v)) {
        if (v.integer == kIntMin) throw Refusal{"the result does not fit into a 64-bit int"};
        Value result = make_int(-v.integer);
        result.plain = true;
        return result;
      }
      if (v.kind == ValueKind::kBool || v.kind == ValueKind::kBits || v.is_integer()) {
        IntegerType type = own_type(operand_of(v));
        type = type.is_logical() ? IntegerType{true, false, false, 64}
                                 : IntegerType{type.is_signed, false, false, type.width};
        return of_type(compute(classical::Op::kSubtract, type, 0, to_type(v, type)), type);
      }
  }
  throw Refusal{"'" + std::string(operator_text(op)) + "' is not defined for " + describe(v)};
}

Value apply_binary(Tok op, const Value& a, const Value& b, bool real_arithmetic) {
  switch (op) {
    case Tok::kAndAnd:
      return make_bool(to_bool(a) && to_bool(b));
    case Tok::kOrOr:
      return make_bool(to_bool(a) || to_bool(b));
    case Tok::kEqual:
    case Tok::kNotEqual:
    case Tok::kLess:
    case Tok::kLessEqual:
    case Tok::kGreater:
    case Tok::kGreaterEqual:
      return compare(op, a, b);
    default:
      break;
  }
  const auto has = [&](ValueKind kind) { return a.kind == kind || b.kind == kind; };
  const bool real = has(ValueKind::kFloat) || has(ValueKind::kAngle);
  const bool is_bitwise = op == Tok::kAmpersand || op == Tok::kPipe || op == Tok::kCaret;
  if (!real && (op == Tok::kShiftLeft || op == Tok::kShiftRight)) return shift(op, a, b);
  if (!real && is_bitwise) return integer_binary(op, a, b);
  if (has(ValueKind::kAngle) && op != Tok::kPower) return angle_binary(op, a, b);
  if (real || (real_arithmetic && op == Tok::kPower)) return real_binary(op, to_double(a), to_double(b));
  if (is_plain_int(a) && is_plain_int(b)) {
    if (op == Tok::kSlash || op == Tok::kPercent) return divide_plain(op, a, b, real_arithmetic);
    return op == Tok::kPower ? power_plain(a, b) : checked_plain(op, a, b);
  }
  return op == Tok::kPower ? integer_power(a, b) : integer_binary(op, a, b);
}

const FunctionRow& function_row(Function function) {
  // clang-format off
  static constexpr std::array<FunctionRow, kNumFunctions> kRows = {{
      {"arccos", "acos", 1}, {"arcsin", "asin", 1}, {"arctan", "atan", 1}, {"ceiling", "", 1}, {"cos", "cos", 1},
      {"exp", "exp", 1}, {"floor", "", 1}, {"log", "ln", 1}, {"mod", "", 2}, {"popcount", "", 1}, {"pow", "", 2},
      {"rotl", "", 2}, {"rotr", "", 2}, {"sin", "sin", 1}, {"sqrt", "sqrt", 1}, {"tan", "tan", 1},
  }};
  // clang-format on
  return kRows[static_cast<std::size_t>(function)];
}

Value apply_function(Function function, const Value* arguments) {
  const Value& v = arguments[0];
  const auto of_real = [&](double (*f)(double)) {
    const double result = f(to_double(v));
    if (!std::isfinite(result)) {
      throw Refusal{std::string(function_row(function).name) + "(" + std::to_string(to_double(v)) +
                    ") is not a finite real number"};
    }
    return make_float(result);
  };
  switch (function) {
    case Function::kArccos:
      return of_real([](double x) { return std::acos(x); });
    case Function::kArcsin:
      return of_real([](double x) { return std::asin(x); });
    case Function::kArctan:
      return of_real([](double x) { return std::atan(x); });
    case Function::kCeiling:
      return of_real([](double x) { return std::ceil(x); });
    case Function::kCos:
      return of_real([](double x) { return std::cos(x); });
    case Function::kExp:
      return of_real([](double x) { return std::exp(x); });
    case Function::kFloor:
      return of_real([](double x) { return std::floor(x); });
    case Function::kLog:
      return of_real([](double x) { return std::log(x); });
    case Function::kSin:
      return of_real([](double x) { return std::sin(x); });
    case Function::kSqrt:
      return of_real([](double x) { return std::sqrt(x); });
    case Function::kTan:
      return of_real([](double x) { return std::tan(x); });
    case Function::kPow:
      return apply_binary(Tok::kPower, v, arguments[1], false);
    case Function::kMod: {  // the sign of the divisor
      const Value& other = arguments[1];
      const auto is_whole = [](const Value& x) { return x.kind != ValueKind::kFloat && x.kind != ValueKind::kAngle; };
      if (to_double(other) == 0) throw Refusal{"mod by zero"};
      if (is_whole(v) && is_whole(other)) {
        const IntegerType type = common_type(operand_of(v), operand_of(other), true);
        Value rest = of_type(compute(classical::Op::kModulo, type, to_type(v, type), to_type(other, type)), type);
        rest.plain = is_plain_int(v) && is_plain_int(other);
        return rest;
      }
      const double divisor = to_double(other);
      return make_float(to_double(v) - divisor * std::floor(to_double(v) / divisor));
    }
    case Function::kPopcount:
      if (v.kind != ValueKind::kBits && v.kind != ValueKind::kUint && !v.plain) break;
      return make_uint(static_cast<std::uint64_t>(std::popcount(as_bits(v))));
    case Function::kRotl:
    case Function::kRotr: {
      const Value& by = arguments[1];
      if (v.kind != ValueKind::kBits && v.kind != ValueKind::kUint) break;
      if (by.kind == ValueKind::kFloat || by.kind == ValueKind::kAngle) {
        throw Refusal{"a rotation is by a whole number, not by " + describe(by)};
      }
      const IntegerType type = own_type(operand_of(v));
      const classical::Op code = function == Function::kRotl ? classical::Op::kRotateLeft : classical::Op::kRotateRight;
      return of_type(compute(code, type, v.bits, as_bits(by)), type);
    }
  }
  throw Refusal{std::string(function_row(function).name) + " is not defined for " + describe(v)};
}

std::string_view operator_text(Tok op) {
  switch (op) {
    case Tok::kPlus:
      return "+";
    case Tok::kMinus:
      return "-";
    case Tok::kStar:
      return "*";
    case Tok::kSlash:
      return "/";
    case Tok::kPercent:
      return "%";
    case Tok::kPower:
      return "**";
    case Tok::kAmpersand:
      return "&";
    case Tok::kPipe:
      return "|";
    case Tok::kCaret:
      return "^";
    case Tok::kTilde:
      return "~";
    case Tok::kNot:
      return "!";
    case Tok::kShiftLeft:
      return "<<";
    case Tok::kShiftRight:
      return ">>";
    case Tok::kAndAnd:
      return "&&";
    case Tok::kOrOr:
      return "||";
    case Tok::kEqual:
      return "==";
    case Tok::kNotEqual:
      return "!=";
    case Tok::kLess:
      return "<";
    case Tok::kLessEqual:
      return "<=";
    case Tok::kGreater:
      return ">";
    case Tok::kGreaterEqual:
      return ">=";
    case Tok::kPlusPlus:
      return "++";
    default:
      return "=";
  }
}

}  // namespace qfast::qasm
