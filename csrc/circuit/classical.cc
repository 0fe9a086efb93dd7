#include "circuit/classical.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <string>

#include "base/error.h"

namespace qfast::classical {
namespace {

using Word = std::uint64_t;

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorKind::kCircuit, message); }

double real(Word word) { return std::bit_cast<double>(word); }
Word word_of(double value) { return std::bit_cast<Word>(value); }
std::int64_t sign(Word word) { return static_cast<std::int64_t>(word); }

std::string text(double value) {
  char found[32];
  std::snprintf(found, sizeof found, "%g", value);
  return found;
}

Word checked(double value, double operand, const char* name) {
  if (std::isfinite(operand) && !std::isfinite(value)) {
    fail(std::string("the classical function ") + name + "(" + text(operand) + ") has no finite value");
  }
  return word_of(value);
}

// Reads bits start … start + width - 1 as a number.
void copy_bits(const Word* from, std::int32_t start, std::int32_t width, Word* to) {
  const std::int32_t words = words_of(width), shift = start % 64;
  const Word* source = from + start / 64;
  const std::int32_t last = (start + width - 1) / 64 - start / 64;  // of the source's words
  for (std::int32_t i = 0; i < words; ++i) {
    Word word = source[i] >> shift;
    if (shift != 0 && i < last) word |= source[i + 1] << (64 - shift);
    to[i] = word;
  }
  to[words - 1] = wrapped(to[words - 1], Kind::kUint, width - 64 * (words - 1));
}

void store_bits(const Word* value, std::int32_t start, std::int32_t width, Word* bits) {
  for (std::int32_t done = 0; done < width;) {
    const std::int32_t place = start + done, room = std::min(64 - place % 64, width - done);
    const Word mask = room == 64 ? ~Word{0} : ((Word{1} << room) - 1);
    Word part = value[done / 64] >> (done % 64);
    if (done % 64 != 0 && done / 64 + 1 < words_of(width)) part |= value[done / 64 + 1] << (64 - done % 64);
    Word& target = bits[place / 64];
    target = (target & ~(mask << (place % 64))) | (part & mask) << (place % 64);
    done += room;
  }
}

// Cuts the highest word of an unsigned or signed number to its type.
void wrap_top(Word* value, Kind kind, std::int32_t width) {
  const std::int32_t top = words_of(width) - 1;
  value[top] = wrapped(value[top], kind, width - 64 * top);
}

bool is_zero(const Word* value, Kind kind, std::int32_t width) {
  if (kind == Kind::kFloat) return real(value[0]) == 0;
  return std::all_of(value, value + words_of(width), [](Word word) { return word == 0; });
}

void convert(Word* value, Kind from, std::int32_t from_width, Kind to, std::int32_t width) {
  if (to == Kind::kBool) {
    value[0] = is_zero(value, from, from_width) ? 0 : 1;
    return;
  }
  if (to == Kind::kFloat) {
    if (from == Kind::kFloat) return;
    value[0] = word_of(from == Kind::kInt ? static_cast<double>(sign(value[0])) : static_cast<double>(value[0]));
    return;
  }
  if (from == Kind::kFloat) {
    const double number = real(value[0]);
    if (!(std::fabs(number) < 0x1p63)) fail("the number " + text(number) + " does not fit into an integer of 64 bits");
    value[0] = static_cast<Word>(static_cast<std::int64_t>(number));
    from = Kind::kInt;
    from_width = 64;
  }
  const std::int32_t old_words = words_of(from_width), words = words_of(width);
  const Word fill = from == Kind::kInt && sign(value[old_words - 1]) < 0 ? ~Word{0} : 0;
  for (std::int32_t i = old_words; i < words; ++i) value[i] = fill;
  wrap_top(value, to, width);
}

void add(Word* a, const Word* b, std::int32_t words, bool subtract) {
  Word carry = subtract ? 1 : 0;
  for (std::int32_t i = 0; i < words; ++i) {
    const Word other = subtract ? ~b[i] : b[i];
    const Word sum = a[i] + other, total = sum + carry;
    carry = (sum < a[i]) || (total < sum) ? 1 : 0;
    a[i] = total;
  }
}

