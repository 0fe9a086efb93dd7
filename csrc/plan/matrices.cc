#include "plan/matrices.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace qfast {
namespace {

void pauli_rotation_matrix(const std::vector<std::int64_t>& letters, double angle, std::vector<Complex>& out) {
  const std::size_t dim = std::size_t{1} << letters.size();
  out.assign(dim * dim, Complex{});
  std::size_t x_mask = 0;
  for (std::size_t k = 0; k < letters.size(); ++k) {
    if (letters[k] == 1 || letters[k] == 2) x_mask |= std::size_t{1} << k;
  }
  const double c = std::cos(angle / 2), s = std::sin(angle / 2);
  for (std::size_t col = 0; col < dim; ++col) {
    Complex value{0.0, -s};
    for (std::size_t k = 0; k < letters.size(); ++k) {
      const bool bit = (col >> k) & 1;
      if (letters[k] == 2) value *= bit ? Complex{0, -1} : Complex{0, 1};
      if (letters[k] == 3 && bit) value = -value;
    }
    out[(col ^ x_mask) * dim + col] += value;
    out[col * dim + col] += c;
  }
}

double apply_expression(const ExpressionTable& table, std::int64_t begin, std::int64_t end, const double* values) {
  if (end - begin == 2 &&
      table.code[static_cast<std::size_t>(begin)] == static_cast<std::int32_t>(ExprOp::kPushParam)) {
    return values[table.code[static_cast<std::size_t>(begin + 1)]];  // a bare parameter, nearly all
  }
  double stack[64];
  int top = 0;
  const auto check_depth = [&](int need, int room) {
    if (top < need || top + room > 64) throw Error(ErrorKind::kInternal, "malformed parameter expression");
  };
  for (std::int64_t i = begin; i < end; ++i) {
    const auto op = static_cast<ExprOp>(table.code[static_cast<std::size_t>(i)]);
    if (op == ExprOp::kPushConst || op == ExprOp::kPushParam) {
      check_depth(0, 1);
      const auto operand = static_cast<std::size_t>(table.code[static_cast<std::size_t>(++i)]);
      stack[top++] = op == ExprOp::kPushConst ? table.constants[operand] : values[operand];
      continue;
    }
    if (op >= ExprOp::kAdd && op <= ExprOp::kPow) {
      check_depth(2, 0);
      const double b = stack[--top], a = stack[top - 1];
      double& r = stack[top - 1];
      switch (op) {
        case ExprOp::kAdd:
          r = a + b;
          break;
        case ExprOp::kSub:
          r = a - b;
          break;
        case ExprOp::kMul:
          r = a * b;
          break;
        case ExprOp::kDiv:
          r = a / b;
          break;
        default:
          r = std::pow(a, b);
          break;
      }
      continue;
    }
    check_depth(1, 0);
    double& r = stack[top - 1];
    switch (op) {
      case ExprOp::kNeg:
        r = -r;
        break;
      case ExprOp::kSin:
        r = std::sin(r);
        break;
      case ExprOp::kCos:
        r = std::cos(r);
        break;
      case ExprOp::kTan:
        r = std::tan(r);
        break;
      case ExprOp::kAsin:
        r = std::asin(r);
        break;
      case ExprOp::kAcos:
        r = std::acos(r);
        break;
      case ExprOp::kAtan:
        r = std::atan(r);
        break;
      case ExprOp::kExp:
        r = std::exp(r);
        break;
      case ExprOp::kLog:
        r = std::log(r);
        break;
      case ExprOp::kSqrt:
        r = std::sqrt(r);
        break;
      case ExprOp::kAbs:
        r = std::abs(r);
        break;
      default:
        throw Error(ErrorKind::kInternal, "unknown code in a parameter expression");
    }
  }
  if (top != 1) throw Error(ErrorKind::kInternal, "malformed parameter expression");
  return stack[0];
}

}  // namespace

