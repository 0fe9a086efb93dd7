// Gates that move amplitudes through an index map: too wide for a matrix, they run as a sweep of their own.
#pragma once

#include <cstdint>
#include <vector>

#include "circuit/flat.h"
#include "plan/plan.h"

namespace qfast {

// Where each amplitude comes from, by its bits at the targets' memory bits, both in ascending order of memory: 4 bytes
// times 2^(number of targets).
std::vector<std::uint32_t> permutation_source(const FlatCircuit& circuit, const Plan& plan, const Sweep& sweep);

}  // namespace qfast
