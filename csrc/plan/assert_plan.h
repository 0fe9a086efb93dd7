// What a circuit and a plan are taken to be, asserted (base/assert.h): nothing in a release.
#pragma once

#include "circuit/flat.h"
#include "plan/plan.h"

namespace qfast {

// Columns of one length, ends that ascend, gates of the table, distinct qubits in range, data items that are there.
void assert_circuit(const FlatCircuit& circuit);

// Memory bits in or out of each tile, each once; ops whose bits lie in the tile; steps on bits of their block.
void assert_plan(const Plan& plan);

}  // namespace qfast
