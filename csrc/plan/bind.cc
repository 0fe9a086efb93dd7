#include "plan/bind.h"

#include <array>
#include <bit>
#include <cmath>

#include "base/cancel.h"
#include "plan/matrices.h"
#include "plan/permutation.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }
bool is_near(Complex a, Complex b) { return is_zero(a - b); }

template <class T>
class Binder {
 public:
  Binder(const Plan& plan, BoundPlan<T>& out) : plan_(plan), out_(out), numbers_(*out.numbers) {}

  void run() {
    out_.arena.clear();
    out_.steps.clear();
    out_.sweeps.resize(plan_.sweeps.size());
    BoundSweep* last = nullptr;
    for (std::size_t s = 0; s < plan_.sweeps.size(); ++s) {
      if (is_permutation(plan_.sweeps[s])) continue;
      bind_sweep(plan_.sweeps[s], out_.sweeps[s]);
      last = &out_.sweeps[s];
    }
    if (last) last->scale *= numbers_.phase();
  }

 private:
  void bind_sweep(const Sweep& sweep, BoundSweep& bound) {
    bound.ops.clear();
    scale_ = 1.0;
    for (const TileOp& op : sweep.ops) {
      BoundOp b{};
      b.op = &op;
      throw_if_interrupted(bound.ops.size());
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
    const Matrix2& m = numbers_.one(step.index);
    if (step.control_mask != 0 || step.condition.mask != 0) return bind_controlled(step, m);
    bind_normalised(step, m);
  }

  static bool is_real(std::span<const Complex> numbers) {
    for (const Complex z : numbers) {
      if (!is_zero(z.imag())) return false;
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
    if (std::norm(m[0]) < std::norm(m[1])) {
      add_step(StepKind::kExchange, step.target, {}, {});
      std::swap(m[0], m[1]);
      std::swap(m[2], m[3]);
    }
    const Complex inverse = 1.0 / m[0], a = m[1] * inverse, b = m[2] * inverse, d = m[3] * inverse;
    scale_ *= m[0];
    if (is_near(a, 0) && is_near(b, 0) && is_near(d, 1)) return;
    const std::array<Complex, 3> all{a, b, d};
    scale_ *= lost_norm<T>(all, 1);
    const bool is_plus = is_near(d, 1), is_minus = is_near(d, -1);
    if (is_real(all) && (is_plus || is_minus)) {
      add_step(is_plus ? StepKind::kReal : StepKind::kRealNeg, step.target, {a, b}, {}, true);
    } else if (is_plus && is_zero(a.real()) && is_zero(b.real())) {
      add_step(StepKind::kImag, step.target, {a.imag(), b.imag()}, {}, true);
    } else if (is_plus) {
      add_step(StepKind::kGivens, step.target, {a, b}, {});
    } else {
      add_step(StepKind::kScaled, step.target, {a, b, d}, {});
    }
    renormalise();
  }

  // Amplitudes grow by up to √2 a step while the factors are left out; single precision ends at 3e38.
  void renormalise() {
    if (std::norm(scale_) > (sizeof(T) == 4 ? 1e-24 : 1e-200)) return;
    add_step(StepKind::kScale, 0, {scale_}, {});
    scale_ = 1.0;
  }

  static int pair_variant(int j, int k) { return j == 0 ? k - 1 : 2; }

  void bind_two(const PlanStep& step) {
    Matrix4 m = numbers_.two(step.index);
    if (step.is_reversed) m = exchange_qubits(m);
    std::uint16_t pattern = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      if (!is_zero(m[i])) pattern = static_cast<std::uint16_t>(pattern | (1u << i));
    }
    const int variant = pair_variant(step.target, step.second);
    if ((pattern & ~kPatternPairs2) == 0) return bind_pairs(variant, m);
    scale_ *= lost_norm<T>(m);
    const bool real = is_real(m);
    add_step(real ? StepKind::kDense2Real : StepKind::kDense2, variant,
             {m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11], m[12], m[13], m[14], m[15]}, {},
             real);
  }

