// Runs a bound plan on a state: sweep after sweep, the tiles of each shared by one team of threads.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/cancel.h"
#include "kernels/kernel_table.h"
#include "plan/bind.h"
#include "run/permute.h"
#include "run/program.h"

namespace qfast {

// What of a sweep follows from its bits alone.
struct SweepLayout {
  std::vector<std::uint64_t> load_high, load_low, store_high, store_low;
  std::uint64_t outer_mask = 0;  // memory bits outside the tile
  std::uint64_t covered = 0;     // memory bits that earlier sweeps have had in their tiles: from |0...0>, amplitudes
                                 // with another bit set are zero and have not been written
  std::uint64_t tile_mask = 0;   // memory bits inside the tile
  std::uint32_t padding = 0;     // vector-index bits of load that lie beyond the state
  std::uint32_t store_padding = 0;
  bool moves = false;  // writes amplitudes elsewhere than it reads them
  PermutationLayout permutation;
};

// Bytes besides the state that a run allocates for its permutations.
std::size_t permutation_bytes(const Plan& plan, const std::vector<SweepLayout>& layouts, std::size_t amplitude_bytes);

std::vector<SweepLayout> lay_out(const Plan& plan);

// A stretch of a plan's sweeps. One that does not begin at the first sweep goes on where a run with the same `start`
// has stopped; until the last sweep is done, amplitudes that none has reached hold anything.
struct SweepRange {
  std::size_t first = 0;
  std::size_t last = std::numeric_limits<std::size_t>::max();  // or the number of sweeps, if that is less
};

// `amplitudes`: 2^n interleaved complex numbers, n >= the plan's lane bits. Returns false when the token stopped it.
template <class T>
bool execute(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
             const TileKernels<T>& kernels, T* amplitudes, Start start, const RunOptions& options,
             SweepRange range = {});

// The same on the calling thread alone.
template <class T>
bool execute_here(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
                  const TileKernels<T>& kernels, T* amplitudes, Start start, CancelToken* cancel,
                  SweepRange range = {});

// Whether the whole state is one tile and the plan one sweep: then it can stop between any two ops.
bool is_one_tile(const Plan& plan);

// Ops [first, last) of such a plan, on the calling thread, which must belong to a team (denormals are flushed there).
// `tile` holds the state in the kernels' form, 2^tile_bits amplitudes at a 64-byte boundary; op 0 makes it first, of
// |0...0> or of what `amplitudes` has. After the last op the state is in `amplitudes` alone: 2^n interleaved complex
// numbers, n >= the plan's lane bits.
template <class T>
bool execute_ops(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
                 const TileKernels<T>& kernels, Start start, std::size_t first, std::size_t last, T* tile,
                 T* amplitudes, CancelToken* cancel);

extern template bool execute_here<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                                         const TileKernels<float>&, float*, Start, CancelToken*, SweepRange);
extern template bool execute_here<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                                          const TileKernels<double>&, double*, Start, CancelToken*, SweepRange);
extern template bool execute<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                                    const TileKernels<float>&, float*, Start, const RunOptions&, SweepRange);
extern template bool execute<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                                     const TileKernels<double>&, double*, Start, const RunOptions&, SweepRange);
extern template bool execute_ops<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                                        const TileKernels<float>&, Start, std::size_t, std::size_t, float*, float*,
                                        CancelToken*);
extern template bool execute_ops<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                                         const TileKernels<double>&, Start, std::size_t, std::size_t, double*, double*,
                                         CancelToken*);

}  // namespace qfast
