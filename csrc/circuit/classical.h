// Classical expressions and assignments as typed postfix code: what conditions, angles and assignments compute while a
// circuit runs, and what the OpenQASM reader computes of what it knows. The format, its types and C's conversions are
// told in qfast/circuit/classical_code.py, which compiles to it; qfast/circuit/classical_run.py is the same machine in
// Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/types.h"

namespace qfast::classical {

enum class Kind : std::int32_t { kBool = 0, kInt = 1, kUint = 2, kFloat = 3 };

enum class Op : std::int32_t {
  kConst = 0,
  kBits = 1,
  kVariable = 2,
  kConvert = 3,
  kNegate = 4,
  kInvert = 5,
  kIsZero = 6,
  kAdd = 7,
  kSubtract = 8,
  kMultiply = 9,
  kDivide = 10,
  kRemainder = 11,
  kPower = 12,
  kShiftLeft = 13,
  kShiftRight = 14,
  kAnd = 15,
  kOr = 16,
  kXor = 17,
  kEqual = 18,
  kNotEqual = 19,
  kLess = 20,
  kLessEqual = 21,
  kGreater = 22,
  kGreaterEqual = 23,
  kIndex = 24,
  kPopcount = 25,
  kRotateLeft = 26,
  kRotateRight = 27,
  kModulo = 28,
  kCall = 29,
  kSkipIfZero = 30,
  kSkipUnlessZero = 31,
  kStoreBits = 32,
  kStoreVariable = 33,
  kStoreBit = 34,
  kStoreVariableBit = 35,
};

enum class Function : std::int32_t {
  kArccos,
  kArcsin,
  kArctan,
  kCeiling,
  kCos,
  kExp,
  kFloor,
  kLog,
  kSin,
  kSqrt,
  kTan,
};

struct Instruction {
  Op op;
  Kind kind;
  std::int32_t width;
  std::int32_t arg;
};
static_assert(sizeof(Instruction) == 16, "rows of four int32, as Python writes them");

// Many expressions; number i is code[ends[i - 1], ends[i]).
struct Code {
  std::span<const Instruction> code;
  std::span<const std::int64_t> ends;
  std::span<const std::uint64_t> constants;
};

// The classical side of a branch: bit b is bit b % 64 of bits[b / 64].
struct Memory {
  std::uint64_t* bits;
  std::uint64_t* variables;
};

// The number of words of 64 bits that a value takes.
constexpr std::int32_t words_of(std::int32_t width) { return (width + 63) / 64; }

// A 64-bit word brought into the range of a type: cut off, then extended by zeros or by the sign.
constexpr std::uint64_t wrapped(std::uint64_t word, Kind kind, std::int32_t width) {
  if (width >= 64) return word;
  const int unused = 64 - width;
  if (kind == Kind::kInt) return static_cast<std::uint64_t>(static_cast<std::int64_t>(word << unused) >> unused);
  return word << unused >> unused;
}

// Runs instructions on a stack of as many words as ClassicalCode.stack_words says. The value, if any, is left at the
// bottom of the stack. Throws Error(kCircuit) where a value does not exist: division by zero, an index out of range.
QFAST_API void run(std::span<const Instruction> code, std::span<const std::uint64_t> constants, const Memory& memory,
                   std::uint64_t* stack);

// Runs expression `number` and returns the lowest word of its value; of an assignment, nothing of use.
inline std::uint64_t run(const Code& table, std::int32_t number, const Memory& memory, std::uint64_t* stack) {
  const auto i = static_cast<std::size_t>(number);
  const std::int64_t first = i == 0 ? 0 : table.ends[i - 1];
  run(table.code.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(table.ends[i] - first)),
      table.constants, memory, stack);
  return stack[0];
}

}  // namespace qfast::classical
