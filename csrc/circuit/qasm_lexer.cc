#include "circuit/qasm_lexer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <locale>
#include <sstream>

#include "base/error.h"

namespace qfast::qasm {
namespace {

enum CharClass : std::uint8_t { kOther, kLetter, kDigit, kBlank };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = kLetter;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = kLetter;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = kDigit;
  for (std::size_t c = 0x80; c < 0x100; ++c) table[c] = kLetter;  // bytes of letters such as π and θ
  table['_'] = kLetter;
  for (const char c : {' ', '\t', '\r', '\n', '\f', '\v'}) table[static_cast<std::size_t>(c)] = kBlank;
  return table;
}
constexpr auto kClasses = make_classes();

std::uint8_t char_class(char c) { return kClasses[static_cast<unsigned char>(c)]; }
bool is_word(char c) { return char_class(c) == kLetter || char_class(c) == kDigit; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Length of the valid UTF-8 prefix (RFC 3629: no overlong forms, no surrogates).
std::size_t valid_utf8_prefix(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t i = 0;
  while (i < text.size()) {
    if (byte(i) < 0x80) {
      ++i;
      continue;
    }
    const unsigned lead = byte(i);
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return i;
    }
    const unsigned second = byte(i + 1);
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    if (overlong || (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f)) return i;
    i += length;
  }
  return i;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

int count_characters(std::string_view text) {
  int count = 0;
  for (const char c : text) count += !is_continuation(c);
  return count;
}

// The part of a line around a column, cut at character borders, with a caret below the column.
std::string quote_line(std::string_view line, std::size_t column) {
  constexpr std::size_t kBefore = 60, kAfter = 40;
  std::size_t first = column > kBefore ? column - kBefore : 0;
  std::size_t last = std::min(line.size(), column + kAfter);
  while (first > 0 && is_continuation(line[first])) --first;
  while (last < line.size() && is_continuation(line[last])) ++last;
  std::string shown(line.substr(first, last - first));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  const int indent = count_characters(line.substr(first, column - first));
  return "\n    " + shown + "\n    " + std::string(static_cast<std::size_t>(indent), ' ') + "^";
}

// Correctly rounded decimal to double, in every locale. The text is a valid literal without '_'.
double parse_double(const char* begin, const char* end) {
#if defined(__cpp_lib_to_chars)
  double value = 0.0;
  const auto result = std::from_chars(begin, end, value);
  if (result.ec != std::errc::result_out_of_range) return value;
#endif
  // Out of range (libstdc++ leaves the value alone), or a library without from_chars for double.
  std::istringstream stream(std::string(begin, end));
  stream.imbue(std::locale::classic());
  double slow = 0.0;
  stream >> slow;
  if (stream.fail() && slow == std::numeric_limits<double>::max()) return std::numeric_limits<double>::infinity();
  return slow;
}

}  // namespace

// --- Sources --------------------------------------------------------------------------------------------------------

std::uint32_t Sources::add(std::string name, std::string_view text) {
  const auto base = static_cast<std::uint32_t>(end_);
  if (end_ + text.size() + 1 > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::kQasm,
                "the OpenQASM text '" + name + "' is too long: at most 4 GiB are read, includes counted");
  }
  sources_.push_back({std::move(name), text, base, nullptr});
  end_ += text.size() + 1;  // one more, so that the end of a source has a place of its own
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid < text.size()) {
    sources_.back().text = text.substr(0, valid);  // only valid text is ever quoted
    fail(base + static_cast<std::uint32_t>(valid), "this is not UTF-8 text; save the file as UTF-8");
  }
  return base;
}

std::uint32_t Sources::add_owned(std::string name, std::unique_ptr<std::string> text) {
  const std::uint32_t base = add(std::move(name), *text);
  sources_.back().owned = std::move(text);
  return base;
}

const Sources::Source& Sources::find(std::uint32_t place) const {
  std::size_t i = sources_.size() - 1;
  while (i > 0 && sources_[i].base > place) --i;
  return sources_[i];
}

std::string_view Sources::text(std::uint32_t base) const { return find(base).text; }

std::string_view Sources::slice(std::uint32_t place, std::uint32_t length) const {
  const Source& source = find(place);
  return source.text.substr(place - source.base, length);
}

