// The outer half of planning: which memory bits each sweep brings into its tiles, and which nodes run there.
#include <algorithm>
#include <bit>
#include <numeric>

#include "base/error.h"
#include "plan/dag.h"
#include "plan/plan.h"

namespace qfast {
namespace {

constexpr int kGainWindow = 4096;     // nodes looked at when a set of tile bits is judged
constexpr int kMaxSweepNodes = 4096;  // mixing nodes of one sweep: bounds the time between two looks at a cancel token
constexpr int kMinRunBits = 4;        // at least 8 contiguous amplitudes: whole cache lines in both precisions

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }
std::uint64_t bit(std::int32_t i) { return std::uint64_t{1} << i; }

class Scheduler {
 public:
  Scheduler(Plan& plan) : plan_(plan) {
    const Lowered& lowered = plan.lowered;
    place_.resize(to_size(plan.num_qubits));
    std::iota(place_.begin(), place_.end(), 0);
    for (const Node& n : lowered.nodes) {
      const std::int32_t* q = lowered.qubits_of(n);
      items_.push_back(
          {{q, to_size(n.num_targets)}, {q + n.num_targets, to_size(n.num_diagonal)}, n.num_targets == 0});
      weight_.push_back(node_cost(n));
    }
    final_place_.resize(to_size(plan.num_qubits));
    for (std::int32_t q = 0; q < plan.num_qubits; ++q) final_place_[to_size(lowered.label_of[to_size(q)])] = q;
    run_bits_ = std::min({plan.tile_bits, plan.num_qubits, std::max(plan.lane_bits, kMinRunBits)});
    if (plan.num_qubits > plan.tile_bits) {  // leave room for the widest node
      int widest = 2;
      for (const Node& n : lowered.nodes) widest = std::max<int>(widest, n.num_targets);
      run_bits_ = std::min(run_bits_, plan.tile_bits - widest);
    }
  }

  void run() {
    const Dag dag(plan_.num_qubits, items_);
    Frontier frontier(dag, items_);
    while (!frontier.is_finished()) {
      std::uint64_t reach = choose_reach(frontier);
      std::vector<std::int32_t> order;
      frontier.advance(reach, order, kMaxSweepNodes);
      if (order.empty()) throw Error(ErrorKind::kInternal, "the planner made a sweep without work");
      if (frontier.is_finished()) frontier.flush(order);
      add_sweep(reach, order, frontier.is_finished());
    }
    if (plan_.sweeps.empty()) {  // diagonals only, or nothing but a phase
      std::vector<std::int32_t> order;
      frontier.flush(order);
      if (!order.empty() || !plan_.lowered.phases.empty()) add_sweep(always_in_reach(), order, true);
    }
    while (is_misplaced()) add_sweep(always_in_reach(), {}, true);
  }

 private:
  int capacity() const { return std::min(plan_.tile_bits, plan_.num_qubits); }

  // Labels at the lowest memory bits: they lie in every tile, so that memory is touched in whole cache lines.
  std::uint64_t always_in_reach() const {
    std::uint64_t reach = 0;
    for (std::size_t l = 0; l < place_.size(); ++l) {
      if (place_[l] < run_bits_) reach |= std::uint64_t{1} << l;
    }
    return reach;
  }

  // Grown by the ready node that brings most work per added qubit.
  std::uint64_t choose_reach(Frontier& frontier) {
    std::uint64_t reach = always_in_reach();
    if (plan_.num_qubits <= capacity()) return (std::uint64_t{1} << plan_.num_qubits) - 1;
    std::vector<std::uint64_t> tried;
    std::vector<std::int32_t> blocked;
    for (;;) {
      const double base = frontier.gain(reach, weight_, kGainWindow, &blocked);
      std::uint64_t best = 0;
      double best_gain = 0;
      tried.clear();
      for (const std::int32_t i : blocked) {
        const std::uint64_t wider = reach | frontier.need(i);
        if (std::popcount(wider) > capacity()) continue;
        if (std::ranges::find(tried, wider) != tried.end()) continue;
        tried.push_back(wider);
        const double added = std::popcount(wider) - std::popcount(reach);
        const double gain = (frontier.gain(wider, weight_, kGainWindow) - base) / added;
        if (gain > best_gain) best = wider, best_gain = gain;
      }
      if (best == 0) return reach;
      reach = best;
    }
  }

  bool is_misplaced() const {
    for (std::size_t l = 0; l < place_.size(); ++l) {
      if (place_[l] != final_place_[l]) return true;
    }
    return false;
  }

