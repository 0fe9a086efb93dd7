// Cartan (KAK) decomposition of a two-qubit unitary: U = (post1 ⊗ post0) · core · (pre1 ⊗ pre0), where the core acts
// only within {|00>, |11>} and within {|01>, |10>}. Tucci, arXiv:quant-ph/0507171.
//
// Why: between the cores of neighbouring gates stands one 2 x 2 matrix per qubit, and both its phases can be moved into
// the cores: 11 fused multiply-adds per amplitude instead of the 16 of a dense 4 x 4.
#pragma once

#include <array>

#include "base/types.h"

namespace qfast {

struct Kak {
  std::array<Complex, 16> core;  // row-major, first qubit least significant
  std::array<Complex, 4> pre0, pre1, post0, post1;
};

// False where the parts do not give the matrix back to 1e-13 (a matrix that is not unitary): do not use it then.
bool decompose(const std::array<Complex, 16>& matrix, Kak& out);

}  // namespace qfast
