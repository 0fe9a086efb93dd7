// What the planner did, as JSON.
#pragma once

#include <string>

#include "base/types.h"
#include "plan/plan.h"

namespace qfast {

// {"num_qubits", "tile_qubits", "cost_table", "isa", "precision", "nodes": {kind: count}, "sweeps": [{"tile_bits",
// "blocks", "matrices", "steps": {kind: count}, "moves"}], "flops_per_amplitude", "passes"}.
std::string explain_plan(const Plan& plan, Precision precision, Isa isa, const std::string& cost_table);

}  // namespace qfast
