// The values of expressions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "circuit/qasm_reader.h"

namespace qfast::qasm {

Value Reader::evaluate(const Expression& e) { return evaluate_nodes(e.nodes, version_ == 2); }

// Postfix: each node takes its operands from the stack and leaves its value there.
Value Reader::evaluate_nodes(const Range& nodes, bool real_arithmetic) {
  const std::size_t base = stack_.size();
  std::int32_t i = nodes.first;
  if (nodes.size() > 8) count_step(node(i).place, nodes.size() >> 1);
  try {
    for (; i < nodes.last; ++i) step(node(i), real_arithmetic);
  } catch (const Refusal& refusal) {
    fail(node(i).place, refusal.message);
  }
  const Value result = stack_.back();
  stack_.resize(base);
  return result;
}

std::int64_t Reader::integer(const Expression& e, const char* what) {
  const Value v = evaluate(e);
  return at(e.place, [&] { return to_integer(v, what); });
}

void Reader::step(const Node& n, bool real_arithmetic) {
  const auto take = [&](std::size_t count) {  // the last values; valid until the next push
    const Value* const values = stack_.data() + (stack_.size() - count);
    stack_.resize(stack_.size() - count);
    return values;
  };
  switch (n.kind) {
    case NodeKind::kInteger:
    case NodeKind::kReal:
    case NodeKind::kBool:
    case NodeKind::kBits:
      stack_.push_back(literal(n));
      return;
    case NodeKind::kWideInteger:
      stack_.push_back(wide_literal(n));
      return;
    case NodeKind::kName:
      stack_.push_back(name_value(n.name, n.place));
      return;
    case NodeKind::kElement: {
      if (n.integer > static_cast<std::uint64_t>(kMaxBits))
        throw Refusal{"the index " + std::to_string(n.integer) + " is out of range"};
      const Value index = make_int(static_cast<std::int64_t>(n.integer));
      stack_.push_back(element(name_value(n.name, n.place), &index, n));
      return;
    }
    case NodeKind::kHardwareQubit: {
      if (circuit_.num_qubits > 0 && !uses_hardware_qubits_) {
        throw Refusal{"hardware qubits ($0) and declared qubits cannot be mixed in one text"};
      }
      if (definition_ != nullptr) throw Refusal{"a gate's body may use only the gate's own qubits"};
      if (n.name >= kMaxBits) throw Refusal{"hardware qubits have numbers below " + std::to_string(kMaxBits)};
      uses_hardware_qubits_ = true;
      circuit_.num_qubits = std::max(circuit_.num_qubits, n.name + 1);
      Value v = list_value(ValueKind::kQubits, n.name, 1);
      v.scalar = true;
      stack_.push_back(v);
      return;
    }
    case NodeKind::kUnary:
      stack_.push_back(unary(n.op, *take(1)));
      return;
    case NodeKind::kBinary: {
      const Value* const operands = take(2);
      stack_.push_back(binary(n.op, operands[0], operands[1], real_arithmetic));
      return;
    }
    case NodeKind::kCall: {
      const Value* const arguments = take(static_cast<std::size_t>(n.count));
      stack_.push_back(call(n, arguments, real_arithmetic));
      return;
    }
    case NodeKind::kIndex: {
      const Value* const values = take(static_cast<std::size_t>(n.count) + 1);
      stack_.push_back(element(values[0], values + 1, n));
      return;
    }
    case NodeKind::kCast: {
      const Value v = *take(1);
      std::int64_t width = 0;
      if (n.count == 1) width = to_integer(*take(1), "a width");
      if (n.count == 1 && (width < 1 || width > 64))
        throw Refusal{"widths of 1 to 64 bits are supported, not " + std::to_string(width)};
      if (v.is_known()) {
        stack_.push_back(convert(v, n.type, static_cast<int>(width)));
      } else if (v.kind == ValueKind::kSymbol && (n.type == TypeKind::kFloat || n.type == TypeKind::kAngle)) {
        stack_.push_back(v);
      } else {
        stack_.push_back(runtime_cast(n.type, static_cast<int>(width), v));
      }
      return;
    }
  }
}

Value Reader::literal(const Node& n) const {
  switch (n.kind) {
    case NodeKind::kBool:
      return make_bool(n.integer != 0);
    case NodeKind::kBits:
      return make_bits(n.integer, n.width);
    case NodeKind::kReal:
      return make_float(n.real);
    default:
      break;
  }
  if (n.integer > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    Value large = make_uint(n.integer);
    large.plain = true;
    return large;
  }
  Value v = make_int(static_cast<std::int64_t>(n.integer));
  v.plain = true;
  return v;
}

// A number of more than 64 bits: an operand of what is computed at run time, where registers can be as wide.
Value Reader::wide_literal(const Node& n) {
  const std::string_view text = sources_.slice(n.place, static_cast<std::uint32_t>(n.integer));
  if (static_cast<std::int64_t>(text.size()) > kMaxWideDigits) {
    throw Refusal{"this integer has more than " + std::to_string(kMaxWideDigits) + " digits"};
  }
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits.push_back(c);
  }
  ClassicalNode node;
  node.kind = ClassicalNode::Kind::kWideInt;
  node.left = static_cast<std::int32_t>(circuit_.wide_integers.size());
  circuit_.wide_integers.push_back(digits);
  return runtime(add_node(node), TypeKind::kUint, static_cast<int>(digits.size()) * 4);
}

