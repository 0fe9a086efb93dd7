// The inner half of planning: the nodes of one sweep become block ops. It is the outer problem once more: a block
// brings kBlockBits tile bits into reach, and every node that needs only those runs on one load of the registers. Lane
// bits are out of reach until a step exchanges them with a block bit.
#include <algorithm>
#include <bit>
#include <limits>

#include "base/bits.h"
#include "base/cancel.h"
#include "plan/dag.h"
#include "plan/plan.h"

namespace qfast {
namespace {

constexpr int kGainWindow = 64;
constexpr std::size_t kStretchesAhead = 16;  // in which diagonals are looked for that may be done now
constexpr std::int32_t kNothing = std::numeric_limits<std::int32_t>::max();

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }
std::uint64_t bit(std::int32_t i) { return std::uint64_t{1} << i; }

class TileProgram {
 public:
  TileProgram(Plan& plan, Sweep& sweep, const std::vector<std::int32_t>& order, const std::vector<std::int32_t>& place,
              const std::vector<std::int32_t>& destination)
      : plan_(plan),
        sweep_(sweep),
        order_(order),
        place_(place),
        destination_(destination),
        tile_bit_of_(to_size(plan.num_qubits), -1) {
    std::vector<std::int32_t> label_at(to_size(plan.num_qubits));
    for (std::size_t l = 0; l < place.size(); ++l) label_at[to_size(place[l])] = static_cast<std::int32_t>(l);
    content_.assign(to_size(plan.tile_bits), -1);
    for (std::size_t k = 0; k < content_.size(); ++k) {
      if (sweep.tile_bits[k] < 0) continue;
      content_[k] = label_at[to_size(sweep.tile_bits[k])];
      tile_bit_of_[to_size(content_[k])] = static_cast<std::int32_t>(k);
    }
  }

  void run() {
    make_items();
    const Dag dag(plan_.num_qubits, items_);
    Frontier frontier(dag, items_);
    frontier_ = &frontier;
    find_uses();
    while (!frontier.is_finished()) {
      if (run_ready_matrices()) continue;
      const std::uint64_t reach = choose_block();
      if (reach != 0) {
        run_block(reach);
      } else {
        bring_lanes_into_reach();
      }
    }
    std::vector<std::int32_t> rest;
    frontier.flush(rest);
    if (!rest.empty()) {
      if (sweep_.ops.empty() || sweep_.ops.back().kind != TileOp::Kind::kBlock) new_block({});
      emit(rest);
    }
    arrange_for_store();
  }

 private:
  const Node& node(std::int32_t item) const { return plan_.lowered.nodes[to_size(order_[to_size(item)])]; }
  bool is_in_tile(std::int32_t label) const { return tile_bit_of_[to_size(label)] >= 0; }
  bool is_in_lane(std::int32_t label) const {
    return is_in_tile(label) && tile_bit_of_[to_size(label)] < plan_.lane_bits;
  }

  void make_items() {
    items_.reserve(order_.size());
    weight_.reserve(order_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const Node& n = node(static_cast<std::int32_t>(i));
      const std::int32_t* q = plan_.lowered.qubits_of(n);
      DagItem item{{q, to_size(n.num_targets)}, {q + n.num_targets, to_size(n.num_diagonal)}, n.num_targets == 0};
      if (n.num_targets > 0) {
        std::uint64_t inner_controls = 0;
        for (const std::int32_t c : item.diagonal) {
          if (is_in_tile(c)) inner_controls |= bit(c);
        }
        const bool is_wide =
            n.kind == NodeKind::kMatrix || n.num_targets + std::popcount(inner_controls) > plan_.block_bits;
        item.also_needs = is_wide ? kNeverInReach : inner_controls;
      }
      items_.push_back(item);
      weight_.push_back(node_cost(n, plan_.costs.steps));
    }
  }

  // For each label the items that need it in reach, in order: which lane to exchange is decided by the next use.
  void find_uses() {
    uses_.assign(to_size(plan_.num_qubits), {});
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(items_.size()); ++i) {
      if (items_[to_size(i)].is_free) continue;
      for (std::uint64_t need = frontier_->need(i) & ~kNeverInReach; need != 0; need &= need - 1) {
        uses_[to_size(std::countr_zero(need))].push_back(i);
      }
    }
    next_use_.assign(uses_.size(), 0);
  }

