// What the planner did, as JSON.
#pragma once

#include <string>

#include "base/types.h"
#include "circuit/flat.h"
#include "plan/plan.h"

namespace qfast {

// {"num_qubits", "tile_qubits", "cost_table", "isa", "precision", "nodes": {kind: count}, "sweeps": [{"tile_bits",
// "blocks", "matrices", "steps": {kind: count}, "moves"}], "flops_per_amplitude", "passes"}.
std::string explain_plan(const Plan& plan, Precision precision, Isa isa, const std::string& cost_table);

// The same of a circuit that runs without a plan (run/direct.h): no nodes, one sweep, "cost_table" null.
std::string explain_direct(const FlatCircuit& circuit, Precision precision, Isa isa);

}  // namespace qfast