void shift_left(Word* value, std::int32_t words, Word by) {
  const auto whole = static_cast<std::int32_t>(std::min<Word>(by / 64, static_cast<Word>(words)));
  const int part = static_cast<int>(by % 64);
  for (std::int32_t i = words - 1; i >= 0; --i) {
    Word word = i >= whole ? value[i - whole] << part : 0;
    if (part != 0 && i > whole) word |= value[i - whole - 1] >> (64 - part);
    value[i] = word;
  }
}

void shift_right(Word* value, std::int32_t words, Word by) {
  const auto whole = static_cast<std::int32_t>(std::min<Word>(by / 64, static_cast<Word>(words)));
  const int part = static_cast<int>(by % 64);
  for (std::int32_t i = 0; i < words; ++i) {
    Word word = i + whole < words ? value[i + whole] >> part : 0;
    if (part != 0 && i + whole + 1 < words) word |= value[i + whole + 1] << (64 - part);
    value[i] = word;
  }
}

void shift(const Instruction& step, Word* value, Word by) {
  if (static_cast<Kind>(step.arg) == Kind::kInt && sign(by) < 0) {
    fail("a classical value is shifted by " + std::to_string(sign(by)) + "; a shift must not be negative");
  }
  const std::int32_t words = words_of(step.width);
  if (step.op == Op::kShiftRight && step.kind == Kind::kInt) {
    value[0] = static_cast<Word>(sign(value[0]) >> std::min<Word>(by, 63));
    return;
  }
  if (by >= static_cast<Word>(step.width)) {
    std::fill(value, value + words, Word{0});
  } else if (step.op == Op::kShiftLeft) {
    shift_left(value, words, by);
    wrap_top(value, step.kind, step.width);
  } else {
    shift_right(value, words, by);
  }
}

// `spare`: room for as many words behind the value.
void rotate(const Instruction& step, Word* value, std::int64_t count, Word* spare) {
  const std::int64_t width = step.width;
  std::int64_t by = count % width;
  if (step.op == Op::kRotateRight) by = -by;
  by = (by + width) % width;
  if (by == 0) return;
  const std::int32_t words = words_of(step.width);
  std::copy(value, value + words, spare);
  shift_left(value, words, static_cast<Word>(by));
  shift_right(spare, words, static_cast<Word>(width - by));
  for (std::int32_t i = 0; i < words; ++i) value[i] |= spare[i];
  wrap_top(value, Kind::kUint, step.width);
}

Word divide(const Instruction& step, Word a, Word b) {
  const bool is_remainder = step.op == Op::kRemainder;
  if (step.kind == Kind::kFloat) {
    if (real(b) == 0) fail("a classical expression divides by zero");
    return word_of(real(a) / real(b));
  }
  if (b == 0) fail("a classical expression divides by zero");
  if (step.kind != Kind::kInt) return is_remainder ? a % b : a / b;
  if (sign(b) == -1) return is_remainder ? 0 : wrapped(0 - a, Kind::kInt, step.width);
  return static_cast<Word>(is_remainder ? sign(a) % sign(b) : sign(a) / sign(b));
}

Word modulo(const Instruction& step, Word a, Word b) {
  if (step.kind == Kind::kFloat) {
    if (real(b) == 0) fail("a classical expression divides by zero");
    return word_of(real(a) - real(b) * std::floor(real(a) / real(b)));
  }
  if (b == 0) fail("a classical expression divides by zero");
  if (step.kind != Kind::kInt) return a % b;
  if (sign(b) == -1) return 0;
  const std::int64_t rest = sign(a) % sign(b);
  return static_cast<Word>(rest != 0 && (rest < 0) != (sign(b) < 0) ? rest + sign(b) : rest);
}