  // Two 2 x 2 blocks, with the number at |00> or |11> left out as a factor of the whole, whichever is larger.
  void bind_pairs(int variant, const Matrix4& m) {
    if (std::norm(m[0]) < std::norm(m[3])) {
      scale_ *= lost_norm<T>(m);
      return add_step(StepKind::kPairs2, variant, {m[0], m[3], m[12], m[15], m[5], m[6], m[9], m[10]}, {});
    }
    const Complex f = m[0];
    const std::array<Complex, 7> rest{m[3] / f, m[12] / f, m[15] / f, m[5] / f, m[6] / f, m[9] / f, m[10] / f};
    scale_ *= f * lost_norm<T>(rest, 1);
    add_step(StepKind::kPairs2Scaled, variant, {rest[0], rest[1], rest[2], rest[3], rest[4], rest[5], rest[6]}, {});
    renormalise();
  }

  void bind_diagonal(const PlanStep& step) {
    const DiagonalGroup& group = plan_.groups[to_size(step.index)];
    const std::span<const Complex> table = numbers_.table(group);
    if (step.condition.mask == 0) scale_ *= lost_norm<T>(table);
    BoundStep bound{};
    bound.code = group.has_lanes ? step_code(StepKind::kDiagonal, 0)
                                 : step_code(StepKind::kDiagonalScalar, scalar_variant(table));
    bound.group = &group;
    bound.condition = step.condition;
    bound.constants = out_.arena.reserve(2 * table.size(), true);
    T* to = out_.arena.data() + bound.constants;
    const std::size_t lanes = group.has_lanes ? std::size_t{1} << plan_.lane_bits : 1;
    for (std::size_t e = 0; e < table.size(); ++e) {
      const std::size_t at = (e / lanes) * 2 * lanes + e % lanes;
      to[at] = static_cast<T>(table[e].real());
      to[at + lanes] = static_cast<T>(table[e].imag());
    }
    out_.steps.push_back(bound);
  }

  // Which block vectors a table without lanes leaves alone: a controlled phase on two block bits touches two of eight.
  int scalar_variant(std::span<const Complex> table) const {
    std::size_t needed = (std::size_t{1} << plan_.block_bits) - 1;  // block bits that are set in every other entry
    for (std::size_t e = 0; e < table.size() && needed != 0; ++e) {
      if (table[e] != Complex{1.0, 0.0}) needed &= e;
    }
    if (needed == 0) return 0;
    const int first = std::countr_zero(needed);
    if (std::has_single_bit(needed)) return 1 + first;
    return 4 + pair_variant(first, std::countr_zero(needed & (needed - 1)));
  }

  void bind_matrix(const TileOp& op, BoundOp& bound) {
    const std::span<const Complex> matrix = numbers_.matrix(op);
    bound.matrix = out_.arena.reserve(2 * matrix.size(), true);
    T* to = out_.arena.data() + bound.matrix;
    for (const Complex z : matrix) {
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
  BoundPlan<T>& out_;
  Numbers& numbers_;
  Complex scale_;
};

}  // namespace

template <class T>
void bind(const Plan& plan, const FlatCircuit& circuit, const TrigKernels& trig, const double* values,
          BoundPlan<T>& out) {
  if (!out.numbers) out.numbers = std::make_unique<Numbers>(plan, circuit, trig);
  out.numbers->compute(values);
  Binder<T>(plan, out).run();
  for (std::size_t s = 0; s < plan.sweeps.size(); ++s) {  // the same for any values
    std::vector<std::uint32_t>& source = out.sweeps[s].source;
    if (is_permutation(plan.sweeps[s]) && source.empty()) source = permutation_source(circuit, plan, plan.sweeps[s]);
  }
}

template void bind<float>(const Plan&, const FlatCircuit&, const TrigKernels&, const double*, BoundPlan<float>&);
template void bind<double>(const Plan&, const FlatCircuit&, const TrigKernels&, const double*, BoundPlan<double>&);

}  // namespace qfast
