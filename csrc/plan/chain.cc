#include "plan/chain.h"

#include <algorithm>
#include <cmath>

#include "plan/matrices.h"

namespace qfast {
namespace {

constexpr Matrix2 kIdentity2 = {1.0, 0.0, 0.0, 1.0};

}  // namespace

Matrix2 multiply(const Matrix2& a, const Matrix2& b) {
  return {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3]};
}

Matrix4 multiply(const Matrix4& a, const Matrix4& b) {
  Matrix4 out{};
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t k = 0; k < 4; ++k) {
      for (std::size_t c = 0; c < 4; ++c) out[4 * r + c] += a[4 * r + k] * b[4 * k + c];
    }
  }
  return out;
}

Matrix4 exchange_qubits(const Matrix4& m) {
  static constexpr std::size_t kSwapped[4] = {0, 2, 1, 3};
  Matrix4 out;
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t c = 0; c < 4; ++c) out[4 * r + c] = m[4 * kSwapped[r] + kSwapped[c]];
  }
  return out;
}

Matrix4 widen(const Matrix2& m, bool is_high) {
  Matrix4 out{};
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t c = 0; c < 2; ++c) {
      for (std::size_t other = 0; other < 2; ++other) {
        const std::size_t row = is_high ? 2 * r + other : r + 2 * other;
        const std::size_t col = is_high ? 2 * c + other : c + 2 * other;
        out[4 * row + col] = m[2 * r + c];
      }
    }
  }
  return out;
}

Matrix2 Chain::matrix1(std::int32_t first_source) {
  Matrix2 m = source1(source(first_source));
  for (std::int32_t s = source(first_source).next; s >= 0; s = source(s).next) m = multiply(source1(source(s)), m);
  return m;
}

Matrix4 Chain::matrix2(std::int32_t first_source) {
  Matrix4 m = source2(source(first_source));
  for (std::int32_t s = source(first_source).next; s >= 0; s = source(s).next) m = multiply(source2(source(s)), m);
  return m;
}

Matrix2 Chain::source1(const Source& s) {
  static const double h = std::sqrt(0.5);
  switch (s.operation) {
    case kSourceHadamard:
      return {h, h, h, -h};
    // B with B Y B† = Z: rows are the eigenvectors of Y, conjugated.
    case kSourceYBasis:
      return {h, Complex{0, -h}, h, Complex{0, h}};
    case kSourceYBasisInverse:
      return {h, h, Complex{0, h}, Complex{0, -h}};
    default:
      break;
  }
  if (s.operation <= kFirstPairCode) {
    const std::int64_t code = kFirstPairCode - s.operation;
    const Kak& kak = split(static_cast<std::size_t>(code / 5));
    switch (static_cast<PairPart>(code % 5)) {
      case PairPart::kPre0:
        return kak.pre0;
      case PairPart::kPre1:
        return kak.pre1;
      case PairPart::kPost0:
        return kak.post0;
      default:
        return kak.post1;
    }
  }
  const Operation op = operation_at(circuit_, s.operation);
  target_matrix(circuit_, op, params_.data(), scratch_);
  if (op.num_targets == 0) {  // a phase whose last control is the node's target
    const bool value = (op.control_state >> (op.num_controls - 1)) & 1;
    return value ? Matrix2{1.0, 0.0, 0.0, scratch_[0]} : Matrix2{scratch_[0], 0.0, 0.0, 1.0};
  }
  return {scratch_[0], scratch_[1], scratch_[2], scratch_[3]};
}

Matrix4 Chain::source2(const Source& s) {
  if (s.placement == Placement::kLow || s.placement == Placement::kHigh) {
    return widen(source1(s), s.placement == Placement::kHigh);
  }
  if (s.operation <= kFirstPairCode) return split(static_cast<std::size_t>((kFirstPairCode - s.operation) / 5)).core;
  full_matrix(circuit_, operation_at(circuit_, s.operation), params_.data(), scratch_);
  Matrix4 m;
  std::copy(scratch_.begin(), scratch_.begin() + 16, m.begin());
  return s.placement == Placement::kReverse ? exchange_qubits(m) : m;
}

const Kak& Chain::split(std::size_t pair) {
  splits_.resize(lowered_.pairs.size());
  is_split_.resize(lowered_.pairs.size(), false);
  if (!is_split_[pair]) {
    const Matrix4 m = matrix2(lowered_.pairs[pair]);
    Kak& kak = splits_[pair];
    // Where the decomposition fails (a matrix that is hardly unitary) the core is the whole matrix.
    if (!decompose(m, kak)) kak = {m, kIdentity2, kIdentity2, kIdentity2, kIdentity2};
    is_split_[pair] = true;
  }
  return splits_[pair];
}

}  // namespace qfast
