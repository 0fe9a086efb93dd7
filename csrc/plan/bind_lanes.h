// A plan with the numbers of several parameter sets, one to a lane: what a small circuit is swept with. Every vector of
// the tile holds one amplitude of as many states as it has lanes, so that no gate ever acts inside a vector.
#pragma once

#include <memory>
#include <vector>

#include "circuit/flat.h"
#include "plan/bind.h"
#include "plan/numbers.h"
#include "plan/plan.h"

namespace qfast {

// `plan` has lane_bits 0, one tile, and at most one sweep. Steps, ops and arena as in BoundPlan, but every number is
// `lanes` numbers, one a set.
template <class T>
struct LanePlan {
  int lanes = 0;
  Arena<T> arena;
  std::vector<BoundStep> steps;
  std::vector<BoundOp> ops;
  std::vector<Complex> scale;                     // by lane: what the steps have left out, a phase and rounding
  std::vector<std::unique_ptr<Numbers>> numbers;  // by lane
};

// `rows`: the parameter values of each lane. `plan` and `circuit` must outlive `out`, and be the same in every call.
template <class T>
void bind_lanes(const Plan& plan, const FlatCircuit& circuit, const TrigKernels& trig,
                const std::vector<const double*>& rows, LanePlan<T>& out);

extern template void bind_lanes<float>(const Plan&, const FlatCircuit&, const TrigKernels&,
                                       const std::vector<const double*>&, LanePlan<float>&);
extern template void bind_lanes<double>(const Plan&, const FlatCircuit&, const TrigKernels&,
                                        const std::vector<const double*>&, LanePlan<double>&);

}  // namespace qfast
