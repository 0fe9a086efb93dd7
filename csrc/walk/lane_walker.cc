#include "walk/lane_walker.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "base/philox.h"

namespace qfast {
namespace {

std::size_t widest_channel(const WalkScript& script) {
  std::size_t widest = 0;
  for (const WalkChannel& channel : script.channels) {
    widest = std::max(widest, static_cast<std::size_t>(channel.num_qubits));
  }
  return script.is_density ? std::max<std::size_t>(2 * widest, 2) : widest;
}

template <class T>
std::size_t widest_matrix(const WalkRun<T>& run) {
  int widest = static_cast<int>(widest_channel(*run.script));
  for (const LaneProgram<T>* program : *run.programs) widest = std::max(widest, program->widest_dense());
  return static_cast<std::size_t>(widest);
}

}  // namespace

template <class T>
std::size_t LaneWalker<T>::scratch_bytes(const WalkRun<T>& run, int max_qubits, const BranchLimits& limits) {
  const auto lanes = static_cast<std::size_t>(walk_kernels_of<T>(*run.kernels).lanes);
  const std::size_t all = limits.packs * lanes, amplitudes = std::size_t{1} << max_qubits;
  return WalkArena::bytes_of<std::int32_t>(all) + WalkArena::bytes_of<double>(all) +
         WalkArena::bytes_of<std::uint32_t>(limits.packs) + WalkArena::bytes_of<std::uint8_t>(limits.shots) +
         3 * WalkArena::bytes_of<std::uint64_t>(kDrawBlock + kPhiloxPadding) +
         WalkArena::bytes_of<T>((2 * lanes) << widest_matrix(run)) + WalkArena::bytes_of<double>(amplitudes * lanes);
}

template <class T>
LaneWalker<T>::LaneWalker(const WalkRun<T>& run, int max_qubits, const BranchLimits& limits)
    : run_(run),
      script_(*run.script),
      widths_(*run.widths),
      kernels_(walk_kernels_of<T>(*run.kernels)),
      limits_(limits),
      store_(*run.script, max_qubits, kernels_, limits),
      lanes_(static_cast<std::uint32_t>(kernels_.lanes)),
      histogram_(run.script->num_bits),
      is_weighted_(limits.shots == 0),
      scratch_(scratch_bytes(run, max_qubits, limits)) {
  const std::size_t all = limits.packs * lanes_, amplitudes = std::size_t{1} << max_qubits;
  outcome_ = scratch_.take<std::int32_t>(all);
  outcome_weight_ = scratch_.take<double>(all);
  touched_at_ = scratch_.take<std::uint32_t>(limits.packs);
  std::fill_n(touched_at_, limits.packs, 0u);
  drawn_ = scratch_.take<std::uint8_t>(limits.shots);
  draw_shots_ = scratch_.take<std::uint64_t>(kDrawBlock + kPhiloxPadding);
  draw_sites_ = scratch_.take<std::uint64_t>(kDrawBlock + kPhiloxPadding);
  draw_uniforms_ = scratch_.take<double>(kDrawBlock + kPhiloxPadding);
  gate_scratch_ = scratch_.take<T>((2 * std::size_t{lanes_}) << widest_matrix(run));
  cumulative_ = scratch_.take<double>(amplitudes * lanes_);
  std::fill_n(draw_shots_, kDrawBlock + kPhiloxPadding, std::uint64_t{0});
  std::fill_n(draw_sites_, kDrawBlock + kPhiloxPadding, std::uint64_t{0});
  merge_wait_.resize(script_.steps.size());
  merge_pause_.resize(script_.steps.size());
  row_.resize(static_cast<std::size_t>(store_.layout().words));
  classical_stack_.resize(script_.classical.stack_words + 1);
  prepare_places();
  prepare_wiring();
}

// What channels do to packs: the ops whose numbers are given by lane, and K†K of operators that the state chooses.
template <class T>
void LaneWalker<T>::prepare_places() {
  for (const WalkPlace& place : script_.places) {
    const WalkChannel& channel = script_.channels[static_cast<std::size_t>(place.channel)];
    add_place(place.qubits, channel.probabilities, channel.operators);
  }
  if (script_.is_density) {
    const std::vector<Complex> reset[2] = {{1, 0, 0, 0}, {0, 1, 0, 0}};
    for (std::int32_t q = 0; q < script_.num_qubits; ++q) add_place({&q, 1}, {}, reset);
  }
  for (const WalkChannel& channel : script_.channels) {
    auto& effects = effects_.emplace_back();
    if (!channel.probabilities.empty()) continue;
    const std::size_t dim = std::size_t{1} << channel.num_qubits;
    for (const std::vector<Complex>& k : channel.operators) {
      auto& effect = effects.emplace_back(dim * dim);
      for (std::size_t a = 0; a < dim; ++a) {
        for (std::size_t b = 0; b < dim; ++b) {
          for (std::size_t r = 0; r < dim; ++r) effect[a * dim + b] += std::conj(k[r * dim + a]) * k[r * dim + b];
        }
      }
    }
  }
}

template <class T>
void LaneWalker<T>::add_place(std::span<const std::int32_t> qubits, std::span<const double> weights,
                              std::span<const std::vector<Complex>> operators) {
  std::vector<std::int32_t> targets(qubits.begin(), qubits.end());
  for (std::int32_t q : qubits) {
    if (script_.is_density) targets.push_back(q + script_.num_qubits);
  }
  LaneOp op;
  op.num_targets = static_cast<std::uint8_t>(targets.size());
  op.kind = targets.size() == 1 ? LaneOpKind::kGeneral : LaneOpKind::kDense;
  std::vector<std::uint32_t> offsets(std::size_t{1} << targets.size());
  for (std::size_t k = 0; k < targets.size(); ++k) {
    const std::uint32_t bit = 1u << targets[k];
    op.fixed |= bit;
    for (std::size_t j = 0; j < offsets.size(); ++j) offsets[j] |= (j >> k) & 1 ? bit : 0;
  }
  op.target0 = 1u << targets[0];
  place_ops_.push_back(op);
  place_tables_.push_back(std::move(offsets));
  if (!script_.is_density) return;
  // Entry (a b, c d) is the sum of w K_ac conj(K_bd), ket before bra.
  const std::size_t dim = std::size_t{1} << qubits.size();
  std::vector<T>& numbers = place_numbers_.emplace_back(2 * dim * dim * dim * dim);
  for (std::size_t row = 0; row < dim * dim; ++row) {
    for (std::size_t column = 0; column < dim * dim; ++column) {
      Complex sum{};
      for (std::size_t k = 0; k < operators.size(); ++k) {
        const std::size_t ket = row % dim * dim + column % dim, bra = row / dim * dim + column / dim;
        sum += (weights.empty() ? 1.0 : weights[k]) * operators[k][ket] * std::conj(operators[k][bra]);
      }
      numbers[2 * (row * dim * dim + column)] = static_cast<T>(sum.real());
      numbers[2 * (row * dim * dim + column) + 1] = static_cast<T>(sum.imag());
    }
  }
}

// The row of each basis state, as the measurements at the end give it.
template <class T>
void LaneWalker<T>::prepare_wiring() {
  const auto words = static_cast<std::size_t>(store_.layout().words);
  wired_mask_.assign(words, 0);
  for (std::size_t bit = 0; bit < script_.sources.size(); ++bit) {
    if (script_.sources[bit] >= 0) wired_mask_[bit >> 6] |= std::uint64_t{1} << (bit & 63);
  }
  has_wiring_ = std::ranges::any_of(wired_mask_, [](std::uint64_t word) { return word != 0; });
  if (!has_wiring_ || run_.mode == WalkMode::kLeaves) return;
  wired_rows_.assign(words << widths_.back(), 0);
  for (std::size_t bit = 0; bit < script_.sources.size(); ++bit) {
    if (script_.sources[bit] < 0) continue;
    const std::uint64_t mask = std::uint64_t{1} << (bit & 63);
    for (std::size_t i = 0; i < std::size_t{1} << widths_.back(); ++i) {
      if ((i >> script_.sources[bit]) & 1) wired_rows_[i * words + (bit >> 6)] |= mask;
    }
  }
}

template <class T>
void LaneWalker<T>::begin(std::size_t shots) {
  store_.clear();
  frame_ = Frame{};
  const std::uint32_t pack = store_.take_pack();
  store_.occupied(pack) = 1;
  frame_.packs.push_back(pack);
  frame_.count = 1;
  Branch branch = store_.branch(pack * lanes_);
  std::fill_n(branch.words(), store_.layout().size, std::uint64_t{0});
  branch.set_weight(1.0);
  const std::uint32_t first = store_.take_list(static_cast<std::uint32_t>(shots));
  for (std::uint32_t i = 0; i < shots; ++i) store_.shots()[first + i] = i;
  branch.set_shots(first, static_cast<std::uint32_t>(shots));
  const std::size_t size = std::size_t{1} << widths_.front();
  T* const state = store_.pack(pack);
  std::fill_n(state, 2 * lanes_ * size, T{0});
  if (run_.initial == nullptr) state[0] = 1;
  for (std::size_t i = 0; run_.initial != nullptr && i < 2 * size; ++i) state[i * lanes_] = run_.initial[i];
  ++statistics_.branches;
}

template <class T>
void LaneWalker<T>::adopt(const LaneWalker& other, std::span<const std::uint32_t> packs) {
  store_.clear();
  frame_ = Frame{};
  frame_.is_uniform = other.frame_.is_uniform;
  frame_.pc = other.frame_.pc;
  for (std::uint32_t theirs : packs) {
    const std::uint32_t pack = store_.take_pack();
    frame_.packs.push_back(pack);
    store_.occupied(pack) = other.store_.occupied(theirs);
    const std::uint32_t occupied = store_.occupied(pack);
    frame_.count += static_cast<std::size_t>(std::popcount(occupied));
    std::copy_n(other.store_.pack(theirs), store_.pack_size(), store_.pack(pack));
    for (std::uint32_t rest = occupied; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::uint32_t>(std::countr_zero(rest));
      const Branch from = other.store_.branch(theirs * lanes_ + l);
      Branch to = store_.branch(pack * lanes_ + l);
      std::copy_n(from.words(), store_.layout().size, to.words());
      const std::uint32_t first = store_.take_list(from.count());
      std::copy_n(other.store_.shots() + from.first(), from.count(), store_.shots() + first);
      to.set_shots(first, from.count());
    }
  }
}

template <class T>
std::size_t LaneWalker<T>::shots_of_pack(std::uint32_t pack) const {
  std::size_t sum = 0;
  for (std::uint32_t rest = store_.occupied(pack); rest != 0; rest &= rest - 1) {
    sum += store_.branch(pack * lanes_ + static_cast<std::uint32_t>(std::countr_zero(rest))).count();
  }
  return sum;
}

// --- the frame -------------------------------------------------------------------------------------------------------

template <class T>
typename LaneWalker<T>::Stop LaneWalker<T>::run(Clock::time_point deadline, std::size_t wide,
                                                const CancelToken* cancel) {
  if (leaf_ != kNoLane) {
    drop_lane(leaf_);
    leaf_ = kNoLane;
  }
  for (;;) {
    if (frame_.count == 0) {
      for (std::uint32_t pack : frame_.packs) store_.give_pack(pack);
      frame_.packs.clear();
      if (parked_.empty()) return Stop::kDone;
      std::swap(frame_, parked_.back());
      spare_frames_.push_back(std::move(parked_.back()));
      parked_.pop_back();
      continue;
    }
    if (cancel != nullptr && cancel->cancelled.load(std::memory_order_relaxed)) {
      throw Error(ErrorKind::kCancelled,
                  "the walk was cancelled after " + std::to_string(statistics_.branches) + " branches had begun");
    }
    if (Clock::now() >= deadline) return Stop::kTime;
    if (wide != 0 && frame_.count > wide) return Stop::kWide;
    if (frame_.count > limits_.frame_lanes) park_half();
    const std::uint32_t pc = next_step();
    if (pc == script_.steps.size()) {
      arrive(pc);
      if (leaf_ != kNoLane) return Stop::kLeaf;
    } else {
      step(pc);
    }
  }
}

// The step of those that are furthest behind.
template <class T>
std::uint32_t LaneWalker<T>::next_step() {
  if (frame_.is_uniform) return frame_.pc;
  std::uint32_t least = ~std::uint32_t{0}, most = 0;
  for (std::uint32_t pack : frame_.packs) {
    for (std::uint32_t rest = store_.occupied(pack); rest != 0; rest &= rest - 1) {
      const std::uint32_t pc = store_.branch(pack * lanes_ + static_cast<std::uint32_t>(std::countr_zero(rest))).pc();
      least = std::min(least, pc);
      most = std::max(most, pc);
    }
  }
  frame_.is_uniform = least == most;
  frame_.pc = least;
  return least;
}

template <class T>
std::uint32_t LaneWalker<T>::active_lanes(std::uint32_t pack, std::uint32_t pc) const {
  const std::uint32_t occupied = store_.occupied(pack);
  if (frame_.is_uniform) return occupied;
  std::uint32_t active = 0;
  for (std::uint32_t rest = occupied; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<std::uint32_t>(std::countr_zero(rest));
    active |= store_.branch(pack * lanes_ + l).pc() == pc ? 1u << l : 0u;
  }
  return active;
}

// Whether some branch of the pack takes no part: the mask is needed. Empty lanes may take part in anything.
template <class T>
bool LaneWalker<T>::fill_mask(std::uint32_t pack, std::uint32_t active, Words* mask) const {
  const std::uint32_t stays = store_.occupied(pack) & ~active;
  for (std::uint32_t l = 0; l < lanes_; ++l) mask[l] = (stays >> l) & 1 ? Words{0} : Words{-1};
  return stays != 0;
}

// Every branch says for itself where it is.
template <class T>
void LaneWalker<T>::spread_pc() {
  if (!frame_.is_uniform) return;
  for_each_active(frame_.pc, [&](std::uint32_t lane) { store_.branch(lane).set_pc(frame_.pc); });
  frame_.is_uniform = false;
}

template <class T>
void LaneWalker<T>::advance(std::uint32_t pc) {
  if (frame_.is_uniform) {
    frame_.pc = pc + 1;
  } else {
    for_each_active(pc, [&](std::uint32_t lane) { store_.branch(lane).set_pc(pc + 1); });
  }
}

// The half with fewer shots goes on.
template <class T>
void LaneWalker<T>::park_half() {
  compact();
  if (frame_.packs.size() < 2 || frame_.count <= limits_.frame_lanes) return;
  Frame other;
  if (!spare_frames_.empty()) {
    other = std::move(spare_frames_.back());
    spare_frames_.pop_back();
    other.packs.clear();
  }
  const std::size_t half = frame_.packs.size() / 2;
  std::size_t first_shots = 0, other_shots = 0, other_count = 0;
  for (std::size_t k = 0; k < frame_.packs.size(); ++k) {
    (k < half ? first_shots : other_shots) += shots_of_pack(frame_.packs[k]);
    if (k >= half) other_count += static_cast<std::size_t>(std::popcount(store_.occupied(frame_.packs[k])));
  }
  const auto middle = frame_.packs.begin() + static_cast<std::ptrdiff_t>(half);
  other.packs.assign(middle, frame_.packs.end());
  other.count = other_count;
  other.is_uniform = frame_.is_uniform;
  other.pc = frame_.pc;
  frame_.packs.erase(middle, frame_.packs.end());
  frame_.count -= other_count;
  if (first_shots > other_shots) std::swap(frame_, other);
  parked_.push_back(std::move(other));
}

// Moves branches from the last packs into empty lanes of the first.
template <class T>
void LaneWalker<T>::compact() {
  const std::size_t wanted = (frame_.count + lanes_ - 1) / lanes_;
  if (frame_.packs.size() <= wanted) return;
  const std::size_t size = std::size_t{1} << most_qubits();
  const std::uint32_t full = static_cast<std::uint32_t>((std::uint64_t{1} << lanes_) - 1);
  // The fullest first, so that few move; ties in order.
  std::ranges::stable_sort(frame_.packs, [&](std::uint32_t a, std::uint32_t b) {
    return std::popcount(store_.occupied(a)) > std::popcount(store_.occupied(b));
  });
  std::size_t to = 0;
  alignas(64) Words from[kMaxPackLanes], mask[kMaxPackLanes];
  for (std::size_t k = frame_.packs.size(); k-- > wanted;) {
    const std::uint32_t source = frame_.packs[k];
    while (store_.occupied(source) != 0) {
      while (store_.occupied(frame_.packs[to]) == full) ++to;
      const std::uint32_t target = frame_.packs[to];
      for (std::uint32_t l = 0; l < lanes_; ++l) {
        mask[l] = 0;
        from[l] = 0;
        const std::uint32_t rest = store_.occupied(source);
        if (((store_.occupied(target) >> l) & 1) != 0 || rest == 0) continue;
        const auto s = static_cast<std::uint32_t>(std::countr_zero(rest));
        from[l] = static_cast<Words>(s);
        mask[l] = -1;
        store_.occupied(source) &= ~(1u << s);
        store_.occupied(target) |= 1u << l;
        std::copy_n(store_.branch(source * lanes_ + s).words(), store_.layout().size,
                    store_.branch(target * lanes_ + l).words());
      }
      kernels_.move(store_.pack(target), store_.pack(source), size, from, mask);
    }
    store_.give_pack(source);
  }
  frame_.packs.resize(wanted);
}

// The widest state of the frame.
template <class T>
int LaneWalker<T>::most_qubits() const {
  if (frame_.is_uniform) return widths_[frame_.pc];
  int most = 0;
  for (std::uint32_t pack : frame_.packs) {
    for (std::uint32_t rest = store_.occupied(pack); rest != 0; rest &= rest - 1) {
      most = std::max(most,
                      widths_[store_.branch(pack * lanes_ + static_cast<std::uint32_t>(std::countr_zero(rest))).pc()]);
    }
  }
  return most;
}

template <class T>
void LaneWalker<T>::drop_lane(std::uint32_t lane) {
  store_.occupied(lane / lanes_) &= ~(1u << (lane % lanes_));
  --frame_.count;
}

// The shots of the branch end here.
template <class T>
void LaneWalker<T>::fail(std::uint32_t lane, const Error& error) {
  if (is_weighted_) throw error;
  error_.add(run_.first_shot + store_.shots()[store_.branch(lane).first()], error);
  drop_lane(lane);
}

// --- steps that do not divide ----------------------------------------------------------------------------------------

template <class T>
void LaneWalker<T>::step(std::uint32_t pc) {
  const WalkStep& step = script_.steps[pc];
  switch (step.kind) {
    case WalkStepKind::kGates:
      apply_gates(step, pc);
      return advance(pc);
    case WalkStepKind::kAlloc:
      alloc_qubit(pc);
      return advance(pc);
    case WalkStepKind::kReset:
    case WalkStepKind::kNoise:
      if (!script_.is_density) return divide(step, pc);
      apply_superoperator(step, pc);
      return advance(pc);
    case WalkStepKind::kMisread:
      if (step.is_read || is_weighted_) return divide(step, pc);
      misread_records(step, pc);
      return advance(pc);
    case WalkStepKind::kMeasure:
    case WalkStepKind::kFree:
      return divide(step, pc);
    default:
      return classical_step(step, pc);
  }
}

template <class T>
void LaneWalker<T>::apply_gates(const WalkStep& step, std::uint32_t pc) {
  const LaneProgram<T>& program = *(*run_.programs)[static_cast<std::size_t>(step.operand)];
  alignas(64) Words mask[kMaxPackLanes];
  for (std::uint32_t pack : frame_.packs) {
    std::uint32_t active = active_lanes(pack, pc);
    if (active == 0) continue;
    if (program.num_bound() != 0) active = bind_lanes(program, step, pack, active);
    const Words* chosen = fill_mask(pack, active, mask) ? mask : nullptr;
    for (const auto& part : program.parts()) {
      const auto apply = part.by_lane ? kernels_.apply_by_lane : kernels_.apply;
      apply(store_.pack(pack), widths_[pc], program.ops() + part.first_op, part.num_ops,
            part.by_lane ? lane_numbers_.data() : program.numbers(), program.tables(), chosen, gate_scratch_);
    }
    statistics_.gates +=
        static_cast<std::uint64_t>(program.num_gates()) * static_cast<std::uint64_t>(std::popcount(active));
  }
}

// The numbers of gates whose angles are classical variables. Returns the lanes that have them.
template <class T>
std::uint32_t LaneWalker<T>::bind_lanes(const LaneProgram<T>& program, const WalkStep& step, std::uint32_t pack,
                                        std::uint32_t active) {
  lane_numbers_.assign(program.num_bound() * lanes_, T{0});
  const std::vector<std::int32_t>& parameters = script_.angles[static_cast<std::size_t>(step.operand)];
  gate_values_.resize(parameters.size());
  for (std::uint32_t rest = active; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<std::uint32_t>(std::countr_zero(rest));
    const Branch branch = store_.branch(pack * lanes_ + l);
    try {
      for (std::size_t k = 0; k < parameters.size(); ++k) {
        const std::int32_t p = parameters[k];
        gate_values_[k] = p >= 0 ? run_.values[static_cast<std::size_t>(p)] : variable_as_angle(branch, ~p);
      }
      program.bind(gate_values_, lanes_, lane_numbers_.data() + l);
    } catch (const Error& error) {
      fail(pack * lanes_ + l, error);
      active &= ~(1u << l);
    }
  }
  return active;
}

template <class T>
void LaneWalker<T>::alloc_qubit(std::uint32_t pc) {
  alignas(64) Words mask[kMaxPackLanes];
  for (std::uint32_t pack : frame_.packs) {
    const std::uint32_t active = active_lanes(pack, pc);
    if (active == 0) continue;
    fill_mask(pack, active, mask);
    kernels_.extend(store_.pack(pack), widths_[pc], mask);
  }
}

// A channel, or a reset, on density matrices.
template <class T>
void LaneWalker<T>::apply_superoperator(const WalkStep& step, std::uint32_t pc) {
  const std::size_t number =
      static_cast<std::size_t>(step.operand) + (step.kind == WalkStepKind::kReset ? script_.places.size() : 0);
  alignas(64) Words mask[kMaxPackLanes];
  for (std::uint32_t pack : frame_.packs) {
    const std::uint32_t active = active_lanes(pack, pc);
    if (active == 0) continue;
    const bool is_partial = fill_mask(pack, active, mask);
    kernels_.apply(store_.pack(pack), widths_[pc], &place_ops_[number], 1, place_numbers_[number].data(),
                   place_tables_[number].data(), is_partial ? mask : nullptr, gate_scratch_);
  }
}

template <class T>
void LaneWalker<T>::classical_step(const WalkStep& step, std::uint32_t pc) {
  // Where all go the same way, all stay together.
  std::uint32_t common = kNoLane;
  bool is_common = frame_.is_uniform;
  for_each_active(pc, [&](std::uint32_t lane) {
    Branch branch = store_.branch(lane);
    std::uint32_t next = pc;
    try {
      next = decide(step, pc, branch);
    } catch (const Error& error) {
      return fail(lane, error);
    }
    branch.set_pc(next);
    is_common = is_common && (common == kNoLane || common == next);
    common = next;
  });
  if (!frame_.is_uniform) return;
  frame_.is_uniform = is_common;
  frame_.pc = common;
}

// Returns the next step of a branch.
template <class T>
std::uint32_t LaneWalker<T>::decide(const WalkStep& step, std::uint32_t pc, Branch& branch) {
  const auto target = static_cast<std::uint32_t>(step.target);
  switch (step.kind) {
    case WalkStepKind::kJump:
      return target;
    case WalkStepKind::kEnter:
      branch.passes(step.loop) = 0;
      return pc + 1;
    case WalkStepKind::kStore:
      run_code(step.operand, branch);
      branch.own(step.first, step.count);
      return pc + 1;
    case WalkStepKind::kChoose: {
      const auto labels =
          std::span(script_.labels).subspan(static_cast<std::size_t>(step.first), static_cast<std::size_t>(step.count));
      const std::uint64_t value = run_code(step.operand, branch);
      const auto found = std::ranges::lower_bound(labels, value);
      if (found == labels.end() || *found != value) return target;
      return static_cast<std::uint32_t>(
          script_.label_targets[static_cast<std::size_t>(step.first + (found - labels.begin()))]);
    }
    case WalkStepKind::kNextValue: {
      const std::uint64_t done = branch.passes(step.loop);
      if (done == static_cast<std::uint64_t>(step.count)) return target;
      begin_pass(step.loop, branch);
      if (step.bit >= 0) {
        branch.variables()[step.bit] = script_.loop_values[static_cast<std::size_t>(step.first) + done];
      }
      return pc + 1;
    }
    default: {  // kUnless
      if (run_code(step.operand, branch) == 0) return target;
      if (step.loop < 0) return pc + 1;
      if (branch.passes(step.loop) == static_cast<std::uint64_t>(run_.max_loop_passes)) {
        throw Error(ErrorKind::kCircuit, "a while loop has made " + std::to_string(run_.max_loop_passes) +
                                             " passes and its condition still holds; if it is not endless, raise "
                                             "max_loop_passes");
      }
      begin_pass(step.loop, branch);
      return pc + 1;
    }
  }
}

// Runs classical code; the lowest word of its value, if it has one.
template <class T>
std::uint64_t LaneWalker<T>::run_code(std::int32_t number, Branch& branch) {
  return classical::run(script_.classical.view(), number, {branch.bits(), branch.variables()}, classical_stack_.data());
}

template <class T>
double LaneWalker<T>::variable_as_angle(const Branch& branch, std::int32_t variable) const {
  const std::uint64_t word = branch.variables()[variable];
  const classical::Kind kind = script_.variable_kinds[static_cast<std::size_t>(variable)];
  const double value = kind == classical::Kind::kFloat ? std::bit_cast<double>(word)
                       : kind == classical::Kind::kInt ? static_cast<double>(static_cast<std::int64_t>(word))
                                                       : static_cast<double>(word);
  if (std::isfinite(value)) return value;
  throw Error(ErrorKind::kCircuit, "variable '" + script_.variable_names[static_cast<std::size_t>(variable)] +
                                       "' is not finite where an angle needs its value");
}

template <class T>
void LaneWalker<T>::begin_pass(std::int32_t loop, Branch& branch) {
  ++branch.passes(loop);
  if (branch.visits(loop)++ > kMaxVisit) {
    throw Error(ErrorKind::kCircuit, "a shot passes a loop more than " + std::to_string(kMaxVisit + 1) +
                                         " times; it has no random numbers left");
  }
}

template class LaneWalker<float>;
template class LaneWalker<double>;

}  // namespace qfast
