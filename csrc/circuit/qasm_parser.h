// Recursive-descent parser of OpenQASM 2 and 3: one statement of the file at a time, into a Syntax. It knows the
// grammar and nothing of names or types; what the grammar has and qfast has no meaning for (timing, pulses,
// subroutines) is refused here, at its place.
#pragma once

#include <string>

#include "circuit/qasm_syntax.h"

namespace qfast::qasm {

constexpr int kMaxExpressionDepth = 200;  // parentheses, signs and indices inside each other
constexpr int kMaxBlockDepth = 64;        // blocks inside each other; Python converts and copies them recursively

enum class Parsed { kStatement, kInclude, kEnd };

class Parser {
 public:
  Parser(const Sources& sources, Names& names, Lexer& lexer) : sources_(sources), names_(names), lexer_(lexer) {}

  // Reads `OPENQASM 2.0;` or `OPENQASM 3[.n];`; without one the text is version 3. Returns 2 or 3.
  int read_version();
  bool includes_old_library() const;

  // kStatement: `syntax.statements[root]` is the next statement of the file. kInclude: `include_file` was named; the
  // caller lets the lexer enter that file (or not, for a library of its own) and calls resume().
  Parsed next_statement(Syntax& syntax, std::int32_t& root);
  void resume() { advance(); }
  Token include_file() const { return include_; }
  bool at_end() const { return current_.kind == Tok::kEnd; }

  [[noreturn]] void fail(std::uint32_t place, const std::string& message) const { sources_.fail(place, message); }

 private:
  class Depth;  // counts nesting while in scope

  // tokens
  void advance() { current_ = lexer_.next(); }
  bool at(Tok kind) const { return current_.kind == kind; }
  bool at(Keyword word) const {
    return current_.kind == Tok::kKeyword && current_.name == static_cast<std::int32_t>(word);
  }
  bool accept(Tok kind);
  bool accept(Keyword word);
  Token expect(Tok kind, const char* what);
  std::string found() const;
  [[noreturn]] void fail_here(const std::string& message) const { fail(current_.place, message); }

  // statements (qasm_parser.cc)
  std::int32_t statement();
  std::int32_t keyword_statement(Statement& s);
  [[noreturn]] void refuse_keyword() const;
  void skip_annotations();
  std::int32_t add(Statement& s);
  std::int32_t block();
  std::int32_t body();
  std::int32_t gate_body();
  void name_statement(Statement& s);
  void gate_call(Statement& s);
  void modifiers(Statement& s);
  void measure(Statement& s);
  void barrier(Statement& s);
  void old_register(Statement& s, StatementKind kind);
  void qubits(Statement& s);
  void declaration(Statement& s);
  void gate_definition(Statement& s, StatementKind kind);
  void alias(Statement& s);
  void if_else(Statement& s);
  void for_loop(Statement& s);
  void while_loop(Statement& s);
  void switch_case(Statement& s);
  void include();
  void declared_name(Statement& s, const char* what);
  void formal_names(Range& range, const char* what);
  void operands(Statement& s);

  // expressions (qasm_parser_expression.cc)
  Expression expression();
  Expression alias_expression();
  Expression operand();
  void binary(int min_precedence);
  void binary_rest(int min_precedence);
  void prefix();
  void literal();
  void name_or_call();
  void call(std::int32_t name, std::uint32_t place);
  void cast();
  void index();
  std::uint8_t range_parts(std::uint8_t parts);
  Node& push(NodeKind kind, std::uint32_t place);
  bool at_type() const;
  TypeSpec type_spec();
  std::int32_t num_nodes() const { return static_cast<std::int32_t>(syntax_->nodes.size()); }

  const Sources& sources_;
  Names& names_;
  Lexer& lexer_;
  Syntax* syntax_ = nullptr;
  Token current_{};
  Token include_{};
  bool included_ = false;
  int version_ = 3;
  int expression_depth_ = 0;
  int block_depth_ = 0;
};

class Parser::Depth {
 public:
  Depth(const Parser& parser, int& depth, int limit, const char* what) : depth_(depth) {
    if (++depth_ > limit) {
      --depth_;
      parser.fail_here(std::string(what) + " are nested more than " + std::to_string(limit) +
                       " deep here; write this in smaller steps");
    }
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  int& depth_;
};

}  // namespace qfast::qasm