Value Reader::name_value(std::int32_t name, std::uint32_t place) {
  Symbol& symbol = lookup(name, place);
  if (symbol.kind == Symbol::Kind::kFixed || symbol.known) return symbol.value;
  if (!symbol.has_value) {
    throw Refusal{"the variable '" + text_of(name) + "' has no value yet; assign one before this statement"};
  }
  return runtime(variable_node(symbol), symbol.type, symbol.width);
}

// --- indices --------------------------------------------------------------------------------------------------------

Value Reader::element(const Value& base, const Value* parts, const Node& n) {
  const bool is_list = base.kind == ValueKind::kQubits || base.kind == ValueKind::kClbits;
  const bool single = n.kind == NodeKind::kElement || n.shape == IndexShape::kSingle;
  if (is_list && base.scalar) throw Refusal{"this is a single bit and has no index"};
  if (is_list && base.kind == ValueKind::kQubits && definition_ != nullptr) {
    throw Refusal{"the qubits of a gate are single qubits and have no index"};
  }
  if (single && !parts[0].is_known()) {
    if (base.kind == ValueKind::kQubits) throw Refusal{"the index of a qubit must be known when the text is read"};
    return runtime_bit(base, parts[0]);
  }
  if (is_list && single) {
    std::int64_t i = to_integer(parts[0], "an index");
    const std::int64_t size = base.span.count;
    if (i < -size || i >= size || (version_ == 2 && i < 0)) {
      throw Refusal{"the index " + std::to_string(i) + " is out of range; this register has " + std::to_string(size) +
                    (base.kind == ValueKind::kQubits ? " qubits" : " bits")};
    }
    if (i < 0) i += size;
    Value v = list_value(base.kind, lists_[static_cast<std::size_t>(base.span.first + i)], 1);
    v.scalar = true;
    return v;
  }
  if (version_ == 2) throw Refusal{"OpenQASM 2 has no index of this kind; a register is indexed by one number"};
  if (is_list) return index_list(base, parts, n);
  if (base.kind == ValueKind::kRuntime && single) return runtime_bit(base, parts[0]);
  if ((base.kind != ValueKind::kBits && !base.is_integer()) || !single) {
    throw Refusal{"this index is not supported for " + describe(base)};
  }
  std::int64_t i = to_integer(parts[0], "an index");
  const std::int64_t size = base.width == 0 ? 64 : base.width;
  if (i < -size || i >= size) {
    throw Refusal{"the index " + std::to_string(i) + " is out of range; this value has " + std::to_string(size) +
                  " bits"};
  }
  if (i < 0) i += size;
  return make_bits(base.bits >> i & 1, 1);
}

