#include "plan/kak.h"

#include <algorithm>
#include <cmath>

namespace qfast {
namespace {

using Real4 = std::array<double, 16>;
using Matrix4 = std::array<Complex, 16>;
using Matrix2 = std::array<Complex, 4>;

constexpr double kTolerance = 1e-13;

Matrix4 multiply(const Matrix4& a, const Matrix4& b) {
  Matrix4 out{};
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t k = 0; k < 4; ++k) {
      for (std::size_t c = 0; c < 4; ++c) out[4 * r + c] += a[4 * r + k] * b[4 * k + c];
    }
  }
  return out;
}

Matrix4 adjoint(const Matrix4& m) {
  Matrix4 out;
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t c = 0; c < 4; ++c) out[4 * r + c] = std::conj(m[4 * c + r]);
  }
  return out;
}

Matrix4 transpose(const Matrix4& m) {
  Matrix4 out;
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t c = 0; c < 4; ++c) out[4 * r + c] = m[4 * c + r];
  }
  return out;
}

// Columns: Bell states with the phases that make local unitaries real orthogonal.
const Matrix4& magic_basis() {
  static const double h = std::sqrt(0.5);
  static const Complex i{0, h};
  static const Matrix4 basis = {h, 0, 0, i, 0, i, h, 0, 0, i, -h, 0, h, 0, 0, -i};
  return basis;
}

// Eigenvectors (columns of `vectors`) of a real symmetric matrix by Jacobi rotations.
void diagonalise(Real4 a, Real4& vectors) {
  vectors = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  for (int round = 0; round < 50; ++round) {
    double off = 0;
    for (std::size_t p = 0; p < 4; ++p) {
      for (std::size_t q = p + 1; q < 4; ++q) off += a[4 * p + q] * a[4 * p + q];
    }
    if (off < 1e-34) return;
    for (std::size_t p = 0; p < 4; ++p) {
      for (std::size_t q = p + 1; q < 4; ++q) {
        if (std::abs(a[4 * p + q]) < 1e-300) continue;
        const double theta = (a[4 * q + q] - a[4 * p + p]) / (2 * a[4 * p + q]);
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double c = 1 / std::hypot(t, 1.0), s = t * c;
        for (std::size_t k = 0; k < 4; ++k) {
          const double kp = a[4 * k + p], kq = a[4 * k + q];
          a[4 * k + p] = c * kp - s * kq;
          a[4 * k + q] = s * kp + c * kq;
        }
        for (std::size_t k = 0; k < 4; ++k) {
          const double pk = a[4 * p + k], qk = a[4 * q + k];
          a[4 * p + k] = c * pk - s * qk;
          a[4 * q + k] = s * pk + c * qk;
          const double vp = vectors[4 * k + p], vq = vectors[4 * k + q];
          vectors[4 * k + p] = c * vp - s * vq;
          vectors[4 * k + q] = s * vp + c * vq;
        }
      }
    }
  }
}

double determinant(const Real4& m) {
  double det = 0;
  constexpr std::size_t kOther[4][3] = {{1, 2, 3}, {0, 2, 3}, {0, 1, 3}, {0, 1, 2}};
  for (std::size_t c = 0; c < 4; ++c) {
    const auto& o = kOther[c];
    const double minor = m[4 + o[0]] * (m[8 + o[1]] * m[12 + o[2]] - m[8 + o[2]] * m[12 + o[1]]) -
                         m[4 + o[1]] * (m[8 + o[0]] * m[12 + o[2]] - m[8 + o[2]] * m[12 + o[0]]) +
                         m[4 + o[2]] * (m[8 + o[0]] * m[12 + o[1]] - m[8 + o[1]] * m[12 + o[0]]);
    det += (c % 2 == 0 ? 1 : -1) * m[c] * minor;
  }
  return det;
}

Complex entry(const Matrix2& high, const Matrix2& low, std::size_t r, std::size_t c) {
  return high[2 * (r >> 1) + (c >> 1)] * low[2 * (r & 1) + (c & 1)];
}

