// Plans by circuit structure: a circuit that differs from an earlier one in its numbers alone needs no planning.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "circuit/flat.h"
#include "plan/plan.h"
#include "run/executor.h"

namespace qfast {

struct PlannedCircuit {
  Plan plan;
  std::vector<SweepLayout> layouts;
};

struct PlanCacheStats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t plans = 0;       // kept
  std::uint64_t operations = 0;  // of the circuits whose plans are kept
};

// The plan of the circuit's structure (gates, qubits, controls, and for each matrix which entries can differ from zero
// and whether all are real) for one target and its prices. Thread-safe; two threads that miss at once both plan. The
// least recently used plans are dropped above 256 plans or a million operations; a circuit of more than 100 000
// operations is not kept.
std::shared_ptr<const PlannedCircuit> planned(const FlatCircuit& circuit, const PlanTarget& target);

QFAST_API PlanCacheStats plan_cache_stats();
QFAST_API void clear_plan_cache();

}  // namespace qfast