  std::int32_t next_use(std::int32_t label) {
    if (label < 0) return kNothing;
    const auto& uses = uses_[to_size(label)];
    std::size_t& at = next_use_[to_size(label)];
    while (at < uses.size() && frontier_->is_done(uses[at])) ++at;
    return at < uses.size() ? uses[at] : kNothing;
  }

  std::uint64_t labels_in_lanes() const {
    std::uint64_t lanes = 0;
    for (int k = 0; k < plan_.lane_bits; ++k) {
      if (content_[to_size(k)] >= 0) lanes |= bit(content_[to_size(k)]);
    }
    return lanes;
  }

  // The set of labels for the next block: grown by the ready node that brings most work per added label.
  std::uint64_t choose_block() {
    const std::uint64_t out_of_reach = labels_in_lanes() | kNeverInReach;
    std::uint64_t reach = 0;
    for (;;) {
      throw_if_interrupted(++turn_);
      std::uint64_t best = 0;
      double best_gain = 0;
      std::uint64_t tried[kGainWindow];
      int num_tried = 0;
      const double base = frontier_->gain(reach, weight_, kGainWindow, &blocked_);
      for (const std::int32_t i : blocked_) {
        const std::uint64_t need = frontier_->need(i);
        const std::uint64_t wider = reach | need;
        if ((need & out_of_reach) != 0 || std::popcount(wider) > plan_.block_bits) continue;
        if (std::find(tried, tried + num_tried, wider) != tried + num_tried) continue;
        if (num_tried == kGainWindow) break;
        tried[num_tried++] = wider;
        const double gain =
            (frontier_->gain(wider, weight_, kGainWindow) - base) / (std::popcount(wider) - std::popcount(reach));
        if (gain > best_gain) best = wider, best_gain = gain;
      }
      if (best == 0) return reach;
      reach = best;
    }
  }

  void run_block(std::uint64_t reach) {
    std::vector<std::int32_t> vector_bits;
    for (std::uint64_t r = reach; r != 0; r &= r - 1) {
      vector_bits.push_back(tile_bit_of_[to_size(std::countr_zero(r))] - plan_.lane_bits);
    }
    new_block(vector_bits);
    std::vector<std::int32_t> order;
    frontier_->advance(reach, order, std::numeric_limits<int>::max());
    emit(order);
  }

  // Exchanges lanes that are waited for with the block bits that are needed last (Belady's rule), then goes on with the
  // labels that came into reach.
  void bring_lanes_into_reach() {
    // The oldest ready node gets all it needs, so that every exchange leads to progress.
    const std::uint64_t urgent = frontier_->need(std::ranges::min(frontier_->ready()));
    const auto is_urgent = [&](std::int32_t k) {
      const std::int32_t l = content_[to_size(k)];
      return l >= 0 && (urgent & bit(l)) != 0;
    };
    const auto use_of = [&](std::int32_t k) { return next_use(content_[to_size(k)]); };
    std::vector<std::int32_t> lanes, victims;
    for (std::int32_t k = 0; k < plan_.lane_bits; ++k) {
      if (use_of(k) != kNothing) lanes.push_back(k);
    }
    for (std::int32_t k = plan_.lane_bits; k < plan_.tile_bits; ++k) {
      if (!is_urgent(k)) victims.push_back(k);
    }
    std::ranges::stable_sort(lanes, {}, [&](std::int32_t k) { return std::pair{!is_urgent(k), use_of(k)}; });
    std::ranges::stable_sort(victims, std::greater{}, use_of);
    std::size_t count = 0;
    while (count < std::min({lanes.size(), victims.size(), to_size(plan_.block_bits)}) &&
           (is_urgent(lanes[count]) || use_of(victims[count]) > use_of(lanes[count]))) {
      ++count;
    }
    std::vector<std::int32_t> vector_bits;
    for (std::size_t i = 0; i < count; ++i) vector_bits.push_back(victims[i] - plan_.lane_bits);
    new_block(vector_bits);
    std::uint64_t reach = 0;
    for (std::size_t i = 0; i < count; ++i) {
      swap_lane(lanes[i], victims[i]);
      reach |= bit(content_[to_size(victims[i])]);
    }
    std::vector<std::int32_t> order;
    frontier_->advance(reach, order, std::numeric_limits<int>::max());
    emit(order);
  }

  void set_content(std::int32_t tile_bit, std::int32_t label) {
    content_[to_size(tile_bit)] = label;
    if (label >= 0) tile_bit_of_[to_size(label)] = tile_bit;
  }

