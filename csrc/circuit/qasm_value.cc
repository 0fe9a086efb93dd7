#include "circuit/qasm_value.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

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
  if (width == 0 || width >= 64) return static_cast<std::int64_t>(bits);
  const int shift = 64 - width;
  return static_cast<std::int64_t>(bits << shift) >> shift;
}

bool is_signed(const Value& v) { return v.kind == ValueKind::kInt || v.kind == ValueKind::kBool; }
std::uint64_t as_bits(const Value& v) { return is_signed(v) ? static_cast<std::uint64_t>(v.integer) : v.bits; }

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
  if (is_signed(a) == is_signed(b)) {
    return make_bool(is_signed(a) ? order(a.integer, b.integer) : order(a.bits, b.bits));
  }
  // One signed, one unsigned: a negative number is below every unsigned one.
  const Value& s = is_signed(a) ? a : b;
  if (s.integer >= 0) return make_bool(order(as_bits(a), as_bits(b)));
  return make_bool(&s == &a ? order(0, 1) : order(1, 0));
}

double real_power(double base, double exponent) {
  const double value = std::pow(base, exponent);
  if (std::isnan(value) && !std::isnan(base)) throw Refusal{"a negative number to a fractional power is not real"};
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

Value integer_result(std::uint64_t bits, const Value& a, const Value& b) {
  // C's rules: unsigned wins; the wider declared width wins; literals take their partner's type.
  int width = a.width == 0 || b.width == 0 ? 0 : std::max(a.width, b.width);
  if (a.plain != b.plain) width = a.plain ? b.width : a.width;
  const bool is_unsigned = (a.kind == ValueKind::kUint && !a.plain) || (b.kind == ValueKind::kUint && !b.plain) ||
                           (a.kind == ValueKind::kUint && b.kind == ValueKind::kUint);
  Value result = is_unsigned ? make_uint(bits & mask(width), width) : make_int(wrap_signed(bits, width), width);
  result.plain = a.plain && b.plain;
  return result;
}

Value checked_int(Tok op, const Value& a, const Value& b) {  // both fit into int64 and no width is declared
  std::int64_t result = 0;
  const bool overflow = op == Tok::kPlus    ? __builtin_add_overflow(a.integer, b.integer, &result)
                        : op == Tok::kMinus ? __builtin_sub_overflow(a.integer, b.integer, &result)
                                            : __builtin_mul_overflow(a.integer, b.integer, &result);
  if (overflow) throw Refusal{"the result does not fit into a 64-bit int; write one operand as a float (2.0)"};
  Value value = make_int(result);
  value.plain = a.plain && b.plain;
  return value;
}

Value integer_divide(Tok op, const Value& a, const Value& b, bool inexact_is_real) {
  if (as_bits(b) == 0) throw Refusal{"division by zero"};
  const Value kind = integer_result(0, a, b);
  if (kind.kind == ValueKind::kUint) {
    const std::uint64_t x = as_bits(a) & mask(kind.width), y = as_bits(b) & mask(kind.width);
    if (y == 0) throw Refusal{"division by zero"};
    return integer_result(op == Tok::kSlash ? x / y : x % y, a, b);
  }
  if (a.integer == kIntMin && b.integer == -1) throw Refusal{"the result does not fit into a 64-bit int"};
  if (op == Tok::kPercent) return integer_result(static_cast<std::uint64_t>(a.integer % b.integer), a, b);
  if (kind.plain && a.integer % b.integer != 0) {
    if (inexact_is_real) return make_float(static_cast<double>(a.integer) / static_cast<double>(b.integer));
    const std::string x = std::to_string(a.integer), y = std::to_string(b.integer);
    throw Refusal{"in OpenQASM 3, " + x + "/" + y + " is a division of integers and drops the rest; write " + x +
                  ".0/" + y + " for the fraction, or int(" + x + "/" + y + ".0) for the whole part"};
  }
  return integer_result(static_cast<std::uint64_t>(a.integer / b.integer), a, b);
}

Value integer_power(const Value& a, const Value& b) {
  if (is_signed(b) && b.integer < 0) return make_float(real_power(to_double(a), to_double(b)));
  std::uint64_t base = as_bits(a), result = 1, exponent = as_bits(b);
  const int width = integer_result(0, a, b).width;
  bool overflow = false;
  std::int64_t checked = 1, checked_base = a.integer;
  while (exponent != 0) {
    if (exponent & 1) {
      result *= base;
      overflow |= __builtin_mul_overflow(checked, checked_base, &checked);
    }
    exponent >>= 1;
    if (exponent != 0) {
      base *= base;
      overflow |= __builtin_mul_overflow(checked_base, checked_base, &checked_base);
    }
  }
  if (overflow && width == 0 && is_signed(a)) {
    throw Refusal{"the power does not fit into a 64-bit int; write the base as a float (2.0)"};
  }
  return integer_result(result, a, b);
}

Value shift(Tok op, const Value& a, const Value& b) {
  const std::int64_t by = to_integer(b, "a shift");
  if (by < 0) throw Refusal{"a shift by a negative number"};
  const std::uint64_t bits = as_bits(a);
  Value result = a;
  if (op == Tok::kShiftLeft) {
    const std::uint64_t shifted = by >= 64 ? 0 : bits << by;
    if (is_signed(a)) {
      result.integer = wrap_signed(shifted, a.width);
    } else {
      result.bits = shifted & mask(a.width);
    }
  } else if (is_signed(a)) {
    result.integer = a.integer >> (by > 63 ? 63 : by);
  } else {
    result.bits = by >= 64 ? 0 : bits >> by;
  }
  if (result.kind == ValueKind::kBool) result.kind = ValueKind::kInt;
  return result;
}

Value bitwise(Tok op, const Value& a, const Value& b) {
  if (a.kind == ValueKind::kBits && b.kind == ValueKind::kBits && a.width != b.width) {
    throw Refusal{"bit strings of " + std::to_string(a.width) + " and " + std::to_string(b.width) +
                  " bits are combined; they must have the same length"};
  }
  const std::uint64_t x = as_bits(a), y = as_bits(b);
  const std::uint64_t bits = op == Tok::kAmpersand ? x & y : op == Tok::kPipe ? x | y : x ^ y;
  if (a.kind == ValueKind::kBits) return make_bits(bits & mask(a.width), a.width);
  if (b.kind == ValueKind::kBits) return make_bits(bits & mask(b.width), b.width);
  return integer_result(bits, a, b);
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
      if (v.kind == ValueKind::kBits) throw Refusal{"bits cannot be cast to float; cast them to uint first"};
      return make_float(width == 32 ? static_cast<double>(static_cast<float>(to_double(v))) : to_double(v));
    case TypeKind::kAngle:
      if (v.kind == ValueKind::kBits && width == v.width) return angle_from_ticks(v.bits, width);
      return make_angle(to_double(v), width);
    case TypeKind::kInt:
    case TypeKind::kUint: {
      std::uint64_t bits = 0;
      if (real) {
        if (!(std::fabs(v.real) < 9.2e18)) throw Refusal{"this float does not fit into a 64-bit integer"};
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
      if (lost != 0 && !negative) {
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
      if (v.kind == ValueKind::kInt) return make_int(~v.integer, v.width);
      break;
    default:
      if (v.kind == ValueKind::kFloat) return make_float(-to_double(v));
      if (v.kind == ValueKind::kAngle) return make_angle(-v.real, v.width);
      if (v.kind == ValueKind::kUint) return make_uint((~v.bits + 1) & mask(v.width), v.width);
      if (v.kind == ValueKind::kInt) {
        if (v.integer == kIntMin) throw Refusal{"the result does not fit into a 64-bit int"};
        Value result = make_int(wrap_signed(static_cast<std::uint64_t>(-v.integer), v.width), v.width);
        result.plain = v.plain;
        return result;
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
  if (is_bitwise && !real) return bitwise(op, a, b);
  if ((op == Tok::kShiftLeft || op == Tok::kShiftRight) && !real) return shift(op, a, b);
  if (has(ValueKind::kBits)) refuse_operands(operator_text(op), a, b);
  if (has(ValueKind::kAngle) && op != Tok::kPower) return angle_binary(op, a, b);
  if (real || (real_arithmetic && op == Tok::kPower)) return real_binary(op, to_double(a), to_double(b));
  switch (op) {
    case Tok::kSlash:
    case Tok::kPercent:
      return integer_divide(op, a, b, real_arithmetic);
    case Tok::kPower:
      return integer_power(a, b);
    default:
      break;
  }
  if (is_signed(a) && is_signed(b) && integer_result(0, a, b).width == 0) return checked_int(op, a, b);
  const std::uint64_t x = as_bits(a), y = as_bits(b);
  return integer_result(op == Tok::kPlus ? x + y : op == Tok::kMinus ? x - y : x * y, a, b);
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
      if (to_double(arguments[1]) == 0) throw Refusal{"mod by zero"};
      if (v.is_integer() && arguments[1].is_integer()) {
        const std::int64_t divisor = to_integer(arguments[1], "mod");
        if (divisor == -1) return make_int(0);
        const std::int64_t rest = to_integer(v, "mod") % divisor;
        return make_int(rest != 0 && (rest < 0) != (divisor < 0) ? rest + divisor : rest);
      }
      const double divisor = to_double(arguments[1]);
      return make_float(to_double(v) - divisor * std::floor(to_double(v) / divisor));
    }
    case Function::kPopcount:
      if (v.kind != ValueKind::kBits && v.kind != ValueKind::kUint && !v.plain) break;
      return make_uint(static_cast<std::uint64_t>(std::popcount(as_bits(v))));
    case Function::kRotl:
    case Function::kRotr: {
      if ((v.kind != ValueKind::kBits && v.kind != ValueKind::kUint) || v.width == 0) break;
      const std::int64_t width = v.width;
      std::int64_t by = to_integer(arguments[1], "a rotation") % width;
      if (function == Function::kRotr) by = -by;
      by = (by + width) % width;
      Value result = v;
      if (by != 0) result.bits = (v.bits << by | v.bits >> (width - by)) & mask(v.width);
      return result;
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
