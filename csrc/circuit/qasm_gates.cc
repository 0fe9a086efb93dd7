// Gates: definitions, calls, modifiers and broadcasting; measurements, resets and barriers.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "circuit/qasm_reader.h"

namespace qfast::qasm {
namespace {

constexpr std::int32_t kMaxCompared = 3;  // qubits of a definition that is looked for in the library

}  // namespace

// --- rows -----------------------------------------------------------------------------------------------------------

void Reader::count_row(std::size_t num_qubits, std::uint32_t place) {
  num_rows_ += 1 + static_cast<std::int64_t>(num_qubits >> 3);  // a wide barrier counts for more than one
  if (num_rows_ > max_rows_) {
    fail(place, "this text expands to more than " + std::to_string(max_rows_) +
                    " instructions (4 million and one for each of its bytes); shorten its loops or gate definitions");
  }
}

void Reader::push_angle(FlatCircuit& rows, const Angle& angle, std::uint32_t place) {
  if (angle.is_number()) {
    if (!std::isfinite(angle.number)) fail(place, "a parameter of this gate is not a finite number");
    rows.params.push_back(angle.number);
    return;
  }
  ExpressionTable& table = rows.expressions;
  num_codes_ += static_cast<std::size_t>(angle.count);
  if (num_codes_ > 2 * kMaxPool) fail(place, "the parameter expressions of this text are too large");
  for (const CodeItem& item : codes_.code(angle)) {
    table.code.push_back(static_cast<std::int32_t>(item.op));
    if (item.op == ExprOp::kPushConst) {
      table.code.push_back(static_cast<std::int32_t>(table.constants.size()));
      table.constants.push_back(item.constant);
    } else if (item.op == ExprOp::kPushParam) {
      table.code.push_back(item.parameter);
    }
  }
  table.slots.push_back(static_cast<std::int64_t>(rows.params.size()));
  table.code_end.push_back(static_cast<std::int64_t>(table.code.size()));
  rows.params.push_back(std::numeric_limits<double>::quiet_NaN());
}

// The index of a matrix among those of the current block.
std::int32_t Reader::placed_matrix(std::int32_t matrix) {
  const auto i = static_cast<std::size_t>(matrix);
  if (placed_.size() <= i) placed_.resize(i + 1, {-1, -1});
  if (placed_[i].first != current_block_) {
    std::vector<std::vector<Complex>>& data = block().rows.complex_data;
    placed_[i] = {current_block_, static_cast<std::int32_t>(data.size())};
    data.push_back(matrices_[i]);
  }
  return placed_[i].second;
}

void Reader::put(const GateInstance& row, std::span<const std::int32_t> row_qubits, std::span<const Angle> angles,
                 std::uint32_t place) {
  count_row(row_qubits.size(), place);
  if (definition_ != nullptr) {
    at(place, [&] { definition_->push(row, row_qubits, angles); });
    return;
  }
  FlatCircuit& rows = block().rows;
  rows.qubits.append(row_qubits);
  for (const Angle& angle : angles) push_angle(rows, angle, place);
  rows.end_row({row.opcode, row.num_controls, row.ctrl_state, row.data < 0 ? -1 : placed_matrix(row.data)});
}

// A row that is no gate.
void Reader::emit(std::uint16_t opcode, std::int32_t data, std::span<const std::int32_t> row_qubits,
                  std::uint32_t place) {
  count_row(row_qubits.size(), place);
  FlatCircuit& rows = block().rows;
  rows.qubits.append(row_qubits);
  rows.end_row({.opcode = opcode, .data = data});
}

// --- calls ----------------------------------------------------------------------------------------------------------

void Reader::gate_call(const Statement& s) {
  const Gate& gate = called_gate(s);
  count_step(s.place, (s.parameters.size() + s.arguments.size()) >> 3);
  angles_.clear();
  for (std::int32_t i = s.parameters.first; i < s.parameters.last; ++i) {
    const Expression& e = expression(i);
    const Value v = evaluate(e);
    angles_.push_back(v.kind == ValueKind::kFloat ? Angle{v.real, 0, 0} : at(e.place, [&] { return to_angle(v); }));
  }
  if (s.parameters.size() != gate.num_params) {
    fail(s.name_place, "gate '" + text_of(s.name) + "' takes " + std::to_string(gate.num_params) + " parameters, " +
                           std::to_string(s.parameters.size()) + " given");
  }
  operands_.clear();
  for (std::int32_t i = s.arguments.first; i < s.arguments.last; ++i)
    operands_.push_back(operand(expression(i), "a gate"));
  std::int32_t num_qubits = gate.num_qubits;
  if (s.modifiers.empty() && !gate.is_template) {
    if (s.arguments.size() == num_qubits) return broadcast(s, gate, nullptr);
  } else if (s.modifiers.empty()) {
    expanded_.clear();
    at(s.name_place, [&] { expand(gate, expanded_); });
  } else {
    expanded_ = modified(s, gate, num_qubits);
  }
  if (s.arguments.size() != num_qubits) {
    fail(s.name_place, "gate '" + text_of(s.name) + "' acts on " + std::to_string(num_qubits) + " qubits" +
                           (num_qubits > gate.num_qubits ? " (controls included)" : "") + ", " +
                           std::to_string(s.arguments.size()) + " given");
  }
  broadcast(s, gate, &expanded_);
}

const Reader::Gate& Reader::called_gate(const Statement& s) const {
  const auto name = static_cast<std::size_t>(s.name);
  if (name >= gate_of_name_.size() || gate_of_name_[name] < 0) fail(s.name_place, unknown_gate(names_[s.name]));
  const Gate& gate = gates_[static_cast<std::size_t>(gate_of_name_[name])];
  if (gate.is_opaque)
    fail(s.name_place, "gate '" + text_of(s.name) + "' is opaque: it has no definition that could be simulated");
  return gate;
}

// The gate's rows on qubits 0, 1, ..., with the angles of the call.
void Reader::expand(const Gate& gate, RowList& out) {
  if (!gate.is_template) {
    row_qubits_.clear();
    for (std::int32_t i = 0; i < gate.num_qubits; ++i) row_qubits_.push_back(i);
    GateInstance row;
    row.opcode = gate.opcode;
    out.push(row, row_qubits_, angles_);
    return;
  }
  const RowList& body = *gate.body;
  for (const GateInstance& row : body.rows) {
    row_angles_.clear();
    for (const Angle& formal : body.angles_of(row)) {
      count_work(formal.count >> 3);
      row_angles_.push_back(codes_.substitute(formal, angles_));
    }
    out.push(row, body.qubits_of(row), row_angles_);
  }
}

std::int64_t Reader::control_count(const Modifier& m) {
  if (!m.has_argument) return 1;
  const std::int64_t n = integer(m.argument, "the number of controls");
  if (n < 1 || n > 64) fail(m.argument.place, std::to_string(n) + " controls are asked for; 1 to 64 are possible");
  return n;
}

// The modifier next to the gate works first.
RowList Reader::modified(const Statement& s, const Gate& gate, std::int32_t& num_qubits) {
  RowList list;
  at(s.name_place, [&] { expand(gate, list); });
  for (std::int32_t i = s.modifiers.last - 1; i >= s.modifiers.first; --i) {
    const Modifier& m = syntax_.modifiers[static_cast<std::size_t>(i)];
    if (m.kind == ModifierKind::kControl || m.kind == ModifierKind::kNegativeControl) {
      const std::int64_t n = control_count(m);
      const std::uint64_t ones = n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
      list = at(m.place, [&] {
        return modifiers_.control(list, static_cast<int>(n), m.kind == ModifierKind::kControl ? ones : 0);
      });
      num_qubits += static_cast<std::int32_t>(n);
    } else if (m.kind == ModifierKind::kInverse) {
      list = at(m.place, [&] { return modifiers_.inverse(list); });
    } else {
      const Value v = evaluate_nodes(m.argument.nodes, true);
      if (v.kind == ValueKind::kSymbol) {
        list = at(m.place, [&] { return modifiers_.symbolic_power(list, to_angle(v)); });
        continue;
      }
      if (!v.is_known())
        fail(m.argument.place, "the exponent of pow must be known when the text is read, and this is " + describe(v));
      list = at(m.place, [&] {
        if (v.is_integer()) return modifiers_.power(list, to_integer(v, "the exponent"));
        const double exponent = to_double(v);
        if (!std::isfinite(exponent)) throw Refusal{"the exponent of pow is not finite"};
        const bool whole = std::trunc(exponent) == exponent && std::fabs(exponent) < 1e15;
        return whole ? modifiers_.power(list, static_cast<std::int64_t>(exponent))
                     : modifiers_.fractional_power(list, exponent);
      });
    }
  }
  return list;
}

Reader::Operand Reader::operand(const Expression& e, const char* what) {
  const Value v = evaluate(e);
  if (v.kind != ValueKind::kQubits) fail(e.place, std::string(what) + " acts on qubits, not on " + describe(v));
  return {v.span.first, v.span.count, v.scalar};
}

// Registers are walked in step; single qubits stay. `list`: the rows of one application, or null for a plain gate.
void Reader::broadcast(const Statement& s, const Gate& gate, const RowList* list) {
  std::int32_t count = 1;
  bool any_register = false;
  for (std::size_t i = 0; i < operands_.size(); ++i) {
    if (operands_[i].scalar) continue;
    if (any_register && operands_[i].count != count) {
      fail(expression(s.arguments.first + static_cast<std::int32_t>(i)).place,
           "this register has " + std::to_string(operands_[i].count) + " qubits, one before it has " +
               std::to_string(count) + "; a gate is applied to registers of the same size");
    }
    any_register = true;
    count = operands_[i].count;
  }
  GateInstance row;
  row.opcode = gate.opcode;
  for (std::int32_t j = 0; j < count; ++j) {
    call_qubits_.clear();
    for (const Operand& o : operands_) {
      call_qubits_.push_back(o.scalar ? o.first : lists_[static_cast<std::size_t>(o.first + j)]);
    }
    check_distinct(s);
    if (list == nullptr) {
      put(row, call_qubits_, angles_, s.name_place);
      continue;
    }
    for (const GateInstance& one : list->rows) {
      row_qubits_.clear();
      for (const std::int32_t qubit : list->qubits_of(one))
        row_qubits_.push_back(call_qubits_[static_cast<std::size_t>(qubit)]);
      put(one, row_qubits_, list->angles_of(one), s.name_place);
    }
  }
}

void Reader::check_distinct(const Statement& s) {
  const std::size_t count = call_qubits_.size();
  if (count < 2 || (count == 2 && call_qubits_[0] != call_qubits_[1])) return;
  ++call_number_;
  for (std::size_t i = 0; i < count; ++i) {
    const auto qubit = static_cast<std::size_t>(call_qubits_[i]);
    if (last_seen_.size() <= qubit) last_seen_.resize(qubit + 1, 0);
    if (last_seen_[qubit] == call_number_) {
      const auto before = static_cast<std::size_t>(
          std::find(call_qubits_.begin(), call_qubits_.end(), call_qubits_[i]) - call_qubits_.begin());
      fail(expression(s.arguments.first + static_cast<std::int32_t>(i)).place,
           "gate '" + text_of(s.name) + "': operands " + std::to_string(before + 1) + " and " + std::to_string(i + 1) +
               " are both qubit " + qubit_name(call_qubits_[i]) + "; they must differ");
    }
    last_seen_[qubit] = call_number_;
  }
}

std::string Reader::qubit_name(std::int32_t qubit) const {
  if (definition_ != nullptr) return "'" + text_of(definition_qubits_[static_cast<std::size_t>(qubit)]) + "'";
  std::int32_t start = 0;
  for (const QasmRegister& reg : circuit_.qubit_registers) {
    if (qubit < start + reg.size) return reg.name + "[" + std::to_string(qubit - start) + "]";
    start += reg.size;
  }
  return "$" + std::to_string(qubit);
}

// --- unknown gates --------------------------------------------------------------------------------------------------

std::string Reader::unknown_gate(std::string_view name) const {
  const std::string shown(name);
  if (definition_name_ >= 0 && names_[definition_name_] == name) {
    return "gate '" + shown + "' calls itself; a gate may use only gates that are defined before it";
  }
  const std::span<const LibraryGate> library = version_ == 2 ? qelib1() : stdgates();
  for (const LibraryGate& row : library) {
    if (row.name == name) {
      return "gate '" + shown + "' is not defined; add: include \"" + (version_ == 2 ? "qelib1.inc" : "stdgates.inc") +
             "\";";
    }
  }
  if (name == "gphase") return "'gphase' is not part of OpenQASM 2";
  const std::string near = nearest_gate(name);
  const std::string hint = near.empty() ? "" : "did you mean '" + near + "'? Otherwise ";
  return "gate '" + shown + "' is not defined; " + hint + "define it with 'gate' before it is used";
}

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Reader::nearest_gate(std::string_view name) const {
  constexpr std::size_t kLongest = 40;
  if (name.size() > kLongest) return "";
  std::size_t best = name.size() / 3 + 2;  // how many changes still make a likely slip
  std::string found;
  for (std::size_t id = 0; id < gate_of_name_.size(); ++id) {
    if (gate_of_name_[id] < 0) continue;
    const std::string_view known = names_[static_cast<std::int32_t>(id)];
    if (known.size() > kLongest) continue;
    const std::size_t distance = edit_distance(name, known);
    if (distance < best) {
      best = distance;
      found = known;
    }
  }
  return found;
}

// --- definitions ----------------------------------------------------------------------------------------------------

// The body is read once, with symbols for the parameters and numbers for the qubits; a call only substitutes.
void Reader::gate_definition(const Statement& s) {
  const auto name = static_cast<std::size_t>(s.name);
  if (gate_of_name_.size() <= name) gate_of_name_.resize(name + 1, -1);
  const std::int32_t before = gate_of_name_[name];
  if (before >= 0 && !gates_[static_cast<std::size_t>(before)].from_library) {
    fail(s.name_place, "gate '" + text_of(s.name) + "' is already defined");
  }
  Gate gate;
  gate.is_template = true;
  gate.is_opaque = s.kind == StatementKind::kOpaque;
  gate.num_params = s.parameters.size();
  gate.num_qubits = s.arguments.size();
  gate.place = s.place;
  if (!gate.is_opaque) {
    gate.body = std::make_unique<RowList>();
    const Scope scope(*this);
    definition_scope_ = scope_;
    definition_qubits_.clear();
    for (std::int32_t i = 0; i < gate.num_params; ++i) {
      const Node& formal = node(expression(s.parameters.first + i).nodes.first);
      declare(formal.name, formal.place).value = symbolic(at(formal.place, [&] { return codes_.parameter(i); }));
    }
    for (std::int32_t i = 0; i < gate.num_qubits; ++i) {
      const Node& formal = node(expression(s.arguments.first + i).nodes.first);
      Value qubit = list_value(ValueKind::kQubits, i, 1);
      qubit.scalar = true;
      declare(formal.name, formal.place).value = qubit;
      definition_qubits_.push_back(formal.name);
    }
    gate_of_name_[name] = -1;  // a gate cannot call itself, nor a library gate that it replaces
    definition_ = gate.body.get();
    definition_name_ = s.name;
    gate_body(s.body);
    definition_ = nullptr;
    definition_name_ = -1;
  }
  const int opcode = gate.is_opaque ? -1 : library_opcode(names_[s.name], gate);
  if (opcode >= 0) {
    gate.opcode = static_cast<std::uint16_t>(opcode);
    gate.is_template = false;
    gate.body.reset();
  }
  gate_of_name_[name] = static_cast<std::int32_t>(gates_.size());
  gates_.push_back(std::move(gate));
  keep_temporaries();
}

// The table's gate that a definition under its name equals, or -1. The language's own library writes its gates with a U
// that has a phase of half its first angle more than U has here, and takes that phase back with a gphase.
int Reader::library_opcode(std::string_view name, const Gate& gate) {
  const std::span<const LibraryGate> library = version_ == 2 ? qelib1() : stdgates();
  for (const LibraryGate& row : library) {
    const GateRow& table = gate_table()[row.opcode];
    if (row.name != name || row.drops_parameter || table.matrix == nullptr) continue;
    const std::int32_t num_qubits = table.own_controls + table.num_targets;
    if (gate.num_params != table.num_params || gate.num_qubits != num_qubits || num_qubits > kMaxCompared) continue;
    if (equals_library(gate, row.opcode, version_ == 3) || equals_library(gate, row.opcode, false)) return row.opcode;
  }
  return -1;
}

namespace {

// Multiplies a row-major matrix over `num_qubits` by a gate on some of them, controls first.
void multiply(std::vector<Complex>& product, std::size_t dim, std::span<const std::int32_t> qubits,
              std::size_t num_controls, std::uint64_t state, const std::vector<Complex>& m) {
  const std::size_t targets = qubits.size() - num_controls, small = std::size_t{1} << targets;
  std::vector<Complex> result(product.size());
  for (std::size_t row = 0; row < dim; ++row) {
    bool active = true;
    for (std::size_t i = 0; i < num_controls; ++i) active &= (row >> qubits[i] & 1) == (state >> i & 1);
    std::size_t own = 0, rest = row;
    for (std::size_t i = 0; i < targets; ++i) {
      own |= (row >> qubits[num_controls + i] & 1) << i;
      rest &= ~(std::size_t{1} << qubits[num_controls + i]);
    }
    for (std::size_t other = 0; other < small; ++other) {
      std::size_t from = rest;
      for (std::size_t i = 0; i < targets; ++i) from |= (other >> i & 1) << qubits[num_controls + i];
      const Complex entry = active ? m[own * small + other] : from == row ? 1.0 : 0.0;
      if (entry == 0.0) continue;
      for (std::size_t column = 0; column < dim; ++column) {
        result[row * dim + column] += entry * product[from * dim + column];
      }
    }
  }
  product = std::move(result);
}

std::vector<Complex> identity(std::size_t dim) {
  std::vector<Complex> found(dim * dim, 0.0);
  for (std::size_t i = 0; i < dim; ++i) found[i * (dim + 1)] = 1.0;
  return found;
}

}  // namespace

// Whether a definition has the matrix of a gate of the table, for angles that stand for all. `has_phase`: of U.
bool Reader::equals_library(const Gate& gate, std::uint16_t opcode, bool has_phase) {
  static constexpr std::array<double, 4> kAngles = {0.7316, 1.1235, -0.4271, 0.2913};
  std::vector<Angle> actual;
  for (std::int32_t i = 0; i < gate.num_params; ++i) actual.push_back({kAngles[static_cast<std::size_t>(i)], 0, 0});
  const std::size_t dim = std::size_t{1} << gate.num_qubits;
  std::vector<Complex> found = identity(dim), wanted = identity(dim), m;
  const auto apply = [&](std::vector<Complex>& product, const GateInstance& row, std::span<const std::int32_t> qubits,
                         const double* params) {
    const GateRow& table = gate_table()[row.opcode];
    const std::size_t small = std::size_t{1} << table.num_targets;
    m.assign(small * small, 0.0);
    table.matrix(params, m.data());
    if (has_phase && (row.opcode == k_u || row.opcode == k_cu3)) {
      for (Complex& entry : m) entry *= std::polar(1.0, params[0] / 2);
    }
    const auto own = static_cast<std::size_t>(table.own_controls);
    const std::uint64_t state = row.ctrl_state | ((std::uint64_t{1} << own) - 1) << row.num_controls;
    multiply(product, dim, qubits, row.num_controls + own, state, m);
  };
  for (const GateInstance& row : gate.body->rows) {
    if (gate_table()[row.opcode].matrix == nullptr) return false;
    std::array<double, 4> params{};
    std::size_t count = 0;
    for (const Angle& formal : gate.body->angles_of(row)) {
      const Angle angle = formal.is_number() ? formal : codes_.substitute(formal, actual);
      if (!angle.is_number()) return false;
      params[count++] = angle.number;
    }
    apply(found, row, gate.body->qubits_of(row), params.data());
  }
  GateInstance whole;
  whole.opcode = opcode;
  std::vector<std::int32_t> all;
  for (std::int32_t i = 0; i < gate.num_qubits; ++i) all.push_back(i);
  const bool phase = std::exchange(has_phase, false);
  apply(wanted, whole, all, kAngles.data());
  has_phase = phase;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::abs(found[i] - wanted[i]) > 1e-10) return false;
  }
  return true;
}