Value Reader::index_list(const Value& base, const Value* parts, const Node& n) {
  positions_.clear();
  index_positions(base.span.count, parts, n, positions_);
  if (positions_.empty()) throw Refusal{"this index selects nothing; a register cannot be empty"};
  if (lists_.size() + positions_.size() > kMaxListed) throw Refusal{"the aliases of this text are too large"};
  count_work(static_cast<std::int64_t>(positions_.size() >> 3));
  const auto first = static_cast<std::int32_t>(lists_.size());
  for (const std::int64_t i : positions_) lists_.push_back(lists_[static_cast<std::size_t>(base.span.first + i)]);
  return list_value(base.kind, first, static_cast<std::int32_t>(positions_.size()));
}

void Reader::index_positions(std::int64_t size, const Value* parts, const Node& n,
                             std::vector<std::int64_t>& positions) const {
  const auto within = [&](const Value& v) {
    const std::int64_t i = to_integer(v, "an index");
    if (i < -size || i >= size) {
      throw Refusal{"the index " + std::to_string(i) + " is out of range; this register has " + std::to_string(size) +
                    " bits"};
    }
    return i < 0 ? i + size : i;
  };
  if (n.shape == IndexShape::kSet) {
    for (std::int32_t i = 0; i < n.count; ++i) positions.push_back(within(parts[i]));
    return;
  }
  const Value* next = parts;
  const Value* const start = n.parts & kHasStart ? next++ : nullptr;
  const std::int64_t step = n.parts & kHasStep ? to_integer(*next++, "a step") : 1;
  if (step == 0) throw Refusal{"the step of a range must not be 0"};
  const std::int64_t first = start != nullptr ? within(*start) : step > 0 ? 0 : size - 1;
  const std::int64_t last = n.parts & kHasStop ? within(*next) : step > 0 ? size - 1 : 0;
  const std::int64_t by = std::clamp<std::int64_t>(step, -size, size);  // a longer step leaves the register as well
  for (std::int64_t i = first; step > 0 ? i <= last : i >= last; i += by) positions.push_back(i);
}

Value Reader::concatenate(const Value& left, const Value& right) {
  const bool lists = left.kind == right.kind && (left.kind == ValueKind::kQubits || left.kind == ValueKind::kClbits);
  if (!lists)
    throw Refusal{"'++' joins two registers of qubits or two of bits, not " + describe(left) + " and " +
                  describe(right)};
  const std::size_t count = static_cast<std::size_t>(left.span.count) + static_cast<std::size_t>(right.span.count);
  if (lists_.size() + count > kMaxListed) throw Refusal{"the aliases of this text are too large"};
  count_work(static_cast<std::int64_t>(count));
  const auto first = static_cast<std::int32_t>(lists_.size());
  for (const Value* part : {&left, &right}) {
    for (std::int32_t i = 0; i < part->span.count; ++i) lists_.push_back(bit_at(*part, i));
  }
  std::vector<std::int32_t> sorted(lists_.begin() + first, lists_.end());
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    throw Refusal{"a register cannot be joined with a part of itself"};
  }
  return list_value(left.kind, first, static_cast<std::int32_t>(count));
}

// --- operators ------------------------------------------------------------------------------------------------------

Value Reader::symbolic(const Angle& angle) const {
  if (angle.is_number()) return make_float(angle.number);
  return list_value(ValueKind::kSymbol, angle.first, angle.count);
}

// What a gate takes as an angle.
Angle Reader::to_angle(const Value& v) {
  if (v.kind == ValueKind::kSymbol) return {0.0, v.span.first, v.span.count};
  if (v.kind == ValueKind::kRuntime) return node_angle(v.span.first);
  if (v.kind == ValueKind::kBits) throw Refusal{"expected a number, not " + describe(v)};
  if (v.kind == ValueKind::kClbits) {
    throw Refusal{"classical bits cannot stand in an angle directly; assign them to a float or int variable first"};
  }
  return {to_double(v), 0, 0};
}

