#include "plan/bind.h"

#include <array>
#include <bit>
#include <cmath>

#include "plan/chain.h"
#include "plan/gauge.h"
#include "plan/matrices.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }
bool is_near(Complex a, Complex b) { return std::abs(a - b) <= kRoundingOfZero; }

template <class T>
class Binder {
 public:
  Binder(const Plan& plan, const FlatCircuit& circuit, BoundPlan<T>& out) : plan_(plan), circuit_(circuit), out_(out) {}

  void run(const double* values) {
    evaluate_parameters(circuit_, values, params_);
    Chain chain(circuit_, plan_.lowered, params_);
    compute_numbers(plan_.lowered, chain, numbers_);
    out_.arena.clear();
    out_.steps.clear();
    out_.sweeps.resize(plan_.sweeps.size());
    for (std::size_t s = 0; s < plan_.sweeps.size(); ++s) bind_sweep(plan_.sweeps[s], out_.sweeps[s]);
    if (!out_.sweeps.empty()) {
      for (const std::int64_t index : plan_.lowered.phases) {
        const double angle = params_[to_size(operation_at(circuit_, index).first_param)];
        out_.sweeps.back().scale *= Complex{std::cos(angle), std::sin(angle)};
      }
    }
  }

 private:
  const Node& node(std::int32_t i) const { return plan_.lowered.nodes[to_size(i)]; }
  const Source& source(std::int32_t i) const { return plan_.lowered.sources[to_size(i)]; }

  void bind_sweep(const Sweep& sweep, BoundSweep& bound) {
    bound.ops.clear();
    scale_ = 1.0;
    for (const TileOp& op : sweep.ops) {
      BoundOp b{};
      b.op = &op;
      b.first_step = out_.steps.size();
      if (op.kind == TileOp::Kind::kBlock) {
        for (const PlanStep& step : op.steps) bind_step(step);
      } else {
        bind_matrix(op, b);
      }
      b.last_step = out_.steps.size();
      bound.ops.push_back(b);
    }
    bound.scale = scale_;
  }

  void add_step(StepKind kind, int variant, std::initializer_list<Complex> numbers, const OuterCondition& condition,
                bool is_real = false) {
    BoundStep step{};
    step.code = step_code(kind, variant);
    step.condition = condition;
    step.constants = out_.arena.reserve(numbers.size() * (is_real ? 1 : 2), false);
    T* to = out_.arena.data() + step.constants;
    for (const Complex z : numbers) {
      *to++ = static_cast<T>(z.real());
      if (!is_real) *to++ = static_cast<T>(z.imag());
    }
    out_.steps.push_back(step);
  }

  void bind_step(const PlanStep& step) {
    switch (step.kind) {
      case PlanStep::Kind::kOne:
        return bind_one(step);
      case PlanStep::Kind::kTwo:
        return bind_two(step);
      case PlanStep::Kind::kDiagonal:
        return bind_diagonal(step);
      case PlanStep::Kind::kSwapLane:
        return add_step(StepKind::kSwapLane, step.target + 3 * step.second, {}, step.condition);
      case PlanStep::Kind::kFlip:
        return add_step(StepKind::kExchange, step.target, {}, step.condition);
    }
  }

  void bind_one(const PlanStep& step) {
    const Matrix2& m = numbers_.one[to_size(step.index)];
    if (step.control_mask != 0 || step.condition.mask != 0) return bind_controlled(step, m);
    bind_normalised(step, m);
  }

  static bool is_real(std::span<const Complex> numbers) {
    for (const Complex z : numbers) {
      if (std::abs(z.imag()) > kRoundingOfZero) return false;
    }
    return true;
  }

  // Acts on a part of the amplitudes only, so no factor can be left out.
  void bind_controlled(const PlanStep& step, const Matrix2& m) {
    const int variant = step.target + 3 * step.control_mask;
    if (is_near(m[0], 0) && is_near(m[3], 0) && is_near(m[1], 1) && is_near(m[2], 1)) {
      return add_step(StepKind::kExchange, variant, {}, step.condition);
    }
    const bool real = is_real(m);
    add_step(real ? StepKind::kGeneralReal : StepKind::kGeneral, variant, {m[0], m[1], m[2], m[3]}, step.condition,
             real);
  }

