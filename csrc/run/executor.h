// Runs a bound plan on a state: one parallel region, a barrier after every sweep.
#pragma once

#include <cstdint>
#include <vector>

#include "base/cancel.h"
#include "kernels/kernel_table.h"
#include "plan/bind.h"
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
};

std::vector<SweepLayout> lay_out(const Plan& plan);

// `amplitudes`: 2^n interleaved complex numbers, n >= the plan's lane bits. Returns false when the token stopped it.
template <class T>
bool execute(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
             const TileKernels<T>& kernels, T* amplitudes, Start start, const RunOptions& options);

// The same on the calling thread alone, which must be inside a parallel region (it flushes denormals there).
template <class T>
bool execute_here(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
                  const TileKernels<T>& kernels, T* amplitudes, Start start, CancelToken* cancel);

extern template bool execute_here<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                                         const TileKernels<float>&, float*, Start, CancelToken*);
extern template bool execute_here<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                                          const TileKernels<double>&, double*, Start, CancelToken*);
extern template bool execute<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                                    const TileKernels<float>&, float*, Start, const RunOptions&);
extern template bool execute<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                                     const TileKernels<double>&, double*, Start, const RunOptions&);

}  // namespace qfast
