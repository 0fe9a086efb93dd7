// Tokens of OpenQASM 2 and 3. A token is a kind, a place and at most one number; names are interned, so that everything
// after the lexer compares and looks up integers. Nothing is allocated per token.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace qfast::qasm {

// Words with a meaning of their own. The first kNumKeywords2 are those of OpenQASM 2; in an OpenQASM 2 text all others
// are ordinary names ("angle" may be a parameter there).
// clang-format off
#define QFAST_QASM_KEYWORDS_2(X) \
  X(OPENQASM) X(include) X(qreg) X(creg) X(gate) X(opaque) X(barrier) X(measure) X(reset) X(if)
#define QFAST_QASM_KEYWORDS_3(X)                                                                                   \
  X(else) X(for) X(in) X(while) X(switch) X(case) X(default) X(break) X(continue) X(end) X(let) X(const) X(input)  \
  X(output) X(qubit) X(bit) X(bool) X(int) X(uint) X(float) X(angle) X(complex) X(array) X(duration) X(stretch)    \
  X(void) X(readonly) X(mutable) X(gphase) X(inv) X(pow) X(ctrl) X(negctrl) X(true) X(false) X(def) X(return)      \
  X(extern) X(box) X(delay) X(durationof) X(cal) X(defcal) X(defcalgrammar) X(nop)
// clang-format on

enum class Keyword : std::int32_t {
#define X(word) k_##word,
  QFAST_QASM_KEYWORDS_2(X) QFAST_QASM_KEYWORDS_3(X)
#undef X
      kCount
};
constexpr std::int32_t kNumKeywords2 = static_cast<std::int32_t>(Keyword::k_if) + 1;
constexpr std::int32_t kNumKeywords3 = static_cast<std::int32_t>(Keyword::kCount);

// clang-format off
enum class Tok : std::uint8_t {
  kEnd, kName, kKeyword, kInteger, kWideInteger, kFloat, kImaginary, kTiming, kString, kHardwareQubit, kPragma,
  kLeftParen, kRightParen, kLeftBracket, kRightBracket, kLeftBrace, kRightBrace,
  kComma, kSemicolon, kColon, kAt, kArrow,
  kPlus, kMinus, kStar, kSlash, kPercent, kPower,  // kPower is ** in version 3 and ^ in version 2
  kAmpersand, kPipe, kCaret, kTilde, kShiftLeft, kShiftRight,
  kAndAnd, kOrOr, kNot, kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual,
  kPlusPlus, kAssign, kCompoundAssign,
};
// clang-format on

struct Token {
  Tok kind = Tok::kEnd;
  Tok compound = Tok::kEnd;  // kCompoundAssign: the operator before '='
  std::uint32_t place = 0;   // offset in the concatenation of all sources
  std::uint32_t length = 0;
  std::int32_t name = -1;  // kName: id in Names; kKeyword: the Keyword; kHardwareQubit: its number
  union {
    std::uint64_t integer = 0;  // kInteger
    double real;                // kFloat
  };
};

// The texts that make up one program: the caller's and those it includes. A place is an offset in their concatenation.
class Sources {
 public:
  // `text` must outlive this object. Refuses what is not UTF-8 and what makes places overflow.
  std::uint32_t add(std::string name, std::string_view text);
  std::uint32_t add_owned(std::string name, std::unique_ptr<std::string> text);

  std::string_view text(std::uint32_t base) const;
  std::string_view slice(std::uint32_t place, std::uint32_t length) const;
  std::size_t size() const { return sources_.size(); }

  // Throws Error(kQasm) with line and column, quoting the line.
  [[noreturn]] void fail(std::uint32_t place, const std::string& message) const;

 private:
  struct Source {
    std::string name;
    std::string_view text;
    std::uint32_t base;
    std::unique_ptr<std::string> owned;
  };
  const Source& find(std::uint32_t place) const;

  std::vector<Source> sources_;
  std::uint64_t end_ = 0;
};

// Interned names; ids are dense, and the keywords have the first ones.
class Names {
 public:
  Names();
  std::int32_t intern(std::string_view text);
  std::string_view operator[](std::int32_t id) const { return texts_[static_cast<std::size_t>(id)]; }
  std::int32_t size() const { return static_cast<std::int32_t>(texts_.size()); }

 private:
  void grow();

  std::vector<std::string_view> texts_;
  std::vector<std::uint32_t> hashes_;
  std::vector<std::int32_t> slots_;  // open addressing, power of two; -1: free
};

class Lexer {
 public:
  Lexer(const Sources& sources, Names& names) : sources_(sources), names_(names) {}

  void enter(std::uint32_t base);  // the following tokens come from this source, until its end
  std::size_t depth() const { return stack_.size(); }
  void set_version(int version);  // 2 or 3: which words are keywords, and what '^' is
  Token next();
  void skip_line();  // for pragmas and annotations: the rest of the line carries no meaning

 private:
  struct Cursor {
    const char* begin;
    const char* at;
    const char* end;
    std::uint32_t base;
  };

  std::uint32_t place(const char* at) const;
  [[noreturn]] void fail(const char* at, const std::string& message) const;
  bool skip_blanks();  // false at the end of all sources
  Token word();
  Token number();
  Token radix_integer(const char* begin, int bits_per_digit);
  Token number_suffix(Token token, const char* begin);
  Token string();
  Token hardware_qubit();
  Token hash();
  Token symbol();
  Token finish(Tok kind, const char* begin, std::ptrdiff_t length);

  const Sources& sources_;
  Names& names_;
  std::vector<Cursor> stack_;
  Cursor cursor_{};
  std::int32_t num_keywords_ = kNumKeywords3;
  bool version2_ = false;
};

}  // namespace qfast::qasm