  // Appends the step to the current block, which must have `tile_bit` among its block bits.
  void swap_lane(std::int32_t lane, std::int32_t tile_bit) {
    PlanStep step{};
    step.kind = PlanStep::Kind::kSwapLane;
    step.target = block_bit_of(tile_bit);
    step.second = static_cast<std::int8_t>(lane);
    sweep_.ops.back().steps.push_back(step);
    const std::int32_t a = content_[to_size(lane)], b = content_[to_size(tile_bit)];
    set_content(lane, b);
    set_content(tile_bit, a);
  }

  std::int8_t block_bit_of(std::int32_t tile_bit) const {
    const BlockGeometry& g = sweep_.ops.back().geometry;
    for (std::int8_t b = 0; b < plan_.block_bits; ++b) {
      if (g.block_bits[b] == tile_bit - plan_.lane_bits) return b;
    }
    return -1;
  }

  // A block op over the given vector-index bits, filled up with others to kBlockBits.
  void new_block(std::vector<std::int32_t> vector_bits) {
    const int available = plan_.tile_bits - plan_.lane_bits;
    for (std::int32_t b = 0; b < available && static_cast<int>(vector_bits.size()) < plan_.block_bits; ++b) {
      if (std::ranges::find(vector_bits, b) == vector_bits.end()) vector_bits.push_back(b);
    }
    std::ranges::sort(vector_bits);
    TileOp op;
    BlockGeometry& g = op.geometry;
    g.num_inserted = static_cast<std::int8_t>(vector_bits.size());
    for (std::size_t b = 0; b < vector_bits.size(); ++b) {
      g.inserted[b] = g.block_bits[b] = static_cast<std::int8_t>(vector_bits[b]);
    }
    g.num_blocks = 1u << (available - plan_.block_bits);
    sweep_.ops.push_back(std::move(op));
  }

  // The diagonals between two other steps of a block; each may also be done after step `earliest` of the block.
  struct Stretch {
    struct Member {
      std::int32_t item;
      std::size_t earliest;
    };
    std::vector<Member> diagonals;
  };

  // Steps for the items in order; the diagonals of a stretch are merged into tables. Those of later stretches that may
  // be done now go into these tables where they fit: they then cost nothing, and often leave their own stretch empty.
  void emit(const std::vector<std::int32_t>& items) {
    std::vector<Stretch> stretches(1);
    std::vector<std::int32_t> others;
    for (const std::int32_t i : items) {
      if (!items_[to_size(i)].is_free) {
        others.push_back(i);
        stretches.emplace_back();
        continue;
      }
      const std::uint64_t labels = diagonal_labels(i);
      std::size_t earliest = others.size();
      while (earliest > 0 && (target_labels(others[earliest - 1]) & labels) == 0) --earliest;
      stretches.back().diagonals.push_back({i, earliest});
    }
    for (std::size_t s = 0; s < stretches.size(); ++s) {
      emit_diagonals(stretches, s);
      if (s < others.size()) node(others[s]).kind == NodeKind::kTwo ? emit_two(others[s]) : emit_one(others[s]);
    }
  }

  std::uint64_t diagonal_labels(std::int32_t item) const {
    std::uint64_t labels = 0;
    for (const std::int32_t q : items_[to_size(item)].diagonal) labels |= bit(q);
    return labels;
  }

  std::uint64_t target_labels(std::int32_t item) const {
    std::uint64_t labels = 0;
    for (const std::int32_t q : items_[to_size(item)].mixing) labels |= bit(q);
    return labels;
  }

  void emit_two(std::int32_t item) {
    const std::int32_t* q = plan_.lowered.qubits_of(node(item));
    PlanStep step{};
    step.kind = PlanStep::Kind::kTwo;
    step.index = order_[to_size(item)];
    const std::int8_t a = block_bit_of(tile_bit_of_[to_size(q[0])]), b = block_bit_of(tile_bit_of_[to_size(q[1])]);
    step.target = std::min(a, b);
    step.second = std::max(a, b);
    step.is_reversed = a > b;
    sweep_.ops.back().steps.push_back(step);
  }

  void emit_flip(std::int8_t block_bit) {
    PlanStep step{};
    step.kind = PlanStep::Kind::kFlip;
    step.target = block_bit;
    sweep_.ops.back().steps.push_back(step);
  }

