#include "run/plan_units.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "run/executor.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

class UnitFinder {
 public:
  UnitFinder(const FlatCircuit& circuit, const Plan& plan, bool is_one_tile)
      : circuit_(circuit), plan_(plan), count_(is_one_tile ? plan.sweeps[0].ops.size() : plan.sweeps.size()) {
    unit_of_node_.assign(plan.lowered.nodes.size(), static_cast<std::int32_t>(count_));
    work_.assign(count_, 0.0);
    for (std::size_t s = 0; s < plan.sweeps.size(); ++s) {
      for (std::size_t k = 0; k < plan.sweeps[s].ops.size(); ++k) add_op(plan.sweeps[s].ops[k], is_one_tile ? k : s);
    }
  }

  std::size_t count() const { return count_; }

  std::vector<double> work_before() const {
    std::vector<double> sums(count_ + 1, 0.0);
    for (std::size_t u = 0; u < count_; ++u) sums[u + 1] = sums[u] + work_[u] + 1;  // no unit is free
    return sums;
  }

  // By parameter: the first unit that depends on it.
  std::vector<std::int32_t> units_of_parameters() {
    units_of_operations();
    const ExpressionTable& table = circuit_.expressions;
    std::vector<std::int32_t> units(to_size(table.num_parameters), static_cast<std::int32_t>(count_));
    for (std::size_t k = 0; k < table.slots.size(); ++k) {
      const auto operation = std::upper_bound(circuit_.param_end.begin(), circuit_.param_end.end(), table.slots[k]) -
                             circuit_.param_end.begin();
      const std::int32_t unit = unit_of_operation_[to_size(operation)];
      for (std::int64_t i = k == 0 ? 0 : table.code_end[k - 1]; i < table.code_end[k]; ++i) {
        const auto code = static_cast<ExprOp>(table.code[to_size(i)]);
        if (code == ExprOp::kPushConst) ++i;
        if (code != ExprOp::kPushParam) continue;
        std::int32_t& first = units[to_size(table.code[to_size(++i)])];
        first = std::min(first, unit);
      }
    }
    return units;
  }

 private:
  void add_op(const TileOp& op, std::size_t unit) {
    if (op.kind == TileOp::Kind::kMatrix) return add_node(op.node, unit);
    for (const PlanStep& step : op.steps) {
      if (step.kind == PlanStep::Kind::kOne || step.kind == PlanStep::Kind::kTwo) add_node(step.index, unit);
      if (step.kind != PlanStep::Kind::kDiagonal) continue;
      for (const std::int32_t node : plan_.groups[to_size(step.index)].nodes) add_node(node, unit);
    }
  }

  void add_node(std::int32_t node, std::size_t unit) {
    std::int32_t& first = unit_of_node_[to_size(node)];
    first = std::min(first, static_cast<std::int32_t>(unit));
    for_sources(plan_.lowered.nodes[to_size(node)].first_source, [&](std::int64_t) { work_[unit] += 1; });
  }

  template <class Body>
  void for_sources(std::int32_t first, const Body& body) const {
    const Lowered& lowered = plan_.lowered;
    for (std::int32_t s = first; s >= 0; s = lowered.sources[to_size(s)].next) {
      body(lowered.sources[to_size(s)].operation);
    }
  }

  // A node's numbers come from its sources, and phases of its neighbours on a qubit can move to it or from it.
  void units_of_operations() {
    const Lowered& lowered = plan_.lowered;
    unit_of_operation_.assign(to_size(circuit_.size()), static_cast<std::int32_t>(count_));
    for (std::size_t i = 0; i < lowered.nodes.size(); ++i) {
      std::int32_t unit = unit_of_node_[i];
      for (const std::int32_t neighbour : i < lowered.absorbers.size() ? lowered.absorbers[i] : kNoNeighbours) {
        if (neighbour >= 0) unit = std::min(unit, unit_of_node_[to_size(neighbour)]);
      }
      for_sources(lowered.nodes[i].first_source, [&](std::int64_t operation) { note(operation, unit); });
    }
  }

