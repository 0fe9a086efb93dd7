// The places at which a run can be left and taken up again, and what depends on which parameter there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "circuit/flat.h"
#include "plan/bind.h"
#include "plan/plan.h"

namespace qfast {

// A unit is what a run cannot be left inside of: an op of a plan of one tile, a sweep of any other.
struct PlanUnits {
  bool is_one_tile;
  std::size_t count;
  std::vector<double> work_before;         // by unit, and their sum at the end: sources of nodes, about gates
  std::vector<std::int32_t> of_parameter;  // the first unit that depends on it, or `count`
};

// `of_parameter` is an estimate: rare forms of a matrix move numbers to farther neighbours.
PlanUnits find_units(const FlatCircuit& circuit, const Plan& plan);

// The first unit in which two sets of constants of one plan differ, or the number of units.
template <class T>
std::size_t first_difference(const BoundPlan<T>& a, const BoundPlan<T>& b, const PlanUnits& units);

extern template std::size_t first_difference<float>(const BoundPlan<float>&, const BoundPlan<float>&, const PlanUnits&);
extern template std::size_t first_difference<double>(const BoundPlan<double>&, const BoundPlan<double>&,
                                                     const PlanUnits&);

}  // namespace qfast