  std::vector<std::int32_t> labels_by_place() const {
    std::vector<std::int32_t> label_at(place_.size());
    for (std::size_t l = 0; l < place_.size(); ++l) label_at[to_size(place_[l])] = static_cast<std::int32_t>(l);
    return label_at;
  }

  // What room is left in the tile goes to misplaced labels and their goals when the circuit is done, then to the lowest
  // memory bits.
  std::uint64_t fill_reach(std::uint64_t reach, bool is_final) const {
    const std::vector<std::int32_t> label_at = labels_by_place();
    const auto add = [&](std::uint64_t wider) {
      if (std::popcount(wider) <= capacity()) reach = wider;
    };
    if (is_final) {
      for (std::size_t l = 0; l < place_.size(); ++l) {
        if (place_[l] != final_place_[l]) {
          add(reach | bit(static_cast<std::int32_t>(l)) | bit(label_at[to_size(final_place_[l])]));
        }
      }
    }
    for (const std::int32_t l : label_at) add(reach | bit(l));
    return reach;
  }

  void add_sweep(std::uint64_t reach, const std::vector<std::int32_t>& order, bool is_final) {
    reach = fill_reach(reach, is_final);
    Sweep sweep;
    std::vector<bool> is_inside(to_size(plan_.num_qubits), false);
    for (std::uint64_t r = reach; r != 0; r &= r - 1) {
      sweep.tile_bits.push_back(place_[to_size(std::countr_zero(r))]);
    }
    std::ranges::sort(sweep.tile_bits);
    for (const std::int32_t b : sweep.tile_bits) is_inside[to_size(b)] = true;
    for (std::int32_t b = 0; b < plan_.num_qubits; ++b) {
      if (!is_inside[to_size(b)]) sweep.outer_bits.push_back(b);
    }
    sweep.tile_bits.resize(to_size(plan_.tile_bits), -1);
    const std::vector<std::int32_t> destination = is_final ? settle(is_inside) : place_;
    make_tile_program(plan_, sweep, order, place_, destination);
    place_ = destination;
    plan_.sweeps.push_back(std::move(sweep));
  }

  // The labels inside the tile whose goal is inside go there; the others keep their place where it is free.
  std::vector<std::int32_t> settle(const std::vector<bool>& is_inside) const {
    std::vector<std::int32_t> destination(place_.size(), -1);
    std::vector<bool> is_taken(place_.size(), false);
    const auto put = [&](std::size_t l, std::int32_t at) {
      destination[l] = at;
      is_taken[to_size(at)] = true;
    };
    for (std::size_t l = 0; l < place_.size(); ++l) {
      if (!is_inside[to_size(place_[l])]) {
        put(l, place_[l]);
      } else if (is_inside[to_size(final_place_[l])]) {
        put(l, final_place_[l]);
      }
    }
    for (std::size_t l = 0; l < place_.size(); ++l) {
      if (destination[l] < 0 && !is_taken[to_size(place_[l])]) put(l, place_[l]);
    }
    std::int32_t free = 0;
    for (std::size_t l = 0; l < place_.size(); ++l) {
      if (destination[l] >= 0) continue;
      while (is_taken[to_size(free)] || !is_inside[to_size(free)]) ++free;
      put(l, free);
    }
    return destination;
  }

  Plan& plan_;
  std::vector<DagItem> items_;  // qubits are labels
  std::vector<double> weight_;
  std::vector<std::int32_t> place_;        // memory bit of each label
  std::vector<std::int32_t> final_place_;  // ... at the end
  int run_bits_ = 0;
};

}  // namespace

Plan make_plan(const FlatCircuit& circuit, const PlanTarget& target) {
  Plan plan;
  plan.num_qubits = circuit.num_qubits;
  plan.lowered = lower(circuit);
  plan.lane_bits = target.lane_bits;
  plan.block_bits = target.block_bits;
  int need = target.block_bits;
  for (const Node& n : plan.lowered.nodes) {
    if (n.kind == NodeKind::kMatrix) need = std::max<int>(need, n.num_targets);
  }
  need += target.lane_bits;
  plan.tile_bits = std::max(need, std::min(plan.num_qubits, target.tile_bits));
  plan.max_table_bits = std::clamp(plan.num_qubits - 4, target.block_bits + target.lane_bits + 2, 12);
  Scheduler(plan).run();
  return plan;
}

}  // namespace qfast
