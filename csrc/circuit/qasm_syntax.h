// The syntax tree of one OpenQASM statement. Everything lives in a few vectors that are cleared after each statement of
// the file, so a file of any length needs the memory of its longest statement. Expressions are postfix: the operands of
// node i stand before it, and a walk from first to last with a stack evaluates them without recursion.
#pragma once

#include <cstdint>
#include <vector>

#include "circuit/qasm_lexer.h"

namespace qfast::qasm {

enum class NodeKind : std::uint8_t {
  kInteger,
  kWideInteger,  // of more than 64 bits; integer: the length of its text
  kReal,
  kBool,
  kBits,     // literals
  kName,     // name
  kElement,  // name[integer]: the commonest operand, in one node
  kHardwareQubit,
  kUnary,   // op; takes 1 value
  kBinary,  // op; takes 2
  kCall,    // name; takes `count`
  kIndex,   // takes the indexed value and `count` numbers, as `shape` says
  kCast,    // type; takes the value and, below it, the width where `count` is 1
};

enum class IndexShape : std::uint8_t { kSingle, kRange, kSet };
enum : std::uint8_t { kHasStart = 1, kHasStep = 2, kHasStop = 4 };  // of a range

enum class TypeKind : std::uint8_t { kBit, kBool, kInt, kUint, kFloat, kAngle };

struct Node {
  NodeKind kind{};
  Tok op{};                 // kUnary, kBinary
  IndexShape shape{};       // kIndex
  std::uint8_t parts = 0;   // kIndex with kRange: which of start, step, stop are given
  TypeKind type{};          // kCast
  bool plain = false;       // a literal, or such under a sign: it has no declared type
  std::uint16_t width = 0;  // kBits
  std::int32_t count = 0;
  std::int32_t name = -1;
  std::uint32_t place = 0;
  union {
    std::uint64_t integer = 0;  // kInteger, kBool, kBits, kElement
    double real;
  };
};

struct Range {  // of nodes, expressions, modifiers or statements
  std::int32_t first = 0;
  std::int32_t last = 0;
  bool empty() const { return first == last; }
  std::int32_t size() const { return last - first; }
};

struct Expression {
  Range nodes;
  std::uint32_t place = 0;
};

struct TypeSpec {
  TypeKind kind = TypeKind::kBit;
  bool has_width = false;
  Expression width;
};

enum class ModifierKind : std::uint8_t { kControl, kNegativeControl, kInverse, kPower };

struct Modifier {
  ModifierKind kind{};
  bool has_argument = false;
  Expression argument;
  std::uint32_t place = 0;
};

// clang-format off
enum class StatementKind : std::uint8_t {
  kGateCall, kMeasure, kReset, kBarrier, kQubits, kBits, kVariable, kConstant, kInput, kAssign, kAlias,
  kGateDefinition, kOpaque, kIf, kFor, kWhile, kSwitch, kCase, kScope, kBreak, kContinue, kEnd,
};
// clang-format on

enum class LoopValues : std::uint8_t { kRange, kSet, kExpression };

// One struct for all kinds; the comment says which kinds use a member.
struct Statement {
  StatementKind kind{};
  bool has_value = false;  // kVariable, kBits, kQubits (a size), kIf (an else part), kMeasure (a target)
  bool measured = false;   // kVariable, kBits: the value is `measure value`
  LoopValues values{};     // kFor
  std::uint8_t parts = 0;  // kFor over a range: as in Node
  Tok op = Tok::kAssign;   // kAssign: the operator of a compound assignment
  std::uint32_t place = 0;
  std::int32_t name = -1;  // what is declared, called or assigned
  std::uint32_t name_place = 0;
  std::int32_t next = -1;    // the next statement of the same block
  std::int32_t body = -1;    // first statement of the block (if, loops, gate bodies, cases, scopes)
  std::int32_t orelse = -1;  // kIf; kSwitch: the default case's body
  TypeSpec type;             // kVariable, kConstant, kInput, kFor
  Expression target;         // kAssign, kMeasure: what is written
  Expression value;          // condition, size, initial value, measured qubits
  Range arguments;           // expressions: operands, case values, loop values; kGateDefinition: the qubits (kName)
  Range parameters;          // expressions: angles; kGateDefinition: the formal parameters (kName)
  Range modifiers;
};

struct Syntax {
  std::vector<Node> nodes;
  std::vector<Expression> expressions;
  std::vector<Modifier> modifiers;
  std::vector<Statement> statements;

  void clear() {
    nodes.clear();
    expressions.clear();
    modifiers.clear();
    statements.clear();
  }
};

}  // namespace qfast::qasm
