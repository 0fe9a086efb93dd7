// Classical values that depend on measurements: expressions for run time, variables and assignments.
#include <cmath>
#include <numbers>

#include "circuit/qasm_reader.h"

namespace qfast::qasm {
namespace {

using Kind = ClassicalNode::Kind;

constexpr int kDefaultWidth = 64;  // of int and uint without a width

bool is_comparison(Tok op) {
  return op == Tok::kEqual || op == Tok::kNotEqual || op == Tok::kLess || op == Tok::kLessEqual ||
         op == Tok::kGreater || op == Tok::kGreaterEqual;
}

TypeKind type_of(const Value& v) {
  switch (v.kind) {
    case ValueKind::kBool:
      return TypeKind::kBool;
    case ValueKind::kUint:
      return TypeKind::kUint;
    case ValueKind::kFloat:
      return TypeKind::kFloat;
    case ValueKind::kAngle:
      return TypeKind::kAngle;
    case ValueKind::kBits:
    case ValueKind::kClbits:
      return TypeKind::kBit;
    case ValueKind::kRuntime:
      return v.type;
    default:
      return TypeKind::kInt;
  }
}

int width_of(const Value& v) {
  if (v.kind == ValueKind::kClbits) return v.span.count;
  return v.width;
}

// The operand of an operator, known or not; not a float or an angle.
IntegerOperand integer_operand(const Value& v) {
  if (v.is_known()) return operand_of(v);
  IntegerOperand found;
  const int width = width_of(v) == 0 ? kDefaultWidth : width_of(v);
  switch (type_of(v)) {
    case TypeKind::kBool:
      found.type = {false, true, false, 1};
      break;
    case TypeKind::kUint:
      found.type = {false, false, false, width};
      break;
    case TypeKind::kBit:
      found.type = {false, false, true, width};
      break;
    default:
      found.type = {true, false, false, width};
  }
  return found;
}

TypeKind kind_of(const IntegerType& type) {
  if (type.is_bool) return TypeKind::kBool;
  if (type.is_bits) return TypeKind::kBit;
  return type.is_signed ? TypeKind::kInt : TypeKind::kUint;
}

}  // namespace

// --- nodes ----------------------------------------------------------------------------------------------------------

std::int32_t Reader::add_node(const ClassicalNode& n) {
  ClassicalNode node = n;
  const bool has_left = n.kind == Kind::kUnary || n.kind == Kind::kBinary || n.kind == Kind::kIndex ||
                        n.kind == Kind::kCast || n.kind == Kind::kCall;
  const bool has_right = n.kind == Kind::kBinary || n.kind == Kind::kIndex || (n.kind == Kind::kCall && n.right >= 0);
  if (has_left) node.depth = circuit_.nodes[static_cast<std::size_t>(n.left)].depth + 1;
  if (has_right) node.depth = std::max(node.depth, circuit_.nodes[static_cast<std::size_t>(n.right)].depth + 1);
  if (node.depth > kMaxClassicalDepth) {
    throw Refusal{"this run-time expression is more than " + std::to_string(kMaxClassicalDepth) +
                  " operations deep; assign parts of it to variables first"};
  }
  if (static_cast<std::int64_t>(circuit_.nodes.size()) >= max_rows_)
    throw Refusal{"this text expands to too many run-time expressions"};
  circuit_.nodes.push_back(node);
  return static_cast<std::int32_t>(circuit_.nodes.size()) - 1;
}

Value Reader::runtime(std::int32_t node, TypeKind type, int width) const {
  Value v;
  v.kind = ValueKind::kRuntime;
  v.type = type;
  v.width = width;
  v.span = {node, 0};
  return v;
}

std::int32_t Reader::binary_node(std::string_view op, std::int32_t left, std::int32_t right, bool real_valued) {
  ClassicalNode n;
  n.kind = Kind::kBinary;
  n.op = op;
  n.left = left;
  n.right = right;
  n.real_valued = real_valued;
  return add_node(n);
}

std::int32_t Reader::cast_node(TypeKind type, int width, std::int32_t operand) {
  ClassicalNode n;
  n.kind = Kind::kCast;
  n.op = type == TypeKind::kInt     ? "int"
         : type == TypeKind::kBool  ? "bool"
         : type == TypeKind::kFloat ? "float"
                                    : "uint";
  n.left = operand;
  const bool has_width = type == TypeKind::kInt || type == TypeKind::kUint || type == TypeKind::kBit;
  n.right = has_width ? (width == 0 ? kDefaultWidth : width) : 0;
  n.real_valued = type == TypeKind::kFloat;
  return add_node(n);
}

std::int32_t Reader::call_node(std::string_view function, std::int32_t first, std::int32_t second, bool real_valued) {
  ClassicalNode n;
  n.kind = Kind::kCall;
  n.op = function;
  n.left = first;
  n.right = second;
  n.real_valued = real_valued;
  return add_node(n);
}

std::int32_t Reader::literal_node(const Value& v) {
  ClassicalNode n;
  switch (v.kind) {
    case ValueKind::kFloat:
    case ValueKind::kAngle:
      n.kind = Kind::kReal;
      n.real = v.real;
      n.real_valued = true;
      if (!std::isfinite(v.real)) throw Refusal{"this value is not finite"};
      return add_node(n);
    case ValueKind::kBool:
      n.kind = Kind::kBool;
      n.integer = v.integer;
      return add_node(n);
    default:
      n.kind = Kind::kInt;
      n.is_unsigned = v.kind != ValueKind::kInt;
      n.integer = v.integer;
  }
  const std::int32_t literal = add_node(n);
  // A literal takes its partner's type; a constant of a declared type keeps its own.
  if (v.plain) return literal;
  return cast_node(v.kind == ValueKind::kInt ? TypeKind::kInt : TypeKind::kUint, v.width, literal);
}

// The bits of a register or alias, the first the least significant.
std::int32_t Reader::bits_node(const Value& list) {
  ClassicalNode n;
  if (list.span.count == 1) {
    n.kind = Kind::kBit;
    n.left = bit_at(list, 0);
    return add_node(n);
  }
  count_work(list.span.count >> 3);
  bool is_run = true;
  for (std::int32_t i = 1; i < list.span.count; ++i) is_run &= bit_at(list, i) == bit_at(list, 0) + i;
  if (is_run) {
    n.kind = Kind::kBits;
    n.left = bit_at(list, 0);
    n.right = list.span.count;
    return add_node(n);
  }
  if (list.span.count > 64) throw Refusal{"an alias of more than 64 scattered bits cannot stand in an expression"};
  std::int32_t sum = -1;
  for (std::int32_t i = 0; i < list.span.count; ++i) {
    n.kind = Kind::kBit;
    n.left = bit_at(list, i);
    std::int32_t bit = cast_node(TypeKind::kUint, list.span.count, add_node(n));
    if (i > 0) bit = binary_node("<<", bit, assigned_node(make_int(i)));
    sum = sum < 0 ? bit : binary_node("|", sum, bit);
  }
  return sum;
}

std::int32_t Reader::node_of(const Value& v) {
  if (v.is_known()) return literal_node(v);
  if (v.kind == ValueKind::kRuntime) return v.span.first;
  if (v.kind == ValueKind::kClbits) return bits_node(v);
  if (v.kind == ValueKind::kSymbol) {
    throw Refusal{"an input parameter cannot stand in an expression that is computed at run time; use it in gates"};
  }
  throw Refusal{"expected a classical value, not " + describe(v)};
}

// What is assigned is converted to its target, so that a number needs no type of its own.
std::int32_t Reader::assigned_node(Value v) {
  v.plain = v.plain || v.is_integer() || v.kind == ValueKind::kBits;
  return node_of(v);
}

// angle variables are floats at run time, reduced modulo 2 pi and rounded to their width by the expression itself.
std::int32_t Reader::wrapped_angle(std::int32_t node, int width) {
  const double tau = 2 * std::numbers::pi;
  if (width == 0 || width > 52) return call_node("mod", node, literal_node(make_float(tau)));
  const double ticks = std::ldexp(1.0, width);
  const std::int32_t scaled = binary_node("*", node, literal_node(make_float(ticks / tau)), true);
  const std::int32_t shifted = binary_node("+", scaled, literal_node(make_float(0.5)), true);
  const std::int32_t rounded = call_node("mod", call_node("floor", shifted, -1), literal_node(make_float(ticks)));
  return binary_node("*", rounded, literal_node(make_float(tau / ticks)), true);
}

// --- operators ------------------------------------------------------------------------------------------------------

Value Reader::runtime_unary(Tok op, const Value& v) {
  const TypeKind type = type_of(v);
  if (op == Tok::kPlus) return v;
  ClassicalNode n;
  n.kind = Kind::kUnary;
  n.op = operator_text(op);
  n.left = node_of(v);
  if (op == Tok::kNot) return runtime(add_node(n), TypeKind::kBool, 0);
  const bool real = type == TypeKind::kFloat || type == TypeKind::kAngle;
  const bool defined = op != Tok::kTilde || type == TypeKind::kBit || type == TypeKind::kUint || type == TypeKind::kInt;
  if (!defined)
    throw Refusal{"'" + std::string(operator_text(op)) + "' is not defined for " + describe(v) + "; cast it to int"};
  n.real_valued = real;
  const std::int32_t node = add_node(n);
  if (op == Tok::kMinus && !real) {
    const IntegerType own = integer_operand(v).type;
    if (own.is_logical()) return runtime(node, TypeKind::kInt, kDefaultWidth);
    return runtime(node, own.is_signed ? TypeKind::kInt : TypeKind::kUint, own.width);
  }
  return runtime(type == TypeKind::kAngle ? wrapped_angle(node, v.width) : node, type, width_of(v));
}

Value Reader::runtime_binary(Tok op, const Value& a, const Value& b) {
  const std::string_view text = operator_text(op);
  const TypeKind left = type_of(a), right = type_of(b);
  if (is_comparison(op) || op == Tok::kAndAnd || op == Tok::kOrOr) {
    return runtime(binary_node(text, node_of(a), node_of(b)), TypeKind::kBool, 0);
  }
  const auto is_integral = [](TypeKind t) {
    return t == TypeKind::kBool || t == TypeKind::kBit || t == TypeKind::kInt || t == TypeKind::kUint;
  };
  if (op == Tok::kShiftLeft || op == Tok::kShiftRight) {
    if (!is_integral(left) || !is_integral(right)) {
      throw Refusal{"'" + std::string(text) + "' shifts bits, an int or a uint by an int, not " + describe(a) + " by " +
                    describe(b)};
    }
    IntegerType own = own_type(integer_operand(a));
    if (own.is_bool) own = {true, false, false, kDefaultWidth};
    return runtime(binary_node(text, node_of(a), node_of(b)), kind_of(own), own.width);
  }
  if (op == Tok::kAmpersand || op == Tok::kPipe || op == Tok::kCaret) {
    if (!is_integral(left) || !is_integral(right)) {
      throw Refusal{"'" + std::string(text) + "' is not defined for " + describe(a) + " and " + describe(b) +
                    "; cast one of them"};
    }
    if (left == TypeKind::kBit && right == TypeKind::kBit && width_of(a) != width_of(b)) {
      throw Refusal{"registers of " + std::to_string(width_of(a)) + " and " + std::to_string(width_of(b)) +
                    " bits are combined; they must have the same length"};
    }
    const IntegerType own = common_type(integer_operand(a), integer_operand(b), false);
    return runtime(binary_node(text, node_of(a), node_of(b)), kind_of(own), own.width);
  }
  return runtime_arithmetic(op, a, b);
}

// + - * / % **
Value Reader::runtime_arithmetic(Tok op, const Value& a, const Value& b) {
  const std::string_view text = operator_text(op);
  const TypeKind left = type_of(a), right = type_of(b);
  if (left == TypeKind::kAngle || right == TypeKind::kAngle) {
    const int width = left == TypeKind::kAngle ? a.width : b.width;
    const bool both = left == right;
    const bool scales = op == Tok::kStar && !both && left != TypeKind::kFloat && right != TypeKind::kFloat;
    const bool divides =
        op == Tok::kSlash && left == TypeKind::kAngle && !both && right != TypeKind::kFloat && width == 0;
    if (op != Tok::kPlus && op != Tok::kMinus && !scales && !divides) {
      throw Refusal{"'" + std::string(text) +
                    "' of angles known only at run time is not supported here; use float variables"};
    }
    return runtime(wrapped_angle(binary_node(text, node_of(a), node_of(b), true), width), TypeKind::kAngle, width);
  }
  if (left == TypeKind::kFloat || right == TypeKind::kFloat) {
    if (op == Tok::kPercent) throw Refusal{"'%' is not defined for float; use mod(a, b)"};
    return runtime(binary_node(text, node_of(a), node_of(b), true), TypeKind::kFloat, 0);
  }
  const IntegerOperand x = integer_operand(a), y = integer_operand(b);
  const IntegerType own = op == Tok::kPower ? power_type(x, y) : common_type(x, y, true);
  const bool is_narrow = op != Tok::kPlus && op != Tok::kMinus;
  if (own.width > 64 && is_narrow) {
    throw Refusal{"'" + std::string(text) + "' of " + std::to_string(own.width) +
                  " bits is not supported, at most 64 are; cast an operand to fewer bits"};
  }
  return runtime(binary_node(text, node_of(a), node_of(b)), own.is_signed ? TypeKind::kInt : TypeKind::kUint,
                 own.width);
}

Value Reader::runtime_call(Function function, const Value* arguments) {
  const FunctionRow& row = function_row(function);
  const std::int32_t first = node_of(arguments[0]);
  const std::int32_t second = row.arity == 2 ? node_of(arguments[1]) : -1;
  const TypeKind type = type_of(arguments[0]);
  switch (function) {
    case Function::kPow:
      return runtime_binary(Tok::kPower, arguments[0], arguments[1]);
    case Function::kPopcount:
      if (type != TypeKind::kBit && type != TypeKind::kUint) break;
      return runtime(call_node(row.name, first, second, false), TypeKind::kUint, 0);
    case Function::kRotl:
    case Function::kRotr:
      if (type != TypeKind::kBit && type != TypeKind::kUint) break;
      return runtime(call_node(row.name, first, second, false), type, width_of(arguments[0]));
    case Function::kMod: {
      const TypeKind other = type_of(arguments[1]);
      const auto is_real = [](TypeKind t) { return t == TypeKind::kFloat || t == TypeKind::kAngle; };
      if (is_real(type) || is_real(other)) return runtime(call_node(row.name, first, second), TypeKind::kFloat, 0);
      const IntegerType own = common_type(integer_operand(arguments[0]), integer_operand(arguments[1]), true);
      return runtime(call_node(row.name, first, second, false), own.is_signed ? TypeKind::kInt : TypeKind::kUint,
                     own.width);
    }
    default:
      return runtime(call_node(row.name, first, second), TypeKind::kFloat, 0);
  }
  throw Refusal{std::string(row.name) + " is not defined for " + describe(arguments[0]) + "; cast it first"};
}

Value Reader::runtime_cast(TypeKind type, int width, const Value& v) {
  const std::int32_t node = node_of(v);
  const TypeKind from = type_of(v);
  if (type == TypeKind::kBit) {
    const int wanted = width == 0 ? 1 : width;
    if (from == TypeKind::kFloat || from == TypeKind::kAngle) throw Refusal{describe(v) + " cannot be cast to bits"};
    if (from == TypeKind::kBit && width_of(v) != wanted) {
      throw Refusal{describe(v) + " does not fit bit[" + std::to_string(wanted) + "]"};
    }
    return runtime(cast_node(type, wanted, node), type, wanted);
  }
  if (type == TypeKind::kAngle) {
    if (from == TypeKind::kBit) throw Refusal{describe(v) + " cannot be cast to angle; cast it to uint first"};
    return runtime(wrapped_angle(node, width), type, width);
  }
  return runtime(cast_node(type, width, node), type, width);
}

// One bit of a register, int or uint, at an index that may be known only at run time.
Value Reader::runtime_bit(const Value& base, const Value& index) {
  const TypeKind type = type_of(base);
  if (type != TypeKind::kBit && type != TypeKind::kInt && type != TypeKind::kUint) {
    throw Refusal{"this index is not supported for " + describe(base)};
  }
  if (index.is_known()) {
    const std::int64_t size = width_of(base) == 0 ? 64 : width_of(base);
    const std::int64_t i = to_integer(index, "an index");
    if (i < -size || i >= size) {
      throw Refusal{"the index " + std::to_string(i) + " is out of range; this value has " + std::to_string(size) +
                    " bits"};
    }
  } else if (type_of(index) == TypeKind::kFloat || type_of(index) == TypeKind::kAngle) {
    throw Refusal{"an index must be an integer, not " + describe(index)};
  }
  ClassicalNode n;
  n.kind = Kind::kIndex;
  n.left = node_of(base);
  n.right = node_of(index);
  return runtime(add_node(n), TypeKind::kBit, 1);
}

// A run-time expression as an angle of a gate: an expression of variables, which stand there as parameters.
Angle Reader::node_angle(std::int32_t id) {
  const ClassicalNode n = circuit_.nodes[static_cast<std::size_t>(id)];
  const Refusal refusal{
      "this run-time value is too complicated for an angle; assign it to a float variable and use that"};
  switch (n.kind) {
    case Kind::kBool:
    case Kind::kInt: {
      const auto bits = static_cast<std::uint64_t>(n.integer);
      return {n.is_unsigned ? static_cast<double>(bits) : static_cast<double>(n.integer), 0, 0};
    }
    case Kind::kReal:
      return {n.real, 0, 0};
    case Kind::kWideInt:
      throw Refusal{"this integer does not fit into 64 bits; write a float (1e20) if a real number is meant"};
    case Kind::kVariable:
      return codes_.parameter(parameter_of(true, n.left));
    case Kind::kUnary:
      if (n.op != "-" || !n.real_valued) throw refusal;
      return codes_.unary(ExprOp::kNeg, node_angle(n.left));
    case Kind::kCast:
      if (n.op != "float") throw refusal;
      return node_angle(n.left);
    case Kind::kBinary: {
      if (!n.real_valued) throw refusal;  // whole numbers wrap around and are divided in another way
      const ExprOp op = n.op == "+"   ? ExprOp::kAdd
                        : n.op == "-" ? ExprOp::kSub
                        : n.op == "*" ? ExprOp::kMul
                        : n.op == "/" ? ExprOp::kDiv
                                      : ExprOp::kPow;
      const Angle left = node_angle(n.left);
      return codes_.binary(op, left, node_angle(n.right));
    }
    default:
      throw refusal;
  }
}

std::int32_t Reader::parameter_of(bool is_variable, std::int32_t index) {
  std::vector<std::int32_t>& known = is_variable ? parameter_of_variable_ : parameter_of_input_;
  const auto i = static_cast<std::size_t>(index);
  if (known.size() <= i) known.resize(i + 1, -1);
  if (known[i] < 0) {
    known[i] = static_cast<std::int32_t>(parameters_.size());
    parameters_.push_back({is_variable, index});
  }
  return known[i];
}

// --- variables ------------------------------------------------------------------------------------------------------

std::int32_t Reader::variable_node(Symbol& symbol) {
  if (symbol.variable < 0) {
    QasmVariable variable;
    variable.name = text_of(symbol.name);
    switch (symbol.type) {
      case TypeKind::kBool:
        variable.kind = VariableKind::kBool;
        break;
      case TypeKind::kInt:
        variable.kind = VariableKind::kInt;
        break;
      case TypeKind::kUint:
        variable.kind = VariableKind::kUint;
        break;
      default:
        variable.kind = VariableKind::kFloat;
    }
    const bool has_width = symbol.type == TypeKind::kInt || symbol.type == TypeKind::kUint;
    variable.width = has_width ? (symbol.width == 0 ? kDefaultWidth : symbol.width) : 0;
    symbol.variable = static_cast<std::int32_t>(circuit_.variables.size());
    circuit_.variables.push_back(std::move(variable));
  }
  ClassicalNode n;
  n.kind = Kind::kVariable;
  n.left = symbol.variable;
  n.real_valued = symbol.type == TypeKind::kFloat || symbol.type == TypeKind::kAngle;
  return add_node(n);
}

// From here on the variable's value is computed at run time; what is known of it is stored first.
void Reader::to_run_time(Symbol& symbol) {
  if (!symbol.known) {
    symbol.has_value = true;  // a variable that is first assigned at run time begins as 0
    return;
  }
  symbol.known = false;
  const std::int32_t value = assigned_node(symbol.value);
  emit_assign(variable_node(symbol), value);
}

void Reader::emit_assign(std::int32_t target, std::int32_t value) {
  QasmFlow flow;
  flow.opcode = k_assign;
  flow.target = target;
  flow.expression = value;
  push_flow(std::move(flow));
}

void Reader::assign_variable(Symbol& symbol, const Value& v, std::uint32_t place) {
  at(place, [&] {
    const bool is_real = symbol.type == TypeKind::kFloat || symbol.type == TypeKind::kAngle;
    const bool can_be_known = v.is_known() || (v.kind == ValueKind::kSymbol && is_real);
    symbol.has_value = true;
    if (can_be_known && symbol.flow_depth == flow_depth_) {
      symbol.value = v.is_known() ? convert(v, symbol.type, symbol.width) : v;
      symbol.known = true;
      if (v.kind == ValueKind::kSymbol) kept_codes_ = codes_.size();
      return;
    }
    Value converted = v;
    if (v.is_known()) {
      converted = convert(v, symbol.type, symbol.width);
    } else if (symbol.type == TypeKind::kAngle) {
      converted = runtime_cast(TypeKind::kAngle, symbol.width, v);
    }
    const std::int32_t value = assigned_node(converted);
    symbol.known = false;
    emit_assign(variable_node(symbol), value);
  });
}

// Bits of a register or alias get the bits of a number, or of bits of the same length.
void Reader::assign_bits(const Value& target, const Value& v, std::uint32_t place) {
  at(place, [&] {
    const std::int32_t count = target.span.count;
    const TypeKind type = type_of(v);
    if (v.kind == ValueKind::kQubits) throw Refusal{"qubits cannot be assigned to bits; write 'measure' before them"};
    if (v.kind == ValueKind::kSymbol || type == TypeKind::kFloat || type == TypeKind::kAngle) {
      throw Refusal{describe(v) + " cannot be assigned to bits"};
    }
    if (type == TypeKind::kBit && width_of(v) != count) {
      throw Refusal{std::to_string(width_of(v)) + " bits are assigned to " + std::to_string(count) +
                    "; they must be as many"};
    }
    if (v.is_known() && count < 64) convert(v, TypeKind::kBit, count);  // refuses what does not fit
    bool is_run = true;
    for (std::int32_t i = 1; i < count; ++i) is_run &= bit_at(target, i) == bit_at(target, 0) + i;
    if (is_run) {
      const std::int32_t value = assigned_node(v);
      return emit_assign(bits_node(target), value);
    }
    if (!v.is_known()) throw Refusal{"scattered bits can be assigned only known values; assign them one by one"};
    for (std::int32_t i = 0; i < count; ++i) {
      Value one = list_value(ValueKind::kClbits, bit_at(target, i), 1);
      one.scalar = true;
      const std::int32_t value = assigned_node(make_int(i < 64 ? v.integer >> i & 1 : 0));
      emit_assign(bits_node(one), value);
    }
  });
}

void Reader::assign(const Statement& s) {
  const Node& base = node(s.target.nodes.first);
  Symbol& symbol = lookup(base.name, base.place);
  const bool is_whole = s.target.nodes.size() == 1 && base.kind == NodeKind::kName;
  if (symbol.kind == Symbol::Kind::kVariable && !is_whole) {
    fail(s.target.place, "single bits of an int or uint variable cannot be assigned; use a bit register");
  }
  const bool is_bits = symbol.value.kind == ValueKind::kClbits;
  if (symbol.kind == Symbol::Kind::kFixed && !is_bits) {
    const char* what =
        symbol.value.kind == ValueKind::kQubits ? "qubits" : "a constant, an input or a gate's parameter";
    fail(s.target.place, "'" + text_of(base.name) + "' names " + what + " and cannot be assigned");
  }
  Value v = evaluate(s.value);
  const Value target = is_bits ? evaluate(s.target) : Value{};
  if (s.op != Tok::kAssign) {
    const Value before = is_bits ? target : at(s.target.place, [&] { return name_value(base.name, base.place); });
    v = at(s.place, [&] { return binary(s.op, before, v, false); });
  }
  if (!is_bits) return assign_variable(symbol, v, s.value.place);
  if (target.kind != ValueKind::kClbits) {
    fail(s.target.place, "a bit at an index known only at run time cannot be assigned; use a constant index");
  }
  assign_bits(target, v, s.value.place);
}

}  // namespace qfast::qasm
