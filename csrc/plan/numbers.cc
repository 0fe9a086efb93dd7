#include "plan/numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/cancel.h"
#include "plan/matrices.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

std::size_t table_bit(const DiagonalGroup& group, std::int32_t label) {
  return to_size(std::find(group.labels.begin(), group.labels.end(), label) - group.labels.begin());
}

}  // namespace

Numbers::Numbers(const Plan& plan, const FlatCircuit& circuit, const TrigKernels& trig)
    : plan_(plan), circuit_(circuit), trig_(trig), is_symbolic_(circuit.params.size(), false) {
  for (const std::int64_t slot : circuit.expressions.slots) is_symbolic_[to_size(slot)] = true;
  nodes_.one.resize(plan.lowered.nodes.size());
  nodes_.two.resize(plan.lowered.nodes.size());
  write_recipes();
}

void Numbers::write_recipes() {
  recipes_.resize(plan_.lowered.nodes.size());
  for (std::size_t i = 0; i < recipes_.size(); ++i) {
    throw_if_interrupted(i);
    const Node& n = plan_.lowered.nodes[i];
    if (n.kind != NodeKind::kOne) continue;
    Recipe& recipe = recipes_[i];
    recipe.begin = static_cast<std::int32_t>(factors_.size());
    bool is_known = true, is_fixed = true;
    for (std::int32_t s = n.first_source; s >= 0 && is_known; s = source(s).next) {
      is_known = add_factor(source(s));
      is_fixed = is_known && is_fixed && factors_.back().kind == Factor::Kind::kFixed;
    }
    if (!is_known) factors_.resize(to_size(recipe.begin));
    recipe.end = static_cast<std::int32_t>(factors_.size());
    // Phases of neighbours are never moved into a controlled gate.
    recipe.is_fixed = is_fixed && n.num_diagonal > 0;
    if (recipe.is_fixed) nodes_.one[i] = cook(recipe);
  }
}

bool Numbers::add_factor(const Source& s) {
  if (s.operation < 0) return false;
  const Operation op = operation_at(circuit_, s.operation);
  const auto slot = static_cast<std::int32_t>(op.first_param);
  const auto add = [&](Factor::Kind kind, std::int32_t index) {
    factors_.push_back({kind, index});
    return true;
  };
  switch (op.opcode) {
    case k_rx:
    case k_crx:
      return add(Factor::Kind::kRx, slot);
    case k_ry:
    case k_cry:
      return add(Factor::Kind::kRy, slot);
    case k_rz:
    case k_crz:
      return add(Factor::Kind::kRz, slot);
    case k_p:
    case k_u1:
    case k_cp:
    case k_cu1:
      return add(Factor::Kind::kPhase, slot);
    default:
      break;
  }
  if (op.num_targets != 1 || op.row->data != DataKind::kNone) return false;
  for (std::int64_t p = op.first_param; p < circuit_.param_end[to_size(s.operation)]; ++p) {
    if (is_symbolic_[to_size(p)]) return false;
  }
  target_matrix(circuit_, op, circuit_.params.data(), scratch_);
  fixed_.push_back({scratch_[0], scratch_[1], scratch_[2], scratch_[3]});
  return add(Factor::Kind::kFixed, static_cast<std::int32_t>(fixed_.size() - 1));
}

Matrix2 Numbers::cook(const Recipe& recipe) const {
  Matrix2 m{1.0, 0.0, 0.0, 1.0};
  for (std::int32_t k = recipe.begin; k < recipe.end; ++k) {
    const Factor& factor = factors_[to_size(k)];
    if (factor.kind == Factor::Kind::kFixed) {
      m = k == recipe.begin ? fixed_[to_size(factor.index)] : multiply(fixed_[to_size(factor.index)], m);
      continue;
    }
    const double c = cosines_[to_size(factor.index)], s = sines_[to_size(factor.index)];
    switch (factor.kind) {
      case Factor::Kind::kRx: {
        const auto times_i = [](Complex z) { return Complex{-z.imag(), z.real()}; };
        m = {c * m[0] - s * times_i(m[2]), c * m[1] - s * times_i(m[3]), c * m[2] - s * times_i(m[0]),
             c * m[3] - s * times_i(m[1])};
        break;
      }
      case Factor::Kind::kRy:
        m = {c * m[0] - s * m[2], c * m[1] - s * m[3], s * m[0] + c * m[2], s * m[1] + c * m[3]};
        break;
      case Factor::Kind::kRz:
        m = {Complex{c, -s} * m[0], Complex{c, -s} * m[1], Complex{c, s} * m[2], Complex{c, s} * m[3]};
        break;
      default: {  // e^{iλ} from half of λ
        const Complex phase{c * c - s * s, 2 * c * s};
        m[2] *= phase;
        m[3] *= phase;
      }
    }
  }
  return m;
}