  void emit_one(std::int32_t item) {
    const Node& n = node(item);
    const std::int32_t* q = plan_.lowered.qubits_of(n);
    PlanStep step{};
    step.kind = PlanStep::Kind::kOne;
    step.index = order_[to_size(item)];
    step.target = block_bit_of(tile_bit_of_[to_size(q[0])]);
    std::vector<std::int8_t> open;  // block bits of controls that must be 0: exchanged before and after
    for (int c = 0; c < n.num_diagonal; ++c) {
      const std::int32_t label = q[1 + c];
      const bool value = (n.control_state >> c) & 1;
      if (!is_in_tile(label)) {
        add_condition(step.condition, label, value);
        continue;
      }
      const std::int8_t b = block_bit_of(tile_bit_of_[to_size(label)]);
      step.control_mask = static_cast<std::int8_t>(step.control_mask | (1 << (b - (b > step.target ? 1 : 0))));
      if (!value) open.push_back(b);
    }
    for (const std::int8_t b : open) emit_flip(b);
    sweep_.ops.back().steps.push_back(step);
    for (const std::int8_t b : open) emit_flip(b);
  }

  void add_condition(OuterCondition& condition, std::int32_t label, bool value) const {
    const std::uint64_t m = bit(place_[to_size(label)]);
    condition.mask |= m;
    if (value) condition.value |= m;
  }

  // Matrix ops whose targets are out of the lanes; if all that is ready has targets in lanes, these are moved first.
  bool run_ready_matrices() {
    std::int32_t first = -1;
    for (const std::int32_t i : frontier_->ready()) {
      if (frontier_->need(i) & kNeverInReach) {
        first = i;
        break;
      }
    }
    if (first < 0) return false;
    const Node& n = node(first);
    const std::int32_t* q = plan_.lowered.qubits_of(n);
    for (int k = 0; k < n.num_targets; ++k) {
      if (is_in_lane(q[k])) move_out_of_lane(q[k], q, n.num_targets);
    }
    std::vector<std::int32_t> order;
    frontier_->take(first, order);
    order.pop_back();
    if (!order.empty()) {
      new_block({});
      emit(order);
    }
    emit_matrix(first);
    return true;
  }

  void move_out_of_lane(std::int32_t label, const std::int32_t* keep, int num_keep) {
    for (std::int32_t k = plan_.tile_bits - 1; k >= plan_.lane_bits; --k) {
      const std::int32_t* end = keep + num_keep;
      if (content_[to_size(k)] >= 0 && std::find(keep, end, content_[to_size(k)]) != end) continue;
      new_block({k - plan_.lane_bits});
      swap_lane(tile_bit_of_[to_size(label)], k);
      return;
    }
  }

  void emit_matrix(std::int32_t item) {
    const Node& n = node(item);
    const std::int32_t* q = plan_.lowered.qubits_of(n);
    TileOp op;
    op.kind = TileOp::Kind::kMatrix;
    op.node = order_[to_size(item)];
    std::vector<std::int8_t> inserted;
    for (int k = 0; k < n.num_targets; ++k) {
      op.targets.push_back(static_cast<std::int8_t>(tile_bit_of_[to_size(q[k])] - plan_.lane_bits));
      inserted.push_back(op.targets.back());
    }
    for (int c = 0; c < n.num_diagonal; ++c) {
      const std::int32_t label = q[n.num_targets + c];
      const bool value = (n.control_state >> c) & 1;
      if (!is_in_tile(label)) {
        add_condition(op.condition, label, value);
      } else if (is_in_lane(label)) {
        op.lane_mask |= 1u << tile_bit_of_[to_size(label)];
        if (value) op.lane_value |= 1u << tile_bit_of_[to_size(label)];
      } else {
        inserted.push_back(static_cast<std::int8_t>(tile_bit_of_[to_size(label)] - plan_.lane_bits));
        if (value) op.geometry.fixed_value |= 1u << inserted.back();
      }
    }
    std::ranges::sort(inserted);
    std::ranges::copy(inserted, op.geometry.inserted);
    op.geometry.num_inserted = static_cast<std::int8_t>(inserted.size());
    op.geometry.num_blocks = 1u << (plan_.tile_bits - plan_.lane_bits - static_cast<int>(inserted.size()));
    sweep_.ops.push_back(std::move(op));
  }