void Sources::fail(std::uint32_t place, const std::string& message) const {
  const Source& source = find(place);
  const std::size_t at = std::min<std::size_t>(place - source.base, source.text.size());
  const std::string_view before = source.text.substr(0, at);
  int line = 1;
  for (const char c : before) line += c == '\n';
  const std::size_t newline = before.rfind('\n');
  const std::size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
  const std::size_t line_end = std::min(source.text.find('\n', at), source.text.size());
  const int column = count_characters(before.substr(line_begin)) + 1;
  const std::string where = source.name.empty() ? "OpenQASM " : source.name + ", ";
  throw Error(ErrorKind::kQasm,
              where + "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + message +
                  quote_line(source.text.substr(line_begin, line_end - line_begin), at - line_begin),
              line, column);
}

// --- Names ----------------------------------------------------------------------------------------------------------

Names::Names() : slots_(1024, -1) {
#define X(word) intern(#word);
  QFAST_QASM_KEYWORDS_2(X) QFAST_QASM_KEYWORDS_3(X)
#undef X
}

std::int32_t Names::intern(std::string_view text) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const std::int32_t id = slots_[slot];
    if (id < 0) {
      const auto fresh = static_cast<std::int32_t>(texts_.size());
      texts_.push_back(text);
      hashes_.push_back(hash);
      slots_[slot] = fresh;
      if (texts_.size() * 2 > slots_.size()) grow();
      return fresh;
    }
    if (hashes_[static_cast<std::size_t>(id)] == hash && texts_[static_cast<std::size_t>(id)] == text) return id;
  }
}

void Names::grow() {
  slots_.assign(slots_.size() * 2, -1);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t id = 0; id < hashes_.size(); ++id) {
    std::size_t slot = hashes_[id] & mask;
    while (slots_[slot] >= 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<std::int32_t>(id);
  }
}

// --- Lexer ----------------------------------------------------------------------------------------------------------

void Lexer::enter(std::uint32_t base) {
  if (cursor_.begin != nullptr) stack_.push_back(cursor_);
  const std::string_view text = sources_.text(base);
  cursor_ = {text.data(), text.data(), text.data() + text.size(), base};
}

void Lexer::set_version(int version) {
  version2_ = version == 2;
  num_keywords_ = version2_ ? kNumKeywords2 : kNumKeywords3;
}

std::uint32_t Lexer::place(const char* at) const {
  return cursor_.base + static_cast<std::uint32_t>(at - cursor_.begin);
}

void Lexer::fail(const char* at, const std::string& message) const { sources_.fail(place(at), message); }

Token Lexer::finish(Tok kind, const char* begin, std::ptrdiff_t length) {
  Token token;
  token.kind = kind;
  token.place = place(begin);
  token.length = static_cast<std::uint32_t>(length);
  cursor_.at = begin + length;
  return token;
}

bool Lexer::skip_blanks() {
  for (;;) {
    const char*& at = cursor_.at;
    while (at != cursor_.end && char_class(*at) == kBlank) ++at;
    if (at == cursor_.end) {
      if (stack_.empty()) return false;
      cursor_ = stack_.back();
      stack_.pop_back();
    } else if (*at == '/' && at + 1 != cursor_.end && at[1] == '/') {
      skip_line();
    } else if (*at == '/' && at + 1 != cursor_.end && at[1] == '*') {
      const std::string_view rest(at + 2, static_cast<std::size_t>(cursor_.end - at - 2));
      const std::size_t close = rest.find("*/");
      if (close == std::string_view::npos) fail(at, "this comment is never closed; add '*/'");
      at += close + 4;
    } else {
      return true;
    }
  }
}

void Lexer::skip_line() {
  const std::string_view rest(cursor_.at, static_cast<std::size_t>(cursor_.end - cursor_.at));
  cursor_.at += std::min(rest.find('\n'), rest.size());
}

Token Lexer::next() {
  if (!skip_blanks()) return finish(Tok::kEnd, cursor_.end, 0);
  const char c = *cursor_.at;
  switch (char_class(c)) {
    case kLetter:
      return word();
    case kDigit:
      return number();
    default:
      break;
  }
  if (c == '.' && cursor_.at + 1 != cursor_.end && is_digit(cursor_.at[1])) return number();
  if (c == '"' || c == '\'') return string();
  if (c == '$') return hardware_qubit();
  if (c == '#') return hash();
  return symbol();
}

Token Lexer::word() {
  const char* const begin = cursor_.at;
  const char* at = begin + 1;
  while (at != cursor_.end && is_word(*at)) ++at;
  Token token = finish(Tok::kName, begin, at - begin);
  token.name = names_.intern({begin, static_cast<std::size_t>(at - begin)});
  if (token.name < num_keywords_) {
    token.kind = Tok::kKeyword;
  } else if (!version2_ && std::string_view(begin, token.length) == "pragma") {
    token.kind = Tok::kPragma;
  }
  return token;
}

