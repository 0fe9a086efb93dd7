// Norms, inner products and marginal probabilities. Sums are taken over blocks of fixed size and block sums are
// combined in a fixed tree, in double: the result does not depend on the number of threads.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "run/state_view.h"

namespace qfast {

// Block of amplitudes that is summed in one go: 64 KiB in complex128.
constexpr int kSumBlockBits = 12;

QFAST_API double norm_squared(const StateView& state, Isa isa, int threads);

// ⟨bra|ket⟩. Both have the same number of qubits and the same precision.
QFAST_API Complex inner_product(const StateView& bra, const StateView& ket, Isa isa, int threads);

// out[j] = the probability that qubits[0], qubits[1], … read as bits 0, 1, … of j; 2^qubits.size() numbers. Distinct
// qubits in any order; none of them: the squared norm. Not divided by the norm. Takes no memory of the state's size.
QFAST_API void probabilities(const StateView& state, std::span<const int> qubits, double* out, Isa isa, int threads);

// The squared norms of the state's blocks of 2^kSumBlockBits amplitudes (one block for a smaller state).
std::vector<double> block_norms(const StateView& state, Isa isa, int threads);

// The sum of values, halves first.
double pairwise_sum(std::span<const double> values);

}  // namespace qfast