  void note(std::int64_t operation, std::int32_t unit) {
    if (operation >= 0) {
      std::int32_t& first = unit_of_operation_[to_size(operation)];
      first = std::min(first, unit);
    } else if (operation <= kFirstPairCode) {  // a part of a split pair depends on the whole pair
      const auto pair = to_size((kFirstPairCode - operation) / 5);
      for_sources(plan_.lowered.pairs[pair], [&](std::int64_t inner) { note(inner, unit); });
    }
  }

  static constexpr std::array<std::int32_t, 2> kNoNeighbours{-1, -1};
  const FlatCircuit& circuit_;
  const Plan& plan_;
  std::size_t count_;
  std::vector<double> work_;
  std::vector<std::int32_t> unit_of_node_, unit_of_operation_;
};

// Compares op by op. Offsets are equal up to the first difference, as constants are appended in the
// order of the ops.
template <class T>
class FirstDifference {
 public:
  FirstDifference(const BoundPlan<T>& a, const BoundPlan<T>& b, bool is_one_tile)
      : a_(a), b_(b), is_one_tile_(is_one_tile) {}

  std::size_t find() const {
    std::size_t done = 0;  // constants that are equal
    for (std::size_t s = 0; s < a_.sweeps.size(); ++s) {
      const auto& ops = a_.sweeps[s].ops;
      for (std::size_t k = 0; k < ops.size(); ++k) {
        const std::size_t end = end_of(s, k);
        if (!has_equal_steps(ops[k], b_.sweeps[s].ops[k]) || !has_equal_constants(done, end)) {
          return is_one_tile_ ? k : s;
        }
        done = end;
      }
      if (!is_one_tile_ && a_.sweeps[s].scale != b_.sweeps[s].scale) return s;
    }
    return is_one_tile_ ? a_.sweeps[0].ops.size() : a_.sweeps.size();
  }

 private:
  // Where the constants of the ops after this one begin.
  std::size_t end_of(std::size_t s, std::size_t k) const {
    for (++k; s < a_.sweeps.size(); ++s, k = 0) {
      const auto& ops = a_.sweeps[s].ops;
      for (; k < ops.size(); ++k) {
        if (ops[k].op->kind == TileOp::Kind::kMatrix) return ops[k].matrix;
        if (ops[k].first_step < ops[k].last_step) return a_.steps[ops[k].first_step].constants;
      }
    }
    return a_.arena.size();
  }

  bool has_equal_steps(const BoundOp& a, const BoundOp& b) const {
    if (a.last_step != b.last_step) return false;  // they begin alike, or an earlier op would differ
    for (std::size_t i = a.first_step; i < a.last_step; ++i) {
      if (a_.steps[i].code != b_.steps[i].code || a_.steps[i].constants != b_.steps[i].constants) return false;
    }
    return true;
  }

  bool has_equal_constants(std::size_t begin, std::size_t end) const {
    if (begin == end) return true;  // there may be no constants at all, and no array to compare
    return end <= b_.arena.size() &&
           std::memcmp(a_.arena.data() + begin, b_.arena.data() + begin, (end - begin) * sizeof(T)) == 0;
  }

  const BoundPlan<T>& a_;
  const BoundPlan<T>& b_;
  bool is_one_tile_;
};

}  // namespace

PlanUnits find_units(const FlatCircuit& circuit, const Plan& plan) {
  PlanUnits units;
  units.is_one_tile = is_one_tile(plan);
  UnitFinder finder(circuit, plan, units.is_one_tile);
  units.count = finder.count();
  units.work_before = finder.work_before();
  units.of_parameter = finder.units_of_parameters();
  return units;
}

template <class T>
std::size_t first_difference(const BoundPlan<T>& a, const BoundPlan<T>& b, const PlanUnits& units) {
  return FirstDifference<T>(a, b, units.is_one_tile).find();
}

template std::size_t first_difference<float>(const BoundPlan<float>&, const BoundPlan<float>&, const PlanUnits&);
template std::size_t first_difference<double>(const BoundPlan<double>&, const BoundPlan<double>&, const PlanUnits&);

}  // namespace qfast