Token Lexer::number() {
  const char* const begin = cursor_.at;
  const char* const end = cursor_.end;
  if (*begin == '0' && end - begin > 1) {
    const char radix = begin[1];
    if (radix == 'x' || radix == 'X') return radix_integer(begin, 4);
    if (radix == 'b' || radix == 'B') return radix_integer(begin, 1);
    if (radix == 'o') return radix_integer(begin, 3);
  }
  const char* at = begin;
  bool underscores = false;
  std::uint64_t value = 0;
  bool overflow = false;
  const auto digits = [&] {
    while (at != end && (is_digit(*at) || (*at == '_' && at != begin))) {
      if (*at == '_') {
        underscores = true;
      } else {
        const auto digit = static_cast<std::uint64_t>(*at - '0');
        overflow |= value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10;
        value = value * 10 + digit;
      }
      ++at;
    }
  };
  digits();
  bool real = false;
  const std::uint64_t integer = value;
  const bool too_big = overflow;
  if (at != end && *at == '.') {
    real = true;
    ++at;
    digits();
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    const char* exponent = at + 1;
    if (exponent != end && (*exponent == '+' || *exponent == '-')) ++exponent;
    if (exponent != end && is_digit(*exponent)) {
      real = true;
      at = exponent;
      digits();
    }
  }
  Token token = finish(real ? Tok::kFloat : Tok::kInteger, begin, at - begin);
  if (real) {
    if (underscores) {
      std::string plain;
      for (const char* p = begin; p != at; ++p) {
        if (*p != '_') plain.push_back(*p);
      }
      token.real = parse_double(plain.data(), plain.data() + plain.size());
    } else {
      token.real = parse_double(begin, at);
    }
    if (!std::isfinite(token.real)) fail(begin, "this number is too large for a double (1.8e308 is the largest)");
  } else {
    if (too_big) token.kind = Tok::kWideInteger;
    token.integer = integer;
  }
  return number_suffix(token, begin);
}

Token Lexer::radix_integer(const char* begin, int bits_per_digit) {
  const char* at = begin + 2;
  std::uint64_t value = 0;
  bool any = false, too_big = false;
  for (; at != cursor_.end && is_word(*at); ++at) {
    if (*at == '_') continue;
    const char lower = static_cast<char>(*at | 0x20);
    const int digit = is_digit(*at) ? *at - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
    if (digit >= 1 << bits_per_digit) fail(at, "this is not a digit of the number that begins here");
    too_big |= value >> (64 - bits_per_digit) != 0;
    value = value << bits_per_digit | static_cast<std::uint64_t>(digit);
    any = true;
  }
  if (!any) fail(begin, "this number has no digits");
  Token token = finish(too_big ? Tok::kWideInteger : Tok::kInteger, begin, at - begin);
  token.integer = value;
  return token;
}

// A unit of time or 'im' directly after a number; any other letter is a slip such as 2pi.
Token Lexer::number_suffix(Token token, const char* begin) {
  const char* const at = cursor_.at;
  if (at == cursor_.end || !is_word(*at)) return token;
  const char* end = at;
  while (end != cursor_.end && is_word(*end)) ++end;
  const std::string_view suffix(at, static_cast<std::size_t>(end - at));
  if (!version2_) {
    for (const std::string_view unit : {"dt", "ns", "us", "µs", "μs", "ms", "s"}) {
      if (suffix == unit) return finish(Tok::kTiming, begin, end - begin);
    }
    if (suffix == "im") return finish(Tok::kImaginary, begin, end - begin);
  }
  const std::string shown(suffix.substr(0, valid_utf8_prefix(suffix.substr(0, 40))));
  fail(at, "'" + shown + "' follows a number without an operator; a product is written with '*'");
}

Token Lexer::string() {
  const char* const begin = cursor_.at;
  const char* at = begin + 1;
  while (at != cursor_.end && *at != *begin && *at != '\n') ++at;
  if (at == cursor_.end || *at == '\n')
    fail(begin, "this string is never closed; add the closing quote on the same line");
  return finish(Tok::kString, begin, at + 1 - begin);
}

Token Lexer::hardware_qubit() {
  const char* const begin = cursor_.at;
  const char* at = begin + 1;
  std::int32_t number = 0;
  while (at != cursor_.end && is_digit(*at)) {
    if (number > 100'000'000) fail(begin, "no machine has a qubit of this number");
    number = number * 10 + (*at++ - '0');
  }
  if (at == begin + 1) fail(begin, "'$' must be followed by the number of a hardware qubit, as in $0");
  Token token = finish(Tok::kHardwareQubit, begin, at - begin);
  token.name = number;
  return token;
}

