// Gives OpenQASM statements their meaning. The text is run like a program: what is known while reading (constants, loop
// counters, variables that no measurement has touched) is computed, loops over known values are unrolled and gate
// definitions expanded; what depends on measurements becomes control flow and assignments of the circuit.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "circuit/qasm_circuit.h"
#include "circuit/qasm_library.h"
#include "circuit/qasm_parser.h"
#include "circuit/qasm_rows.h"
#include "circuit/qasm_value.h"

namespace qfast::qasm {

// Limits, so that a short text cannot take all memory or time.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // the fuzzer meets them every few texts and must not wait
constexpr int kSmaller = 256;
#else
constexpr int kSmaller = 1;
#endif
constexpr std::int64_t kMaxBits = (1 << 20) / kSmaller;    // qubits, and classical bits, of a circuit
constexpr std::int64_t kFreeRows = 4'000'000 / kSmaller;   // instructions that any text may expand to, and one per byte
constexpr std::int64_t kMaxSteps = 50'000'000 / kSmaller;  // statements run while unrolling, and one per byte
constexpr std::size_t kMaxListed = (1 << 24) / kSmaller;   // entries of all aliases and registers
constexpr std::size_t kMaxIncludeDepth = 16;
constexpr std::size_t kMaxIncludes = 4096;
constexpr std::uintmax_t kMaxIncludeBytes = 64 << 20;  // of one file; all together at most four times as much
constexpr std::int64_t kMaxWideDigits = 1 << 14;       // of an integer
constexpr std::int32_t kMaxClassicalDepth = 100;       // of a classical expression; Python evaluates it recursively

// What a statement does to those after it.
enum class Outcome { kNormal, kBreak, kContinue, kEnd };

class Reader {
 public:
  Reader(std::string_view text, const std::string& filename, const std::string& folder);
  QasmCircuit read();

 private:
  struct Symbol {
    enum class Kind : std::uint8_t { kFixed, kVariable };  // kFixed: registers, aliases, constants, parameters
    Kind kind = Kind::kFixed;
    bool known = false;        // variable: its value at this point of the text is `value`
    bool has_value = false;    // variable: it has been assigned
    bool is_constant = false;  // may be used in gate bodies
    TypeKind type = TypeKind::kInt;
    std::int32_t width = 0;
    std::int16_t scope = 0;
    std::int16_t flow_depth = 0;  // blocks of run-time control flow around the declaration
    std::int32_t variable = -1;   // index into circuit_.variables once it lives at run time
    std::int32_t name = -1;
    std::uint32_t place = 0;
    Value value;
  };
  struct Gate {
    std::uint16_t opcode = 0;
    bool is_template = false;
    bool is_opaque = false;
    bool from_library = false;
    std::int32_t num_params = 0;
    std::int32_t num_qubits = 0;
    std::uint32_t place = 0;
    std::unique_ptr<RowList> body;  // on qubits 0, 1, ...; angles are code over the formal parameters
  };
  struct Operand {           // qubits that a gate is applied to
    std::int32_t first = 0;  // scalar: the qubit; otherwise an index into lists_
    std::int32_t count = 1;
    bool scalar = true;
  };
  struct Loop {
    bool at_run_time;
    int flow_depth;
  };
  struct Iteration {  // the values of a for loop
    bool is_range = false;
    std::int64_t start = 0;
    std::int64_t step = 1;
    std::int64_t count = 0;
    std::vector<Value> values;  // where it is no range
  };
  struct ParameterRef {
    bool is_variable;
    std::int32_t index;  // into circuit_.inputs or circuit_.variables
  };
  class Scope;      // names declared while it lives are forgotten after it
  class FlowBlock;  // rows go into a new block while it lives

  // qasm_reader.cc: the text, names and declarations
  [[noreturn]] void fail(std::uint32_t place, const std::string& message) const { sources_.fail(place, message); }
  template <class Body>
  auto at(std::uint32_t place, Body body) -> decltype(body());  // gives a Refusal its place
  void include(const Token& file);
  void include_file(const Token& file, const std::string& name);
  void add_library(std::span<const LibraryGate> gates);
  void declare_builtins();
  Symbol& declare(std::int32_t name, std::uint32_t place);
  Symbol* find(std::int32_t name);
  Symbol& lookup(std::int32_t name, std::uint32_t place);
  std::string undeclared(std::int32_t name) const;
  std::string text_of(std::int32_t name) const { return std::string(names_[name]); }
  Outcome run(std::int32_t statement);
  Outcome run_block(std::int32_t first);
  void qubits(const Statement& s);
  void bits(const Statement& s);
  void constant(const Statement& s);
  void variable(const Statement& s);
  void input(const Statement& s);
  void alias(const Statement& s);
  void check_global(const Statement& s, const char* what) const;
  std::int64_t register_size(const Statement& s);
  int declared_width(const TypeSpec& type);
  void forget_temporaries();
  void keep_temporaries();
  QasmCircuit finish();