void Reader::gate_body(std::int32_t first) {
  for (std::int32_t id = first; id >= 0; id = statement(id).next) {
    const Statement& s = statement(id);
    count_step(s.place);
    switch (s.kind) {
      case StatementKind::kGateCall:
        gate_call(s);
        break;
      case StatementKind::kBarrier:  // a gate is applied as a whole; nothing is moved within it
        for (std::int32_t i = s.arguments.first; i < s.arguments.last; ++i) operand(expression(i), "a barrier");
        break;
      case StatementKind::kFor: {
        if (version_ == 2) fail(s.place, "loops are not part of OpenQASM 2");
        const Iteration values = iteration(s);
        for (std::int64_t i = 0; i < values.count; ++i) {
          count_step(s.place);
          const Scope scope(*this);
          Symbol& symbol = declare(s.name, s.name_place);
          symbol.value = loop_value(s, values, i);
          symbol.is_constant = true;
          gate_body(s.body);
        }
        break;
      }
      default:
        fail(s.place, "the body of a gate may hold only gates, barriers and loops over constants");
    }
  }
}

// --- measurement, reset, barrier
// --------------------------------------------------------------------------------------

void Reader::measure(const Statement& s) {
  const Value measured = evaluate(s.value);
  if (!s.has_value)
    fail(s.place, "the result of this measurement is lost; write c = measure q; with a bit c, or 'reset'");
  measure_into(measured, evaluate(s.target), s.target.place);
}

