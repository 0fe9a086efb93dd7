#include "plan/numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "plan/matrices.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

std::size_t table_bit(const DiagonalGroup& group, std::int32_t label) {
  return to_size(std::find(group.labels.begin(), group.labels.end(), label) - group.labels.begin());
}

}  // namespace

Numbers::Numbers(const Plan& plan, const FlatCircuit& circuit) : plan_(plan), circuit_(circuit) { find_fixed_nodes(); }

// Controlled gates without a parameter, cx above all: no phase is ever moved into them.
void Numbers::find_fixed_nodes() {
  std::vector<bool> is_symbolic(circuit_.params.size(), false);
  for (const std::int64_t slot : circuit_.expressions.slots) is_symbolic[to_size(slot)] = true;
  const auto has_parameter = [&](std::int64_t operation) {
    const auto first = is_symbolic.begin() + operation_at(circuit_, operation).first_param;
    const auto last = is_symbolic.begin() + circuit_.param_end[to_size(operation)];
    return std::find(first, last, true) != last;
  };
  nodes_.is_fixed.assign(plan_.lowered.nodes.size(), false);
  for (std::size_t i = 0; i < plan_.lowered.nodes.size(); ++i) {
    const Node& n = plan_.lowered.nodes[i];
    if (n.kind != NodeKind::kOne || n.num_diagonal == 0) continue;
    bool is_fixed = true;
    for (std::int32_t s = n.first_source; s >= 0 && is_fixed; s = source(s).next) {
      is_fixed = source(s).operation >= 0 && !has_parameter(source(s).operation);
    }
    nodes_.is_fixed[i] = is_fixed;
  }
}

void Numbers::compute(const double* values) {
  evaluate_parameters(circuit_, values, params_);
  Chain chain(circuit_, plan_.lowered, params_);
  compute_numbers(plan_.lowered, chain, nodes_);
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
  factors_.resize(std::max(factors_.size(), bits));
  for (std::size_t h = 0; h < bits; ++h) {
    factors_[h].constant = {1.0, 1.0};
    factors_[h].lower_used = {0, 0};
    factors_[h].is_used = {false, false};
  }
  wide_.clear();
  for (const std::int32_t i : group.nodes) gather_factors(group, node(i));
  table_.resize(std::size_t{1} << bits);
  table_[0] = 1.0;
  for (std::size_t h = 0; h < bits; ++h) {
    const std::size_t half = std::size_t{1} << h;
    for (std::size_t value : {std::size_t{1}, std::size_t{0}}) {  // the upper half reads the lower one
      const Factors& f = factors_[h];
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
  Factors& f = factors_[high];
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
void Numbers::multiply_out(const Factors& f, std::size_t value, std::size_t h) {
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
  std::size_t mask = 0;
  for (std::size_t k = 0; k < group.labels.size(); ++k) mask |= std::size_t{group.labels[k] >= 0} << k;
  const std::size_t slice = std::size_t{1} << group.labels.size();
  table_.resize(3 * slice);
  for (std::size_t e = 0; e < table_.size(); ++e) {
    const bool odd = ((std::popcount(e % slice & mask) + static_cast<int>(e / slice)) & 1) != 0;
    table_[e] = odd ? std::conj(even) : even;
  }
}

}  // namespace qfast