  // qasm_evaluate.cc: expressions
  Value evaluate(const Expression& e);
  Value evaluate_nodes(const Range& nodes, bool real_arithmetic);
  void step(const Node& node, bool real_arithmetic);
  Value literal(const Node& node) const;
  Value wide_literal(const Node& node);
  Value name_value(std::int32_t name, std::uint32_t place);
  Value element(const Value& base, const Value* parts, const Node& node);
  Value index_list(const Value& base, const Value* parts, const Node& node);
  void index_positions(std::int64_t size, const Value* parts, const Node& node,
                       std::vector<std::int64_t>& positions) const;
  Value list_value(ValueKind kind, std::int32_t first, std::int32_t count) const;
  Value concatenate(const Value& left, const Value& right);
  Value unary(Tok op, const Value& v);
  Value binary(Tok op, const Value& a, const Value& b, bool real_arithmetic);
  Value call(const Node& node, const Value* arguments, bool real_arithmetic);
  Value symbolic(const Angle& angle) const;
  Angle to_angle(const Value& v);
  std::int64_t integer(const Expression& e, const char* what);
  std::int32_t bit_at(const Value& list, std::int32_t i) const {
    return list.scalar ? list.span.first : lists_[static_cast<std::size_t>(list.span.first + i)];
  }

  // qasm_classical.cc: expressions and variables at run time
  Value runtime(std::int32_t node, TypeKind type, int width) const;
  std::int32_t add_node(const ClassicalNode& node);
  std::int32_t literal_node(const Value& v);
  std::int32_t node_of(const Value& v);
  std::int32_t assigned_node(Value v);
  std::int32_t bits_node(const Value& list);
  std::int32_t binary_node(std::string_view op, std::int32_t left, std::int32_t right, bool real_valued = false);
  std::int32_t cast_node(TypeKind type, int width, std::int32_t operand);
  std::int32_t call_node(std::string_view function, std::int32_t first, std::int32_t second, bool real_valued = true);
  std::int32_t wrapped_angle(std::int32_t node, int width);
  Value runtime_unary(Tok op, const Value& v);
  Value runtime_binary(Tok op, const Value& a, const Value& b);
  Value runtime_arithmetic(Tok op, const Value& a, const Value& b);
  Value runtime_call(Function function, const Value* arguments);
  Value runtime_cast(TypeKind type, int width, const Value& v);
  Value runtime_bit(const Value& base, const Value& index);
  Angle node_angle(std::int32_t node);
  void assign(const Statement& s);
  void assign_bits(const Value& target, const Value& v, std::uint32_t place);
  void assign_variable(Symbol& symbol, const Value& v, std::uint32_t place);
  void emit_assign(std::int32_t target, std::int32_t value);
  std::int32_t variable_node(Symbol& symbol);
  void to_run_time(Symbol& symbol);
  std::int32_t parameter_of(bool is_variable, std::int32_t index);

  // qasm_gates.cc
  void gate_call(const Statement& s);
  void expand(const Gate& gate, RowList& out);
  RowList modified(const Statement& s, const Gate& gate, std::int32_t& num_qubits);
  std::int64_t control_count(const Modifier& m);
  const Gate& called_gate(const Statement& s) const;
  Operand operand(const Expression& e, const char* what);
  void broadcast(const Statement& s, const Gate& gate, const RowList* list);
  void check_distinct(const Statement& s);
  std::string qubit_name(std::int32_t qubit) const;
  std::string nearest_gate(std::string_view name) const;
  std::string unknown_gate(std::string_view name) const;
  void put(const GateInstance& row, std::span<const std::int32_t> row_qubits, std::span<const Angle> angles,
           std::uint32_t place);
  void emit(std::uint16_t opcode, std::int32_t data, std::span<const std::int32_t> row_qubits, std::uint32_t place);
  void count_row(std::size_t num_qubits, std::uint32_t place);
  void push_angle(FlatCircuit& rows, const Angle& angle, std::uint32_t place);
  std::int32_t placed_matrix(std::int32_t matrix);
  void gate_definition(const Statement& s);
  void gate_body(std::int32_t first);
  int library_opcode(std::string_view name, const Gate& gate);
  bool equals_library(const Gate& gate, std::uint16_t opcode, bool has_phase);
  void measure(const Statement& s);
  void measure_into(const Value& measured, const Value& target, std::uint32_t place);
  void reset(const Statement& s);
  void barrier(const Statement& s);

  // qasm_flow.cc
  Outcome if_else(const Statement& s);
  Outcome for_loop(const Statement& s);
  Outcome while_loop(const Statement& s);
  Outcome switch_case(const Statement& s);
  Outcome loop_exit(const Statement& s);
  Outcome run_body(std::int32_t first);
  std::int32_t run_flow_block(std::int32_t first);
  Iteration iteration(const Statement& s);
  Iteration range_iteration(const Statement& s);
  Value loop_value(const Statement& s, const Iteration& values, std::int64_t i);
  void runtime_for(const Statement& s, const Iteration& values);
  std::vector<Value> range_parts(const Statement& s);
  std::int32_t hidden_variable(const Statement& s, const char* what);
  void runtime_range(const Statement& s, const std::vector<Value>& parts);
  void runtime_while(const Statement& s);
  void push_flow(QasmFlow flow);
  void assigned_to_run_time(std::int32_t first);
  bool exits_at_run_time(const Statement& loop);
  bool find_runtime_names(std::int32_t first, bool inside);
  bool add_runtime_name(std::int32_t name);
  bool has_exit(std::int32_t first);
  bool has_runtime_exit(std::int32_t first);
  bool is_runtime(const Expression& e);
  void check_version2_if(const Statement& s);
  void count_step(std::uint32_t place, std::int64_t steps = 1);
  void count_work(std::int64_t steps);  // the same for work that has no statement of its own; throws Refusal

