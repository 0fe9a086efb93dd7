// Expressions, operands and types.
#include <limits>

#include "circuit/qasm_parser.h"

namespace qfast::qasm {
namespace {

constexpr int kUnaryPrecedence = 11;  // tighter than '*', looser than '**': -2**2 is -(2**2)

// Higher binds tighter; 0: not a binary operator. The table of the OpenQASM 3 specification ("Evaluation order").
int precedence(Tok op) {
  switch (op) {
    case Tok::kOrOr:
      return 1;
    case Tok::kAndAnd:
      return 2;
    case Tok::kPipe:
      return 3;
    case Tok::kCaret:
      return 4;
    case Tok::kAmpersand:
      return 5;
    case Tok::kEqual:
    case Tok::kNotEqual:
      return 6;
    case Tok::kLess:
    case Tok::kLessEqual:
    case Tok::kGreater:
    case Tok::kGreaterEqual:
      return 7;
    case Tok::kShiftLeft:
    case Tok::kShiftRight:
      return 8;
    case Tok::kPlus:
    case Tok::kMinus:
      return 9;
    case Tok::kStar:
    case Tok::kSlash:
    case Tok::kPercent:
      return 10;
    case Tok::kPower:
      return 12;
    default:
      return 0;
  }
}

bool is_version2_operator(Tok op) {
  return op == Tok::kPlus || op == Tok::kMinus || op == Tok::kStar || op == Tok::kSlash || op == Tok::kPower ||
         op == Tok::kEqual;  // '==' only in if; the reader checks that
}

}  // namespace

Node& Parser::push(NodeKind kind, std::uint32_t place) {
  if (syntax_->nodes.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    fail(place, "this statement is too long to read; split it");
  }
  Node& node = syntax_->nodes.emplace_back();
  node.kind = kind;
  node.place = place;
  return node;
}

Expression Parser::expression() {
  Expression result;
  result.place = current_.place;
  result.nodes.first = num_nodes();
  binary(1);
  result.nodes.last = num_nodes();
  return result;
}

// Only `let` and the initial values of bit registers may join registers with '++'.
Expression Parser::alias_expression() {
  Expression result = expression();
  while (at(Tok::kPlusPlus)) {
    const std::uint32_t place = current_.place;
    advance();
    binary(1);
    push(NodeKind::kBinary, place).op = Tok::kPlusPlus;
    result.nodes.last = num_nodes();
  }
  return result;
}

// name, name[...] or $number: what a gate acts on.
Expression Parser::operand() {
  Expression result;
  result.place = current_.place;
  result.nodes.first = num_nodes();
  if (at(Tok::kHardwareQubit)) {
    push(NodeKind::kHardwareQubit, current_.place).name = current_.name;
    advance();
  } else {
    const Token name = expect(Tok::kName, "a qubit or register");
    push(NodeKind::kName, name.place).name = name.name;
    while (at(Tok::kLeftBracket)) index();
  }
  result.nodes.last = num_nodes();
  return result;
}

void Parser::binary(int min_precedence) {
  const Depth depth(*this, expression_depth_, kMaxExpressionDepth, "expressions");
  prefix();
  binary_rest(min_precedence);
}

// Precedence climbing; the left operand has been pushed.
void Parser::binary_rest(int min_precedence) {
  for (;;) {
    const Tok op = current_.kind;
    const int level = precedence(op);
    if (level == 0 || level < min_precedence) return;
    if (version_ == 2 && !is_version2_operator(op)) {
      fail_here("the operator " + found() + " is not part of OpenQASM 2; it has + - * / ^ in expressions");
    }
    const std::uint32_t place = current_.place;
    advance();
    binary(op == Tok::kPower ? level : level + 1);
    push(NodeKind::kBinary, place).op = op;
  }
}

void Parser::prefix() {
  switch (current_.kind) {
    case Tok::kMinus:
    case Tok::kPlus:
    case Tok::kTilde:
    case Tok::kNot: {
      const Tok op = current_.kind;
      if (version_ == 2 && op != Tok::kMinus && op != Tok::kPlus) break;
      if (version_ == 3 && op == Tok::kPlus) break;
      const std::uint32_t place = current_.place;
      advance();
      binary(kUnaryPrecedence);
      push(NodeKind::kUnary, place).op = op;
      return;
    }
    case Tok::kLeftParen:
      advance();
      binary(1);
      expect(Tok::kRightParen, "')' to close the parenthesis");
      while (at(Tok::kLeftBracket)) index();
      return;
    case Tok::kName:
      name_or_call();
      return;
    case Tok::kHardwareQubit:
      push(NodeKind::kHardwareQubit, current_.place).name = current_.name;
      advance();
      return;
    case Tok::kInteger:
    case Tok::kWideInteger:
    case Tok::kFloat:
    case Tok::kString:
      literal();
      return;
    case Tok::kTiming:
      fail_here("durations such as " + found() + " have no meaning in a simulation without a clock; remove the timing");
    case Tok::kImaginary:
      fail_here("complex numbers such as " + found() + " are not supported; use real angles");
    case Tok::kKeyword: {
      const auto word = static_cast<Keyword>(current_.name);
      if (word == Keyword::k_true || word == Keyword::k_false) {
        Node& node = push(NodeKind::kBool, current_.place);
        node.integer = word == Keyword::k_true;
        advance();
        return;
      }
      if (word == Keyword::k_pow) {
        const Token name = current_;
        advance();
        call(name.name, name.place);
        return;
      }
      if (at_type()) return cast();
      if (word == Keyword::k_measure) {
        fail_here("'measure' stands alone on the right of '='; measure into a bit first and use the bit here");
      }
      if (word == Keyword::k_durationof) fail_here("'durationof' has no meaning in a simulation without a clock");
      break;
    }
    default:
      break;
  }
  fail_here("expected a value, found " + found());
}

void Parser::literal() {
  if (at(Tok::kString)) {
    const std::string_view quoted = sources_.slice(current_.place, current_.length);
    std::uint64_t bits = 0;
    std::uint16_t width = 0;
    for (const char c : quoted.substr(1, quoted.size() - 2)) {
      if (c == '_') continue;
      if (c != '0' && c != '1') fail_here("expected a value; a string here must consist of the bits 0 and 1");
      if (++width > 64) fail_here("bit strings of more than 64 bits are not supported; assign the register in parts");
      bits = bits << 1 | static_cast<std::uint64_t>(c - '0');
    }
    if (width == 0) fail_here("expected a value; this bit string is empty");
    Node& node = push(NodeKind::kBits, current_.place);
    node.integer = bits;
    node.width = width;
  } else if (at(Tok::kInteger)) {
    push(NodeKind::kInteger, current_.place).integer = current_.integer;
  } else if (at(Tok::kWideInteger)) {
    push(NodeKind::kWideInteger, current_.place).integer = current_.length;
  } else {
    push(NodeKind::kReal, current_.place).real = current_.real;
  }
  advance();
}

void Parser::name_or_call() {
  const Token name = current_;
  advance();
  if (at(Tok::kLeftParen)) return call(name.name, name.place);
  push(NodeKind::kName, name.place).name = name.name;
  while (at(Tok::kLeftBracket)) index();
}

void Parser::call(std::int32_t name, std::uint32_t place) {
  expect(Tok::kLeftParen, "'(' after the function's name");
  std::int32_t count = 0;
  while (!at(Tok::kRightParen)) {
    binary(1);
    ++count;
    if (!accept(Tok::kComma)) break;
  }
  expect(Tok::kRightParen, "')' after the arguments");
  Node& node = push(NodeKind::kCall, place);
  node.name = name;
  node.count = count;
}

void Parser::cast() {
  const std::uint32_t place = current_.place;
  const TypeSpec type = type_spec();  // the width, if any, has been pushed
  expect(Tok::kLeftParen, "'(' after the type: a cast is written type(value)");
  binary(1);
  expect(Tok::kRightParen, "')' to close the cast");
  Node& node = push(NodeKind::kCast, place);
  node.type = type.kind;
  node.count = type.has_width;
}

// '[' ... ']' after a value that has been pushed. `q[3]` becomes one node.
void Parser::index() {
  const std::uint32_t place = current_.place;
  advance();
  Node* const base = &syntax_->nodes.back();
  const std::int32_t before = num_nodes();
  if (at(Tok::kInteger) && base->kind == NodeKind::kName) {
    const Token number = current_;
    advance();
    if (accept(Tok::kRightBracket)) {
      base->kind = NodeKind::kElement;
      base->integer = number.integer;
      return;
    }
    push(NodeKind::kInteger, number.place).integer = number.integer;
    binary_rest(1);
  } else if (at(Tok::kLeftBrace)) {
    advance();
    std::int32_t count = 0;
    while (!at(Tok::kRightBrace)) {
      binary(1);
      ++count;
      if (!accept(Tok::kComma)) break;
    }
    expect(Tok::kRightBrace, "'}' after the index set");
    expect(Tok::kRightBracket, "']' after the index set");
    Node& node = push(NodeKind::kIndex, place);
    node.shape = IndexShape::kSet;
    node.count = count;
    return;
  } else if (!at(Tok::kColon)) {
    binary(1);
  }
  if (at(Tok::kColon)) {
    const std::uint8_t parts = range_parts(num_nodes() > before ? kHasStart : 0);
    expect(Tok::kRightBracket, "']' after the range");
    Node& node = push(NodeKind::kIndex, place);
    node.shape = IndexShape::kRange;
    node.parts = parts;
    node.count = ((parts & kHasStart) != 0) + ((parts & kHasStep) != 0) + ((parts & kHasStop) != 0);
    return;
  }
  if (at(Tok::kComma)) fail_here("registers have one index; arrays of several dimensions are not supported");
  expect(Tok::kRightBracket, "']' after the index");
  Node& node = push(NodeKind::kIndex, place);
  node.shape = IndexShape::kSingle;
  node.count = 1;
}

// The rest of start:stop or start:step:stop from the first ':' on. The values are pushed in the order of the text.
std::uint8_t Parser::range_parts(std::uint8_t parts) {
  const auto at_value = [&] { return !at(Tok::kColon) && !at(Tok::kRightBracket); };
  expect(Tok::kColon, "':' in the range");
  bool second = false;
  if (at_value()) {
    binary(1);
    second = true;
  }
  if (!accept(Tok::kColon)) return static_cast<std::uint8_t>(parts | (second ? kHasStop : 0));
  if (second) parts |= kHasStep;
  if (at_value()) {
    binary(1);
    parts |= kHasStop;
  }
  return parts;
}

bool Parser::at_type() const {
  if (current_.kind != Tok::kKeyword) return false;
  switch (static_cast<Keyword>(current_.name)) {
    case Keyword::k_bit:
    case Keyword::k_bool:
    case Keyword::k_int:
    case Keyword::k_uint:
    case Keyword::k_float:
    case Keyword::k_angle:
    case Keyword::k_complex:
    case Keyword::k_array:
    case Keyword::k_duration:
    case Keyword::k_stretch:
      return true;
    default:
      return false;
  }
}

TypeSpec Parser::type_spec() {
  TypeSpec type;
  switch (static_cast<Keyword>(current_.name)) {
    case Keyword::k_bit:
      type.kind = TypeKind::kBit;
      break;
    case Keyword::k_bool:
      type.kind = TypeKind::kBool;
      break;
    case Keyword::k_int:
      type.kind = TypeKind::kInt;
      break;
    case Keyword::k_uint:
      type.kind = TypeKind::kUint;
      break;
    case Keyword::k_float:
      type.kind = TypeKind::kFloat;
      break;
    case Keyword::k_angle:
      type.kind = TypeKind::kAngle;
      break;
    default:
      fail_here("the type " + found() + " is not supported; bit, bool, int, uint, float and angle are");
  }
  const bool may_have_width = type.kind != TypeKind::kBool;
  advance();
  if (at(Tok::kLeftBracket)) {
    if (!may_have_width) fail_here("a bool has no width");
    advance();
    type.width = expression();
    type.has_width = true;
    expect(Tok::kRightBracket, "']' after the width");
  }
  return type;
}

}  // namespace qfast::qasm