Operation operation_at(const FlatCircuit& circuit, std::int64_t index) {
  const auto i = static_cast<std::size_t>(index);
  const std::int64_t begin = i == 0 ? 0 : circuit.qubit_end[i - 1];
  const std::int64_t first_param = i == 0 ? 0 : circuit.param_end[i - 1];
  Operation op{};
  op.opcode = circuit.opcodes[i];
  op.row = &gate_table()[op.opcode];
  op.qubits = circuit.qubits.data() + begin;
  const int extra = circuit.num_controls[i];
  op.num_controls = extra + op.row->own_controls;
  op.num_targets = static_cast<int>(circuit.qubit_end[i] - begin) - op.num_controls;
  const std::uint64_t own = (std::uint64_t{1} << op.row->own_controls) - 1;
  op.control_state = circuit.ctrl_states[i] | (own << extra);
  op.first_param = first_param;
  op.data = circuit.data[i];
  return op;
}

void target_matrix(const FlatCircuit& circuit, const Operation& op, const double* params, std::vector<Complex>& out) {
  const std::size_t dim = std::size_t{1} << op.num_targets;
  switch (op.row->data) {
    case DataKind::kNone:
      out.resize(dim * dim);
      op.row->matrix(params + op.first_param, out.data());
      return;
    case DataKind::kMatrix:
      out = circuit.complex_data[static_cast<std::size_t>(op.data)];
      return;
    case DataKind::kDiagonal: {
      const auto& diagonal = circuit.complex_data[static_cast<std::size_t>(op.data)];
      out.assign(dim * dim, Complex{});
      for (std::size_t i = 0; i < dim; ++i) out[i * dim + i] = diagonal[i];
      return;
    }
    case DataKind::kPermutation: {
      const auto& image = circuit.integer_data[static_cast<std::size_t>(op.data)];
      out.assign(dim * dim, Complex{});
      for (std::size_t i = 0; i < dim; ++i) out[static_cast<std::size_t>(image[i]) * dim + i] = 1.0;
      return;
    }
    case DataKind::kPauli:
      pauli_rotation_matrix(circuit.integer_data[static_cast<std::size_t>(op.data)], params[op.first_param], out);
      return;
  }
}

void full_matrix(const FlatCircuit& circuit, const Operation& op, const double* params, std::vector<Complex>& out) {
  std::vector<Complex> inner;
  target_matrix(circuit, op, params, inner);
  const std::size_t inner_dim = std::size_t{1} << op.num_targets;
  const std::size_t controls = std::size_t{1} << op.num_controls;
  const std::size_t dim = inner_dim * controls;
  out.assign(dim * dim, Complex{});
  for (std::size_t i = 0; i < dim; ++i) {
    const std::size_t control = i & (controls - 1), col = i >> op.num_controls;
    if (control != op.control_state) {
      out[i * dim + i] = 1.0;
      continue;
    }
    for (std::size_t row = 0; row < inner_dim; ++row) {
      out[((row << op.num_controls) | control) * dim + i] = inner[row * inner_dim + col];
    }
  }
}

bool is_diagonal(const std::vector<Complex>& matrix, int dim) {
  const auto n = static_cast<std::size_t>(dim);
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t c = 0; c < n; ++c) {
      if (r != c && std::abs(matrix[r * n + c]) > kRoundingOfZero) return false;
    }
  }
  return true;
}

std::vector<double> generic_parameters(const FlatCircuit& circuit) {
  std::vector<double> params(circuit.params.begin(), circuit.params.end());
  for (std::size_t k = 0; k < circuit.expressions.slots.size(); ++k) {
    params[static_cast<std::size_t>(circuit.expressions.slots[k])] =
        0.7390851 + 0.1234567 * static_cast<double>(k % 17);
  }
  return params;
}

void evaluate_parameters(const FlatCircuit& circuit, const double* values, std::vector<double>& params,
                         std::span<const std::uint8_t> skipped) {
  params.assign(circuit.params.begin(), circuit.params.end());
  const ExpressionTable& table = circuit.expressions;
  for (std::size_t k = 0; k < table.slots.size(); ++k) {
    if (!skipped.empty() && skipped[k]) continue;
    const std::int64_t begin = k == 0 ? 0 : table.code_end[k - 1];
    const double value = apply_expression(table, begin, table.code_end[k], values);
    if (!std::isfinite(value)) {
      throw Error(ErrorKind::kParameter, "parameter expression " + std::to_string(k) + " evaluates to " +
                                             std::to_string(value) + "; gate parameters must be finite");
    }
    params[static_cast<std::size_t>(table.slots[k])] = value;
  }
}

}  // namespace qfast
