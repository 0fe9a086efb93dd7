#include "circuit/qasm_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <string>

#include "circuit/qasm_value.h"

namespace qfast::qasm {
namespace {

constexpr double kPi = std::numbers::pi;

std::uint64_t ones(int n) { return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1; }

// Gates that are another gate under controls of their own.
struct ControlledForm {
  std::uint16_t base;
  int controls;
  std::uint16_t opcode;
};
// clang-format off
constexpr ControlledForm kControlledForms[] = {
    {k_x, 1, k_cx},   {k_x, 2, k_ccx},  {k_x, 3, k_c3x},     {k_x, 4, k_c4x},   {k_y, 1, k_cy},   {k_z, 1, k_cz},
    {k_z, 2, k_ccz},  {k_h, 1, k_ch},   {k_s, 1, k_cs},      {k_sdg, 1, k_csdg}, {k_sx, 1, k_csx}, {k_sx, 3, k_c3sx},
    {k_p, 1, k_cp},   {k_u1, 1, k_cu1}, {k_rx, 1, k_crx},    {k_ry, 1, k_cry},  {k_rz, 1, k_crz}, {k_u3, 1, k_cu3},
    {k_u, 1, k_cu3},  {k_swap, 1, k_cswap},
};
// clang-format on

// The gate that `opcode` under n more all-one controls is, or -1.
int controlled_opcode(std::uint16_t opcode, int n) {
  std::uint16_t base = opcode;
  for (const ControlledForm& form : kControlledForms) {
    if (form.opcode == opcode && form.base != k_u) base = form.base, n += form.controls;
  }
  for (const ControlledForm& form : kControlledForms) {
    if (form.base == base && form.controls == n) return form.opcode;
  }
  return -1;
}

// Gates whose k-th power is the same gate with some angles times k.
enum class Scaling { kNone, kPhase, kRotation, kRotationAxis, kAllAngles };
Scaling scaling(std::uint16_t opcode) {
  switch (opcode) {
    case k_gphase:
    case k_p:
    case k_u1:
    case k_cp:
    case k_cu1:
      return Scaling::kPhase;
    case k_rx:
    case k_ry:
    case k_rz:
    case k_crx:
    case k_cry:
    case k_crz:
    case k_rxx:
    case k_ryy:
    case k_rzz:
    case k_rzx:
      return Scaling::kRotation;
    case k_r:
    case k_xx_plus_yy:
    case k_xx_minus_yy:
      return Scaling::kRotationAxis;
    case k_fsim:
      return Scaling::kAllAngles;
    default:
      return Scaling::kNone;
  }
}

// The phase in (-pi, pi]; rounding must not turn the eigenvalue -1 into -pi.
double principal_phase(Complex z) {
  const double phase = std::arg(z);
  return phase < -kPi + 1e-9 ? phase + 2 * kPi : phase;
}
Complex principal_power(Complex z, double exponent) { return std::polar(1.0, principal_phase(z) * exponent); }

// Newton's form of f(U) = f(a) + (U - a) (f(b) - f(a)) / (b - a) with the eigenvalues a, b of U.
void power_2x2(const Complex* u, double exponent, Complex* out) {
  const Complex half_trace = (u[0] + u[3]) / 2.0;
  const Complex root = std::sqrt(half_trace * half_trace - (u[0] * u[3] - u[1] * u[2]));
  const Complex a = (half_trace + root) / std::abs(half_trace + root);
  const Complex b = (half_trace - root) / std::abs(half_trace - root);
  const Complex fa = principal_power(a, exponent);
  const Complex slope = std::abs(b - a) < 1e-7 ? exponent * fa / a : (principal_power(b, exponent) - fa) / (b - a);
  out[0] = fa + (u[0] - a) * slope;
  out[1] = u[1] * slope;
  out[2] = u[2] * slope;
  out[3] = fa + (u[3] - a) * slope;
}

bool is_diagonal(const std::vector<Complex>& m, std::size_t dim) {
  for (std::size_t i = 0; i < dim * dim; ++i) {
    if (i % (dim + 1) != 0 && m[i] != 0.0) return false;
  }
  return true;
}

int own_controls(const GateInstance& row) { return gate_table()[row.opcode].own_controls; }

double evaluate(std::span<const CodeItem> code, std::span<const Angle> actual, std::vector<double>& stack) {
  stack.clear();
  const auto pop = [&] {
    const double top = stack.back();
    stack.pop_back();
    return top;
  };
  for (const CodeItem& item : code) {
    if (item.op == ExprOp::kPushConst) {
      stack.push_back(item.constant);
      continue;
    }
    if (item.op == ExprOp::kPushParam) {
      stack.push_back(actual[static_cast<std::size_t>(item.parameter)].number);
      continue;
    }
    const double right = item.op >= ExprOp::kAdd && item.op <= ExprOp::kPow ? pop() : 0.0;
    double& top = stack.back();
    switch (item.op) {
      case ExprOp::kAdd:
        top += right;
        break;
      case ExprOp::kSub:
        top -= right;
        break;
      case ExprOp::kMul:
        top *= right;
        break;
      case ExprOp::kDiv:
        top /= right;
        break;
      case ExprOp::kPow:
        top = std::pow(top, right);
        break;
      case ExprOp::kNeg:
        top = -top;
        break;
      case ExprOp::kSin:
        top = std::sin(top);
        break;
      case ExprOp::kCos:
        top = std::cos(top);
        break;
      case ExprOp::kTan:
        top = std::tan(top);
        break;
      case ExprOp::kAsin:
        top = std::asin(top);
        break;
      case ExprOp::kAcos:
        top = std::acos(top);
        break;
      case ExprOp::kAtan:
        top = std::atan(top);
        break;
      case ExprOp::kExp:
        top = std::exp(top);
        break;
      case ExprOp::kLog:
        top = std::log(top);
        break;
      case ExprOp::kSqrt:
        top = std::sqrt(top);
        break;
      case ExprOp::kAbs:
        top = std::fabs(top);
        break;
      case ExprOp::kPushConst:
      case ExprOp::kPushParam:
        break;
    }
  }
  if (!std::isfinite(stack.back()))
    throw Refusal{"a parameter of the gate's definition is not finite for these values"};
  return stack.back();
}

}  // namespace

// --- CodePool -------------------------------------------------------------------------------------------------------

void CodePool::push(const Angle& angle) {
  if (items_.size() + static_cast<std::size_t>(angle.count) + 2 > kMaxPool) {
    throw Refusal{"the parameter expressions take more than " + std::to_string(kMaxPool * sizeof(CodeItem) >> 20) +
                  " MiB"};
  }
  if (angle.is_number()) {
    items_.push_back({ExprOp::kPushConst, 0, angle.number});
    return;
  }
  const auto first = static_cast<std::size_t>(angle.first);
  for (std::size_t i = first; i < first + static_cast<std::size_t>(angle.count); ++i) {
    const CodeItem item = items_[i];  // a copy: push_back may move the items
    items_.push_back(item);
  }
}

Angle CodePool::finish(std::size_t first) const {
  const std::size_t count = items_.size() - first;
  if (count > kMaxCode) {
    throw Refusal{"a parameter expression has more than " + std::to_string(kMaxCode) +
                  " terms and operations after expansion"};
  }
  return {0.0, static_cast<std::int32_t>(first), static_cast<std::int32_t>(count)};
}

Angle CodePool::parameter(std::int32_t index) {
  const std::size_t first = items_.size();
  push({});  // checks the limit
  items_.back() = {ExprOp::kPushParam, index, 0.0};
  return finish(first);
}

Angle CodePool::unary(ExprOp op, const Angle& operand) {
  if (operand.is_number() && op == ExprOp::kNeg) return {-operand.number, 0, 0};
  const std::size_t first = items_.size();
  push(operand);
  if (op == ExprOp::kNeg && items_.back().op == ExprOp::kNeg) {
    items_.pop_back();  // the inverse of an inverse is the gate itself
  } else {
    items_.push_back({op, 0, 0.0});
  }
  return finish(first);
}

Angle CodePool::binary(ExprOp op, const Angle& left, const Angle& right) {
  const std::size_t first = items_.size();
  push(left);
  push(right);
  items_.push_back({op, 0, 0.0});
  return finish(first);
}

Angle CodePool::substitute(const Angle& formal, std::span<const Angle> actual) {
  if (formal.is_number()) return formal;
  const auto is_symbolic = [&](const CodeItem& item) {
    return item.op == ExprOp::kPushParam && !actual[static_cast<std::size_t>(item.parameter)].is_number();
  };
  const std::span<const CodeItem> items = code(formal);
  if (std::none_of(items.begin(), items.end(), is_symbolic)) return {evaluate(items, actual, stack_), 0, 0};
  const std::size_t first = items_.size();
  for (std::int32_t i = 0; i < formal.count; ++i) {
    const CodeItem item = items_[static_cast<std::size_t>(formal.first + i)];
    if (item.op == ExprOp::kPushParam) {
      push(actual[static_cast<std::size_t>(item.parameter)]);
    } else {
      push({});
      items_.back() = item;
    }
    if (items_.size() - first > kMaxCode) break;  // finish() refuses it
  }
  return finish(first);
}

// --- RowList --------------------------------------------------------------------------------------------------------

void RowList::clear() {
  rows.clear();
  qubits.clear();
  angles.clear();
}

void RowList::push(GateInstance row, std::span<const std::int32_t> row_qubits, std::span<const Angle> row_angles) {
  if (rows.size() >= kMaxExpansion || qubits.size() + row_qubits.size() > 8 * kMaxExpansion) {
    throw Refusal{"this gate expands to more than " + std::to_string(kMaxExpansion) + " gates; split it"};
  }
  row.first_qubit = static_cast<std::int32_t>(qubits.size());
  row.num_qubits = static_cast<std::int32_t>(row_qubits.size());
  row.first_angle = static_cast<std::int32_t>(angles.size());
  row.num_angles = static_cast<std::int32_t>(row_angles.size());
  qubits.insert(qubits.end(), row_qubits.begin(), row_qubits.end());
  angles.insert(angles.end(), row_angles.begin(), row_angles.end());
  rows.push_back(row);
}

// --- Modifiers ------------------------------------------------------------------------------------------------------

std::int32_t Modifiers::keep(std::vector<Complex> matrix) {
  if (!matrices_.empty() && matrices_.back() == matrix) return static_cast<std::int32_t>(matrices_.size()) - 1;
  matrices_.push_back(std::move(matrix));
  return static_cast<std::int32_t>(matrices_.size()) - 1;
}

RowList Modifiers::inverse(const RowList& list) {
  RowList out;
  for (auto row = list.rows.rbegin(); row != list.rows.rend(); ++row) push_inverse(out, list, *row);
  return out;
}

void Modifiers::push_inverse(RowList& out, const RowList& list, const GateInstance& row) {
  GateInstance inverse = row;
  const std::span<const std::int32_t> qubits = list.qubits_of(row);
  std::vector<Angle> p(list.angles_of(row).begin(), list.angles_of(row).end());
  const auto negate = [&](const Angle& angle) { return codes_.unary(ExprOp::kNeg, angle); };
  switch (row.opcode) {
    case k_s:
      inverse.opcode = k_sdg;
      break;
    case k_sdg:
      inverse.opcode = k_s;
      break;
    case k_t:
      inverse.opcode = k_tdg;
      break;
    case k_tdg:
      inverse.opcode = k_t;
      break;
    case k_sx:
      inverse.opcode = k_sxdg;
      break;
    case k_sxdg:
      inverse.opcode = k_sx;
      break;
    case k_cs:
      inverse.opcode = k_csdg;
      break;
    case k_csdg:
      inverse.opcode = k_cs;
      break;
    case k_csx:
    case k_c3sx: {  // there is no csxdg: its own controls become extra ones
      const int own = own_controls(row);
      inverse.opcode = k_sxdg;
      inverse.ctrl_state |= ones(own) << row.num_controls;
      inverse.num_controls = static_cast<std::uint16_t>(row.num_controls + own);
      break;
    }
    case k_iswap:
      inverse.opcode = k_xx_plus_yy;
      p = {{kPi, 0, 0}, {0.0, 0, 0}};
      break;
    case k_dcx: {
      std::vector<std::int32_t> swapped(qubits.begin(), qubits.end());
      std::swap(swapped[swapped.size() - 2], swapped.back());
      return out.push(inverse, swapped, p);
    }
    case k_rc3x: {  // where it is not the identity it is a Pauli times +-i, and X on the target flips that sign
      GateInstance x;
      x.opcode = k_x;
      out.push(x, qubits.last(1), {});
      out.push(inverse, qubits, p);
      return out.push(x, qubits.last(1), {});
    }
    case k_u:
    case k_u3:
    case k_cu:
    case k_cu3:
      std::swap(p[1], p[2]);
      for (Angle& angle : p) angle = negate(angle);
      break;
    case k_u2: {
      const Angle phi = p[0], lambda = p[1], pi = {kPi, 0, 0};
      p[0] = lambda.is_number() ? Angle{-lambda.number - kPi, 0, 0} : codes_.binary(ExprOp::kSub, negate(lambda), pi);
      p[1] = phi.is_number() ? Angle{kPi - phi.number, 0, 0} : codes_.binary(ExprOp::kSub, pi, phi);
      break;
    }
    case k_unitary: {
      const std::vector<Complex>& m = matrices_[static_cast<std::size_t>(row.data)];
      const std::size_t dim = std::size_t{1} << (row.num_qubits - row.num_controls);
      std::vector<Complex> adjoint(m.size());
      for (std::size_t i = 0; i < m.size(); ++i) adjoint[i] = std::conj(m[i % dim * dim + i / dim]);
      inverse.data = keep(std::move(adjoint));
      break;
    }
    case k_diagonal: {
      std::vector<Complex> d = matrices_[static_cast<std::size_t>(row.data)];
      for (Complex& entry : d) entry = std::conj(entry);
      inverse.data = keep(std::move(d));
      break;
    }
    default:  // self-inverse, or a rotation: an axis stays, all angles else change their sign
      for (std::size_t i = 0; i < p.size(); ++i) {
        if (i == 0 || scaling(row.opcode) != Scaling::kRotationAxis) p[i] = negate(p[i]);
      }
  }
  out.push(inverse, qubits, p);
}

RowList Modifiers::control(const RowList& list, int n, std::uint64_t state) const {
  RowList out;
  std::vector<std::int32_t> qubits;
  for (const GateInstance& row : list.rows) {
    qubits.clear();
    for (int i = 0; i < n; ++i) qubits.push_back(i);
    for (const std::int32_t qubit : list.qubits_of(row)) qubits.push_back(qubit + n);
    GateInstance controlled = row;
    const int total = row.num_controls + n;
    if (total > 64) throw Refusal{std::to_string(total) + " controls are asked for; a gate has at most 64"};
    controlled.num_controls = static_cast<std::uint16_t>(total);
    controlled.ctrl_state = row.num_controls == 0 ? state : row.ctrl_state << n | state;
    if (row.opcode == k_gphase && controlled.ctrl_state != 0) {
      // e^{i gamma} where the controls agree is a phase gate on one of those that must be 1.
      const int one = std::countr_zero(controlled.ctrl_state);
      std::rotate(qubits.begin() + one, qubits.begin() + one + 1, qubits.begin() + total);
      const std::uint64_t below = controlled.ctrl_state & ones(one);
      controlled.ctrl_state = below | (one + 1 >= 64 ? 0 : controlled.ctrl_state >> (one + 1) << one);
      controlled.num_controls = static_cast<std::uint16_t>(total - 1);
      controlled.opcode = k_p;
    }
    const int extra = controlled.num_controls;
    if (extra > 0 && controlled.ctrl_state == ones(extra)) {
      const int opcode = controlled_opcode(controlled.opcode, extra);
      if (opcode >= 0) {
        controlled.opcode = static_cast<std::uint16_t>(opcode);
        controlled.num_controls = 0;
        controlled.ctrl_state = 0;
      }
    }
    out.push(controlled, qubits, list.angles_of(row));
  }
  return out;
}

RowList Modifiers::power(const RowList& list, std::int64_t exponent) {
  if (exponent == 0) return {};
  if (exponent == 1) return list;
  RowList out;
  if (list.rows.size() == 1 && push_scaled(out, list, list.rows[0], static_cast<double>(exponent), false)) return out;
  const RowList base = exponent < 0 ? inverse(list) : list;
  const std::uint64_t times =
      exponent < 0 ? ~static_cast<std::uint64_t>(exponent) + 1 : static_cast<std::uint64_t>(exponent);
  for (std::uint64_t i = 0; i < times && !base.rows.empty(); ++i) {
    for (const GateInstance& row : base.rows) out.push(row, base.qubits_of(row), base.angles_of(row));
  }
  return out;
}

RowList Modifiers::fractional_power(const RowList& list, double exponent) {
  RowList out;
  if (list.rows.empty()) return out;
  if (list.rows.size() == 1 && push_scaled(out, list, list.rows[0], exponent, true)) return out;
  if (push_one_qubit_power(out, list, exponent) || push_diagonal_power(out, list, exponent)) return out;
  if (push_involution_power(out, list, exponent)) return out;
  throw Refusal{
      "a power that is not an integer is supported for gates that act on one qubit (controls aside), for rotations, "
      "for gates that are their own inverse and for diagonal gates of up to 10 qubits, with known angles; this gate is "
      "none of these"};
}

RowList Modifiers::symbolic_power(const RowList& list, const Angle& exponent) {
  RowList out;
  if (list.rows.empty()) return out;
  const GateInstance& only = list.rows.front();
  const Refusal refusal{
      "a power whose exponent is a parameter is supported for x, y, z, s, t and their inverses, and for p, rx, ry and "
      "rz "
      "with a known angle"};
  if (list.rows.size() != 1 || only.num_controls != 0) throw refusal;
  const auto turn = [&](std::uint16_t opcode, double angle) {
    GateInstance row;
    row.opcode = opcode;
    const Angle scaled = codes_.binary(ExprOp::kMul, {angle, 0, 0}, exponent);
    out.push(row, opcode == k_gphase ? std::span<const std::int32_t>{} : list.qubits_of(only), {&scaled, 1});
  };
  switch (only.opcode) {
    case k_x:
    case k_y:  // e^(i pi t / 2) times a rotation by pi t has the eigenvalues 1 and e^(i pi t)
      turn(only.opcode == k_x ? k_rx : k_ry, kPi);
      turn(k_gphase, kPi / 2);
      return out;
    case k_z:
      turn(k_p, kPi);
      return out;
    case k_s:
      turn(k_p, kPi / 2);
      return out;
    case k_sdg:
      turn(k_p, -kPi / 2);
      return out;
    case k_t:
      turn(k_p, kPi / 4);
      return out;
    case k_tdg:
      turn(k_p, -kPi / 4);
      return out;
    case k_p:
    case k_rx:
    case k_ry:
    case k_rz: {
      const Angle& angle = list.angles_of(only).front();
      const double period = only.opcode == k_p ? 2 * kPi : 4 * kPi;
      if (!angle.is_number() || std::fabs(angle.number) >= period / 2) throw refusal;
      turn(only.opcode, angle.number);
      return out;
    }
    default:
      throw refusal;
  }
}

// The same gate with its angles times the exponent. `principal`: the exponent is no integer, and the angle is first
// reduced to the principal branch.
bool Modifiers::push_scaled(RowList& out, const RowList& list, const GateInstance& row, double exponent,
                            bool principal) {
  const Scaling kind = scaling(row.opcode);
  if (kind == Scaling::kNone || (principal && kind == Scaling::kAllAngles)) return false;
  std::vector<Angle> p(list.angles_of(row).begin(), list.angles_of(row).end());
  const std::size_t scaled = kind == Scaling::kAllAngles ? p.size() : 1;
  for (std::size_t i = 0; i < scaled; ++i) {
    if (!p[i].is_number()) {
      if (principal) return false;
      p[i] = codes_.binary(ExprOp::kMul, {exponent, 0, 0}, p[i]);
      continue;
    }
    double angle = p[i].number;
    if (principal) {
      const double period = kind == Scaling::kPhase ? 2 * kPi : 4 * kPi;
      angle = std::remainder(angle, period);
      if (kind == Scaling::kPhase && angle == -kPi) angle = kPi;
      if (kind != Scaling::kPhase && 2 * kPi - std::fabs(angle) < 1e-9)
        return false;  // -1: both eigenvalues at the cut
    }
    p[i].number = angle * exponent;
  }
  out.push(row, list.qubits_of(row), p);
  return true;
}

// The matrix on the targets; false where an angle is not a number.
bool Modifiers::target_matrix(const RowList& list, const GateInstance& row, std::vector<Complex>& matrix,
                              int& num_targets) const {
  if (row.opcode == k_unitary || row.opcode == k_diagonal) {
    const std::vector<Complex>& data = matrices_[static_cast<std::size_t>(row.data)];
    num_targets = row.num_qubits - row.num_controls;
    if (row.opcode == k_unitary) {
      matrix = data;
      return true;
    }
    matrix.assign(data.size() * data.size(), 0.0);
    for (std::size_t i = 0; i < data.size(); ++i) matrix[i * (data.size() + 1)] = data[i];
    return true;
  }
  double params[4] = {};
  std::size_t count = 0;
  for (const Angle& angle : list.angles_of(row)) {
    if (!angle.is_number()) return false;
    params[count++] = angle.number;
  }
  const GateRow& gate = gate_table()[row.opcode];
  num_targets = gate.num_targets;
  const std::size_t dim = std::size_t{1} << num_targets;
  matrix.resize(dim * dim);
  gate.matrix(params, matrix.data());
  return true;
}

// Gates on one and the same qubit without controls, or one gate with a single target under any controls.
bool Modifiers::push_one_qubit_power(RowList& out, const RowList& list, double exponent) {
  std::vector<Complex> product = {1.0, 0.0, 0.0, 1.0}, m;
  std::int32_t target = -1;
  for (const GateInstance& row : list.rows) {
    int num_targets = 0;
    if (!target_matrix(list, row, m, num_targets) || num_targets > 1) return false;
    if (list.rows.size() > 1 && row.num_controls + own_controls(row) > 0) return false;
    if (num_targets == 0) {
      for (Complex& entry : product) entry *= m[0];
      continue;
    }
    if (target >= 0 && list.qubits_of(row).back() != target) return false;
    target = list.qubits_of(row).back();
    product = {m[0] * product[0] + m[1] * product[2], m[0] * product[1] + m[1] * product[3],
               m[2] * product[0] + m[3] * product[2], m[2] * product[1] + m[3] * product[3]};
  }
  if (target < 0) return false;
  std::vector<Complex> result(4);
  power_2x2(product.data(), exponent, result.data());
  const GateInstance& first = list.rows.front();
  const std::span<const std::int32_t> qubits =
      list.rows.size() == 1 ? list.qubits_of(first) : std::span<const std::int32_t>(&target, 1);
  GateInstance row;
  if (list.rows.size() == 1) {
    const int own = own_controls(first);
    row.num_controls = static_cast<std::uint16_t>(first.num_controls + own);
    row.ctrl_state = first.ctrl_state | ones(own) << first.num_controls;
  }
  if (is_diagonal(product, 2) && product[0] == 1.0) {
    row.opcode = k_p;
    const Angle angle{principal_phase(product[3]) * exponent, 0, 0};
    const bool plain = row.num_controls == 1 && row.ctrl_state == 1;
    if (plain) row.opcode = k_cp, row.num_controls = 0, row.ctrl_state = 0;
    out.push(row, qubits, {&angle, 1});
  } else {
    row.opcode = k_unitary;
    row.data = keep(std::move(result));
    out.push(row, qubits, {});
  }
  return true;
}

// One gate that is its own inverse (swap): eigenvalues 1 and -1, so U^t = (1 + U) / 2 + e^(i pi t) (1 - U) / 2.
bool Modifiers::push_involution_power(RowList& out, const RowList& list, double exponent) {
  constexpr int kMaxTargets = 4;
  std::vector<Complex> m;
  int num_targets = 0;
  if (list.rows.size() != 1) return false;
  const GateInstance& only = list.rows.front();
  if (!target_matrix(list, only, m, num_targets) || num_targets > kMaxTargets) return false;
  const std::size_t dim = std::size_t{1} << num_targets;
  for (std::size_t i = 0; i < dim; ++i) {
    for (std::size_t j = 0; j < dim; ++j) {
      Complex square = i == j ? -1.0 : 0.0;
      for (std::size_t k = 0; k < dim; ++k) square += m[i * dim + k] * m[k * dim + j];
      if (std::abs(square) > 1e-12) return false;
    }
  }
  const Complex turned = std::polar(1.0, kPi * exponent);
  for (std::size_t i = 0; i < dim * dim; ++i) {
    const Complex one = i % (dim + 1) == 0 ? 1.0 : 0.0;
    m[i] = 0.5 * ((one + m[i]) + turned * (one - m[i]));
  }
  GateInstance row;
  const int own = own_controls(only);
  row.opcode = k_unitary;
  row.num_controls = static_cast<std::uint16_t>(only.num_controls + own);
  row.ctrl_state = only.ctrl_state | ones(own) << only.num_controls;
  row.data = keep(std::move(m));
  out.push(row, list.qubits_of(only), {});
  return true;
}

bool Modifiers::push_diagonal_power(RowList& out, const RowList& list, double exponent) {
  constexpr int kMaxQubits = 10;
  std::vector<std::int32_t> used;
  for (const GateInstance& row : list.rows) {
    used.insert(used.end(), list.qubits_of(row).begin(), list.qubits_of(row).end());
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  if (used.empty() || used.size() > kMaxQubits) return false;
  const auto position = [&](std::int32_t qubit) {
    return static_cast<std::size_t>(std::lower_bound(used.begin(), used.end(), qubit) - used.begin());
  };
  std::vector<Complex> diagonal(std::size_t{1} << used.size(), 1.0), m;
  for (const GateInstance& row : list.rows) {
    int num_targets = 0;
    if (!target_matrix(list, row, m, num_targets)) return false;
    const std::size_t dim = std::size_t{1} << num_targets;
    if (!is_diagonal(m, dim)) return false;
    const std::span<const std::int32_t> qubits = list.qubits_of(row);
    const std::size_t controls = qubits.size() - static_cast<std::size_t>(num_targets);
    for (std::size_t state = 0; state < diagonal.size(); ++state) {
      const auto bit = [&](std::size_t i) { return state >> position(qubits[i]) & 1; };
      bool active = true;
      for (std::size_t i = 0; i < controls; ++i) {
        active &= bit(i) == (i < row.num_controls ? row.ctrl_state >> i & 1 : 1);
      }
      std::size_t index = 0;
      for (std::size_t i = controls; i < qubits.size(); ++i) index |= bit(i) << (i - controls);
      if (active) diagonal[state] *= m[index * (dim + 1)];
    }
  }
  for (Complex& entry : diagonal) entry = principal_power(entry, exponent);
  GateInstance row;
  row.opcode = k_diagonal;
  row.data = keep(std::move(diagonal));
  out.push(row, used, {});
  return true;
}

}  // namespace qfast::qasm
