// The outer half of planning: which memory bits each sweep brings into its tiles, and which nodes run there.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/bits.h"
#include "base/cancel.h"
#include "base/error.h"
#include "plan/dag.h"
#include "plan/plan.h"

namespace qfast {
namespace {

constexpr int kGainWindow = 4096;     // nodes looked at when a set of tile bits is judged
constexpr int kMaxSweepNodes = 4096;  // mixing nodes of one sweep: bounds the time between two looks at a cancel token

constexpr int kMinRunBits = 4;  // whole cache lines
// A control below this bit would cut the runs too short for leaving half of them alone to pay.
constexpr int kShortestControlled = 7;
// Trying several run lengths costs some hundred microseconds: only where a sweep takes milliseconds.
constexpr int kSmallestTrial = 22;

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }
std::uint64_t bit(std::int32_t i) { return std::uint64_t{1} << i; }

// One sweep before its tile program is made.
struct Draft {
  std::vector<std::int32_t> tile_bits;    // memory bits, ascending
  std::vector<std::int32_t> order;        // nodes
  std::vector<std::int32_t> place;        // memory bit of each label before the sweep
  std::vector<std::int32_t> destination;  // ... after it
  std::int32_t permutation = -1;          // the node of a sweep that is nothing else; tile_bits are its targets'
};

// Divides the circuit into sweeps whose tiles hold the lowest `run_bits` memory bits and others.
class Scheduler {
 public:
  // settles_early: a tile takes in, with each label, the one that stands on its final place, and both change places at
  // the first sweep that has them; else labels move when all gates are done.
  Scheduler(const Plan& plan, const std::vector<DagItem>& items, const std::vector<double>& weight, int run_bits,
            bool settles_early)
      : plan_(plan),
        items_(items),
        weight_(weight),
        place_(to_size(plan.num_qubits)),
        final_place_(to_size(plan.num_qubits)),
        run_bits_(run_bits),
        settles_early_(settles_early) {
    std::iota(place_.begin(), place_.end(), 0);
    for (std::int32_t q = 0; q < plan.num_qubits; ++q) {
      final_place_[to_size(plan.lowered.label_of[to_size(q)])] = q;
    }
  }

