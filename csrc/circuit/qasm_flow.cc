// Control flow: what is decided while reading is run or unrolled, the rest becomes blocks of the circuit.
#include <algorithm>

#include "circuit/qasm_reader.h"

namespace qfast::qasm {

// A body in its own scope.
Outcome Reader::run_body(std::int32_t first) {
  const Scope scope(*this);
  return run_block(first);
}

// A body whose rows go into a block of their own. Exits out of it have become rows.
std::int32_t Reader::run_flow_block(std::int32_t first) {
  const FlowBlock flow(*this);
  run_body(first);
  return flow.id();
}

// Appends a row of control flow, or an assignment, to the current block.
void Reader::push_flow(QasmFlow flow) {
  call_qubits_.clear();
  for (const std::int32_t id : flow.blocks) {
    const SharedColumn<std::int32_t>& touched = blocks_[static_cast<std::size_t>(id)]->rows.qubits;
    call_qubits_.insert(call_qubits_.end(), touched.begin(), touched.end());
  }
  std::sort(call_qubits_.begin(), call_qubits_.end());
  call_qubits_.erase(std::unique(call_qubits_.begin(), call_qubits_.end()), call_qubits_.end());
  const auto index = static_cast<std::int32_t>(block().flows.size());
  const std::uint16_t opcode = flow.opcode;
  block().flows.push_back(std::move(flow));
  emit(opcode, index, call_qubits_, 0);
}

// --- if and switch
// ----------------------------------------------------------------------------------------------------

void Reader::check_version2_if(const Statement& s) {
  const Range& nodes = s.value.nodes;
  const bool compares =
      nodes.size() == 3 && node(nodes.first).kind == NodeKind::kName &&
      (node(nodes.first + 1).kind == NodeKind::kInteger || node(nodes.first + 1).kind == NodeKind::kWideInteger) &&
      node(nodes.first + 2).op == Tok::kEqual;
  if (!compares) fail(s.value.place, "a condition of OpenQASM 2 is 'register == integer'");
  const StatementKind kind = statement(s.body).kind;
  if (kind != StatementKind::kGateCall && kind != StatementKind::kMeasure && kind != StatementKind::kReset) {
    fail(statement(s.body).place, "in OpenQASM 2 only a gate, a measurement or a reset can follow 'if'");
  }
}

Outcome Reader::if_else(const Statement& s) {
  if (version_ == 2) check_version2_if(s);
  const Value condition = evaluate(s.value);
  if (condition.is_known()) return run_body(to_bool(condition) ? s.body : s.orelse);
  if (condition.kind == ValueKind::kSymbol) {
    fail(s.value.place, "a condition cannot depend on an input parameter, whose value is given after the text is read");
  }
  QasmFlow flow;
  flow.opcode = k_if_else;
  flow.expression = at(s.value.place, [&] { return node_of(condition); });
  at(s.place, [&] {
    assigned_to_run_time(s.body);
    assigned_to_run_time(s.orelse);
  });
  flow.blocks.push_back(run_flow_block(s.body));
  if (s.orelse >= 0) flow.blocks.push_back(run_flow_block(s.orelse));
  push_flow(std::move(flow));
  return Outcome::kNormal;
}

Outcome Reader::switch_case(const Statement& s) {
  const Value target = evaluate(s.value);
  const bool known = target.is_known();
  const auto word_of = [&](const Value& v, std::uint32_t place, const char* what) {  // uint64 keeps its bits
    if (v.kind == ValueKind::kUint || v.kind == ValueKind::kBits) return static_cast<std::int64_t>(v.bits);
    return at(place, [&] { return to_integer(v, what); });
  };
  const std::int64_t wanted = known ? word_of(target, s.value.place, "the value of a switch") : 0;
  if (target.kind == ValueKind::kRuntime && (target.type == TypeKind::kFloat || target.type == TypeKind::kAngle)) {
    fail(s.value.place, "the value of a switch must be an integer, not " + describe(target));
  }
  QasmFlow flow;
  flow.opcode = k_switch_case;
  std::int32_t chosen = s.orelse;
  std::vector<std::int64_t> all;
  bool any_large = false, any_negative = false;
  for (std::int32_t id = s.body; id >= 0; id = statement(id).next) {
    const Statement& one = statement(id);
    std::vector<std::int64_t> values;
    count_step(one.place, one.arguments.size());
    for (std::int32_t i = one.arguments.first; i < one.arguments.last; ++i) {
      const Value label = evaluate(expression(i));
      values.push_back(word_of(label, expression(i).place, "the value of a case"));
      const bool is_large = label.kind == ValueKind::kUint && values.back() < 0;
      any_large |= is_large;
      any_negative |= !is_large && values.back() < 0;
      if (known && values.back() == wanted) chosen = one.body;
    }
    all.insert(all.end(), values.begin(), values.end());
    flow.values.push_back(std::move(values));
  }
  if (any_large && any_negative) fail(s.place, "this switch has cases below 0 and cases of 2^63 and more");
  flow.is_unsigned = any_large;
  std::sort(all.begin(), all.end());
  const auto twice = std::adjacent_find(all.begin(), all.end());
  if (twice != all.end()) fail(s.place, "this switch has two cases for the value " + std::to_string(*twice));
  if (known) return run_body(chosen);
  flow.expression = at(s.value.place, [&] { return node_of(target); });
  at(s.place, [&] {
    for (std::int32_t id = s.body; id >= 0; id = statement(id).next) assigned_to_run_time(statement(id).body);
    assigned_to_run_time(s.orelse);
  });
  for (std::int32_t id = s.body; id >= 0; id = statement(id).next)
    flow.blocks.push_back(run_flow_block(statement(id).body));
  if (s.has_value) flow.blocks.push_back(run_flow_block(s.orelse));
  push_flow(std::move(flow));
  return Outcome::kNormal;
}

// --- loops ----------------------------------------------------------------------------------------------------------

Reader::Iteration Reader::iteration(const Statement& s) {
  if (s.values == LoopValues::kRange) return range_iteration(s);
  Iteration result;
  count_step(s.place, s.arguments.size());
  if (s.values == LoopValues::kSet) {
    for (std::int32_t i = s.arguments.first; i < s.arguments.last; ++i) {
      const Value v = evaluate(expression(i));
      if (!v.is_known()) {
        fail(expression(i).place,
             "the values of a loop must be known when the text is read, and this is " + describe(v));
      }
      result.values.push_back(at(expression(i).place, [&] { return convert(v, s.type.kind, declared_width(s.type)); }));
    }
  } else {
    const Value v = evaluate(s.value);
    if (v.kind != ValueKind::kBits) {
      fail(s.value.place,
           "a loop runs over a range [start:stop], a set {a, b} or a constant bit string, not over " + describe(v));
    }
    for (int i = 0; i < v.width; ++i) result.values.push_back(make_bits(v.bits >> i & 1, 1));
  }
  result.count = static_cast<std::int64_t>(result.values.size());
  return result;
}

Reader::Iteration Reader::range_iteration(const Statement& s) {
  if ((s.parts & kHasStart) == 0 || (s.parts & kHasStop) == 0) {
    fail(s.value.place, "the range of a loop needs a start and a stop, [start:stop] or [start:step:stop]");
  }
  const std::size_t base = stack_.size();
  std::int32_t i = s.value.nodes.first;
  Iteration result;
  result.is_range = true;
  try {
    for (; i < s.value.nodes.last; ++i) step(node(i), false);
    i = s.value.nodes.first;
    result.start = to_integer(stack_[base], "the start of a range");
    result.step = (s.parts & kHasStep) != 0 ? to_integer(stack_[base + 1], "the step of a range") : 1;
    const std::int64_t stop = to_integer(stack_.back(), "the end of a range");
    if (result.step == 0) throw Refusal{"the step of a range must not be 0"};
    const bool up = result.step > 0;
    if (up ? result.start <= stop : result.start >= stop) {
      const auto low = static_cast<std::uint64_t>(up ? result.start : stop),
                 high = static_cast<std::uint64_t>(up ? stop : result.start);
      const auto stride = up ? static_cast<std::uint64_t>(result.step) : ~static_cast<std::uint64_t>(result.step) + 1;
      const std::uint64_t last = (high - low) / stride;  // index of the last value
      if (last >= static_cast<std::uint64_t>(kMaxSteps)) {
        throw Refusal{"this loop has more than " + std::to_string(kMaxSteps) + " passes, which cannot be unrolled"};
      }
      result.count = static_cast<std::int64_t>(last) + 1;
    }
  } catch (const Refusal& refusal) {
    fail(node(std::min(i, s.value.nodes.last - 1)).place, refusal.message);
  }
  stack_.resize(base);
  return result;
}

Value Reader::loop_value(const Statement& s, const Iteration& values, std::int64_t i) {
  if (!values.is_range) return values.values[static_cast<std::size_t>(i)];
  const Value v = make_int(values.start + values.step * i);
  return at(s.name_place, [&] { return convert(v, s.type.kind, declared_width(s.type)); });
}

// The numbers of a loop's range, known or not; nothing where the loop is over something else.
std::vector<Value> Reader::range_parts(const Statement& s) {
  if (s.values != LoopValues::kRange || (s.parts & kHasStart) == 0 || (s.parts & kHasStop) == 0) return {};
  const std::size_t base = stack_.size();
  std::int32_t i = s.value.nodes.first;
  try {
    for (; i < s.value.nodes.last; ++i) step(node(i), false);
  } catch (const Refusal& refusal) {
    fail(node(i).place, refusal.message);
  }
  std::vector<Value> parts(stack_.begin() + static_cast<std::ptrdiff_t>(base), stack_.end());
  stack_.resize(base);
  return parts;
}

// A variable of the run that the text does not name.
std::int32_t Reader::hidden_variable(const Statement& s, const char* what) {
  QasmVariable variable;
  variable.name = text_of(s.name) + "_" + what + std::to_string(circuit_.variables.size());
  variable.kind = VariableKind::kInt;
  variable.width = 64;
  circuit_.variables.push_back(std::move(variable));
  ClassicalNode n;
  n.kind = ClassicalNode::Kind::kVariable;
  n.left = static_cast<std::int32_t>(circuit_.variables.size()) - 1;
  return add_node(n);
}

// A range whose ends are known only at run time: the next value and the last one are variables, and a while loop
// counts.
void Reader::runtime_range(const Statement& s, const std::vector<Value>& parts) {
  if (s.type.kind != TypeKind::kInt && s.type.kind != TypeKind::kUint) {
    fail(s.place, "a loop over a range that is known only at run time needs a variable of type int or uint");
  }
  for (const Value& part : parts) {
    const bool is_whole = part.kind == ValueKind::kRuntime
                              ? part.type != TypeKind::kFloat && part.type != TypeKind::kAngle
                              : part.is_integer();
    if (!is_whole) fail(s.value.place, "the range of a loop consists of integers, not " + describe(part));
  }
  const std::int64_t by =
      (s.parts & kHasStep) == 0 ? 1 : at(s.value.place, [&] { return to_integer(parts[1], "the step of a range"); });
  if (by == 0) fail(s.value.place, "the step of a range must not be 0");
  QasmFlow flow;
  flow.opcode = k_while_loop;
  at(s.place, [&] {
    const std::int32_t next = hidden_variable(s, "next"), last = hidden_variable(s, "last");
    emit_assign(next, cast_node(TypeKind::kInt, 0, node_of(parts.front())));
    emit_assign(last, cast_node(TypeKind::kInt, 0, node_of(parts.back())));
    assigned_to_run_time(s.body);
    flow.expression = binary_node(by > 0 ? "<=" : ">=", next, last);
    const FlowBlock inner(*this);
    const Scope scope(*this);
    Symbol& symbol = declare(s.name, s.name_place);
    symbol.kind = Symbol::Kind::kVariable;
    symbol.type = s.type.kind;
    symbol.width = declared_width(s.type);
    symbol.has_value = true;
    emit_assign(variable_node(symbol), next);
    Value stride = make_int(by);
    stride.plain = true;
    emit_assign(next, binary_node("+", next, literal_node(stride)));
    loops_.push_back({true, flow_depth_});
    run_body(s.body);
    loops_.pop_back();
    flow.blocks.push_back(inner.id());
  });
  push_flow(std::move(flow));
}

Outcome Reader::for_loop(const Statement& s) {
  const std::vector<Value> parts = range_parts(s);
  if (std::any_of(parts.begin(), parts.end(), [](const Value& v) { return !v.is_known(); })) {
    runtime_range(s, parts);
    return Outcome::kNormal;
  }
  const Iteration values = iteration(s);
  if (exits_at_run_time(s)) {
    runtime_for(s, values);
    return Outcome::kNormal;
  }
  Outcome outcome = Outcome::kNormal;
  loops_.push_back({false, flow_depth_});
  for (std::int64_t i = 0; i < values.count && outcome != Outcome::kBreak && outcome != Outcome::kEnd; ++i) {
    count_step(s.place);
    const Scope scope(*this);
    const Value value = loop_value(s, values, i);
    Symbol& symbol = declare(s.name, s.name_place);
    symbol.kind = Symbol::Kind::kVariable;
    symbol.type = s.type.kind;
    symbol.width = declared_width(s.type);
    symbol.value = value;
    symbol.known = symbol.has_value = true;
    outcome = run_body(s.body);
  }
  loops_.pop_back();
  return outcome == Outcome::kEnd ? outcome : Outcome::kNormal;
}

void Reader::runtime_for(const Statement& s, const Iteration& values) {
  QasmFlow flow;
  flow.opcode = k_for_loop;
  flow.is_range = values.is_range;
  if (s.type.kind != TypeKind::kInt && s.type.kind != TypeKind::kUint) {
    fail(s.place, "a loop that is left at run time needs a variable of type int or uint");
  }
  std::vector<std::int64_t>& list = flow.values.emplace_back();
  if (values.is_range) {
    list = {values.start, values.step, values.count};
  } else {
    for (const Value& v : values.values)
      list.push_back(at(s.place, [&] { return to_integer(v, "the value of a loop"); }));
  }
  at(s.place, [&] { assigned_to_run_time(s.body); });
  {
    const FlowBlock inner(*this);
    const Scope scope(*this);
    Symbol& symbol = declare(s.name, s.name_place);
    symbol.kind = Symbol::Kind::kVariable;
    symbol.type = s.type.kind;
    symbol.width = declared_width(s.type);
    symbol.has_value = true;
    at(s.place, [&] { variable_node(symbol); });
    flow.target = symbol.variable;
    loops_.push_back({true, flow_depth_});
    run_body(s.body);
    loops_.pop_back();
    flow.blocks.push_back(inner.id());
  }
  push_flow(std::move(flow));
}

Outcome Reader::while_loop(const Statement& s) {
  const bool at_run_time = exits_at_run_time(s);
  Outcome outcome = Outcome::kNormal;
  while (!at_run_time && outcome != Outcome::kBreak && outcome != Outcome::kEnd) {
    count_step(s.place);
    const Value condition = evaluate(s.value);
    if (!condition.is_known()) break;
    if (!to_bool(condition)) return Outcome::kNormal;
    loops_.push_back({false, flow_depth_});
    outcome = run_body(s.body);
    loops_.pop_back();
  }
  if (outcome == Outcome::kBreak) return Outcome::kNormal;
  if (outcome == Outcome::kEnd) return outcome;
  runtime_while(s);
  return Outcome::kNormal;
}

void Reader::runtime_while(const Statement& s) {
  at(s.place, [&] { assigned_to_run_time(s.body); });  // before the condition: the body may change what it reads
  const Value condition = evaluate(s.value);
  QasmFlow flow;
  flow.opcode = k_while_loop;
  flow.expression = at(s.value.place, [&] { return node_of(condition); });
  {
    const FlowBlock inner(*this);
    loops_.push_back({true, flow_depth_});
    run_body(s.body);
    loops_.pop_back();
    flow.blocks.push_back(inner.id());
  }
  push_flow(std::move(flow));
}

Outcome Reader::loop_exit(const Statement& s) {
  const bool leaves = s.kind == StatementKind::kBreak;
  if (loops_.empty()) fail(s.place, std::string(leaves ? "'break'" : "'continue'") + " outside of a loop");
  const Loop& loop = loops_.back();
  if (loop.at_run_time) {
    emit(leaves ? k_break_loop : k_continue_loop, -1, {}, s.place);
  } else if (loop.flow_depth != flow_depth_) {
    fail(s.place,
         "this loop is unrolled, and whether it is left here depends on measurements; make its condition "
         "depend on a bit directly");
  }
  return leaves ? Outcome::kBreak : Outcome::kContinue;
}

// --- what depends on measurements
// -------------------------------------------------------------------------------------

// Variables that a run-time body assigns live at run time from before the body on.
void Reader::assigned_to_run_time(std::int32_t first) {
  for (std::int32_t id = first; id >= 0; id = statement(id).next) {
    const Statement& s = statement(id);
    count_step(s.place);
    if (s.kind == StatementKind::kAssign) {
      Symbol* const symbol = find(node(s.target.nodes.first).name);
      if (symbol != nullptr && symbol->kind == Symbol::Kind::kVariable) to_run_time(*symbol);
    }
    if (s.kind == StatementKind::kSwitch || s.body >= 0) assigned_to_run_time(s.body);
    assigned_to_run_time(s.orelse);
  }
}

bool Reader::has_exit(std::int32_t first) {
  for (std::int32_t id = first; id >= 0; id = statement(id).next) {
    const Statement& s = statement(id);
    count_step(s.place);
    if (s.kind == StatementKind::kBreak || s.kind == StatementKind::kContinue) return true;
    if (s.kind == StatementKind::kFor || s.kind == StatementKind::kWhile) continue;  // their exits are their own
    if (has_exit(s.body) || has_exit(s.orelse)) return true;
  }
  return false;
}

// Whether a loop may be left at a point that depends on measurements, so that it cannot be unrolled. Names are followed
// through the assignments in the body until no more are found to depend on measurements.
bool Reader::exits_at_run_time(const Statement& loop) {
  if (!has_exit(loop.body)) return false;
  count_step(loop.place, names_.size() >> 6);
  runtime_names_.assign(static_cast<std::size_t>(names_.size()), false);
  while (find_runtime_names(loop.body, false)) {
  }
  return has_runtime_exit(loop.body);
}

bool Reader::add_runtime_name(std::int32_t name) {
  const auto id = static_cast<std::size_t>(name);
  if (runtime_names_[id]) return false;
  runtime_names_[id] = true;
  return true;
}

// Returns whether it has found a new one. `inside`: a condition that depends on measurements stands around the block.
bool Reader::find_runtime_names(std::int32_t first, bool inside) {
  bool found = false;
  for (std::int32_t id = first; id >= 0; id = statement(id).next) {
    const Statement& s = statement(id);
    count_step(s.place, 1 + (s.value.nodes.size() >> 3));
    if (s.kind == StatementKind::kAssign && (inside || is_runtime(s.value))) {
      found |= add_runtime_name(node(s.target.nodes.first).name);
    }
    if (s.kind == StatementKind::kVariable && s.has_value && is_runtime(s.value)) found |= add_runtime_name(s.name);
    const bool decides =
        s.kind == StatementKind::kIf || s.kind == StatementKind::kWhile || s.kind == StatementKind::kSwitch;
    const bool deeper = inside || (decides && is_runtime(s.value));
    found |= find_runtime_names(s.body, deeper);
    found |= find_runtime_names(s.orelse, deeper);
  }
  return found;
}

bool Reader::has_runtime_exit(std::int32_t first) {
  for (std::int32_t id = first; id >= 0; id = statement(id).next) {
    const Statement& s = statement(id);
    count_step(s.place);
    if (s.kind == StatementKind::kFor || s.kind == StatementKind::kWhile) continue;
    const bool decides = s.kind == StatementKind::kIf || s.kind == StatementKind::kSwitch;
    if (decides && is_runtime(s.value) && (has_exit(s.body) || has_exit(s.orelse))) return true;
    if (has_runtime_exit(s.body) || has_runtime_exit(s.orelse)) return true;
  }
  return false;
}

bool Reader::is_runtime(const Expression& e) {
  for (std::int32_t i = e.nodes.first; i < e.nodes.last; ++i) {
    const Node& n = node(i);
    if (n.kind != NodeKind::kName && n.kind != NodeKind::kElement) continue;
    if (runtime_names_[static_cast<std::size_t>(n.name)]) return true;
    const Symbol* const symbol = find(n.name);
    if (symbol == nullptr) continue;
    if (symbol->kind == Symbol::Kind::kFixed ? symbol->value.kind == ValueKind::kClbits
                                             : symbol->has_value && !symbol->known) {
      return true;
    }
  }
  return false;
}

}  // namespace qfast::qasm
