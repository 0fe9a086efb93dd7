#include "circuit/qasm_parser.h"

namespace qfast::qasm {

// --- tokens ---------------------------------------------------------------------------------------------------------

bool Parser::accept(Tok kind) {
  if (!at(kind)) return false;
  advance();
  return true;
}

bool Parser::accept(Keyword word) {
  if (!at(word)) return false;
  advance();
  return true;
}

Token Parser::expect(Tok kind, const char* what) {
  if (!at(kind)) fail_here(std::string("expected ") + what + ", found " + found());
  const Token token = current_;
  advance();
  return token;
}

std::string Parser::found() const {
  constexpr std::uint32_t kShown = 40;
  if (at(Tok::kEnd)) return "the end of the text";
  std::uint32_t length = std::min(current_.length, kShown);
  const std::string_view whole = sources_.slice(current_.place, current_.length);
  while (length < current_.length && (static_cast<unsigned char>(whole[length]) & 0xc0) == 0x80) ++length;
  return "'" + std::string(whole.substr(0, length)) + (length < current_.length ? "…'" : "'");
}

// --- the file -------------------------------------------------------------------------------------------------------

int Parser::read_version() {
  advance();
  if (at(Keyword::k_include) && includes_old_library()) {  // a text of OpenQASM 2 without its first line
    version_ = 2;
    lexer_.set_version(version_);
  }
  if (!at(Keyword::k_OPENQASM)) return version_;
  advance();
  if (!at(Tok::kInteger) && !at(Tok::kFloat))
    fail_here("expected the version (2.0 or 3.0) after OPENQASM, found " + found());
  const std::string_view text = sources_.slice(current_.place, current_.length);
  if (text == "2.0" || text == "2") {
    version_ = 2;
  } else if (text != "3" && text != "3.0" && text != "3.1") {
    fail_here("OpenQASM " + std::string(text.substr(0, 20)) + " cannot be read; 2.0, 3.0 and 3.1 can");
  }
  advance();
  if (!at(Tok::kSemicolon)) fail_here("expected ';' after the version, found " + found());
  lexer_.set_version(version_);  // before the next token is read
  advance();
  return version_;
}

// Whether the include that stands here is that of qelib1.inc.
bool Parser::includes_old_library() const {
  std::string_view rest = sources_.slice(current_.place + current_.length, 64);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
  return rest.starts_with("\"qelib1.inc\"") || rest.starts_with("'qelib1.inc'");
}

Parsed Parser::next_statement(Syntax& syntax, std::int32_t& root) {
  syntax_ = &syntax;
  included_ = false;
  root = statement();
  if (included_) return Parsed::kInclude;
  return root < 0 ? Parsed::kEnd : Parsed::kStatement;
}

std::int32_t Parser::add(Statement& s) {
  syntax_->statements.push_back(s);
  return static_cast<std::int32_t>(syntax_->statements.size()) - 1;
}

// Returns -1 at the end of the text and after an include.
std::int32_t Parser::statement() {
  skip_annotations();
  Statement s;
  s.place = current_.place;
  switch (current_.kind) {
    case Tok::kEnd:
      if (block_depth_ > 0) fail_here("the text ends inside a block; a '}' is missing");
      return -1;
    case Tok::kName:
      name_statement(s);
      break;
    case Tok::kLeftBrace:
      if (version_ == 2) fail_here("a block has no meaning here in OpenQASM 2");
      s.kind = StatementKind::kScope;
      s.body = block();
      break;
    case Tok::kKeyword:
      return keyword_statement(s);
    case Tok::kSemicolon:
      fail_here("expected a statement, found only ';'");
    default:
      fail_here("expected a statement, found " + found());
  }
  return add(s);
}

// Pragmas and annotations speak to a particular compiler; none is defined by the language, so none changes the meaning.
void Parser::skip_annotations() {
  while (at(Tok::kPragma) || (at(Tok::kAt) && version_ == 3)) {
    lexer_.skip_line();
    advance();
  }
}

std::int32_t Parser::keyword_statement(Statement& s) {
  const auto word = static_cast<Keyword>(current_.name);
  switch (word) {
    case Keyword::k_include:
      include();
      return -1;
    case Keyword::k_qreg:
      old_register(s, StatementKind::kQubits);
      break;
    case Keyword::k_creg:
      old_register(s, StatementKind::kBits);
      break;
    case Keyword::k_qubit:
      qubits(s);
      break;
    case Keyword::k_gate:
      gate_definition(s, StatementKind::kGateDefinition);
      break;
    case Keyword::k_opaque:
      gate_definition(s, StatementKind::kOpaque);
      break;
    case Keyword::k_barrier:
      barrier(s);
      break;
    case Keyword::k_measure:
      measure(s);
      break;
    case Keyword::k_reset:
      advance();
      s.kind = StatementKind::kReset;
      s.value = operand();
      expect(Tok::kSemicolon, "';' after the operand; 'reset' takes one");
      break;
    case Keyword::k_if:
      if_else(s);
      break;
    case Keyword::k_for:
      for_loop(s);
      break;
    case Keyword::k_while:
      while_loop(s);
      break;
    case Keyword::k_switch:
      switch_case(s);
      break;
    case Keyword::k_box:  // a block whose timing is kept together
      advance();
      if (at(Tok::kLeftBracket)) {
        fail_here("a box that lasts a given time has no meaning in a simulation without a clock; remove its duration");
      }
      s.kind = StatementKind::kScope;
      s.body = block();
      break;
    case Keyword::k_let:
      alias(s);
      break;
    case Keyword::k_inv:
    case Keyword::k_pow:
    case Keyword::k_ctrl:
    case Keyword::k_negctrl:
      modifiers(s);
      gate_call(s);
      break;
    case Keyword::k_gphase:
      gate_call(s);
      break;
    case Keyword::k_break:
    case Keyword::k_continue:
    case Keyword::k_end:
      s.kind = word == Keyword::k_break      ? StatementKind::kBreak
               : word == Keyword::k_continue ? StatementKind::kContinue
                                             : StatementKind::kEnd;
      advance();
      expect(Tok::kSemicolon, "';'");
      break;
    default:
      if (!at_type() && word != Keyword::k_const && word != Keyword::k_input) refuse_keyword();
      declaration(s);
  }
  return add(s);
}

void Parser::refuse_keyword() const {
  const char* why = "cannot begin a statement";
  switch (static_cast<Keyword>(current_.name)) {
    case Keyword::k_OPENQASM:
      why = "may stand only once, at the very beginning";
      break;
    case Keyword::k_def:
    case Keyword::k_return:
    case Keyword::k_extern:
      why = "(subroutines) is not supported; write the body where it is called, or use 'gate'";
      break;
    case Keyword::k_delay:
      why =
          "has no meaning in a simulation without a clock; remove it (an idle qubit does not change), or write 'id' "
          "where "
          "noise acts on a qubit that waits";
      break;
    case Keyword::k_durationof:
    case Keyword::k_nop:
      why = "has no meaning in a simulation without a clock; remove it (an idle qubit does not change)";
      break;
    case Keyword::k_cal:
    case Keyword::k_defcal:
    case Keyword::k_defcalgrammar:
      why = "(pulse calibration) has no meaning in a simulation; remove it";
      break;
    case Keyword::k_output:
      why = "is not supported: all classical bits are returned; declare the variable without it";
      break;
    case Keyword::k_else:
      why = "has no 'if' before it";
      break;
    case Keyword::k_case:
    case Keyword::k_default:
      why = "stands outside of a 'switch'";
      break;
    default:
      break;
  }
  fail_here(found() + " " + why);
}

void Parser::include() {
  if (block_depth_ > 0) fail_here("'include' may stand only at the top level of a file");
  advance();
  if (!at(Tok::kString)) fail_here("expected a file name in quotes after 'include', found " + found());
  include_ = current_;
  advance();
  if (!at(Tok::kSemicolon)) fail_here("expected ';' after the file name, found " + found());
  included_ = true;  // the token after ';' is read by resume(), from the included file
}

// --- blocks ---------------------------------------------------------------------------------------------------------

// '{' statements '}': the first statement, the others by `next`.
std::int32_t Parser::block() {
  const Depth depth(*this, block_depth_, kMaxBlockDepth, "blocks");
  expect(Tok::kLeftBrace, "'{'");
  std::int32_t first = -1;
  std::int32_t last = -1;
  for (skip_annotations(); !at(Tok::kRightBrace); skip_annotations()) {
    const std::int32_t id = statement();
    (last < 0 ? first : syntax_->statements[static_cast<std::size_t>(last)].next) = id;
    last = id;
  }
  advance();
  return first;
}

// A block, or one statement without braces.
std::int32_t Parser::body() {
  if (at(Tok::kLeftBrace) && version_ == 3) return block();
  const Depth depth(*this, block_depth_, kMaxBlockDepth, "blocks");
  return statement();
}

void Parser::if_else(Statement& s) {
  s.kind = StatementKind::kIf;
  advance();
  expect(Tok::kLeftParen, "'(' after 'if'");
  s.value = expression();
  expect(Tok::kRightParen, "')' after the condition");
  s.body = body();
  if (version_ == 3 && accept(Keyword::k_else)) {
    s.has_value = true;
    s.orelse = body();
  }
}

void Parser::while_loop(Statement& s) {
  s.kind = StatementKind::kWhile;
  advance();
  expect(Tok::kLeftParen, "'(' after 'while'");
  s.value = expression();
  expect(Tok::kRightParen, "')' after the condition");
  s.body = body();
}

void Parser::for_loop(Statement& s) {
  s.kind = StatementKind::kFor;
  advance();
  if (!at_type()) fail_here("expected the type of the loop variable (for int i in ...), found " + found());
  s.type = type_spec();
  declared_name(s, "the loop variable's name");
  if (!accept(Keyword::k_in)) fail_here("expected 'in' after the loop variable, found " + found());
  const auto add_value = [&] { syntax_->expressions.push_back(expression()); };
  const std::uint32_t place = current_.place;
  s.arguments.first = static_cast<std::int32_t>(syntax_->expressions.size());
  if (accept(Tok::kLeftBrace)) {
    s.values = LoopValues::kSet;
    while (!at(Tok::kRightBrace)) {
      add_value();
      if (!accept(Tok::kComma)) break;
    }
    expect(Tok::kRightBrace, "'}' after the loop's values");
  } else if (accept(Tok::kLeftBracket)) {
    s.values = LoopValues::kRange;
    s.value.place = place;
    s.value.nodes.first = num_nodes();
    if (!at(Tok::kColon)) {
      binary(1);
      s.parts = kHasStart;
    }
    s.parts = range_parts(s.parts);
    s.value.nodes.last = num_nodes();
    expect(Tok::kRightBracket, "']' after the range");
  } else {
    s.values = LoopValues::kExpression;
    s.value = expression();
  }
  s.arguments.last = static_cast<std::int32_t>(syntax_->expressions.size());
  s.body = body();
}

void Parser::switch_case(Statement& s) {
  s.kind = StatementKind::kSwitch;
  advance();
  expect(Tok::kLeftParen, "'(' after 'switch'");
  s.value = expression();
  expect(Tok::kRightParen, "')' after the value");
  expect(Tok::kLeftBrace, "'{'");
  std::int32_t last = -1;
  while (!at(Tok::kRightBrace)) {
    if (s.has_value) fail_here("'default' must be the last case of a switch");
    if (accept(Keyword::k_default)) {
      s.has_value = true;
      s.orelse = block();
      continue;
    }
    Statement one;
    one.kind = StatementKind::kCase;
    one.place = current_.place;
    if (!accept(Keyword::k_case)) fail_here("expected 'case' or 'default', found " + found());
    one.arguments.first = static_cast<std::int32_t>(syntax_->expressions.size());
    do {
      syntax_->expressions.push_back(expression());
    } while (accept(Tok::kComma));
    one.arguments.last = static_cast<std::int32_t>(syntax_->expressions.size());
    one.body = block();
    const std::int32_t id = add(one);
    (last < 0 ? s.body : syntax_->statements[static_cast<std::size_t>(last)].next) = id;
    last = id;
  }
  advance();
  if (last < 0) fail(s.place, "this switch has no case");
}

// --- gates and quantum statements
// -------------------------------------------------------------------------------------

void Parser::name_statement(Statement& s) {
  const Token name = current_;
  advance();
  if (!at(Tok::kAssign) && !at(Tok::kCompoundAssign) && !at(Tok::kLeftBracket)) {
    s.name = name.name;
    s.name_place = name.place;
    return gate_call(s);
  }
  s.kind = StatementKind::kAssign;
  s.target.place = name.place;
  s.target.nodes.first = num_nodes();
  push(NodeKind::kName, name.place).name = name.name;
  while (at(Tok::kLeftBracket)) index();
  s.target.nodes.last = num_nodes();
  if (version_ == 2) fail(s.place, "assignments are not part of OpenQASM 2");
  if (at(Tok::kCompoundAssign)) {
    s.op = current_.compound;
    advance();
  } else {
    expect(Tok::kAssign, "'=' after the assigned bit or variable");
    s.measured = accept(Keyword::k_measure);
  }
  s.value = s.measured ? operand() : alias_expression();
  if (s.measured) s.kind = StatementKind::kMeasure, s.has_value = true;
  expect(Tok::kSemicolon, "';' after the assignment");
}

void Parser::modifiers(Statement& s) {
  s.modifiers.first = static_cast<std::int32_t>(syntax_->modifiers.size());
  for (;;) {
    Modifier m;
    m.place = current_.place;
    if (accept(Keyword::k_inv)) {
      m.kind = ModifierKind::kInverse;
    } else if (at(Keyword::k_pow) || at(Keyword::k_ctrl) || at(Keyword::k_negctrl)) {
      m.kind = at(Keyword::k_pow)    ? ModifierKind::kPower
               : at(Keyword::k_ctrl) ? ModifierKind::kControl
                                     : ModifierKind::kNegativeControl;
      advance();
      if (m.kind == ModifierKind::kPower || at(Tok::kLeftParen)) {
        expect(Tok::kLeftParen, "'(' with the exponent after 'pow'");
        m.argument = expression();
        m.has_argument = true;
        expect(Tok::kRightParen, "')' after the modifier's argument");
      }
    } else {
      break;
    }
    expect(Tok::kAt, "'@' after the gate modifier");
    syntax_->modifiers.push_back(m);
    if (syntax_->modifiers.size() - static_cast<std::size_t>(s.modifiers.first) > kMaxExpressionDepth) {
      fail(m.place, "a gate has at most " + std::to_string(kMaxExpressionDepth) + " modifiers");
    }
  }
  s.modifiers.last = static_cast<std::int32_t>(syntax_->modifiers.size());
}

// The gate's name (unless it has been read), its parameters and its operands.
void Parser::gate_call(Statement& s) {
  s.kind = StatementKind::kGateCall;
  const bool is_phase = s.name < 0 && at(Keyword::k_gphase);
  if (s.name < 0) {
    s.name_place = current_.place;
    s.name = current_.name;
    if (!is_phase && !at(Tok::kName)) fail_here("expected the name of a gate, found " + found());
    advance();
  }
  s.parameters.first = static_cast<std::int32_t>(syntax_->expressions.size());
  if (accept(Tok::kLeftParen)) {
    while (!at(Tok::kRightParen)) {
      syntax_->expressions.push_back(expression());
      if (!accept(Tok::kComma)) break;
    }
    expect(Tok::kRightParen, "')' after the gate's parameters");
  }
  s.parameters.last = static_cast<std::int32_t>(syntax_->expressions.size());
  if (at(Tok::kLeftBracket)) {
    fail_here("a duration of a gate has no meaning in a simulation without a clock; remove it");
  }
  s.arguments = {s.parameters.last, s.parameters.last};
  if (is_phase && accept(Tok::kSemicolon)) return;
  if (!is_phase && at(Tok::kSemicolon)) fail_here("expected the qubits that the gate acts on, found ';'");
  operands(s);
}

// One or more operands and the ';'.
void Parser::operands(Statement& s) {
  s.arguments.first = static_cast<std::int32_t>(syntax_->expressions.size());
  do {
    syntax_->expressions.push_back(operand());
  } while (accept(Tok::kComma) && !at(Tok::kSemicolon));
  s.arguments.last = static_cast<std::int32_t>(syntax_->expressions.size());
  expect(Tok::kSemicolon, "',' or ';' after the operand");
}

void Parser::measure(Statement& s) {
  s.kind = StatementKind::kMeasure;
  advance();
  s.value = operand();
  if (accept(Tok::kArrow)) {
    s.has_value = true;
    s.target = operand();
  }
  expect(Tok::kSemicolon, s.has_value ? "';' after the measurement" : "'->' or ';' after the measured qubits");
}

void Parser::barrier(Statement& s) {
  s.kind = StatementKind::kBarrier;
  advance();
  if (version_ == 3 && accept(Tok::kSemicolon)) return;
  operands(s);
}

// --- declarations
// -----------------------------------------------------------------------------------------------------

void Parser::declared_name(Statement& s, const char* what) {
  const Token name = expect(Tok::kName, what);
  s.name = name.name;
  s.name_place = name.place;
}

// qreg q[3]; creg c[3];
void Parser::old_register(Statement& s, StatementKind kind) {
  s.kind = kind;
  s.type.kind = TypeKind::kBit;
  advance();
  declared_name(s, "the register's name");
  if (accept(Tok::kLeftBracket)) {
    s.type.width = expression();
    s.type.has_width = true;
    expect(Tok::kRightBracket, "']' after the register's size");
  } else if (version_ == 2) {
    fail_here("expected '[' and the register's size, found " + found());
  }
  expect(Tok::kSemicolon, "';' after the declaration");
}

// qubit q; qubit[3] q;
void Parser::qubits(Statement& s) {
  s.kind = StatementKind::kQubits;
  advance();
  if (accept(Tok::kLeftBracket)) {
    s.type.width = expression();
    s.type.has_width = true;
    expect(Tok::kRightBracket, "']' after the register's size");
  }
  declared_name(s, "the register's name");
  expect(Tok::kSemicolon, "';' after the declaration");
}

// [const | input] type name [= value];
void Parser::declaration(Statement& s) {
  const bool is_constant = accept(Keyword::k_const);
  const bool is_input = !is_constant && accept(Keyword::k_input);
  if (!at_type()) fail_here("expected a type, found " + found());
  s.type = type_spec();
  s.kind = is_constant                     ? StatementKind::kConstant
           : is_input                      ? StatementKind::kInput
           : s.type.kind == TypeKind::kBit ? StatementKind::kBits
                                           : StatementKind::kVariable;
  declared_name(s, "the variable's name");
  if (is_constant && !at(Tok::kAssign)) fail_here("expected '=' and the constant's value, found " + found());
  if (!is_input && accept(Tok::kAssign)) {
    s.has_value = true;
    s.measured = accept(Keyword::k_measure);
    if (s.measured && s.kind != StatementKind::kBits) fail(s.place, "only a bit can be declared with a measurement");
    s.value = s.measured ? operand() : alias_expression();
  }
  expect(Tok::kSemicolon, "';' after the declaration");
}

void Parser::alias(Statement& s) {
  s.kind = StatementKind::kAlias;
  advance();
  declared_name(s, "the alias's name");
  expect(Tok::kAssign, "'=' after the alias's name");
  s.value = alias_expression();
  expect(Tok::kSemicolon, "';' after the alias");
}

void Parser::formal_names(Range& range, const char* what) {
  range.first = static_cast<std::int32_t>(syntax_->expressions.size());
  do {
    Expression e;
    e.place = current_.place;
    e.nodes.first = num_nodes();
    const Token name = expect(Tok::kName, what);
    push(NodeKind::kName, name.place).name = name.name;
    e.nodes.last = num_nodes();
    syntax_->expressions.push_back(e);
  } while (accept(Tok::kComma) && at(Tok::kName));
  range.last = static_cast<std::int32_t>(syntax_->expressions.size());
}

void Parser::gate_definition(Statement& s, StatementKind kind) {
  s.kind = kind;
  if (block_depth_ > 0) fail_here("gates may be defined only at the top level");
  if (kind == StatementKind::kOpaque && version_ == 3)
    fail_here("'opaque' gates are not part of OpenQASM 3; define the gate");
  advance();
  declared_name(s, "the gate's name");
  if (accept(Tok::kLeftParen)) {
    if (!at(Tok::kRightParen)) formal_names(s.parameters, "a parameter's name");
    expect(Tok::kRightParen, "')' after the parameters");
  }
  formal_names(s.arguments, "a qubit's name");
  if (kind == StatementKind::kOpaque) {
    expect(Tok::kSemicolon, "';' after the opaque gate");
  } else {
    s.body = block();
  }
}

}  // namespace qfast::qasm