  // First-fit of diagonals into tables of at most max_table_bits index bits.
  void emit_diagonals(std::vector<Stretch>& stretches, std::size_t s) {
    struct Open {
      std::vector<std::int32_t> nodes;
      std::uint64_t labels = 0;
    };
    std::vector<Open> tables;
    const auto put = [&](std::int32_t item, bool may_open) {
      const std::uint64_t labels = diagonal_labels(item);
      auto fits = [&](const Open& t) { return table_bits(t.labels | labels) <= plan_.max_table_bits; };
      auto table = std::ranges::find_if(tables, fits);
      if (table == tables.end()) {
        if (!may_open) return false;
        table = tables.insert(tables.end(), Open{});
      }
      table->nodes.push_back(order_[to_size(item)]);
      table->labels |= labels;
      return true;
    };
    for (const auto& [item, earliest] : stretches[s].diagonals) {
      if (node(item).kind == NodeKind::kParity) {
        emit_group({order_[to_size(item)]}, items_[to_size(item)].diagonal, true);
      } else {
        put(item, true);
      }
    }
    const std::size_t last = tables.empty() ? s : std::min(stretches.size(), s + kStretchesAhead);
    for (std::size_t later = s + 1; later < last; ++later) {
      std::erase_if(stretches[later].diagonals, [&](const Stretch::Member& d) {
        return d.earliest <= s && node(d.item).kind != NodeKind::kParity && put(d.item, false);
      });
    }
    for (const Open& t : tables) {
      std::vector<std::int32_t> labels;
      for (std::uint64_t l = t.labels; l != 0; l &= l - 1) labels.push_back(std::countr_zero(l));
      emit_group(t.nodes, labels, false);
    }
  }

  // Index bits of a table over these labels: block bits always, and all lanes as soon as one is among them.
  int table_bits(std::uint64_t labels) const {
    int bits = plan_.block_bits;
    bool has_lanes = false;
    for (; labels != 0; labels &= labels - 1) {
      const std::int32_t l = std::countr_zero(labels);
      if (is_in_lane(l)) {
        has_lanes = true;
      } else if (!is_in_tile(l) || block_bit_of(tile_bit_of_[to_size(l)]) < 0) {
        ++bits;
      }
    }
    return bits + (has_lanes ? plan_.lane_bits : 0);
  }

  void emit_group(std::vector<std::int32_t> nodes, std::span<const std::int32_t> labels, bool is_parity) {
    DiagonalGroup group;
    group.nodes = std::move(nodes);
    group.is_parity = is_parity;
    std::vector<std::int32_t> block_labels(to_size(plan_.block_bits), -1), lane_labels(to_size(plan_.lane_bits), -1);
    std::vector<std::int32_t> others, outside;
    PlanStep step{};
    if (is_parity) note_controls(group, step.condition);
    for (const std::int32_t l : labels) {
      const std::int32_t t = tile_bit_of_[to_size(l)];
      if (t < 0 && (step.condition.mask & bit(place_[to_size(l)])) != 0) continue;
      if (t < 0) {
        outside.push_back(l);
      } else if (t < plan_.lane_bits) {
        lane_labels[to_size(t)] = l;
        group.has_lanes = true;
      } else if (const std::int8_t b = block_bit_of(t); b >= 0) {
        block_labels[to_size(b)] = l;
      } else {
        others.push_back(l);
      }
    }
    if (group.has_lanes) group.labels = lane_labels;
    group.labels.insert(group.labels.end(), block_labels.begin(), block_labels.end());
    const auto slice_bits = static_cast<std::uint32_t>(group.labels.size());
    if (!is_parity) group.labels.insert(group.labels.end(), others.begin(), others.end());
    group.inner_bits = static_cast<std::uint32_t>(group.labels.size());
    for (const std::int32_t l : outside) {
      group.outer_bits.push_back(place_[to_size(l)]);
      group.outer_mask |= bit(place_[to_size(l)]);
    }
    if (!is_parity) group.labels.insert(group.labels.end(), outside.begin(), outside.end());
    fill_block_offsets(group, others, slice_bits);
    step.kind = PlanStep::Kind::kDiagonal;
    step.index = static_cast<std::int32_t>(plan_.groups.size());
    plan_.groups.push_back(std::move(group));
    sweep_.ops.back().steps.push_back(step);
  }

  // Controls of a parity: those inside the tile are looked up like its other bits, those outside become a condition.
  void note_controls(DiagonalGroup& group, OuterCondition& condition) const {
    const Node& n = plan_.lowered.nodes[to_size(group.nodes[0])];
    const std::int32_t* controls = plan_.lowered.qubits_of(n) + n.num_diagonal - n.num_controls;
    for (int c = 0; c < n.num_controls; ++c) {
      const bool value = (n.control_state >> c) & 1;
      if (!is_in_tile(controls[c])) {
        add_condition(condition, controls[c], value);
        continue;
      }
      group.controls |= bit(controls[c]);
      if (value) group.control_value |= bit(controls[c]);
    }
  }