  const Statement& statement(std::int32_t id) const { return syntax_.statements[static_cast<std::size_t>(id)]; }
  const Expression& expression(std::int32_t id) const { return syntax_.expressions[static_cast<std::size_t>(id)]; }
  const Node& node(std::int32_t id) const { return syntax_.nodes[static_cast<std::size_t>(id)]; }
  QasmBlock& block() { return *blocks_[static_cast<std::size_t>(current_block_)]; }

  // the text
  std::string_view text_;
  std::string filename_;
  std::string folder_;
  Sources sources_;
  Names names_;
  Lexer lexer_;
  Parser parser_;
  Syntax syntax_;
  int version_ = 3;
  std::uintmax_t included_bytes_ = 0;

  // names
  std::vector<Symbol> symbols_;
  std::vector<std::int32_t> bound_;                              // by name: the symbol it stands for now, or -1
  std::vector<std::pair<std::int32_t, std::int32_t>> shadowed_;  // (name, symbol before) of the open scopes
  int scope_ = 0;
  std::vector<std::int32_t> gate_of_name_;
  std::vector<Gate> gates_;
  std::vector<std::int32_t> function_of_name_;  // by name: a Function, or -1

  // values
  CodePool codes_;
  Matrices matrices_;
  Modifiers modifiers_{codes_, matrices_};
  std::vector<std::int32_t> lists_;  // the bits of registers and aliases
  std::size_t kept_lists_ = 0;
  std::size_t kept_codes_ = 0;
  std::vector<Value> stack_;
  std::vector<std::int64_t> positions_;
  std::vector<std::pair<std::int32_t, std::int32_t>> placed_;  // by matrix: the block it was last copied to, and where
  std::vector<ParameterRef> parameters_;
  std::vector<std::int32_t> parameter_of_input_;
  std::vector<std::int32_t> parameter_of_variable_;

  // the circuit
  QasmCircuit circuit_;
  std::vector<std::unique_ptr<QasmBlock>> blocks_;
  std::int32_t current_block_ = 0;
  int flow_depth_ = 0;
  std::vector<Loop> loops_;
  std::vector<bool> runtime_names_;  // by name: found to depend on measurements in the loop that is looked at
  std::int64_t num_rows_ = 0;
  std::int64_t max_rows_ = 0;
  std::int64_t steps_ = 0;
  std::int64_t max_steps_ = 0;
  std::size_t num_codes_ = 0;  // items of all emitted expressions
  bool uses_hardware_qubits_ = false;

  // gate calls (kept for their memory)
  RowList* definition_ = nullptr;  // gates go here while a gate's body is read
  int definition_scope_ = 0;
  std::int32_t definition_name_ = -1;
  std::vector<std::int32_t> definition_qubits_;  // names
  RowList expanded_;
  std::vector<Angle> angles_;
  std::vector<Angle> row_angles_;
  std::vector<Operand> operands_;
  std::vector<std::int32_t> call_qubits_;
  std::vector<std::int32_t> row_qubits_;
  std::vector<std::uint32_t> last_seen_;  // by qubit: the number of the last call that named it
  std::uint32_t call_number_ = 0;
};

template <class Body>
auto Reader::at(std::uint32_t place, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Refusal& refusal) {
    fail(place, refusal.message);
  }
}

class Reader::Scope {
 public:
  explicit Scope(Reader& reader) : reader_(reader), mark_(reader.shadowed_.size()) { ++reader_.scope_; }
  ~Scope() {
    while (reader_.shadowed_.size() > mark_) {
      const auto [name, before] = reader_.shadowed_.back();
      reader_.bound_[static_cast<std::size_t>(name)] = before;
      reader_.shadowed_.pop_back();
      reader_.symbols_.pop_back();
    }
    --reader_.scope_;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Reader& reader_;
  std::size_t mark_;
};

class Reader::FlowBlock {
 public:
  explicit FlowBlock(Reader& reader) : reader_(reader), outer_(reader.current_block_) {
    reader_.blocks_.push_back(std::make_unique<QasmBlock>());
    reader_.current_block_ = static_cast<std::int32_t>(reader_.blocks_.size()) - 1;
    ++reader_.flow_depth_;
  }
  ~FlowBlock() {
    reader_.current_block_ = outer_;
    --reader_.flow_depth_;
  }
  FlowBlock(const FlowBlock&) = delete;
  FlowBlock& operator=(const FlowBlock&) = delete;

  std::int32_t id() const { return reader_.current_block_; }

 private:
  Reader& reader_;
  std::int32_t outer_;
};

}  // namespace qfast::qasm
