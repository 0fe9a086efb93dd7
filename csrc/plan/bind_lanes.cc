#include "plan/bind_lanes.h"

#include <cmath>

#include "plan/matrices.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

// A step has one form for all lanes, chosen so that it serves each of them. The forms of bind.cc that leave a factor
// out divide by an entry that may be near zero in one lane or another; here only its phase is left out.
template <class T>
class LaneBinder {
 public:
  LaneBinder(const Plan& plan, LanePlan<T>& out) : plan_(plan), out_(out), lanes_(to_size(out.lanes)) {}

  void run() {
    out_.arena.clear();
    out_.steps.clear();
    out_.ops.clear();
    out_.scale.resize(lanes_);
    for (std::size_t l = 0; l < lanes_; ++l) out_.scale[l] = out_.numbers[l]->phase();
    if (plan_.sweeps.empty()) return;
    for (const TileOp& op : plan_.sweeps.front().ops) {
      BoundOp bound{};
      bound.op = &op;
      bound.first_step = out_.steps.size();
      if (op.kind == TileOp::Kind::kBlock) {
        for (const PlanStep& step : op.steps) bind_step(step);
      } else {
        bind_matrix(op, bound);
      }
      bound.last_step = out_.steps.size();
      out_.ops.push_back(bound);
    }
  }

 private:
  void bind_step(const PlanStep& step) {
    switch (step.kind) {
      case PlanStep::Kind::kOne:
        return bind_one(step);
      case PlanStep::Kind::kTwo:
        return bind_two(step);
      case PlanStep::Kind::kDiagonal:
        return bind_diagonal(step);
      case PlanStep::Kind::kFlip:
        return add_exchange(step.target);
      case PlanStep::Kind::kSwapLane:
        return;  // there are no lane qubits
    }
  }

  void add_exchange(int variant) {
    BoundStep step{};
    step.code = step_code(StepKind::kExchange, variant);
    out_.steps.push_back(step);
  }

  // Numbers `chosen` of every lane's matrix; their real parts only where `is_real`.
  template <std::size_t kSize>
  void add_step(StepKind kind, int variant, const std::vector<std::array<Complex, kSize>>& matrices, bool is_real,
                std::initializer_list<std::size_t> chosen) {
    BoundStep step{};
    step.code = step_code(kind, variant);
    step.constants = out_.arena.reserve(chosen.size() * (is_real ? 1 : 2) * lanes_, true);
    T* to = out_.arena.data() + step.constants;
    for (const std::size_t k : chosen) {
      for (std::size_t l = 0; l < lanes_; ++l) to[l] = static_cast<T>(matrices[l][k].real());
      to += lanes_;
      if (is_real) continue;
      for (std::size_t l = 0; l < lanes_; ++l) to[l] = static_cast<T>(matrices[l][k].imag());
      to += lanes_;
    }
    out_.steps.push_back(step);
  }

  template <std::size_t kSize>
  static bool is_real(const std::vector<std::array<Complex, kSize>>& matrices) {
    for (const auto& m : matrices) {
      for (const Complex z : m) {
        if (!is_zero(z.imag())) return false;
      }
    }
    return true;
  }

  void bind_one(const PlanStep& step) {
    one_.resize(lanes_);
    const bool is_controlled = step.control_mask != 0;
    bool is_exchange = true, is_identity = true;
    for (std::size_t l = 0; l < lanes_; ++l) {
      Matrix2& m = one_[l] = out_.numbers[l]->one(step.index);
      if (!is_controlled) {
        const Complex pivot = std::norm(m[0]) >= std::norm(m[1]) ? m[0] : m[1];
        const Complex phase = pivot / std::sqrt(std::norm(pivot));
        for (Complex& z : m) z *= std::conj(phase);
        out_.scale[l] *= phase * lost_norm<T>(m);
      }
      is_exchange = is_exchange && is_zero(m[0]) && is_zero(m[3]) && is_zero(m[1] - 1.0) && is_zero(m[2] - 1.0);
      is_identity = is_identity && is_zero(m[1]) && is_zero(m[2]) && is_zero(m[0] - 1.0) && is_zero(m[3] - 1.0);
    }
    const int variant = step.target + 3 * step.control_mask;
    if (is_identity) return;
    if (is_exchange) return add_exchange(variant);
    const bool real = is_real(one_);
    add_step(real ? StepKind::kGeneralReal : StepKind::kGeneral, variant, one_, real, {0, 1, 2, 3});
  }