Matrix4 tensor(const Matrix2& high, const Matrix2& low) {
  Matrix4 out;
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t c = 0; c < 4; ++c) out[4 * r + c] = entry(high, low, r, c);
  }
  return out;
}

// Splits m = high ⊗ low: the factors are read off the row and the column of the largest entry.
void factor(const Matrix4& m, Matrix2& high, Matrix2& low) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < 16; ++i) {
    if (std::abs(m[i]) > std::abs(m[best])) best = i;
  }
  const std::size_t r = best / 4, c = best % 4;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 2; ++j) {
      high[2 * i + j] = m[4 * ((i << 1) | (r & 1)) + ((j << 1) | (c & 1))];
      low[2 * i + j] = m[4 * ((r & 2) | i) + ((c & 2) | j)];
    }
  }
  const Complex pivot = high[2 * (r >> 1) + (c >> 1)] * low[2 * (r & 1) + (c & 1)] / m[best];
  for (Complex& z : high) z /= pivot;
}

double distance(const Matrix4& a, const Matrix4& b) {
  double worst = 0;
  for (std::size_t i = 0; i < 16; ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

bool try_mix(const Matrix4& matrix, const Matrix4& in_magic, const Matrix4& gram, double mix, Kak& out) {
  Real4 combined;
  for (std::size_t i = 0; i < 16; ++i) combined[i] = std::cos(mix) * gram[i].real() + std::sin(mix) * gram[i].imag();
  for (std::size_t r = 0; r < 4; ++r) {  // exactly symmetric
    for (std::size_t c = 0; c < r; ++c) combined[4 * r + c] = combined[4 * c + r];
  }
  Real4 vectors;
  diagonalise(combined, vectors);
  if (determinant(vectors) < 0) {
    for (std::size_t k = 0; k < 4; ++k) vectors[4 * k] = -vectors[4 * k];
  }
  Matrix4 p, root{}, inverse_root{};
  for (std::size_t i = 0; i < 16; ++i) p[i] = vectors[i];
  const Matrix4 d = multiply(transpose(p), multiply(gram, p));
  for (std::size_t k = 0; k < 4; ++k) {
    const double half = std::arg(d[5 * k]) / 2;
    root[5 * k] = {std::cos(half), std::sin(half)};
  }
  for (std::size_t k = 0; k < 4; ++k) inverse_root[5 * k] = std::conj(root[5 * k]);
  Matrix4 left = multiply(in_magic, multiply(p, inverse_root));
  Real4 left_real;
  for (std::size_t i = 0; i < 16; ++i) left_real[i] = left[i].real();
  if (determinant(left_real) < 0) {  // the sign of one root is free
    root[0] = -root[0];
    for (std::size_t k = 0; k < 4; ++k) left[4 * k] = -left[4 * k];
  }
  const Matrix4& magic = magic_basis();
  out.core = multiply(magic, multiply(root, adjoint(magic)));
  for (std::size_t i = 0; i < 16; ++i) {
    if (!((0b1001'0110'0110'1001 >> i) & 1)) out.core[i] = 0;
  }
  factor(multiply(magic, multiply(left, adjoint(magic))), out.post1, out.post0);
  factor(multiply(magic, multiply(transpose(p), adjoint(magic))), out.pre1, out.pre0);
  const Matrix4 back = multiply(tensor(out.post1, out.post0), multiply(out.core, tensor(out.pre1, out.pre0)));
  return distance(back, matrix) <= kTolerance;
}

}  // namespace

bool decompose(const Matrix4& matrix, Kak& out) {
  const Matrix4 in_magic = multiply(adjoint(magic_basis()), multiply(matrix, magic_basis()));
  const Matrix4 gram = multiply(transpose(in_magic), in_magic);
  // The real and imaginary part of the Gram matrix commute; a combination of both diagonalises them unless it has a
  // degeneracy that they have not: then another one is tried.
  for (const double mix : {0.6180339, 1.3247179, 2.2055694, 0.2541017, 2.8284271}) {
    if (try_mix(matrix, in_magic, gram, mix, out)) return true;
  }
  return false;
}

}  // namespace qfast