  // m = scale · [[1, a], [b, d]], after an exchange of the inputs where that makes |a| at most 1: a rotation then costs
  // two fused multiply-adds a pair and component instead of four, and the factors of a sweep are applied at its end.
  void bind_normalised(const PlanStep& step, Matrix2 m) {
    if (std::abs(m[0]) < std::abs(m[1])) {
      add_step(StepKind::kExchange, step.target, {}, {});
      std::swap(m[0], m[1]);
      std::swap(m[2], m[3]);
    }
    const Complex a = m[1] / m[0], b = m[2] / m[0], d = m[3] / m[0];
    scale_ *= m[0];
    if (is_near(a, 0) && is_near(b, 0) && is_near(d, 1)) return;
    const std::array<Complex, 3> all{a, b, d};
    keep_norm(all);
    const bool is_plus = is_near(d, 1), is_minus = is_near(d, -1);
    if (is_real(all) && (is_plus || is_minus)) {
      add_step(is_plus ? StepKind::kReal : StepKind::kRealNeg, step.target, {a, b}, {}, true);
    } else if (is_plus && std::abs(a.real()) <= kRoundingOfZero && std::abs(b.real()) <= kRoundingOfZero) {
      add_step(StepKind::kImag, step.target, {a.imag(), b.imag()}, {}, true);
    } else if (is_plus) {
      add_step(StepKind::kGivens, step.target, {a, b}, {});
    } else {
      add_step(StepKind::kScaled, step.target, {a, b, d}, {});
    }
    renormalise();
  }

  // Rounded to T, [[1, a], [b, d]] grows or shrinks every state by the same little (a rotation: exactly so), which adds
  // up where a gate is repeated: the scale takes it back.
  void keep_norm(const std::array<Complex, 3>& entries) {
    double exact = 1, rounded = 1;
    for (const Complex z : entries) {
      exact += std::norm(z);
      rounded += std::norm(Complex{static_cast<T>(z.real()), static_cast<T>(z.imag())});
    }
    scale_ *= std::sqrt(exact / rounded);
  }

  // Amplitudes grow by up to √2 a step while the factors are left out; single precision ends at 3e38.
  void renormalise() {
    if (std::abs(scale_) > (sizeof(T) == 4 ? 1e-12 : 1e-100)) return;
    add_step(StepKind::kScale, 0, {scale_}, {});
    scale_ = 1.0;
  }

  static int pair_variant(int j, int k) { return j == 0 ? k - 1 : 2; }