  std::vector<Draft> run(const Dag& dag) {
    Frontier frontier(dag, items_);
    while (!frontier.is_finished()) {
      const std::uint64_t reach = choose_reach(frontier);
      std::vector<std::int32_t> order;
      frontier.advance(reach, order, kMaxSweepNodes);
      if (order.empty()) {
        add_permutation(frontier);
        continue;
      }
      if (frontier.is_finished()) frontier.flush(order);
      add_draft(reach, std::move(order), frontier.is_finished());
    }
    std::vector<std::int32_t> rest;  // diagonals only, or after the last permutation
    frontier.flush(rest);
    // A permutation multiplies by nothing, not even by a phase.
    const bool has_tiles = std::ranges::any_of(drafts_, [](const Draft& d) { return d.permutation < 0; });
    if (!rest.empty() || (!has_tiles && !plan_.lowered.phases.empty())) {
      add_draft(always_in_reach(), std::move(rest), true);
    }
    while (place_ != final_place_) add_draft(always_in_reach(), {}, true);
    return std::move(drafts_);
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

  // The labels and those on their final places; where both do not fit, the labels alone.
  std::uint64_t with_partners(std::uint64_t labels) const {
    const std::vector<std::int32_t> label_at = labels_by_place();
    std::uint64_t wider = labels;
    for (std::uint64_t l = labels; l != 0; l &= l - 1) {
      wider |= bit(label_at[to_size(final_place_[to_size(std::countr_zero(l))])]);
    }
    return std::popcount(wider) < capacity() - 2 ? wider : labels;
  }

  std::uint64_t choose_reach(Frontier& frontier) {
    if (plan_.num_qubits <= capacity()) return low_mask(plan_.num_qubits);
    const std::uint64_t reach = grow_reach(frontier, settles_early_);
    // In a small tile no node may fit together with its partners.
    if (settles_early_ && frontier.gain(reach, weight_, 1) == 0) return grow_reach(frontier, false);
    return reach;
  }

  // Grown by the node that brings most work per added qubit.
  std::uint64_t grow_reach(Frontier& frontier, bool takes_partners) {
    std::uint64_t reach = takes_partners ? with_partners(always_in_reach()) : always_in_reach();
    std::vector<std::uint64_t> tried;
    std::vector<std::int32_t> blocked;
    for (std::size_t turn = 0;; ++turn) {
      throw_if_interrupted(turn);
      const double base = frontier.gain(reach, weight_, kGainWindow, &blocked);
      std::uint64_t best = 0;
      double best_gain = 0;
      tried.clear();
      for (const std::int32_t i : blocked) {
        const std::uint64_t need = frontier.need(i);
        if ((need & kNeverInReach) != 0) continue;
        const std::uint64_t wider = reach | (takes_partners ? with_partners(need) : need);
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

  std::vector<std::int32_t> labels_by_place() const {
    std::vector<std::int32_t> label_at(place_.size());
    for (std::size_t l = 0; l < place_.size(); ++l) label_at[to_size(place_[l])] = static_cast<std::int32_t>(l);
    return label_at;
  }

  // What room is left in the tile goes to misplaced labels and their goals when the circuit is done, then to the lowest
  // memory bits. A control that all the work shares stays outside while it can: tiles where it is 0 are then left
  // alone.
  std::uint64_t fill_reach(std::uint64_t reach, const std::vector<std::int32_t>& order, bool is_final) const {
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
    const std::uint64_t shared = shared_controls(order);
    for (const std::int32_t l : label_at) {
      const bool stays_outside = ((shared >> l) & 1) && place_[to_size(l)] >= kShortestControlled;
      if (!stays_outside) add(reach | bit(l));
    }
    for (const std::int32_t l : label_at) add(reach | bit(l));
    return reach;
  }

  // Labels that control every one of the nodes.
  std::uint64_t shared_controls(const std::vector<std::int32_t>& order) const {
    std::uint64_t shared = order.empty() ? 0 : ~std::uint64_t{0};
    for (const std::int32_t i : order) {
      const DagItem& item = items_[to_size(i)];
      std::uint64_t controls = 0;
      if (!item.is_free) {
        for (const std::int32_t q : item.diagonal) controls |= bit(q);
      }
      shared &= controls;
    }
    return shared;
  }

  // The oldest ready permutation, once nothing else is ready.
  void add_permutation(Frontier& frontier) {
    if (frontier.ready().empty()) throw Error(ErrorKind::kInternal, "the planner made a sweep without work");
    const std::int32_t node = std::ranges::min(frontier.ready());
    std::vector<std::int32_t> order;
    frontier.take(node, order);
    order.pop_back();
    if (!order.empty()) {  // diagonals that must come before it: they need no qubit in reach
      const bool has_room = !drafts_.empty() && drafts_.back().permutation < 0;
      if (has_room) {
        drafts_.back().order.insert(drafts_.back().order.end(), order.begin(), order.end());
      } else {
        add_draft(always_in_reach(), std::move(order), false);
      }
    }
    Draft draft;
    draft.permutation = node;
    for (const std::int32_t l : items_[to_size(node)].mixing) draft.tile_bits.push_back(place_[to_size(l)]);
    draft.place = draft.destination = place_;
    drafts_.push_back(std::move(draft));
  }

  void add_draft(std::uint64_t reach, std::vector<std::int32_t> order, bool is_final) {
    Draft draft;
    std::vector<bool> is_inside(to_size(plan_.num_qubits), false);
    for (std::uint64_t r = fill_reach(reach, order, is_final); r != 0; r &= r - 1) {
      draft.tile_bits.push_back(place_[to_size(std::countr_zero(r))]);
      is_inside[to_size(draft.tile_bits.back())] = true;
    }
    std::ranges::sort(draft.tile_bits);
    draft.order = std::move(order);
    draft.place = place_;
    if (is_final || settles_early_) place_ = settle(is_inside);
    draft.destination = place_;
    drafts_.push_back(std::move(draft));
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

  const Plan& plan_;
  const std::vector<DagItem>& items_;  // qubits are labels
  const std::vector<double>& weight_;
  std::vector<std::int32_t> place_;        // memory bit of each label
  std::vector<std::int32_t> final_place_;  // ... at the end
  std::vector<Draft> drafts_;
  int run_bits_;
  bool settles_early_;
};

// Cost of the passes alone: the work inside the tiles hardly depends on how it is divided. Starting from |0...0>, a
// sweep only touches the amplitudes that its tile bits and the earlier ones span.
double pass_cost(const std::vector<Draft>& drafts, const Plan& plan) {
  double cost = 0;
  std::uint64_t covered = 0;
  for (const Draft& d : drafts) {
    int run = 0;
    for (const std::int32_t b : d.tile_bits) {
      run += run == b;
      covered |= bit(b);
    }
    if (d.permutation >= 0) continue;  // there is no choice about it
    cost += plan.costs.pass[to_size(std::min(run, kMaxRunBits))] *
            std::ldexp(1.0, std::popcount(covered) - plan.num_qubits);
  }
  return cost;
}

std::vector<Draft> choose_drafts(const Plan& plan) {
  std::vector<DagItem> items;
  std::vector<double> weight;
  int widest = 2;
  for (const Node& n : plan.lowered.nodes) {
    const std::int32_t* q = plan.lowered.qubits_of(n);
    const bool is_alone = n.kind == NodeKind::kPermutation;
    items.push_back({{q, to_size(n.num_targets)},
                     {q + n.num_targets, to_size(n.num_diagonal)},
                     n.num_targets == 0,
                     is_alone ? kNeverInReach : 0});
    weight.push_back(node_cost(n, plan.costs.steps));
    if (!is_alone) widest = std::max<int>(widest, n.num_targets);
  }
  const Dag dag(plan.num_qubits, items);
  // A tile has room for its runs and for the widest node.
  const int most = plan.num_qubits > plan.tile_bits ? plan.tile_bits - widest : plan.num_qubits;
  const int least = std::min(most, std::max(plan.lane_bits, kMinRunBits));
  const int last = plan.num_qubits >= kSmallestTrial ? std::min(most, kMaxRunBits - 1) : least;
  std::vector<Draft> best;
  const auto consider = [&](int run_bits, bool settles_early) {
    std::vector<Draft> drafts = Scheduler(plan, items, weight, run_bits, settles_early).run(dag);
    if (best.empty() || pass_cost(drafts, plan) < pass_cost(best, plan)) best = std::move(drafts);
  };
  const bool is_moved = !std::ranges::is_sorted(plan.lowered.label_of) && plan.num_qubits > plan.tile_bits;
  for (int run_bits = least; run_bits <= last; ++run_bits) {
    consider(run_bits, false);
    if (is_moved) consider(run_bits, true);
  }
  return best;
}

// Its controls are qubits like those that it does not touch, but for the condition.
void add_permutation(Plan& plan, const Draft& draft, Sweep sweep) {
  const Node& n = plan.lowered.nodes[to_size(draft.permutation)];
  TileOp op;
  op.kind = TileOp::Kind::kPermutation;
  op.node = draft.permutation;
  for (int c = 0; c < n.num_diagonal; ++c) {
    const std::uint64_t at = bit(draft.place[to_size(plan.lowered.qubits_of(n)[n.num_targets + c])]);
    op.condition.mask |= at;
    if ((n.control_state >> c) & 1) op.condition.value |= at;
  }
  sweep.store_bits = sweep.tile_bits;
  std::ranges::sort(sweep.store_bits);
  sweep.ops.push_back(std::move(op));
  plan.sweeps.push_back(std::move(sweep));
}

void add_sweep(Plan& plan, const Draft& draft) {
  Sweep sweep;
  sweep.tile_bits = draft.tile_bits;
  for (std::int32_t b = 0; b < plan.num_qubits; ++b) {
    if (std::ranges::find(draft.tile_bits, b) == draft.tile_bits.end()) sweep.outer_bits.push_back(b);
  }
  if (draft.permutation >= 0) return add_permutation(plan, draft, std::move(sweep));
  sweep.tile_bits.resize(to_size(plan.tile_bits), -1);
  make_tile_program(plan, sweep, draft.order, draft.place, draft.destination);
  plan.sweeps.push_back(std::move(sweep));
}

}  // namespace

Plan make_plan(const FlatCircuit& circuit, const PlanTarget& target) {
  Plan plan;
  plan.num_qubits = circuit.num_qubits;
  plan.costs = target.costs;
  plan.lowered = lower(circuit, plan.costs.steps);
  plan.lane_bits = target.lane_bits;
  plan.block_bits = target.block_bits;
  int need = target.block_bits;
  for (const Node& n : plan.lowered.nodes) {
    if (n.kind == NodeKind::kMatrix) need = std::max<int>(need, n.num_targets);
  }
  need += target.lane_bits;
  plan.tile_bits = std::max(need, std::min(plan.num_qubits, target.tile_bits));
  plan.max_table_bits = std::clamp(plan.num_qubits - 4, target.block_bits + target.lane_bits + 2, 12);
  for (const Draft& draft : choose_drafts(plan)) add_sweep(plan, draft);
  return plan;
}

}  // namespace qfast
