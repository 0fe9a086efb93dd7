// Matrices of one- and two-qubit nodes: the product of their sources.
#pragma once

#include <array>
#include <vector>

#include "circuit/flat.h"
#include "plan/kak.h"
#include "plan/node.h"

namespace qfast {

using Matrix2 = std::array<Complex, 4>;
using Matrix4 = std::array<Complex, 16>;

Matrix2 multiply(const Matrix2& a, const Matrix2& b);
Matrix4 multiply(const Matrix4& a, const Matrix4& b);
// Exchanges the roles of the two qubits.
Matrix4 exchange_qubits(const Matrix4& m);
// The one-qubit matrix on the low or the high qubit of a pair.
Matrix4 widen(const Matrix2& m, bool is_high);

class Chain {
 public:
  // `params`: the circuit's parameter slots with every expression evaluated; must outlive the chain.
  Chain(const FlatCircuit& circuit, const Lowered& lowered, const std::vector<double>& params)
      : circuit_(circuit), lowered_(lowered), params_(params) {}

  Matrix2 matrix1(std::int32_t first_source);
  Matrix4 matrix2(std::int32_t first_source);

 private:
  const Source& source(std::int32_t i) const { return lowered_.sources[static_cast<std::size_t>(i)]; }
  Matrix2 source1(const Source& s);
  Matrix4 source2(const Source& s);
  const Kak& split(std::size_t pair);

  const FlatCircuit& circuit_;
  const Lowered& lowered_;
  const std::vector<double>& params_;
  std::vector<Complex> scratch_;
  std::vector<Kak> splits_;  // by pair, where is_split_
  std::vector<bool> is_split_;
};

}  // namespace qfast