  void bind_two(const PlanStep& step) {
    Matrix4 m = numbers_.two[to_size(step.index)];
    if (step.is_reversed) m = exchange_qubits(m);
    std::uint16_t pattern = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      if (std::abs(m[i]) > kRoundingOfZero) pattern = static_cast<std::uint16_t>(pattern | (1u << i));
    }
    const int variant = pair_variant(step.target, step.second);
    if ((pattern & ~kPatternPairs2) == 0) return bind_pairs(variant, m);
    const bool real = is_real(m);
    add_step(real ? StepKind::kDense2Real : StepKind::kDense2, variant,
             {m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11], m[12], m[13], m[14], m[15]}, {},
             real);
  }

  // Two 2 x 2 blocks, with the number at |00> or |11> left out as a factor of the whole, whichever is larger.
  void bind_pairs(int variant, const Matrix4& m) {
    if (std::abs(m[0]) < std::abs(m[3])) {
      return add_step(StepKind::kPairs2, variant, {m[0], m[3], m[12], m[15], m[5], m[6], m[9], m[10]}, {});
    }
    const Complex f = m[0];
    scale_ *= f;
    add_step(StepKind::kPairs2Scaled, variant,
             {m[3] / f, m[12] / f, m[15] / f, m[5] / f, m[6] / f, m[9] / f, m[10] / f}, {});
    renormalise();
  }

  // The diagonal of a node over its qubits, first qubit least significant.
  void node_diagonal(const Node& n, std::vector<Complex>& out) {
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
  void whole_diagonal(const Node& n, std::vector<Complex>& out) {
    node_diagonal(n, out);
    const std::int32_t* q = plan_.lowered.qubits_of(n);
    for (std::int32_t p = numbers_.first_phase[index_of(n)]; p >= 0; p = numbers_.phases[to_size(p)].next) {
      const AbsorbedPhase& phase = numbers_.phases[to_size(p)];
      const auto k = std::find(q, q + n.num_diagonal, phase.label) - q;
      for (std::size_t i = 0; i < out.size(); ++i) {
        if ((i >> k) & 1) out[i] *= phase.value;
      }
    }
  }

  std::size_t index_of(const Node& n) const { return to_size(&n - plan_.lowered.nodes.data()); }

  void operation_diagonal(std::int64_t index, std::vector<Complex>& out) {
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

  void bind_diagonal(const PlanStep& step) {
    const DiagonalGroup& group = plan_.groups[to_size(step.index)];
    if (group.is_parity) {
      fill_parity(group);
    } else {
      fill_table(group);
    }
    BoundStep bound{};
    bound.code = step_code(group.has_lanes ? StepKind::kDiagonal : StepKind::kDiagonalScalar, 0);
    bound.group = &group;
    bound.constants = out_.arena.reserve(2 * table_.size(), true);
    T* to = out_.arena.data() + bound.constants;
    const std::size_t lanes = group.has_lanes ? std::size_t{1} << plan_.lane_bits : 1;
    for (std::size_t e = 0; e < table_.size(); ++e) {
      const std::size_t at = (e / lanes) * 2 * lanes + e % lanes;
      to[at] = static_cast<T>(table_[e].real());
      to[at + lanes] = static_cast<T>(table_[e].imag());
    }
    out_.steps.push_back(bound);
  }

  // Product of the nodes' diagonals, one entry per index. Nodes on one or two bits, nearly all, are gathered by their
  // highest bit h: for each value of bit h they are a product of factors of single lower bits, so that the table grows
  // bit by bit at a few multiplications an entry, however many nodes there are.
  void fill_table(const DiagonalGroup& group) {
    const std::size_t bits = group.labels.size();
    factors_.assign(bits, {});
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

  // What the nodes with highest bit h contribute: for each value of bit h a number, and one factor per value of each
  // lower bit.
  struct Factors {
    std::array<Complex, 2> constant{1.0, 1.0};
    std::array<std::array<std::array<Complex, 2>, 32>, 2> lower;  // [value of h][lower bit][its value]
    std::array<std::uint32_t, 2> lower_used{0, 0};
    std::array<bool, 2> is_used{false, false};
  };

  static std::size_t table_bit(const DiagonalGroup& group, std::int32_t label) {
    return to_size(std::find(group.labels.begin(), group.labels.end(), label) - group.labels.begin());
  }

  void gather_factors(const DiagonalGroup& group, const Node& n) {
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
  void multiply_out(const Factors& f, std::size_t value, std::size_t h) {
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

  void multiply_wide(const DiagonalGroup& group, const Node& n) {
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

  // Three slices, even, odd, even: the parities of the block number and of the tile each advance one slice.
  void fill_parity(const DiagonalGroup& group) {
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

  void bind_matrix(const TileOp& op, BoundOp& bound) {
    const Node& n = node(op.node);
    const Operation operation = operation_at(circuit_, source(n.first_source).operation);
    if (n.kind == NodeKind::kOne) {
      const Matrix2& m = numbers_.one[to_size(op.node)];
      scratch_.assign(m.begin(), m.end());
    } else {
      target_matrix(circuit_, operation, params_.data(), scratch_);
    }
    bound.matrix = out_.arena.reserve(2 * scratch_.size(), true);
    T* to = out_.arena.data() + bound.matrix;
    for (const Complex z : scratch_) {
      *to++ = static_cast<T>(z.real());
      *to++ = static_cast<T>(z.imag());
    }
    const std::size_t lanes = std::size_t{1} << plan_.lane_bits;
    bound.lane_mask = out_.arena.reserve(lanes, true);
    for (std::size_t l = 0; l < lanes; ++l) {
      out_.arena.data()[bound.lane_mask + l] = (l & op.lane_mask) == op.lane_value ? T(1) : T(0);
    }
  }

  const Plan& plan_;
  const FlatCircuit& circuit_;
  BoundPlan<T>& out_;
  std::vector<double> params_;
  NodeNumbers numbers_;
  std::vector<Complex> scratch_, table_, diagonal_, product_;
  std::vector<Factors> factors_;    // by table bit
  std::vector<std::int32_t> wide_;  // nodes on more than two qubits
  Complex scale_;
};

}  // namespace

template <class T>
void bind(const Plan& plan, const FlatCircuit& circuit, const double* values, BoundPlan<T>& out) {
  Binder<T>(plan, circuit, out).run(values);
}

template void bind<float>(const Plan&, const FlatCircuit&, const double*, BoundPlan<float>&);
template void bind<double>(const Plan&, const FlatCircuit&, const double*, BoundPlan<double>&);

}  // namespace qfast
