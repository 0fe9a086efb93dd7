#include "circuit/qasm_reader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"

namespace qfast {

QasmCircuit read_qasm(std::string_view text, const std::string& filename, const std::string& folder) {
  return qasm::Reader(text, filename, folder).read();
}

namespace qasm {

Reader::Reader(std::string_view text, const std::string& filename, const std::string& folder)
    : text_(text), filename_(filename), folder_(folder), lexer_(sources_, names_), parser_(sources_, names_, lexer_) {}

QasmCircuit Reader::read() {
  blocks_.push_back(std::make_unique<QasmBlock>());
  lexer_.enter(sources_.add(filename_, text_));
  max_rows_ = kFreeRows + static_cast<std::int64_t>(text_.size());
  max_steps_ = kMaxSteps + static_cast<std::int64_t>(text_.size());
  version_ = parser_.read_version();
  circuit_.version = version_;
  if (parser_.at_end())
    fail(0, "there is no statement here; an OpenQASM text begins with 'OPENQASM 3.0;' or 'OPENQASM 2.0;'");
  declare_builtins();
  Outcome outcome = Outcome::kNormal;
  while (outcome != Outcome::kEnd) {
    syntax_.clear();
    std::int32_t root = -1;
    const Parsed parsed = parser_.next_statement(syntax_, root);
    if (parsed == Parsed::kEnd) break;
    if (parsed == Parsed::kInclude) {
      include(parser_.include_file());
      parser_.resume();
    } else {
      outcome = run(root);
    }
  }
  return finish();
}

// --- includes -------------------------------------------------------------------------------------------------------

void Reader::include(const Token& file) {
  const std::string_view quoted = sources_.slice(file.place, file.length);
  const std::string name(quoted.substr(1, quoted.size() - 2));
  if (version_ == 2 && name == "qelib1.inc") return add_library(qelib1());
  if (version_ == 3 && name == "stdgates.inc") return add_library(stdgates());
  if (name == "qelib1.inc")
    fail(file.place,
         "qelib1.inc belongs to OpenQASM 2; write 'OPENQASM 2.0;' at the beginning, or include \"stdgates.inc\"");
  if (name == "stdgates.inc") fail(file.place, "stdgates.inc belongs to OpenQASM 3; include \"qelib1.inc\" instead");
  include_file(file, name);
}

// Only files of the text's own folder and below: no absolute path, no '..', no link that leads out of it.
void Reader::include_file(const Token& file, const std::string& name) {
  namespace fs = std::filesystem;
  const auto refuse = [&](const std::string& why) { fail(file.place, "'" + name + "' cannot be included: " + why); };
  if (folder_.empty()) refuse("the text has no folder; read it with from_qasm_file, or paste the file's content here");
  const fs::path relative(name);
  const bool climbs = std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  if (name.empty() || relative.is_absolute() || relative.has_root_name() || climbs) {
    refuse("only files in the folder of the including file, or below it, are allowed");
  }
  std::error_code error;
  const fs::path root = fs::canonical(folder_, error);
  if (error) refuse("the folder '" + folder_ + "' cannot be opened");
  const fs::path path = fs::canonical(root / relative, error);
  if (error) refuse("there is no such file in the folder of the including file");
  const auto [in_root, in_path] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  if (in_root != root.end()) refuse("it is a link out of the folder of the including file");
  if (!fs::is_regular_file(path, error) || error) refuse("it is not a regular file");
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || size > kMaxIncludeBytes) refuse("it is larger than " + std::to_string(kMaxIncludeBytes >> 20) + " MiB");
  included_bytes_ += size;
  if (included_bytes_ > 4 * kMaxIncludeBytes || sources_.size() > kMaxIncludes) refuse("too much is included already");
  if (lexer_.depth() >= kMaxIncludeDepth)
    refuse("includes are nested more than " + std::to_string(kMaxIncludeDepth) + " deep");
  auto text = std::make_unique<std::string>(static_cast<std::size_t>(size), '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.read(text->data(), static_cast<std::streamsize>(size));
  if (stream.gcount() != static_cast<std::streamsize>(size)) refuse("it cannot be read");
  max_rows_ += static_cast<std::int64_t>(size);
  max_steps_ += static_cast<std::int64_t>(size);
  lexer_.enter(sources_.add_owned(name, std::move(text)));
}

void Reader::add_library(std::span<const LibraryGate> gates) {
  for (const LibraryGate& row : gates) {
    const auto name = static_cast<std::size_t>(names_.intern(row.name));
    if (gate_of_name_.size() <= name) gate_of_name_.resize(name + 1, -1);
    if (gate_of_name_[name] >= 0) continue;  // included twice, or the text's own definition stands before
    const GateRow& table = gate_table()[row.opcode];
    Gate gate;
    gate.opcode = row.opcode;
    gate.from_library = true;
    gate.num_params = row.drops_parameter ? 1 : table.num_params;
    gate.num_qubits = table.own_controls + table.num_targets;
    if (row.drops_parameter) {
      gate.is_template = true;
      gate.body = std::make_unique<RowList>();
      GateInstance instance;
      instance.opcode = row.opcode;
      const std::int32_t qubit = 0;
      gate.body->push(instance, {&qubit, 1}, {});
    }
    gate_of_name_[name] = static_cast<std::int32_t>(gates_.size());
    gates_.push_back(std::move(gate));
  }
}

// --- names ----------------------------------------------------------------------------------------------------------

void Reader::declare_builtins() {
  add_library(builtin_gates(version_));
  for (int i = 0; i < kNumFunctions; ++i) {
    const FunctionRow& row = function_row(static_cast<Function>(i));
    const std::string_view name = version_ == 2 ? row.name2 : row.name;
    if (name.empty()) continue;
    const auto id = static_cast<std::size_t>(names_.intern(name));
    if (function_of_name_.size() <= id) function_of_name_.resize(id + 1, -1);
    function_of_name_[id] = i;
  }
  struct Constant {
    std::string_view name;
    double value;
  };
  static constexpr Constant kConstants[] = {
      {"pi", std::numbers::pi},    {"π", std::numbers::pi},    {"tau", 2 * std::numbers::pi},
      {"τ", 2 * std::numbers::pi}, {"euler", std::numbers::e}, {"ℇ", std::numbers::e},
  };
  scope_ = -1;  // a text may give these names another meaning
  for (const Constant& row : kConstants) {
    Symbol& symbol = declare(names_.intern(row.name), 0);
    symbol.value = make_float(row.value);
    symbol.is_constant = true;
    if (version_ == 2) break;
  }
  scope_ = 0;
}

Reader::Symbol& Reader::declare(std::int32_t name, std::uint32_t place) {
  const auto id = static_cast<std::size_t>(name);
  if (bound_.size() <= id) bound_.resize(id + 1, -1);
  const std::int32_t before = bound_[id];
  if (before >= 0 && symbols_[static_cast<std::size_t>(before)].scope == scope_) {
    fail(place, "'" + text_of(name) + "' is already declared in this scope; choose another name");
  }
  shadowed_.emplace_back(name, before);
  bound_[id] = static_cast<std::int32_t>(symbols_.size());
  Symbol& symbol = symbols_.emplace_back();
  symbol.scope = static_cast<std::int16_t>(scope_);
  symbol.flow_depth = static_cast<std::int16_t>(flow_depth_);
  symbol.name = name;
  symbol.place = place;
  return symbol;
}

Reader::Symbol* Reader::find(std::int32_t name) {
  const auto id = static_cast<std::size_t>(name);
  if (id >= bound_.size() || bound_[id] < 0) return nullptr;
  return &symbols_[static_cast<std::size_t>(bound_[id])];
}

Reader::Symbol& Reader::lookup(std::int32_t name, std::uint32_t place) {
  Symbol* const symbol = find(name);
  if (symbol == nullptr) fail(place, undeclared(name));
  if (definition_ != nullptr && symbol->scope < definition_scope_ && !symbol->is_constant) {
    fail(place, "'" + text_of(name) +
                    "' is declared outside of the gate; its body may use only its own qubits, its "
                    "parameters and constants");
  }
  return *symbol;
}

std::string Reader::undeclared(std::int32_t name) const {
  constexpr std::size_t kShown = 6;
  std::string known;
  std::size_t count = 0;
  for (const auto* registers : {&circuit_.qubit_registers, &circuit_.classical_registers}) {
    for (const QasmRegister& reg : *registers) {
      if (++count <= kShown) known += (known.empty() ? "'" : ", '") + reg.name + "'";
    }
  }
  if (count > kShown) known += ", …";
  const std::string hint = known.empty() ? "" : "; the registers declared before are " + known;
  return "'" + text_of(name) + "' is not declared" + hint;
}

// --- statements -----------------------------------------------------------------------------------------------------

Outcome Reader::run(std::int32_t id) {
  const Statement& s = statement(id);
  count_step(s.place);
  Outcome outcome = Outcome::kNormal;
  switch (s.kind) {
    case StatementKind::kGateCall:
      gate_call(s);
      break;
    case StatementKind::kMeasure:
      measure(s);
      break;
    case StatementKind::kReset:
      reset(s);
      break;
    case StatementKind::kBarrier:
      barrier(s);
      break;
    case StatementKind::kAssign:
      assign(s);
      break;
    case StatementKind::kQubits:
      qubits(s);
      break;
    case StatementKind::kBits:
      bits(s);
      break;
    case StatementKind::kVariable:
      variable(s);
      break;
    case StatementKind::kConstant:
      constant(s);
      break;
    case StatementKind::kInput:
      input(s);
      break;
    case StatementKind::kAlias:
      alias(s);
      break;
    case StatementKind::kGateDefinition:
    case StatementKind::kOpaque:
      gate_definition(s);
      break;
    case StatementKind::kIf:
      outcome = if_else(s);
      break;
    case StatementKind::kFor:
      outcome = for_loop(s);
      break;
    case StatementKind::kWhile:
      outcome = while_loop(s);
      break;
    case StatementKind::kSwitch:
      outcome = switch_case(s);
      break;
    case StatementKind::kScope:
      outcome = run_body(s.body);
      break;
    case StatementKind::kBreak:
    case StatementKind::kContinue:
      outcome = loop_exit(s);
      break;
    case StatementKind::kEnd:
      if (flow_depth_ > 0) fail(s.place, "'end' inside a block that depends on measurements is not supported");
      return Outcome::kEnd;
    case StatementKind::kCase:
      break;  // run by its switch
  }
  forget_temporaries();
  return outcome;
}

void Reader::count_step(std::uint32_t place, std::int64_t steps) {
  at(place, [&] { count_work(steps); });
}

void Reader::count_work(std::int64_t steps) {
  steps_ += steps;
  if (steps_ > max_steps_) {
    throw Refusal{"more than " + std::to_string(max_steps_) +
                  " steps are needed to read this text; a loop is too long or never ends"};
  }
}

Outcome Reader::run_block(std::int32_t first) {
  for (std::int32_t id = first; id >= 0; id = statement(id).next) {
    const Outcome outcome = run(id);
    if (outcome != Outcome::kNormal) return outcome;
  }
  return Outcome::kNormal;
}

void Reader::forget_temporaries() {
  codes_.truncate(kept_codes_);
  lists_.resize(kept_lists_);
}

void Reader::keep_temporaries() {
  kept_codes_ = codes_.size();
  kept_lists_ = lists_.size();
}

// --- declarations ---------------------------------------------------------------------------------------------------

void Reader::check_global(const Statement& s, const char* what) const {
  if (scope_ > 0)
    fail(s.place, std::string(what) + " can be declared only at the top level; move this out of the block");
}

std::int64_t Reader::register_size(const Statement& s) {
  if (!s.type.has_width) return 1;
  const std::int64_t size = integer(s.type.width, "the size of a register");
  if (size < 1 || size > kMaxBits) {
    fail(s.type.width.place, "the register '" + text_of(s.name) + "' has size " + std::to_string(size) + "; 1 to " +
                                 std::to_string(kMaxBits) + " is allowed");
  }
  return size;
}

Value Reader::list_value(ValueKind kind, std::int32_t first, std::int32_t count) const {
  Value v;
  v.kind = kind;
  v.span = {first, count};
  return v;
}

void Reader::qubits(const Statement& s) {
  check_global(s, "qubits");
  if (uses_hardware_qubits_) fail(s.place, "hardware qubits ($0) and declared qubits cannot be mixed in one text");
  const std::int64_t size = register_size(s);
  if (circuit_.num_qubits + size > kMaxBits)
    fail(s.place, "more than " + std::to_string(kMaxBits) + " qubits are declared");
  Symbol& symbol = declare(s.name, s.name_place);
  const auto first = static_cast<std::int32_t>(lists_.size());
  for (std::int64_t i = 0; i < size; ++i) lists_.push_back(circuit_.num_qubits + static_cast<std::int32_t>(i));
  symbol.value = list_value(ValueKind::kQubits, first, static_cast<std::int32_t>(size));
  if (!s.type.has_width) {
    symbol.value.scalar = true;
    symbol.value.span.first = circuit_.num_qubits;
  }
  circuit_.qubit_registers.push_back({text_of(s.name), static_cast<std::int32_t>(size)});
  circuit_.num_qubits += static_cast<std::int32_t>(size);
  keep_temporaries();
}

void Reader::bits(const Statement& s) {
  check_global(s, "bits");
  const std::int64_t size = register_size(s);
  if (circuit_.num_clbits + size > kMaxBits)
    fail(s.place, "more than " + std::to_string(kMaxBits) + " classical bits are declared");
  const Value initial = s.has_value ? evaluate(s.value) : Value{};
  Symbol& symbol = declare(s.name, s.name_place);
  const auto first = static_cast<std::int32_t>(lists_.size());
  for (std::int64_t i = 0; i < size; ++i) lists_.push_back(circuit_.num_clbits + static_cast<std::int32_t>(i));
  symbol.value = list_value(ValueKind::kClbits, first, static_cast<std::int32_t>(size));
  if (!s.type.has_width) {
    symbol.value.scalar = true;
    symbol.value.span.first = circuit_.num_clbits;
  }
  const Value target = symbol.value;
  circuit_.classical_registers.push_back({text_of(s.name), static_cast<std::int32_t>(size)});
  circuit_.num_clbits += static_cast<std::int32_t>(size);
  if (s.measured) {
    measure_into(initial, target, s.value.place);
  } else if (s.has_value && !(initial.is_known() && !to_bool(initial))) {  // bits begin as 0
    assign_bits(target, initial, s.value.place);
  }
  keep_temporaries();
}

int Reader::declared_width(const TypeSpec& type) {
  if (!type.has_width) return 0;
  const std::int64_t width = integer(type.width, "a width");
  if (width < 1 || width > 64) {
    fail(type.width.place, "the width " + std::to_string(width) + " is not supported; 1 to 64 is");
  }
  return static_cast<int>(width);
}

void Reader::constant(const Statement& s) {
  const int width = declared_width(s.type);
  const Value v = evaluate(s.value);
  if (!v.is_known()) {
    fail(s.value.place, "the value of a constant must be known when the text is read, and this is " + describe(v));
  }
  const Value converted = at(s.value.place, [&] { return convert(v, s.type.kind, width); });
  Symbol& symbol = declare(s.name, s.name_place);
  symbol.value = converted;
  symbol.is_constant = true;
}

void Reader::variable(const Statement& s) {
  const int width = declared_width(s.type);
  const Value v = s.has_value ? evaluate(s.value) : Value{};
  Symbol& symbol = declare(s.name, s.name_place);
  symbol.kind = Symbol::Kind::kVariable;
  symbol.type = s.type.kind;
  symbol.width = width;
  if (s.has_value) assign_variable(symbol, v, s.value.place);
}

// A parameter of the circuit. An angle is not reduced modulo 2 pi: gates take the value as it is given.
void Reader::input(const Statement& s) {
  check_global(s, "inputs");
  if (s.type.kind != TypeKind::kFloat && s.type.kind != TypeKind::kAngle) {
    fail(s.place, std::string("inputs of type ") + type_name(s.type.kind) + " are not supported; float and angle are");
  }
  declared_width(s.type);
  Symbol& symbol = declare(s.name, s.name_place);
  const auto index = static_cast<std::int32_t>(circuit_.inputs.size());
  circuit_.inputs.push_back(text_of(s.name));
  symbol.value = symbolic(at(s.place, [&] { return codes_.parameter(parameter_of(false, index)); }));
  keep_temporaries();
}

void Reader::alias(const Statement& s) {
  const Value v = evaluate(s.value);
  if (v.kind != ValueKind::kQubits && v.kind != ValueKind::kClbits) {
    fail(s.value.place, "'let' names qubits or classical bits, not " + describe(v));
  }
  declare(s.name, s.name_place).value = v;
  if (!v.scalar && static_cast<std::size_t>(v.span.first) >= kept_lists_) kept_lists_ = lists_.size();
}

// --- the end --------------------------------------------------------------------------------------------------------

// Variables of inner scopes may share a name with each other or with a register; in the circuit each has its own.
QasmCircuit Reader::finish() {
  std::unordered_set<std::string> used(circuit_.inputs.begin(), circuit_.inputs.end());
  std::unordered_map<std::string, int> next;
  const auto unique = [&](const std::string& wanted) {
    std::string name = wanted;
    int& n = next.try_emplace(wanted, 2).first->second;
    while (!used.insert(name).second) name = wanted + "_" + std::to_string(n++);
    return name;
  };
  for (const QasmRegister& reg : circuit_.qubit_registers) used.insert(reg.name);
  for (const QasmRegister& reg : circuit_.classical_registers) used.insert(reg.name);
  for (QasmVariable& variable : circuit_.variables) variable.name = unique(variable.name);
  if (uses_hardware_qubits_) circuit_.qubit_registers.push_back({unique("q"), circuit_.num_qubits});
  for (const ParameterRef& ref : parameters_) {
    const auto i = static_cast<std::size_t>(ref.index);
    circuit_.parameters.push_back(ref.is_variable ? circuit_.variables[i].name : circuit_.inputs[i]);
  }
  for (std::unique_ptr<QasmBlock>& block : blocks_) {
    block->rows.num_qubits = circuit_.num_qubits;
    block->rows.expressions.num_parameters = static_cast<std::int64_t>(parameters_.size());
    circuit_.blocks.push_back(std::move(*block));
  }
  return std::move(circuit_);
}

}  // namespace qasm
}  // namespace qfast
