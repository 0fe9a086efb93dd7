// Steps at which the shots of a branch may part: measurements, channels, misreadings. In this order: the weights of the
// outcomes, the outcomes that the shots draw, lists and lanes for the parts, then what an outcome does to the state.
#include <algorithm>
#include <cmath>

#include "walk/lane_walker.h"

namespace qfast {
namespace {

constexpr std::uint32_t kSettled = ~std::uint32_t{0};
constexpr double kNever = 1e-15;  // rounding of what cannot happen
constexpr std::size_t kMostOutcomes = 256;

bool is_projection(WalkStepKind kind) {
  return kind == WalkStepKind::kMeasure || kind == WalkStepKind::kReset || kind == WalkStepKind::kFree;
}

// The only outcome that is possible, or kMostOutcomes.
std::size_t only_outcome(const double* weights, std::size_t outcomes) {
  std::size_t found = kMostOutcomes, possible = 0;
  for (std::size_t k = 0; k < outcomes; ++k) {
    if (weights[k] != 0) {
      found = k;
      ++possible;
    }
  }
  return possible == 1 ? found : kMostOutcomes;
}

}  // namespace

template <class T>
std::uint64_t LaneWalker<T>::site(const WalkStep& step, const Branch& branch) const {
  const SiteDomain domain = step.kind == WalkStepKind::kNoise     ? SiteDomain::kChannel
                            : step.kind == WalkStepKind::kMisread ? SiteDomain::kReading
                                                                  : SiteDomain::kOutcome;
  const std::uint64_t visit = step.loop < 0 ? 0 : branch.visits(step.loop) - 1;
  return site_of(domain, static_cast<std::uint64_t>(std::max(step.number, 0)), visit);
}

template <class T>
std::size_t LaneWalker<T>::num_outcomes(const WalkStep& step) const {
  if (step.kind != WalkStepKind::kNoise) return 2;
  const WalkPlace& place = script_.places[static_cast<std::size_t>(step.operand)];
  return script_.channels[static_cast<std::size_t>(place.channel)].operators.size();
}

template <class T>
void LaneWalker<T>::divide(const WalkStep& step, std::uint32_t pc) {
  active_.clear();
  for_each_active(pc, [&](std::uint32_t lane) { active_.push_back(lane); });
  const std::size_t outcomes = num_outcomes(step);
  store_.make_room(store_.num_shots());
  for (std::size_t from = 0; from < active_.size();) from = divide_some(step, pc, from, outcomes);
  if (frame_.is_uniform) frame_.pc = pc + 1;
  if (frame_.packs.size() > 1 && frame_.count * 2 < frame_.packs.size() * lanes_) compact();
  merge(pc + 1, pc);
}

// Divides as many branches as there is room for; the others take the step in the next round. Returns the first of them.
template <class T>
std::size_t LaneWalker<T>::divide_some(const WalkStep& step, std::uint32_t pc, std::size_t from, std::size_t outcomes) {
  const std::size_t more = std::max<std::size_t>(outcomes - 1, 1);
  const std::size_t room = store_.num_free_packs() * lanes_ + frame_.packs.size() * lanes_ - frame_.count;
  const std::size_t most = std::max<std::size_t>(std::min(room, limits_.frame_lanes) / more, 1);
  const std::size_t to = std::min(active_.size(), from + most);
  if (to < active_.size()) spread_pc();
  find_weights(step, pc, from, to, outcomes);
  drawn_at_.assign(to - from, kSettled);
  if (!is_weighted_) draw(step, from, to, outcomes);
  for (std::size_t i = from; i < to; ++i) {
    const double* const weights = weights_of(i, from, outcomes);
    is_weighted_ ? part_weighted(active_[i], weights, outcomes)
                 : part(active_[i], weights, outcomes, drawn_at_[i - from]);
  }
  copy_children(pc);
  carry_out(step, pc);
  children_.clear();
  touched_.clear();
  ++batch_;
  return to;
}

// A misreading that no branch looks at changes the rows of the shots; nothing divides.
template <class T>
void LaneWalker<T>::misread_records(const WalkStep& step, std::uint32_t pc) {
  const auto words = static_cast<std::size_t>(store_.layout().words);
  const auto k = static_cast<std::size_t>(step.bit >> 6);
  const std::uint64_t mask = std::uint64_t{1} << (step.bit & 63);
  const auto& error = script_.read_errors[static_cast<std::size_t>(step.operand)];
  for_each_active(pc, [&](std::uint32_t lane) {
    Branch branch = store_.branch(lane);
    disown(branch, k, pc + 1);
    const std::uint64_t where = site(step, branch);
    const std::uint32_t* const shots = store_.shots() + branch.first();
    for (std::uint32_t first = 0; first < branch.count(); first += kDrawBlock) {
      const std::uint32_t some = std::min(branch.count() - first, static_cast<std::uint32_t>(kDrawBlock));
      for (std::uint32_t i = 0; i < some; ++i) {
        draw_shots_[i] = run_.first_shot + shots[first + i];
        draw_sites_[i] = where;
      }
      run_.kernels->real.philox_uniforms_at(run_.seed, draw_shots_, draw_sites_, some, draw_uniforms_);
      for (std::uint32_t i = 0; i < some; ++i) {
        std::uint64_t& word = run_.rows[shots[first + i] * words + k];
        const bool is_one = draw_uniforms_[i] >= error[(word & mask) != 0 ? 2 : 0];
        word = is_one ? word | mask : word & ~mask;
      }
    }
  });
}

// --- weights ---------------------------------------------------------------------------------------------------------

template <class T>
const double* LaneWalker<T>::weights_of(std::size_t i, std::size_t from, std::size_t outcomes) const {
  return common_weights_ != nullptr ? common_weights_ : weights_.data() + (i - from) * outcomes;
}

template <class T>
void LaneWalker<T>::find_weights(const WalkStep& step, std::uint32_t pc, std::size_t from, std::size_t to,
                                 std::size_t outcomes) {
  common_weights_ = nullptr;
  const WalkPlace* place = nullptr;
  if (step.kind == WalkStepKind::kNoise) {
    place = &script_.places[static_cast<std::size_t>(step.operand)];
    const WalkChannel& channel = script_.channels[static_cast<std::size_t>(place->channel)];
    if (!channel.probabilities.empty()) {
      common_weights_ = channel.probabilities.data();
      return;
    }
  }
  weights_.resize((to - from) * outcomes);
  alignas(64) double weight[2][kMaxPackLanes];
  std::uint32_t pack = kNoLane;
  for (std::size_t i = from; i < to; ++i) {
    double* const out = weights_.data() + (i - from) * outcomes;
    if (step.kind == WalkStepKind::kMisread) {
      const auto& error = script_.read_errors[static_cast<std::size_t>(step.operand)];
      const std::size_t row = store_.branch(active_[i]).bit(step.bit) ? 2 : 0;
      out[0] = error[row];
      out[1] = error[row + 1];
      continue;
    }
    const bool is_new = active_[i] / lanes_ != pack;
    pack = active_[i] / lanes_;
    const std::uint32_t lane = active_[i] % lanes_;
    if (place != nullptr) {
      if (is_new) kraus_weights(*place, store_.pack(pack), widths_[pc]);
      for (std::size_t k = 0; k < outcomes; ++k) out[k] = lane_weights_[k * lanes_ + lane];
      continue;
    }
    if (is_new && script_.is_density) diagonal_weights(store_.pack(pack), step.operand, weight[0], weight[1]);
    if (is_new && !script_.is_density) {
      kernels_.weights(store_.pack(pack), widths_[pc], step.operand, weight[0], weight[1]);
    }
    out[0] = weight[0][lane];
    out[1] = weight[1][lane];
  }
}

// The diagonal of density matrices, summed where a qubit is 0 and 1.
template <class T>
void LaneWalker<T>::diagonal_weights(const T* pack, int qubit, double* weight0, double* weight1) const {
  std::fill_n(weight0, lanes_, 0.0);
  std::fill_n(weight1, lanes_, 0.0);
  for (std::size_t i = 0; i < std::size_t{1} << script_.num_qubits; ++i) {
    double* const out = (i >> qubit) & 1 ? weight1 : weight0;
    const T* const entry = pack + 2 * lanes_ * (i | i << script_.num_qubits);
    for (std::uint32_t l = 0; l < lanes_; ++l) out[l] += static_cast<double>(entry[l]);
  }
  for (std::uint32_t l = 0; l < lanes_; ++l) {
    weight0[l] = std::max(weight0[l], 0.0);
    weight1[l] = std::max(weight1[l], 0.0);
  }
}

// tr(K†K rho) of every operator in every lane, from the density matrix of the channel's qubits.
template <class T>
void LaneWalker<T>::kraus_weights(const WalkPlace& place, const T* pack, int qubits) {
  const std::size_t dim = std::size_t{1} << place.qubits.size();
  const auto number = static_cast<std::size_t>(&place - script_.places.data());
  const auto& effects = effects_[static_cast<std::size_t>(place.channel)];
  reduced_.resize(dim * (dim + 1) * lanes_);
  kernels_.reduce(pack, qubits, place_ops_[number].fixed, place_tables_[number].data(), dim, reduced_.data());
  lane_weights_.assign(effects.size() * lanes_, 0.0);
  for (std::size_t k = 0; k < effects.size(); ++k) {
    const double* rho = reduced_.data();  // rho_ab = x_a conj(x_b), a <= b; tr(E rho) = sum of E_ba rho_ab
    double* const out = lane_weights_.data() + k * lanes_;
    for (std::size_t a = 0; a < dim; ++a) {
      for (std::size_t b = a; b < dim; ++b, rho += 2 * lanes_) {
        const Complex e = effects[k][b * dim + a] * (a == b ? 1.0 : 2.0);
        for (std::size_t l = 0; l < lanes_; ++l) out[l] += e.real() * rho[l] - e.imag() * rho[lanes_ + l];
      }
    }
    for (std::size_t l = 0; l < lanes_; ++l) {
      if (!(out[l] >= kNever)) out[l] = 0;
    }
  }
}

// --- draws -----------------------------------------------------------------------------------------------------------

// The outcome of every shot of branches with a choice, to drawn_; drawn_at_ says where those of a branch begin.
template <class T>
void LaneWalker<T>::draw(const WalkStep& step, std::size_t from, std::size_t to, std::size_t outcomes) {
  std::uint32_t next = 0;
  for (std::size_t i = from; i < to; ++i) {
    const double* const weights = weights_of(i, from, outcomes);
    if (only_outcome(weights, outcomes) != kMostOutcomes) continue;
    const Branch branch = store_.branch(active_[i]);
    const std::uint64_t where = site(step, branch);
    const std::uint32_t* const shots = store_.shots() + branch.first();
    drawn_at_[i - from] = next;
    for (std::uint32_t done = 0; done < branch.count();) {
      const auto some = std::min(branch.count() - done, static_cast<std::uint32_t>(kDrawBlock - num_draws_));
      drawers_.push_back({some, next + done, weights});
      for (std::uint32_t k = 0; k < some; ++k) {
        draw_shots_[num_draws_ + k] = run_.first_shot + shots[done + k];
        draw_sites_[num_draws_ + k] = where;
      }
      num_draws_ += some;
      done += some;
      if (num_draws_ == kDrawBlock) flush_draws(outcomes);
    }
    next += branch.count();
  }
  flush_draws(outcomes);
}

// Outcome k has the k-th part of the unit interval.
template <class T>
void LaneWalker<T>::flush_draws(std::size_t outcomes) {
  run_.kernels->real.philox_uniforms_at(run_.seed, draw_shots_, draw_sites_, num_draws_, draw_uniforms_);
  const double* uniform = draw_uniforms_;
  double ends[kMostOutcomes];
  for (const Drawer& drawer : drawers_) {
    std::uint8_t* const out = drawn_ + drawer.at;
    double sum = 0;
    std::size_t last = 0;  // the last outcome that is possible
    for (std::size_t k = 0; k < outcomes; ++k) {
      sum += drawer.weights[k];
      ends[k] = sum;
      if (drawer.weights[k] != 0) last = k;
    }
    if (last == 1) {
      for (std::uint32_t i = 0; i < drawer.count; ++i) out[i] = uniform[i] * sum >= ends[0] ? 1 : 0;
    } else {
      for (std::uint32_t i = 0; i < drawer.count; ++i) {
        const double value = uniform[i] * sum;
        std::size_t k = 0;
        while (k < last && ends[k] <= value) ++k;
        out[i] = static_cast<std::uint8_t>(k);
      }
    }
    uniform += drawer.count;
  }
  drawers_.clear();
  num_draws_ = 0;
}

// --- parts -----------------------------------------------------------------------------------------------------------

// What a lane is to do, once all parts have their lanes.
template <class T>
void LaneWalker<T>::settle_lane(std::uint32_t lane, std::uint32_t outcome, double weight) {
  const std::uint32_t pack = lane / lanes_;
  if (touched_at_[pack] != batch_) {
    touched_at_[pack] = batch_;
    touched_.push_back(pack);
    std::fill_n(outcome_ + std::size_t{pack} * lanes_, lanes_, -1);
  }
  outcome_[lane] = static_cast<std::int32_t>(outcome);
  outcome_weight_[lane] = weight;
}

// Divides the shots of a branch by outcome. The largest part keeps the lane; the others become children.
template <class T>
void LaneWalker<T>::part(std::uint32_t lane, const double* weights, std::size_t outcomes, std::uint32_t drawn_at) {
  if (drawn_at == kSettled) {
    const std::size_t only = only_outcome(weights, outcomes);
    return settle_lane(lane, static_cast<std::uint32_t>(only), weights[only]);
  }
  Branch branch = store_.branch(lane);
  const std::uint32_t count = branch.count();
  const std::uint8_t* const drawn = drawn_ + drawn_at;
  if (count == 1) return settle_lane(lane, drawn[0], weights[drawn[0]]);
  std::uint32_t counts[kMostOutcomes] = {};
  if (outcomes == 2) {
    std::uint32_t ones = 0;
    for (std::uint32_t i = 0; i < count; ++i) ones += drawn[i];
    counts[0] = count - ones;
    counts[1] = ones;
  } else {
    for (std::uint32_t i = 0; i < count; ++i) ++counts[drawn[i]];
  }
  const auto largest = static_cast<std::size_t>(std::max_element(counts, counts + outcomes) - counts);
  if (counts[largest] == count) return settle_lane(lane, static_cast<std::uint32_t>(largest), weights[largest]);

  const std::uint32_t first = store_.take_list(count);
  std::uint32_t next[kMostOutcomes], sum = first;
  for (std::size_t k = 0; k < outcomes; ++k) {
    next[k] = sum;
    sum += counts[k];
  }
  const std::uint32_t* const shots = store_.shots() + branch.first();
  for (std::uint32_t i = 0; i < count; ++i) store_.shots()[next[drawn[i]]++] = shots[i];
  for (std::size_t k = 0; k < outcomes; ++k) {
    if (counts[k] == 0) continue;
    const auto outcome = static_cast<std::uint32_t>(k);
    if (k == largest) {
      branch.set_shots(next[k] - counts[k], counts[k]);
      settle_lane(lane, outcome, weights[k]);
    } else {
      children_.push_back({lane, outcome, next[k] - counts[k], counts[k], weights[k], 0.0});
    }
  }
}

template <class T>
void LaneWalker<T>::part_weighted(std::uint32_t lane, const double* weights, std::size_t outcomes) {
  Branch branch = store_.branch(lane);
  double sum = 0;
  for (std::size_t k = 0; k < outcomes; ++k) sum += weights[k];
  const double whole = branch.weight();
  bool is_kept = false;
  for (std::size_t k = 0; k < outcomes; ++k) {
    const double share = weights[k] / sum;
    if (share != 1.0 && whole * share <= run_.cutoff) continue;
    const auto outcome = static_cast<std::uint32_t>(k);
    if (is_kept) {
      children_.push_back({lane, outcome, 0, 0, weights[k], whole * share});
    } else {
      is_kept = true;
      branch.set_weight(whole * share);
      settle_lane(lane, outcome, weights[k]);
    }
  }
  if (!is_kept) drop_lane(lane);
}

// Gives every child a lane: the empty ones of the frame, then new packs. Lanes that go from one pack to another are
// copied together.
template <class T>
void LaneWalker<T>::copy_children(std::uint32_t pc) {
  statistics_.branches += children_.size();
  const std::size_t size = std::size_t{1} << widths_[pc];
  const std::uint32_t full = static_cast<std::uint32_t>((std::uint64_t{1} << lanes_) - 1);
  alignas(64) Words from[kMaxPackLanes] = {}, mask[kMaxPackLanes] = {};
  std::size_t place = 0;
  std::uint32_t source = kNoLane, target = kNoLane;
  const auto flush = [&] {
    if (source == kNoLane) return;
    kernels_.move(store_.pack(target), store_.pack(source), size, from, mask);
    std::fill_n(mask, kMaxPackLanes, Words{0});
  };
  for (const Child& child : children_) {
    const std::uint32_t child_source = child.source / lanes_;
    if (target == kNoLane || store_.occupied(target) == full || child_source != source) {
      flush();
      source = child_source;
      while (place < frame_.packs.size() && store_.occupied(frame_.packs[place]) == full) ++place;
      if (place == frame_.packs.size()) frame_.packs.push_back(store_.take_pack());
      target = frame_.packs[place];
    }
    const auto l = static_cast<std::uint32_t>(std::countr_one(store_.occupied(target)));
    store_.occupied(target) |= 1u << l;
    from[l] = static_cast<Words>(child.source % lanes_);
    mask[l] = -1;
    const std::uint32_t lane = target * lanes_ + l;
    Branch branch = store_.branch(lane);
    std::copy_n(store_.branch(child.source).words(), store_.layout().size, branch.words());
    branch.set_shots(child.first, child.count);
    if (is_weighted_) branch.set_weight(child.size);
    settle_lane(lane, child.outcome, child.weight);
    ++frame_.count;
  }
  flush();
}

// --- what an outcome does --------------------------------------------------------------------------------------------

template <class T>
void LaneWalker<T>::carry_out(const WalkStep& step, std::uint32_t pc) {
  const bool records = step.kind == WalkStepKind::kMeasure || step.kind == WalkStepKind::kMisread;
  for (std::uint32_t pack : touched_) {
    if (is_projection(step.kind)) project(step, pack, widths_[pc]);
    if (step.kind == WalkStepKind::kNoise) operate(step, pack, widths_[pc]);
    for (std::uint32_t rest = store_.occupied(pack); rest != 0; rest &= rest - 1) {
      const std::uint32_t lane = pack * lanes_ + static_cast<std::uint32_t>(std::countr_zero(rest));
      if (outcome_[lane] < 0) continue;
      Branch branch = store_.branch(lane);
      if (records) branch.set_bit(step.bit, outcome_[lane] != 0);
      if (!frame_.is_uniform) branch.set_pc(pc + 1);
    }
  }
}

template <class T>
void LaneWalker<T>::project(const WalkStep& step, std::uint32_t pack, int qubits) {
  alignas(64) T keep0[kMaxPackLanes], keep1[kMaxPackLanes], from1[kMaxPackLanes];
  alignas(64) Words mask[kMaxPackLanes];
  std::uint32_t active = 0;
  bool changes = false;
  for (std::uint32_t l = 0; l < lanes_; ++l) {
    const std::uint32_t lane = pack * lanes_ + l;
    const std::int32_t outcome = (store_.occupied(pack) >> l) & 1 ? outcome_[lane] : -1;
    keep0[l] = keep1[l] = from1[l] = 0;
    if (outcome < 0) continue;
    active |= 1u << l;
    const double weight = outcome_weight_[lane];
    const T scale = static_cast<T>(1 / (script_.is_density ? weight : std::sqrt(weight)));
    const bool stays = outcome == 0 || step.kind == WalkStepKind::kMeasure;
    (stays ? outcome == 0 ? keep0[l] : keep1[l] : from1[l]) = scale;
    changes = true;
  }
  if (!changes) return;
  const bool is_partial = fill_mask(pack, active, mask);
  kernels_.project(store_.pack(pack), qubits, step.operand, keep0, keep1, from1, is_partial ? mask : nullptr);
  if (script_.is_density) {  // the bra, once more
    for (std::uint32_t l = 0; l < lanes_; ++l) {
      keep0[l] = keep0[l] != 0 ? T{1} : T{0};
      keep1[l] = keep1[l] != 0 ? T{1} : T{0};
    }
    kernels_.project(store_.pack(pack), qubits, step.operand + script_.num_qubits, keep0, keep1, from1,
                     is_partial ? mask : nullptr);
    return;
  }
  if (step.kind == WalkStepKind::kFree) kernels_.drop(store_.pack(pack), qubits, step.operand, mask);
  kernels_.settle(store_.pack(pack), step.kind == WalkStepKind::kFree ? qubits - 1 : qubits, mask);
}

// Every lane has its own operator; those that stay as they are have the identity.
template <class T>
void LaneWalker<T>::operate(const WalkStep& step, std::uint32_t pack, int qubits) {
  const auto number = static_cast<std::size_t>(step.operand);
  const WalkChannel& channel = script_.channels[static_cast<std::size_t>(script_.places[number].channel)];
  const bool is_mixture = !channel.probabilities.empty();
  std::uint32_t active = 0;
  for (std::uint32_t l = 0; l < lanes_; ++l) {
    const std::int32_t outcome = (store_.occupied(pack) >> l) & 1 ? outcome_[pack * lanes_ + l] : -1;
    if (outcome >= 0 && !channel.is_identity[static_cast<std::size_t>(outcome)]) active |= 1u << l;
  }
  if (active == 0) return;
  const std::size_t entries = std::size_t{1} << (2 * channel.num_qubits), dim = std::size_t{1} << channel.num_qubits;
  lane_numbers_.assign(2 * entries * lanes_, T{0});
  for (std::uint32_t l = 0; l < lanes_; ++l) {
    T* const out = lane_numbers_.data() + l;
    if (((active >> l) & 1) == 0) {
      for (std::size_t k = 0; k < dim; ++k) out[2 * lanes_ * (k * dim + k)] = 1;
      continue;
    }
    const std::uint32_t lane = pack * lanes_ + l;
    const std::vector<Complex>& matrix = channel.operators[static_cast<std::size_t>(outcome_[lane])];
    const double scale = is_mixture ? 1.0 : 1 / std::sqrt(outcome_weight_[lane]);
    for (std::size_t k = 0; k < entries; ++k) {
      out[2 * lanes_ * k] = static_cast<T>(matrix[k].real() * scale);
      out[2 * lanes_ * k + lanes_] = static_cast<T>(matrix[k].imag() * scale);
    }
  }
  alignas(64) Words mask[kMaxPackLanes];
  const bool is_partial = fill_mask(pack, active, mask);
  kernels_.apply_by_lane(store_.pack(pack), qubits, &place_ops_[number], 1, lane_numbers_.data(),
                         place_tables_[number].data(), is_partial ? mask : nullptr, gate_scratch_);
}

template class LaneWalker<float>;
template class LaneWalker<double>;

}  // namespace qfast
