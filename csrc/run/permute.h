// Runs a permutation sweep: amplitudes are gathered into a scratch buffer through the index map, some groups at a time,
// and copied back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/thread_pool.h"
#include "plan/plan.h"

namespace qfast {

// What follows from the sweep's bits alone.
struct PermutationLayout {
  std::uint64_t targets = 0;  // memory bits
  std::uint64_t controls = 0, control_value = 0;
  int num_targets = 0;
  int low_bits = 0;  // of a target index, for the two tables of memory offsets
  std::vector<std::uint64_t> low, high;
};

PermutationLayout lay_out_permutation(const Sweep& sweep);

// Amplitudes of scratch that the sweep needs: 2^17, or the 2^k that one group has; never more than the state.
std::uint64_t permutation_scratch(const PermutationLayout& layout, int num_qubits);

// False when the token stopped it; the state is then neither the old nor the new one.
//   source     as from permutation_source()
//   spectators memory bits that neither target nor control it, and that take both values
//   written    memory bits that earlier sweeps have reached: amplitudes with another bit set are zero, and have not
//              been written. All bits, but for a run from |0...0>.
//   fresh      further bits that this sweep is the first to reach: it writes their zeros
template <class T>
bool permute(const PermutationLayout& layout, std::span<const std::uint32_t> source, T* amplitudes, T* scratch,
             std::uint64_t spectators, std::uint64_t written, std::uint64_t fresh, Team& team, CancelToken* cancel);

extern template bool permute<float>(const PermutationLayout&, std::span<const std::uint32_t>, float*, float*,
                                    std::uint64_t, std::uint64_t, std::uint64_t, Team&, CancelToken*);
extern template bool permute<double>(const PermutationLayout&, std::span<const std::uint32_t>, double*, double*,
                                     std::uint64_t, std::uint64_t, std::uint64_t, Team&, CancelToken*);

}  // namespace qfast