Token Lexer::hash() {
  constexpr std::string_view kPragma = "#pragma";
  const std::string_view rest(cursor_.at, static_cast<std::size_t>(cursor_.end - cursor_.at));
  if (!rest.starts_with(kPragma)) fail(cursor_.at, "'#' has a meaning only in '#pragma'; comments begin with '//'");
  return finish(Tok::kPragma, cursor_.at, static_cast<std::ptrdiff_t>(kPragma.size()));
}

Token Lexer::symbol() {
  struct Symbol {
    std::string_view text;
    Tok kind;
    Tok compound = Tok::kEnd;
  };
  // Longest first among those that share a beginning.
  static constexpr Symbol kLong[] = {
      {"<<=", Tok::kCompoundAssign, Tok::kShiftLeft},
      {">>=", Tok::kCompoundAssign, Tok::kShiftRight},
      {"**=", Tok::kCompoundAssign, Tok::kPower},
      {"->", Tok::kArrow},
      {"==", Tok::kEqual},
      {"!=", Tok::kNotEqual},
      {"<=", Tok::kLessEqual},
      {">=", Tok::kGreaterEqual},
      {"<<", Tok::kShiftLeft},
      {">>", Tok::kShiftRight},
      {"&&", Tok::kAndAnd},
      {"||", Tok::kOrOr},
      {"++", Tok::kPlusPlus},
      {"**", Tok::kPower},
      {"+=", Tok::kCompoundAssign, Tok::kPlus},
      {"-=", Tok::kCompoundAssign, Tok::kMinus},
      {"*=", Tok::kCompoundAssign, Tok::kStar},
      {"/=", Tok::kCompoundAssign, Tok::kSlash},
      {"%=", Tok::kCompoundAssign, Tok::kPercent},
      {"&=", Tok::kCompoundAssign, Tok::kAmpersand},
      {"|=", Tok::kCompoundAssign, Tok::kPipe},
      {"^=", Tok::kCompoundAssign, Tok::kCaret},
  };
  const char* const begin = cursor_.at;
  const auto one = [&](Tok kind) { return finish(kind, begin, 1); };
  switch (*begin) {  // those that begin no longer symbol, and are frequent
    case '(':
      return one(Tok::kLeftParen);
    case ')':
      return one(Tok::kRightParen);
    case '[':
      return one(Tok::kLeftBracket);
    case ']':
      return one(Tok::kRightBracket);
    case '{':
      return one(Tok::kLeftBrace);
    case '}':
      return one(Tok::kRightBrace);
    case ',':
      return one(Tok::kComma);
    case ';':
      return one(Tok::kSemicolon);
    case ':':
      return one(Tok::kColon);
    case '@':
      return one(Tok::kAt);
    case '~':
      return one(Tok::kTilde);
    default:
      break;
  }
  const std::string_view rest(begin, static_cast<std::size_t>(cursor_.end - begin));
  constexpr std::string_view kSecond = "=>&|+*<";  // what the second character of a longer symbol may be
  const bool may_be_long = rest.size() > 1 && kSecond.find(rest[1]) != std::string_view::npos;
  for (const Symbol& s : kLong) {
    if (version2_ && s.kind == Tok::kPower) continue;  // '^' is the power there
    if (may_be_long && rest.starts_with(s.text)) {
      Token token = finish(s.kind, begin, static_cast<std::ptrdiff_t>(s.text.size()));
      token.compound = s.compound;
      return token;
    }
  }
  switch (*begin) {
    case '+':
      return one(Tok::kPlus);
    case '-':
      return one(Tok::kMinus);
    case '*':
      return one(Tok::kStar);
    case '/':
      return one(Tok::kSlash);
    case '%':
      return one(Tok::kPercent);
    case '&':
      return one(Tok::kAmpersand);
    case '|':
      return one(Tok::kPipe);
    case '^':
      return one(version2_ ? Tok::kPower : Tok::kCaret);
    case '!':
      return one(Tok::kNot);
    case '<':
      return one(Tok::kLess);
    case '>':
      return one(Tok::kGreater);
    case '=':
      return one(Tok::kAssign);
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(*begin);
  const bool printable = byte >= 0x20 && byte < 0x7f;
  const std::string shown =
      printable ? std::string("'") + *begin + "'" : "a control character (code " + std::to_string(byte) + ")";
  fail(begin, shown + " has no meaning in OpenQASM");
}

}  // namespace qfast::qasm