Value Reader::unary(Tok op, const Value& v) {
  if (v.is_known()) return apply_unary(op, v);
  if (v.kind == ValueKind::kRuntime || v.kind == ValueKind::kClbits) return runtime_unary(op, v);
  if (v.kind == ValueKind::kSymbol && op == Tok::kPlus) return v;
  if (v.kind == ValueKind::kSymbol && op == Tok::kMinus) return symbolic(codes_.unary(ExprOp::kNeg, to_angle(v)));
  throw Refusal{"'" + std::string(operator_text(op)) + "' is not defined for " + describe(v)};
}

Value Reader::binary(Tok op, const Value& a, const Value& b, bool real_arithmetic) {
  if (op == Tok::kPlusPlus) return concatenate(a, b);
  if (a.is_known() && b.is_known()) return apply_binary(op, a, b, real_arithmetic);
  if (a.kind == ValueKind::kQubits || b.kind == ValueKind::kQubits) {
    throw Refusal{"'" + std::string(operator_text(op)) + "' is not defined for qubits; measure them into bits first"};
  }
  if (a.kind != ValueKind::kSymbol && b.kind != ValueKind::kSymbol) return runtime_binary(op, a, b);
  ExprOp code{};
  switch (op) {
    case Tok::kPlus:
      code = ExprOp::kAdd;
      break;
    case Tok::kMinus:
      code = ExprOp::kSub;
      break;
    case Tok::kStar:
      code = ExprOp::kMul;
      break;
    case Tok::kSlash:
      code = ExprOp::kDiv;
      break;
    case Tok::kPower:
      code = ExprOp::kPow;
      break;
    default:
      throw Refusal{"'" + std::string(operator_text(op)) +
                    "' is not defined for input parameters, whose values are given after the text is read"};
  }
  return symbolic(codes_.binary(code, to_angle(a), to_angle(b)));
}

Value Reader::call(const Node& n, const Value* arguments, bool real_arithmetic) {
  const auto name = static_cast<std::size_t>(n.name);
  if (name >= function_of_name_.size() || function_of_name_[name] < 0) {
    std::string known;
    for (int i = 0; i < kNumFunctions; ++i) {
      const FunctionRow& row = function_row(static_cast<Function>(i));
      const std::string_view text = version_ == 2 ? row.name2 : row.name;
      if (!text.empty()) known += (known.empty() ? "" : ", ") + std::string(text);
    }
    throw Refusal{"there is no function '" + text_of(n.name) + "'; these are known: " + known};
  }
  const auto function = static_cast<Function>(function_of_name_[name]);
  const FunctionRow& row = function_row(function);
  if (n.count != row.arity) {
    throw Refusal{text_of(n.name) + " takes " + std::to_string(row.arity) + " arguments, " + std::to_string(n.count) +
                  " given"};
  }
  const auto any = [&](ValueKind kind) {
    return arguments[0].kind == kind || (row.arity == 2 && arguments[1].kind == kind);
  };
  if (any(ValueKind::kQubits)) throw Refusal{"qubits cannot stand in a function; measure them into bits first"};
  if (any(ValueKind::kSymbol)) {
    if (function == Function::kPow) return binary(Tok::kPower, arguments[0], arguments[1], real_arithmetic);
    ExprOp op{};
    switch (function) {
      case Function::kArccos:
        op = ExprOp::kAcos;
        break;
      case Function::kArcsin:
        op = ExprOp::kAsin;
        break;
      case Function::kArctan:
        op = ExprOp::kAtan;
        break;
      case Function::kCos:
        op = ExprOp::kCos;
        break;
      case Function::kExp:
        op = ExprOp::kExp;
        break;
      case Function::kLog:
        op = ExprOp::kLog;
        break;
      case Function::kSin:
        op = ExprOp::kSin;
        break;
      case Function::kSqrt:
        op = ExprOp::kSqrt;
        break;
      case Function::kTan:
        op = ExprOp::kTan;
        break;
      default:
        throw Refusal{std::string(row.name) +
                      " of an input parameter is not supported; compute the value before it is bound"};
    }
    return symbolic(codes_.unary(op, to_angle(arguments[0])));
  }
  const bool known = arguments[0].is_known() && (row.arity == 1 || arguments[1].is_known());
  return known ? apply_function(function, arguments) : runtime_call(function, arguments);
}

}  // namespace qfast::qasm