Word power(const Instruction& step, Word a, Word b) {
  if (step.kind == Kind::kFloat) {
    const double value = std::pow(real(a), real(b));
    if (!std::isfinite(value) && std::isfinite(real(a)) && std::isfinite(real(b))) {
      fail("the classical function pow(" + text(real(a)) + ", " + text(real(b)) + ") has no finite value");
    }
    return word_of(value);
  }
  if (static_cast<Kind>(step.arg) == Kind::kInt && sign(b) < 0) {
    fail("an integer to the power of " + std::to_string(sign(b)) + " is no integer; make the base a float");
  }
  Word base = a, result = 1;
  for (; b != 0; b >>= 1, base *= base) {
    if (b & 1) result *= base;
  }
  return wrapped(result, step.kind, step.width);
}

int compare(const Instruction& step, const Word* a, const Word* b) {
  for (std::int32_t i = words_of(step.width) - 1; i >= 0; --i) {
    if (a[i] == b[i]) continue;
    if (step.kind == Kind::kInt) return sign(a[i]) < sign(b[i]) ? -1 : 1;
    return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

template <class T>
bool holds(Op op, T a, T b) {
  switch (op) {
    case Op::kEqual:
      return a == b;
    case Op::kNotEqual:
      return a != b;
    case Op::kLess:
      return a < b;
    case Op::kLessEqual:
      return a <= b;
    case Op::kGreater:
      return a > b;
    default:
      return a >= b;
  }
}

std::int32_t checked_index(Word index, Kind kind, std::int32_t width) {
  const Word place = kind == Kind::kInt && sign(index) < 0 ? index + static_cast<Word>(width) : index;
  if (place >= static_cast<Word>(width)) {
    const std::string asked = kind == Kind::kInt ? std::to_string(sign(index)) : std::to_string(index);
    fail("bit " + asked + " of a classical value of " + std::to_string(width) + " bits is asked for");
  }
  return static_cast<std::int32_t>(place);
}

Word call(std::int32_t number, Word word) {
  const double x = real(word);
  switch (static_cast<Function>(number)) {
    case Function::kArccos:
      return checked(std::acos(x), x, "arccos");
    case Function::kArcsin:
      return checked(std::asin(x), x, "arcsin");
    case Function::kArctan:
      return checked(std::atan(x), x, "arctan");
    case Function::kCeiling:
      return word_of(std::ceil(x));
    case Function::kCos:
      return checked(std::cos(x), x, "cos");
    case Function::kExp:
      return checked(std::exp(x), x, "exp");
    case Function::kFloor:
      return word_of(std::floor(x));
    case Function::kLog:
      return checked(std::log(x), x, "log");
    case Function::kSin:
      return checked(std::sin(x), x, "sin");
    case Function::kSqrt:
      return checked(std::sqrt(x), x, "sqrt");
    case Function::kTan:
      break;
  }
  return checked(std::tan(x), x, "tan");
}

// Two operands of one type; the result takes the place of the first.
void binary(const Instruction& step, Word* a, const Word* b) {
  const std::int32_t words = words_of(step.width);
  const bool is_float = step.kind == Kind::kFloat;
  switch (step.op) {
    case Op::kAdd:
    case Op::kSubtract:
      if (is_float) {
        a[0] = word_of(step.op == Op::kAdd ? real(a[0]) + real(b[0]) : real(a[0]) - real(b[0]));
      } else {
        add(a, b, words, step.op == Op::kSubtract);
        wrap_top(a, step.kind, step.width);
      }
      return;
    case Op::kMultiply:
      a[0] = is_float ? word_of(real(a[0]) * real(b[0])) : wrapped(a[0] * b[0], step.kind, step.width);
      return;
    case Op::kDivide:
    case Op::kRemainder:
      a[0] = divide(step, a[0], b[0]);
      return;
    case Op::kPower:
      a[0] = power(step, a[0], b[0]);
      return;
    case Op::kModulo:
      a[0] = modulo(step, a[0], b[0]);
      return;
    case Op::kAnd:
      for (std::int32_t i = 0; i < words; ++i) a[i] &= b[i];
      return;
    case Op::kOr:
      for (std::int32_t i = 0; i < words; ++i) a[i] |= b[i];
      return;
    case Op::kXor:
      for (std::int32_t i = 0; i < words; ++i) a[i] ^= b[i];
      return;
    default:
      a[0] = is_float ? holds(step.op, real(a[0]), real(b[0])) : holds(step.op, compare(step, a, b), 0);
  }
}

}  // namespace

void run(std::span<const Instruction> code, std::span<const std::uint64_t> constants, const Memory& memory,
         std::uint64_t* stack) {
  Word* top = stack;  // behind the last value
  for (std::size_t at = 0; at < code.size(); ++at) {
    const Instruction& step = code[at];
    const std::int32_t words = words_of(step.width);
    switch (step.op) {
      case Op::kConst:
        std::copy_n(constants.data() + step.arg, words, top);
        top += words;
        break;
      case Op::kBits:
        copy_bits(memory.bits, step.arg, step.width, top);
        top += words;
        break;
      case Op::kVariable:
        *top++ = memory.variables[step.arg];
        break;
      case Op::kConvert: {
        const std::int32_t from_width = step.arg >> 3;
        Word* const value = top - words_of(from_width);
        convert(value, static_cast<Kind>(step.arg & 7), from_width, step.kind, step.width);
        top = value + words;
        break;
      }
      case Op::kNegate: {
        Word* const value = top - words;
        if (step.kind == Kind::kFloat) {
          value[0] = word_of(-real(value[0]));
          break;
        }
        Word carry = 1;
        for (std::int32_t i = 0; i < words; ++i) {
          value[i] = ~value[i] + carry;
          carry = carry != 0 && value[i] == 0 ? 1 : 0;
        }
        wrap_top(value, step.kind, step.width);
        break;
      }
      case Op::kInvert: {
        Word* const value = top - words;
        for (std::int32_t i = 0; i < words; ++i) value[i] = ~value[i];
        wrap_top(value, step.kind, step.width);
        break;
      }
      case Op::kIsZero: {
        Word* const value = top - words;
        value[0] = is_zero(value, step.kind, step.width) ? 1 : 0;
        top = value + 1;
        break;
      }
      case Op::kShiftLeft:
      case Op::kShiftRight:
        --top;
        shift(step, top - words, *top);
        break;
      case Op::kRotateLeft:
      case Op::kRotateRight:
        --top;
        rotate(step, top - words, sign(*top), top);
        break;
      case Op::kIndex: {
        --top;
        Word* const value = top - words;
        const std::int32_t place = checked_index(*top, static_cast<Kind>(step.arg), step.width);
        value[0] = value[place / 64] >> (place % 64) & 1;
        top = value + 1;
        break;
      }
      case Op::kPopcount: {
        Word* const value = top - words;
        Word count = 0;
        for (std::int32_t i = 0; i < words; ++i) {
          const std::int32_t width = std::min(64, step.width - 64 * i);
          count += static_cast<Word>(std::popcount(wrapped(value[i], Kind::kUint, width)));
        }
        value[0] = count;
        top = value + 1;
        break;
      }
      case Op::kCall:
        top[-1] = call(step.arg, top[-1]);
        break;
      case Op::kSkipIfZero:
      case Op::kSkipUnlessZero:
        if ((top[-1] == 0) == (step.op == Op::kSkipIfZero)) {
          at += static_cast<std::size_t>(step.arg);
        } else {
          --top;
        }
        break;
      case Op::kStoreBits:
        top -= words;
        store_bits(top, step.arg, step.width, memory.bits);
        break;
      case Op::kStoreVariable:
        memory.variables[step.arg] = *--top;
        break;
      case Op::kStoreBit: {
        top -= 2;
        const std::int32_t place = step.arg + checked_index(top[1], Kind::kInt, step.width);
        store_bits(top, place, 1, memory.bits);
        break;
      }
      case Op::kStoreVariableBit: {
        top -= 2;
        const std::int32_t place = checked_index(top[1], Kind::kInt, step.width);
        Word& target = memory.variables[step.arg];
        target = wrapped((target & ~(Word{1} << place)) | (top[0] & 1) << place, step.kind, step.width);
        break;
      }
      default: {
        top -= words;
        binary(step, top - words, top);
        if (step.op >= Op::kEqual && step.op <= Op::kGreaterEqual) top -= words - 1;
      }
    }
  }
}

}  // namespace qfast::classical