  // Offsets by block number, in numbers (two an entry). Table: the tile bits outside the block, gathered, above the
  // slice bits. Parity: the second slice for blocks of odd parity, the fourth where a control does not hold.
  void fill_block_offsets(DiagonalGroup& group, const std::vector<std::int32_t>& others, std::uint32_t slice_bits) {
    const BlockGeometry& g = sweep_.ops.back().geometry;
    group.block_offset.resize(g.num_blocks);
    // Block number bit of each label: its vector bit less the block bits below it.
    std::vector<std::uint32_t> block_number_bit;
    std::uint64_t of_others = 0;
    for (const std::int32_t l : others) {
      of_others |= bit(l);
      const int v = tile_bit_of_[to_size(l)] - plan_.lane_bits;
      int below = 0;
      for (int b = 0; b < plan_.block_bits; ++b) below += g.block_bits[b] < v;
      block_number_bit.push_back(static_cast<std::uint32_t>(v - below));
    }
    for (std::uint32_t block = 0; block < g.num_blocks; ++block) {
      std::uint32_t gathered = 0;
      std::uint64_t set = 0;  // labels whose bit is 1
      for (std::size_t k = 0; k < block_number_bit.size(); ++k) {
        const std::uint32_t value = (block >> block_number_bit[k]) & 1u;
        gathered |= value << k;
        if (value) set |= bit(others[k]);
      }
      if (group.is_parity) {
        const bool holds = (set & group.controls) == (group.control_value & of_others);
        gathered = holds ? static_cast<std::uint32_t>(parity(set & ~group.controls)) : 3;
      }
      group.block_offset[block] = gathered << (slice_bits + 1);
    }
  }

  // Lane k must hold what is to be written at memory bit k; the other tile bits can be written anywhere.
  void arrange_for_store() {
    for (std::int32_t lane = 0; lane < plan_.lane_bits; ++lane) {
      if (sweep_.tile_bits[to_size(lane)] < 0) continue;
      std::int32_t wanted = -1;
      for (std::size_t k = 0; k < content_.size(); ++k) {
        const std::int32_t l = content_[k];
        if (l >= 0 && destination_[to_size(l)] == lane) wanted = static_cast<std::int32_t>(k);
      }
      if (wanted == lane) continue;
      if (wanted < plan_.lane_bits) {  // in another lane: through a tile bit
        const std::int32_t through = plan_.tile_bits - 1;
        swap_in_some_block(wanted, through);
        wanted = through;
      }
      swap_in_some_block(lane, wanted);
    }
    sweep_.store_bits.resize(content_.size());
    for (std::size_t k = 0; k < content_.size(); ++k) {
      sweep_.store_bits[k] = content_[k] >= 0 ? destination_[to_size(content_[k])] : -1;
    }
  }

  void swap_in_some_block(std::int32_t lane, std::int32_t tile_bit) {
    if (sweep_.ops.empty() || sweep_.ops.back().kind != TileOp::Kind::kBlock || block_bit_of(tile_bit) < 0) {
      new_block({tile_bit - plan_.lane_bits});
    }
    swap_lane(lane, tile_bit);
  }

  Plan& plan_;
  Sweep& sweep_;
  const std::vector<std::int32_t>& order_;
  const std::vector<std::int32_t>& place_;
  const std::vector<std::int32_t>& destination_;
  std::vector<std::int32_t> content_;      // per tile bit: the label it holds, -1 for padding
  std::vector<std::int32_t> tile_bit_of_;  // per label: its tile bit, -1 outside
  std::vector<DagItem> items_;             // qubits are labels
  std::vector<double> weight_;
  std::vector<std::int32_t> blocked_;  // scratch of choose_block
  std::size_t turn_ = 0;
  Frontier* frontier_ = nullptr;
  std::vector<std::vector<std::int32_t>> uses_;
  std::vector<std::size_t> next_use_;
};

}  // namespace

void make_tile_program(Plan& plan, Sweep& sweep, const std::vector<std::int32_t>& order,
                       const std::vector<std::int32_t>& place, const std::vector<std::int32_t>& destination) {
  TileProgram(plan, sweep, order, place, destination).run();
}

}  // namespace qfast