void Reader::measure_into(const Value& measured, const Value& target, std::uint32_t place) {
  if (measured.kind != ValueKind::kQubits) fail(place, "only qubits are measured, not " + describe(measured));
  if (target.kind != ValueKind::kClbits) {
    const bool is_bit = target.kind == ValueKind::kRuntime && target.type == TypeKind::kBit;
    fail(place, is_bit ? "the index of the measured bit must be known when the text is read"
                       : "a measurement gives bits; its result cannot be stored in " + describe(target));
  }
  if (measured.span.count != target.span.count) {
    fail(place, std::to_string(measured.span.count) + " qubits are measured into " + std::to_string(target.span.count) +
                    " bits; they must be as many");
  }
  for (std::int32_t i = 0; i < measured.span.count; ++i) {
    const std::int32_t qubit = bit_at(measured, i);
    emit(k_measure, bit_at(target, i), {&qubit, 1}, place);
  }
}

void Reader::reset(const Statement& s) {
  const Value v = evaluate(s.value);
  if (v.kind != ValueKind::kQubits) fail(s.value.place, "reset acts on qubits, not on " + describe(v));
  for (std::int32_t i = 0; i < v.span.count; ++i) {
    const std::int32_t qubit = bit_at(v, i);
    emit(k_reset, -1, {&qubit, 1}, s.place);
  }
}

void Reader::barrier(const Statement& s) {
  call_qubits_.clear();
  if (s.arguments.empty()) {
    for (std::int32_t qubit = 0; qubit < circuit_.num_qubits; ++qubit) call_qubits_.push_back(qubit);
  }
  ++call_number_;
  for (std::int32_t i = s.arguments.first; i < s.arguments.last; ++i) {
    const Operand o = operand(expression(i), "a barrier");
    for (std::int32_t j = 0; j < o.count; ++j) {
      const std::int32_t qubit = o.scalar ? o.first : lists_[static_cast<std::size_t>(o.first + j)];
      const auto slot = static_cast<std::size_t>(qubit);
      if (last_seen_.size() <= slot) last_seen_.resize(slot + 1, 0);
      if (last_seen_[slot] != call_number_) call_qubits_.push_back(qubit);
      last_seen_[slot] = call_number_;
    }
    count_row(static_cast<std::size_t>(o.count), s.place);
  }
  emit(k_barrier, -1, call_qubits_, s.place);
}

}  // namespace qfast::qasm
