#include "plan/gauge.h"

#include <cmath>

#include "plan/matrices.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

class Gauge {
 public:
  Gauge(const Lowered& lowered, NodeNumbers& out) : lowered_(lowered), out_(out) {}

  void run() {
    for (std::size_t i = 0; i < lowered_.nodes.size(); ++i) {
      const Node& n = lowered_.nodes[i];
      if (n.kind != NodeKind::kOne || n.num_diagonal != 0) continue;
      if (is_cheap(out_.one[i])) continue;
      const auto& [before, after] = lowered_.absorbers[i];
      move(out_.one[i], lowered_.qubits_of(n)[0], takes_phase(before) ? before : -1, takes_phase(after) ? after : -1);
    }
  }

 private:
  // Real, or an imaginary off-diagonal with a real diagonal: has a kernel that is no dearer than a rotation's.
  static bool is_cheap(const Matrix2& m) {
    // |pivot|² is at least 1/2, so that a product with its conjugate tells as much as a quotient.
    const Complex pivot = std::conj(std::norm(m[0]) >= std::norm(m[1]) ? m[0] : m[1]);
    const auto is_real = [&](std::size_t k) { return is_zero((m[k] * pivot).imag()); };
    const auto is_imaginary = [&](std::size_t k) { return is_zero((m[k] * pivot).real()); };
    const bool real = is_real(0) && is_real(1) && is_real(2) && is_real(3);
    const bool mixed = is_real(0) && is_real(3) && is_imaginary(1) && is_imaginary(2);
    return real || mixed;
  }

  bool takes_phase(std::int32_t i) const {
    if (i < 0) return false;
    const Node& n = lowered_.nodes[to_size(i)];
    return n.kind == NodeKind::kDiagonal ? true : !is_real_pair(out_.two[to_size(i)]);
  }

  // A dense real pair has a cheaper kernel, which a phase would spoil.
  static bool is_real_pair(const Matrix4& m) {
    for (const Complex z : m) {
      if (!is_zero(z.imag())) return false;
    }
    return true;
  }

  // m = diag(1, late) · m' · diag(1, early), with late given to `after` and early to `before`.
  void move(Matrix2& m, std::int32_t label, std::int32_t before, std::int32_t after) {
    Complex early{1.0, 0.0}, late{1.0, 0.0};
    const bool is_diagonal_like = std::norm(m[0]) >= std::norm(m[1]);
    if (before >= 0 && after >= 0) {
      if (is_diagonal_like) {
        // m' = m00/|m00| [[c, -s], [s, c]]
        late = is_zero(m[2]) ? phase_between(m[3], m[0]) : phase_between(m[2], m[0]);
        early = is_zero(m[1]) ? phase_between(m[3], m[0] * late) : phase_between(-m[1], m[0]);
      } else {
        // m' = -m01/|m01| [[c, -1], [1, c]] up to the sizes, c real
        early = is_zero(m[0]) ? Complex{1.0, 0.0} : phase_between(-m[1], m[0]);
        late = phase_between(m[2] * early, -m[1]);
      }
    } else if (after >= 0) {
      late = is_diagonal_like ? phase_between(m[3], m[0]) : phase_between(m[2], m[1]);
    } else if (before >= 0) {
      early = is_diagonal_like ? phase_between(m[3], m[0]) : phase_between(m[1], m[2]);
    } else {
      return;
    }
    m[1] *= std::conj(early);
    m[2] *= std::conj(late);
    m[3] *= std::conj(late * early);
    if (before >= 0) give(before, label, early, false);
    if (after >= 0) give(after, label, late, true);
  }

  // (a / b) / |a / b|
  static Complex phase_between(Complex a, Complex b) {
    const Complex z = a * std::conj(b);
    return z / std::sqrt(std::norm(z));
  }

  // Multiplies diag(1, phase) on the label into a node: from the right (it acts before the node) or from the left.
  void give(std::int32_t i, std::int32_t label, Complex phase, bool acts_before) {
    const Node& n = lowered_.nodes[to_size(i)];
    if (n.kind == NodeKind::kDiagonal) {
      std::int32_t& first = out_.first_phase[to_size(i)];
      out_.phases.push_back({phase, label, first});
      first = static_cast<std::int32_t>(out_.phases.size() - 1);
      return;
    }
    const std::size_t bit = lowered_.qubits_of(n)[0] == label ? 1 : 2;
    Matrix4& m = out_.two[to_size(i)];
    for (std::size_t r = 0; r < 4; ++r) {
      for (std::size_t c = 0; c < 4; ++c) {
        if ((acts_before ? c : r) & bit) m[4 * r + c] *= phase;
      }
    }
  }

  const Lowered& lowered_;
  NodeNumbers& out_;
};

}  // namespace

void move_phases(const Lowered& lowered, NodeNumbers& numbers) {
  numbers.first_phase.assign(lowered.nodes.size(), -1);
  numbers.phases.clear();
  Gauge(lowered, numbers).run();
}

}  // namespace qfast
