#include "walk/lane_program.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "plan/matrices.h"

namespace qfast {
namespace {

std::uint32_t bit_of(std::int32_t qubit) { return 1u << qubit; }

std::size_t dimension(std::size_t num_targets) { return std::size_t{1} << num_targets; }

bool is_one(Complex z) { return z == Complex{1.0}; }

// The controls of an operation as fixed bits and their values.
LaneOp controlled(const Operation& op) {
  LaneOp out;
  for (int k = 0; k < op.num_controls; ++k) {
    out.fixed |= bit_of(op.qubits[k]);
    if ((op.control_state >> k) & 1) out.value |= bit_of(op.qubits[k]);
  }
  return out;
}

// Entries that are rounding of zero become zero, so that forms are seen.
Complex cleaned(Complex z) {
  return {std::abs(z.real()) <= kRoundingOfZero ? 0.0 : z.real(),
          std::abs(z.imag()) <= kRoundingOfZero ? 0.0 : z.imag()};
}

bool is_swap(const std::vector<Complex>& m) {
  for (std::size_t k = 0; k < 16; ++k) {
    const bool is_entry = k == 0 || k == 6 || k == 9 || k == 15;
    if (m[k] != Complex{is_entry ? 1.0 : 0.0}) return false;
  }
  return true;
}

}  // namespace

template <class T>
LaneProgram<T>::LaneProgram(const FlatCircuit& circuit, std::span<const double> values,
                            std::span<const std::uint8_t> is_variable)
    : circuit_(circuit), pending_(static_cast<std::size_t>(circuit.num_qubits)) {
  const ExpressionTable& table = circuit.expressions;
  std::vector<std::uint8_t> varies_by_slot(table.slots.size()), slot_varies(circuit.params.size());
  for (std::size_t s = 0; s < table.slots.size() && !is_variable.empty(); ++s) {
    for (std::int64_t k = s == 0 ? 0 : table.code_end[s - 1]; k < table.code_end[s]; ++k) {
      const auto code = static_cast<ExprOp>(table.code[static_cast<std::size_t>(k)]);
      if (code != ExprOp::kPushConst && code != ExprOp::kPushParam) continue;
      const auto operand = static_cast<std::size_t>(table.code[static_cast<std::size_t>(++k)]);
      if (code == ExprOp::kPushParam && is_variable[operand]) varies_by_slot[s] = 1;
    }
    slot_varies[static_cast<std::size_t>(table.slots[s])] = varies_by_slot[s];
  }
  std::vector<double> params;
  evaluate_parameters(circuit, values.data(), params, varies_by_slot);
  num_gates_ = circuit.size();
  for (std::int64_t i = 0; i < circuit.size(); ++i) {
    const auto end = static_cast<std::size_t>(circuit.param_end[static_cast<std::size_t>(i)]);
    const auto begin = i == 0 ? 0 : static_cast<std::size_t>(circuit.param_end[static_cast<std::size_t>(i - 1)]);
    bool varies = false;
    for (std::size_t p = begin; p < end; ++p) varies = varies || slot_varies[p] != 0;
    varies ? add_variable_gate(i) : add_gate(i, params);
  }
  flush_all();
}

template <class T>
void LaneProgram<T>::begin_part(bool by_lane) {
  if (parts_.empty() || parts_.back().by_lane != by_lane) parts_.push_back({ops_.size(), 0, by_lane});
}

template <class T>
void LaneProgram<T>::push(const LaneOp& op, std::span<const Complex> numbers) {
  begin_part(false);
  ops_.push_back(op);
  ops_.back().numbers = static_cast<std::uint32_t>(numbers_.size());
  ++parts_.back().num_ops;
  for (Complex z : numbers) {
    numbers_.push_back(static_cast<T>(z.real()));
    if (op.kind != LaneOpKind::kReal && op.kind != LaneOpKind::kPauli) numbers_.push_back(static_cast<T>(z.imag()));
  }
}

template <class T>
std::uint32_t LaneProgram<T>::add_table(std::span<const std::int32_t> targets) {
  const std::size_t begin = tables_.size();
  tables_.resize(begin + dimension(targets.size()));
  for (std::size_t j = 0; j < dimension(targets.size()); ++j) {
    for (std::size_t k = 0; k < targets.size(); ++k) {
      if ((j >> k) & 1) tables_[begin + j] |= bit_of(targets[k]);
    }
  }
  widest_dense_ = std::max(widest_dense_, static_cast<int>(targets.size()));
  return static_cast<std::uint32_t>(begin);
}

// A one-qubit matrix, perhaps with controls, in its cheapest form; op.target0 and the controls are set.
template <class T>
void LaneProgram<T>::add_one_qubit(const Complex* m, LaneOp op) {
  const Complex a = cleaned(m[0]), b = cleaned(m[1]), c = cleaned(m[2]), d = cleaned(m[3]);
  const std::uint32_t control_value = op.value;
  op.fixed |= op.target0;
  if (b == Complex{} && c == Complex{}) {
    op.kind = LaneOpKind::kPhase;
    if (!is_one(a)) push(op, {&a, 1});
    op.value = control_value | op.target0;
    if (!is_one(d)) push(op, {&d, 1});
    return;
  }
  const Complex numbers[4] = {a, b, c, d};
  if (a == Complex{} && d == Complex{} && is_one(b) && is_one(c)) {
    op.kind = LaneOpKind::kFlip;
    return push(op, {});
  }
  const bool is_real = a.imag() == 0 && b.imag() == 0 && c.imag() == 0 && d.imag() == 0;
  op.kind = is_real ? LaneOpKind::kReal : LaneOpKind::kGeneral;
  push(op, numbers);
}

template <class T>
void LaneProgram<T>::flush(std::int32_t qubit) {
  Pending& pending = pending_[static_cast<std::size_t>(qubit)];
  if (!pending.is_there) return;
  pending.is_there = false;
  LaneOp op;
  op.target0 = bit_of(qubit);
  add_one_qubit(pending.matrix, op);
}

template <class T>
void LaneProgram<T>::flush_all() {
  for (std::int32_t q = 0; q < circuit_.num_qubits; ++q) flush(q);
}

template <class T>
void LaneProgram<T>::add_matrix(const std::vector<Complex>& matrix, std::span<const std::int32_t> targets, LaneOp op) {
  op.num_targets = static_cast<std::uint8_t>(targets.size());
  std::vector<Complex> m(matrix);
  for (Complex& z : m) z = cleaned(z);
  if (targets.size() == 2 && is_swap(m)) {
    op.kind = LaneOpKind::kSwap;
    op.target0 = bit_of(targets[0]);
    op.target1 = bit_of(targets[1]);
    op.fixed |= op.target0 | op.target1;
    return push(op, {});
  }
  for (std::int32_t target : targets) op.fixed |= bit_of(target);
  op.table = add_table(targets);
  const std::size_t dim = dimension(targets.size());
  bool is_diagonal = true;
  for (std::size_t r = 0; r < dim; ++r) {
    for (std::size_t c = 0; c < dim; ++c) is_diagonal = is_diagonal && (r == c || m[r * dim + c] == Complex{});
  }
  op.kind = is_diagonal ? LaneOpKind::kDiagonal : LaneOpKind::kDense;
  if (is_diagonal) {
    for (std::size_t r = 0; r < dim; ++r) m[r] = m[r * dim + r];
    m.resize(dim);
  }
  push(op, m);
}

template <class T>
void LaneProgram<T>::add_pauli(std::int64_t index, double angle, LaneOp op) {
  const Operation gate = operation_at(circuit_, index);
  const std::vector<std::int64_t>& letters = circuit_.integer_data[static_cast<std::size_t>(gate.data)];
  for (std::size_t k = 0; k < letters.size(); ++k) {
    const std::uint32_t bit = bit_of(gate.qubits[gate.num_controls + static_cast<int>(k)]);
    if (letters[k] == 1 || letters[k] == 2) op.x_mask |= bit;
    if (letters[k] == 2 || letters[k] == 3) op.z_mask |= bit;
  }
  op.kind = LaneOpKind::kPauli;
  const Complex numbers[2] = {std::cos(angle / 2), std::sin(angle / 2)};
  push(op, numbers);
}

template <class T>
void LaneProgram<T>::add_gate(std::int64_t index, std::span<const double> params) {
  const Operation gate = operation_at(circuit_, index);
  const std::span<const std::int32_t> targets{gate.qubits + gate.num_controls,
                                              static_cast<std::size_t>(gate.num_targets)};
  LaneOp op = controlled(gate);
  const bool is_plain = gate.num_targets == 1 && gate.num_controls == 0 && gate.row->data == DataKind::kNone;
  if (!is_plain) {
    for (int k = 0; k < gate.num_controls; ++k) flush(gate.qubits[k]);
    for (std::int32_t target : targets) flush(target);
  }
  if (gate.row->data == DataKind::kPauli)
    return add_pauli(index, params[static_cast<std::size_t>(gate.first_param)], op);
  if (gate.row->data == DataKind::kPermutation) {
    op.kind = LaneOpKind::kPermutation;
    op.num_targets = static_cast<std::uint8_t>(targets.size());
    for (std::int32_t target : targets) op.fixed |= bit_of(target);
    op.table = add_table(targets);
    for (std::int64_t image : circuit_.integer_data[static_cast<std::size_t>(gate.data)]) {
      tables_.push_back(static_cast<std::uint32_t>(image));
    }
    return push(op, {});
  }
  if (gate.row->data == DataKind::kDiagonal) {
    op.kind = LaneOpKind::kDiagonal;
    op.num_targets = static_cast<std::uint8_t>(targets.size());
    for (std::int32_t target : targets) op.fixed |= bit_of(target);
    op.table = add_table(targets);
    return push(op, circuit_.complex_data[static_cast<std::size_t>(gate.data)]);
  }
  std::vector<Complex> matrix;
  target_matrix(circuit_, gate, params.data(), matrix);
  if (gate.num_targets == 0) {  // a phase, of everything or of what the controls choose
    op.kind = LaneOpKind::kPhase;
    return push(op, matrix);
  }
  if (gate.num_targets > 1) return add_matrix(matrix, targets, op);
  op.target0 = bit_of(targets[0]);
  if (gate.num_controls > 0) return add_one_qubit(matrix.data(), op);
  Pending& pending = pending_[static_cast<std::size_t>(targets[0])];
  if (pending.is_there) {
    Complex product[4];
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::size_t c = 0; c < 2; ++c) {
        product[2 * r + c] = matrix[2 * r] * pending.matrix[c] + matrix[2 * r + 1] * pending.matrix[2 + c];
      }
    }
    matrix.assign(product, product + 4);
  }
  pending.is_there = true;
  std::copy_n(matrix.begin(), 4, pending.matrix);
}