  void bind_two(const PlanStep& step) {
    two_.resize(lanes_);
    std::uint32_t pattern = 0;
    for (std::size_t l = 0; l < lanes_; ++l) {
      const Matrix4& m = out_.numbers[l]->two(step.index);
      two_[l] = step.is_reversed ? exchange_qubits(m) : m;
      out_.scale[l] *= lost_norm<T>(m);
      for (std::size_t i = 0; i < 16; ++i) pattern |= is_zero(m[i]) ? 0u : 1u << i;
    }
    const int variant = step.target == 0 ? step.second - 1 : 2;
    if ((pattern & ~std::uint32_t{kPatternPairs2}) == 0) {  // the same pattern after an exchange of the qubits
      return add_step(StepKind::kPairs2, variant, two_, false, {0, 3, 12, 15, 5, 6, 9, 10});
    }
    const bool real = is_real(two_);
    add_step(real ? StepKind::kDense2Real : StepKind::kDense2, variant, two_, real,
             {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  }

  void bind_diagonal(const PlanStep& step) {
    const DiagonalGroup& group = plan_.groups[to_size(step.index)];
    BoundStep bound{};
    bound.code = step_code(StepKind::kDiagonalScalar, 0);
    bound.group = &group;
    bound.constants = put_lanes([&](Numbers& numbers) { return numbers.table(group); }, true);
    out_.steps.push_back(bound);
  }

  void bind_matrix(const TileOp& op, BoundOp& bound) {
    bound.matrix = put_lanes([&](Numbers& numbers) { return numbers.matrix(op); }, false);
    bound.lane_mask = out_.arena.reserve(lanes_, true);
    std::fill_n(out_.arena.data() + bound.lane_mask, lanes_, T(1));
  }

  // As many complex numbers of each lane as `read` gives.
  template <class Read>
  std::size_t put_lanes(const Read& read, bool keeps_norm) {
    std::size_t at = 0;
    for (std::size_t l = 0; l < lanes_; ++l) {
      const std::span<const Complex> numbers = read(*out_.numbers[l]);
      if (keeps_norm) out_.scale[l] *= lost_norm<T>(numbers);
      if (l == 0) at = out_.arena.reserve(2 * numbers.size() * lanes_, true);
      T* to = out_.arena.data() + at + l;
      for (const Complex z : numbers) {
        to[0] = static_cast<T>(z.real());
        to[lanes_] = static_cast<T>(z.imag());
        to += 2 * lanes_;
      }
    }
    return at;
  }

  const Plan& plan_;
  LanePlan<T>& out_;
  std::size_t lanes_;
  std::vector<Matrix2> one_;  // by lane
  std::vector<Matrix4> two_;
};

}  // namespace

template <class T>
void bind_lanes(const Plan& plan, const FlatCircuit& circuit, const TrigKernels& trig,
                const std::vector<const double*>& rows, LanePlan<T>& out) {
  out.lanes = static_cast<int>(rows.size());
  while (out.numbers.size() < rows.size()) out.numbers.push_back(std::make_unique<Numbers>(plan, circuit, trig));
  for (std::size_t l = 0; l < rows.size(); ++l) out.numbers[l]->compute(rows[l]);
  LaneBinder<T>(plan, out).run();
}

template void bind_lanes<float>(const Plan&, const FlatCircuit&, const TrigKernels&, const std::vector<const double*>&,
                                LanePlan<float>&);
template void bind_lanes<double>(const Plan&, const FlatCircuit&, const TrigKernels&, const std::vector<const double*>&,
                                 LanePlan<double>&);

}  // namespace qfast