void Numbers::find_half_angles() {
  half_.resize(params_.size());
  sines_.resize(params_.size());
  cosines_.resize(params_.size());
  double largest = 0;
  for (std::size_t k = 0; k < params_.size(); ++k) {
    half_[k] = params_[k] / 2;
    largest = std::max(largest, std::abs(half_[k]));
  }
  if (largest <= kLargestAngle) {
    trig_.sines_cosines(half_.data(), half_.size(), sines_.data(), cosines_.data());
    return;
  }
  for (std::size_t k = 0; k < half_.size(); ++k) {
    sines_[k] = std::sin(half_[k]);
    cosines_[k] = std::cos(half_[k]);
  }
}

void Numbers::compute(const double* values) {
  evaluate_parameters(circuit_, values, params_);
  find_half_angles();
  Chain chain(circuit_, plan_.lowered, params_);
  for (std::size_t i = 0; i < recipes_.size(); ++i) {
    throw_if_interrupted(i);
    const Node& n = plan_.lowered.nodes[i];
    const Recipe& recipe = recipes_[i];
    if (n.kind == NodeKind::kTwo) {
      nodes_.two[i] = chain.matrix2(n.first_source);
    } else if (n.kind == NodeKind::kOne && !recipe.is_fixed) {
      nodes_.one[i] = recipe.begin < recipe.end ? cook(recipe) : chain.matrix1(n.first_source);
    }
  }
  move_phases(plan_.lowered, nodes_);
}

Complex Numbers::phase() const {
  Complex product{1.0, 0.0};
  for (const std::int64_t index : plan_.lowered.phases) {
    const double angle = params_[to_size(operation_at(circuit_, index).first_param)];
    product *= Complex{std::cos(angle), std::sin(angle)};
  }
  return product;
}

std::span<const Complex> Numbers::table(const DiagonalGroup& group) {
  if (group.is_parity) {
    fill_parity(group);
  } else {
    fill_table(group);
  }
  return table_;
}

std::span<const Complex> Numbers::matrix(const TileOp& op) {
  const Node& n = node(op.node);
  if (n.kind == NodeKind::kOne) return one(op.node);
  target_matrix(circuit_, operation_at(circuit_, source(n.first_source).operation), params_.data(), scratch_);
  return scratch_;
}

// The diagonal of a node over its qubits, first qubit least significant.
void Numbers::node_diagonal(const Node& n, std::vector<Complex>& out) {
  const Source& first = source(n.first_source);
  out.resize(std::size_t{1} << n.num_diagonal);
  if (first.placement == Placement::kWhole && (n.num_diagonal > 1 || first.next < 0)) {
    return operation_diagonal(first.operation, out);
  }
  if (first.placement == Placement::kUnswapped) {
    full_matrix(circuit_, operation_at(circuit_, first.operation), params_.data(), scratch_);
    out = {scratch_[0], scratch_[1 * 4 + 2], scratch_[2 * 4 + 1], scratch_[15]};
    return;
  }
  Chain chain(circuit_, plan_.lowered, params_);
  if (n.num_diagonal == 1) {
    const Matrix2 m = chain.matrix1(n.first_source);
    out = {m[0], m[3]};
  } else {
    const Matrix4 m = chain.matrix2(n.first_source);
    out = {m[0], m[5], m[10], m[15]};
  }
}

// The same with the phases that neighbours have given to it.
void Numbers::whole_diagonal(const Node& n, std::vector<Complex>& out) {
  node_diagonal(n, out);
  const std::int32_t* q = plan_.lowered.qubits_of(n);
  for (std::int32_t p = nodes_.first_phase[index_of(n)]; p >= 0; p = nodes_.phases[to_size(p)].next) {
    const AbsorbedPhase& phase = nodes_.phases[to_size(p)];
    const auto k = std::find(q, q + n.num_diagonal, phase.label) - q;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if ((i >> k) & 1) out[i] *= phase.value;
    }
  }
}

void Numbers::operation_diagonal(std::int64_t index, std::vector<Complex>& out) {
  const Operation op = operation_at(circuit_, index);
  const std::size_t controls = std::size_t{1} << op.num_controls, dim = std::size_t{1} << op.num_targets;
  if (op.row->data != DataKind::kDiagonal) target_matrix(circuit_, op, params_.data(), scratch_);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t t = i >> op.num_controls;
    if ((i & (controls - 1)) != op.control_state) {
      out[i] = 1.0;
    } else if (op.row->data == DataKind::kDiagonal) {
      out[i] = circuit_.complex_data[to_size(op.data)][t];
    } else {
      out[i] = scratch_[t * dim + t];
    }
  }
}