// Only forms that hold for every value: 2 x 2, 2^k x 2^k, a phase, a Pauli rotation.
template <class T>
void LaneProgram<T>::add_variable_gate(std::int64_t index) {
  flush_all();
  const Operation gate = operation_at(circuit_, index);
  const std::span<const std::int32_t> targets{gate.qubits + gate.num_controls,
                                              static_cast<std::size_t>(gate.num_targets)};
  LaneOp op = controlled(gate);
  op.num_targets = static_cast<std::uint8_t>(targets.size());
  std::size_t count = 0;
  if (gate.row->data == DataKind::kPauli) {
    const std::vector<std::int64_t>& letters = circuit_.integer_data[static_cast<std::size_t>(gate.data)];
    for (std::size_t k = 0; k < letters.size(); ++k) {
      if (letters[k] == 1 || letters[k] == 2) op.x_mask |= bit_of(targets[k]);
      if (letters[k] == 2 || letters[k] == 3) op.z_mask |= bit_of(targets[k]);
    }
    op.kind = LaneOpKind::kPauli;
    count = 2;
  } else {
    for (std::int32_t target : targets) op.fixed |= bit_of(target);
    op.kind = targets.empty() ? LaneOpKind::kPhase : targets.size() == 1 ? LaneOpKind::kGeneral : LaneOpKind::kDense;
    if (targets.size() == 1) op.target0 = bit_of(targets[0]);
    if (targets.size() > 1) op.table = add_table(targets);
    count = 2 * dimension(targets.size()) * dimension(targets.size());
  }
  begin_part(true);
  op.numbers = static_cast<std::uint32_t>(num_bound_);
  ops_.push_back(op);
  ++parts_.back().num_ops;
  bound_gates_.push_back(index);
  num_bound_ += count;
}

template <class T>
void LaneProgram<T>::bind(std::span<const double> values, std::size_t lanes, T* out) const {
  thread_local std::vector<double> params;
  thread_local std::vector<Complex> matrix;
  evaluate_parameters(circuit_, values.data(), params);
  for (std::int64_t index : bound_gates_) {
    const Operation gate = operation_at(circuit_, index);
    if (gate.row->data == DataKind::kPauli) {
      const double half = params[static_cast<std::size_t>(gate.first_param)] / 2;
      out[0] = static_cast<T>(std::cos(half));
      out[lanes] = static_cast<T>(std::sin(half));
      out += 2 * lanes;
      continue;
    }
    target_matrix(circuit_, gate, params.data(), matrix);
    for (Complex z : matrix) {
      out[0] = static_cast<T>(z.real());
      out[lanes] = static_cast<T>(z.imag());
      out += 2 * lanes;
    }
  }
}

template class LaneProgram<float>;
template class LaneProgram<double>;

}  // namespace qfast
