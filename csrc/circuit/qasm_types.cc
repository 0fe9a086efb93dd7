// The types of whole numbers, and C's conversions between them.
#include <algorithm>

#include "circuit/qasm_value.h"

namespace qfast::qasm {

IntegerType own_type(const IntegerOperand& v) {
  return v.is_literal ? IntegerType{!v.is_large, false, false, 64} : v.type;
}

namespace {

bool holds(const IntegerType& type, const IntegerOperand& v) {
  const std::uint64_t word = classical::wrapped(v.word, type.kind(), type.width);
  const bool negative = static_cast<std::int64_t>(v.word) < 0 && !v.is_large;
  return word == v.word && (type.is_signed ? !v.is_large : !negative);
}

// A literal with the type of its partner, if it fits.
IntegerType type_beside(const IntegerOperand& v, const IntegerType& partner) {
  return v.is_literal && holds(partner, v) ? partner : own_type(v);
}

IntegerType usual(const IntegerType& a, const IntegerType& b, bool keeps_bits) {
  if (a.is_signed == b.is_signed) {
    return {a.is_signed, false, keeps_bits && a.is_bits && b.is_bits, std::max(a.width, b.width)};
  }
  const IntegerType& s = a.is_signed ? a : b;
  const IntegerType& u = a.is_signed ? b : a;
  return u.width >= s.width ? IntegerType{false, false, keeps_bits && u.is_bits, u.width} : s;
}

}  // namespace

IntegerType common_type(const IntegerOperand& a, const IntegerOperand& b, bool is_arithmetic) {
  constexpr IntegerType kInt64{true, false, false, 64}, kBit{false, false, true, 1}, kBool{false, true, false, 1};
  if (a.is_literal && b.is_literal) return usual(own_type(a), own_type(b), false);
  if (a.is_literal || b.is_literal) {
    const IntegerOperand& number = a.is_literal ? a : b;
    const IntegerType other = a.is_literal ? b.type : a.type;
    if (other.is_logical()) return is_arithmetic || number.word > 1 ? kInt64 : kBit;
    IntegerType beside = type_beside(number, other);
    return usual(other, beside, !is_arithmetic);
  }
  if (a.type.is_logical() && b.type.is_logical()) {
    if (is_arithmetic) return kInt64;
    return a.type.is_bool || b.type.is_bool ? kBool : kBit;
  }
  if (a.type.is_logical() || b.type.is_logical()) {
    IntegerType wide = a.type.is_logical() ? b.type : a.type;
    wide.is_bits = wide.is_bits && !is_arithmetic;
    return wide;
  }
  return usual(a.type, b.type, !is_arithmetic);
}

IntegerType power_type(const IntegerOperand& base, const IntegerOperand& exponent) {
  if (!exponent.is_literal) return common_type(base, exponent, true);
  IntegerType type = own_type(base);
  if (type.is_logical()) return {true, false, false, 64};
  type.is_bits = false;
  return type;
}

IntegerOperand operand_of(const Value& v) {
  IntegerOperand found;
  const bool is_signed = v.kind == ValueKind::kInt || v.kind == ValueKind::kBool;
  found.word = is_signed ? static_cast<std::uint64_t>(v.integer) : v.bits;
  found.is_literal = v.plain;
  found.is_large = v.plain && v.kind == ValueKind::kUint;
  const int width = v.width == 0 ? 64 : v.width;
  switch (v.kind) {
    case ValueKind::kBool:
      found.type = {false, true, false, 1};
      break;
    case ValueKind::kUint:
      found.type = {false, false, false, width};
      break;
    case ValueKind::kBits:
      found.type = {false, false, true, width};
      break;
    default:
      found.type = {true, false, false, width};
  }
  return found;
}

}  // namespace qfast::qasm