// Product of the nodes' diagonals, one entry per index. Nodes on one or two bits, nearly all, are gathered by their
// highest bit h: for each value of bit h they are a product of factors of single lower bits, so that the table grows
// bit by bit at a few multiplications an entry, however many nodes there are.
void Numbers::fill_table(const DiagonalGroup& group) {
  const std::size_t bits = group.labels.size();
  table_factors_.resize(std::max(table_factors_.size(), bits));
  for (std::size_t h = 0; h < bits; ++h) {
    table_factors_[h].constant = {1.0, 1.0};
    table_factors_[h].lower_used = {0, 0};
    table_factors_[h].is_used = {false, false};
  }
  wide_.clear();
  for (const std::int32_t i : group.nodes) gather_factors(group, node(i));
  table_.resize(std::size_t{1} << bits);
  table_[0] = 1.0;
  for (std::size_t h = 0; h < bits; ++h) {
    const std::size_t half = std::size_t{1} << h;
    for (std::size_t value : {std::size_t{1}, std::size_t{0}}) {  // the upper half reads the lower one
      const TableFactors& f = table_factors_[h];
      Complex* to = table_.data() + value * half;
      if (f.is_used[value]) {
        multiply_out(f, value, h);
        for (std::size_t e = 0; e < half; ++e) to[e] = table_[e] * product_[e];
      } else if (value == 1) {
        std::copy(table_.data(), table_.data() + half, to);
      }
    }
  }
  for (const std::int32_t i : wide_) multiply_wide(group, node(i));
}

void Numbers::gather_factors(const DiagonalGroup& group, const Node& n) {
  if (n.num_diagonal > 2) {
    wide_.push_back(static_cast<std::int32_t>(index_of(n)));
    return;
  }
  whole_diagonal(n, diagonal_);
  const std::int32_t* q = plan_.lowered.qubits_of(n);
  std::size_t high = table_bit(group, q[0]), low = high;
  if (n.num_diagonal == 2) {
    low = table_bit(group, q[1]);
    if (low > high) {
      std::swap(low, high);
    } else {
      std::swap(diagonal_[1], diagonal_[2]);
    }
  }
  TableFactors& f = table_factors_[high];
  for (std::size_t value = 0; value < 2; ++value) {
    if (n.num_diagonal == 1) {
      if (diagonal_[value] == Complex{1.0, 0.0}) continue;
      f.constant[value] *= diagonal_[value];
    } else {
      const Complex zero = diagonal_[2 * value], one = diagonal_[2 * value + 1];
      if (zero == Complex{1.0, 0.0} && one == Complex{1.0, 0.0}) continue;
      auto& pair = f.lower[value][low];
      if (!((f.lower_used[value] >> low) & 1)) pair = {1.0, 1.0};
      f.lower_used[value] |= 1u << low;
      pair[0] *= zero;
      pair[1] *= one;
    }
    f.is_used[value] = true;
  }
}

// product_[e] for e below 2^h.
void Numbers::multiply_out(const TableFactors& f, std::size_t value, std::size_t h) {
  product_.resize(std::max(product_.size(), std::size_t{1} << h));
  product_[0] = f.constant[value];
  for (std::size_t l = 0; l < h; ++l) {
    const std::size_t half = std::size_t{1} << l;
    if (!((f.lower_used[value] >> l) & 1)) {
      std::copy(product_.data(), product_.data() + half, product_.data() + half);
      continue;
    }
    const std::array<Complex, 2>& factor = f.lower[value][l];
    for (std::size_t e = 0; e < half; ++e) {
      product_[e + half] = product_[e] * factor[1];
      product_[e] *= factor[0];
    }
  }
}

void Numbers::multiply_wide(const DiagonalGroup& group, const Node& n) {
  whole_diagonal(n, diagonal_);
  const std::int32_t* q = plan_.lowered.qubits_of(n);
  std::vector<std::size_t> shift;
  for (int k = 0; k < n.num_diagonal; ++k) shift.push_back(table_bit(group, q[k]));
  for (std::size_t e = 0; e < table_.size(); ++e) {
    std::size_t at = 0;
    for (int k = 0; k < n.num_diagonal; ++k) at |= ((e >> shift[to_size(k)]) & 1) << k;
    table_[e] *= diagonal_[at];
  }
}

void Numbers::fill_parity(const DiagonalGroup& group) {
  const Node& n = node(group.nodes[0]);
  const double angle = params_[to_size(operation_at(circuit_, source(n.first_source).operation).first_param)];
  const Complex even{std::cos(angle / 2), -std::sin(angle / 2)};
  std::size_t mask = 0, controls = 0, control_value = 0;
  for (std::size_t k = 0; k < group.labels.size(); ++k) {
    const std::int32_t l = group.labels[k];
    if (l < 0) continue;
    const bool is_control = (group.controls >> l) & 1;
    (is_control ? controls : mask) |= std::size_t{1} << k;
    if (is_control && ((group.control_value >> l) & 1)) control_value |= std::size_t{1} << k;
  }
  const std::size_t slice = std::size_t{1} << group.labels.size();
  table_.assign((group.controls == 0 ? 3 : 5) * slice, 1.0);
  for (std::size_t e = 0; e < 3 * slice; ++e) {
    if ((e & controls) != control_value) continue;
    const bool odd = ((std::popcount(e % slice & mask) + static_cast<int>(e / slice)) & 1) != 0;
    table_[e] = odd ? std::conj(even) : even;
  }
}

}  // namespace qfast
