// Times of the parts that a plan is made of, on this machine: what a cost table is measured with.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace qfast {

// A sweep over 2^num_qubits amplitudes whose tiles hold the given memory bits (ascending) and whose work is
// `num_steps` dense two-qubit steps, two to a block. Seconds of one sweep, the best of `repeats` after one to warm up.
// Throws Error(kInput) for bits that are not ascending, outside the state, fewer than a block needs (7) or without the
// lowest ones, which make a vector of the ISA, and Error(kCapacity) where the state cannot be had.
QFAST_API double measure_sweep(int num_qubits, const std::vector<std::int32_t>& tile_bits, int num_steps,
                               Precision precision, Isa isa, int threads, int repeats);

// Seconds that one more step of a kind takes an amplitude in a block whose tile of 2^tile_bits amplitudes stays in
// cache, with every thread at work on a tile of its own: the time of one thread. Kinds: "one", "controlled",
// "exchange", "diagonal", "pairs", "dense_pair", as in StepCosts.
QFAST_API double measure_step(std::string_view kind, int tile_bits, Precision precision, Isa isa, int threads,
                              int repeats);

}  // namespace qfast
