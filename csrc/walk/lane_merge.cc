// Branches that are equal become one: states bit for bit, classical values as far as they are read again. What they
// have recorded otherwise goes to the rows of their shots.
#include <algorithm>
#include <bit>

#include "base/philox.h"
#include "walk/lane_walker.h"

namespace qfast {
namespace {

// A step where nothing was found is left alone for a while; results do not depend on what is merged.
constexpr std::uint32_t kLongestPause = 64;
constexpr std::size_t kWorthwhile = 16;  // one in so many

// Any numbers of about one size.
const double* fingerprint_coefficients() {
  static const std::vector<double> numbers = [] {
    std::vector<double> found(std::size_t{2} << kMaxWalkQubits);
    for (std::size_t k = 0; k < found.size(); ++k) found[k] = 0.5 + philox_uniform(1, k, 0);
    return found;
  }();
  return numbers.data();
}

std::uint64_t mixed(std::uint64_t h, std::uint64_t word) {
  h = (h ^ word) * 0x9E3779B97F4A7C15ull;
  return h ^ (h >> 29);
}

}  // namespace

// Calls visit(word) for each live classical value, in an order that depends on pc only.
template <class T>
template <class Visit>
void LaneWalker<T>::for_each_live(const Branch& branch, std::uint32_t pc, const Visit& visit) const {
  const WalkLiveness& live = script_.live;
  const auto row = static_cast<std::size_t>(live.row[pc]);
  const auto words = static_cast<std::size_t>(store_.layout().words);
  for (std::size_t k = 0; k < words; ++k) {
    // A weighted branch has no shots with rows of their own: all of its bits count.
    visit(is_weighted_ ? branch.bits()[k] : branch.bits()[k] & live.bits[row * words + k]);
  }
  const auto numbers = [&](const std::vector<std::uint64_t>& masks, std::int32_t count, std::size_t begin) {
    const auto mask_words = static_cast<std::size_t>(std::max(1, (count + 63) / 64));
    for (std::size_t k = 0; k < mask_words; ++k) {
      for (std::uint64_t rest = masks[row * mask_words + k]; rest != 0; rest &= rest - 1) {
        visit(branch.words()[begin + 64 * k + static_cast<std::size_t>(std::countr_zero(rest))]);
      }
    }
  };
  numbers(live.variables, script_.num_variables, store_.layout().variables);
  numbers(live.passes, script_.num_loops, store_.layout().passes);
  numbers(live.visits, script_.num_loops, store_.layout().visits);
}

template <class T>
std::uint64_t LaneWalker<T>::live_hash(const Branch& branch, std::uint32_t pc) const {
  std::uint64_t h = 0;
  for_each_live(branch, pc, [&](std::uint64_t word) { h = mixed(h, word); });
  return h;
}

template <class T>
bool LaneWalker<T>::are_equal(std::uint32_t a, std::uint32_t b, std::uint32_t pc) {
  live_words_.clear();
  for_each_live(store_.branch(a), pc, [&](std::uint64_t word) { live_words_.push_back(word); });
  std::size_t k = 0;
  bool is_equal = true;
  for_each_live(store_.branch(b), pc, [&](std::uint64_t word) { is_equal = is_equal && word == live_words_[k++]; });
  if (!is_equal) return false;
  const T* const x = store_.pack(a / lanes_) + a % lanes_;
  const T* const y = store_.pack(b / lanes_) + b % lanes_;
  for (std::size_t i = 0; i < std::size_t{2} << widths_[pc]; ++i) {
    if (x[i * lanes_] != y[i * lanes_]) return false;
  }
  return true;
}

template <class T>
void LaneWalker<T>::merge(std::uint32_t pc, std::uint32_t step) {
  if (frame_.count < 2) return;
  if (merge_wait_[step] != 0) {
    --merge_wait_[step];
    return;
  }
  active_.clear();
  for_each_active(pc, [&](std::uint32_t lane) { active_.push_back(lane); });
  if (active_.size() < 2) return;
  table_.assign(std::bit_ceil(2 * active_.size()), 0);
  hashes_.resize(active_.size());
  joined_.clear();
  std::uint32_t pack = kNoLane;
  alignas(64) double fingerprints[kMaxPackLanes];
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const std::uint32_t lane = active_[i];
    if (lane / lanes_ != pack) {
      pack = lane / lanes_;
      kernels_.fingerprint(store_.pack(pack), widths_[pc], fingerprint_coefficients(), fingerprints);
    }
    hashes_[i] =
        mixed(live_hash(store_.branch(lane), pc), std::bit_cast<std::uint64_t>(fingerprints[lane % lanes_] + 0.0));
    std::size_t at = hashes_[i] & (table_.size() - 1);
    for (; table_[at] != 0; at = (at + 1) & (table_.size() - 1)) {
      const std::size_t other = table_[at] - 1;
      if (hashes_[other] != hashes_[i] || !are_equal(active_[other], lane, pc)) continue;
      joined_.push_back({active_[other], lane});
      break;
    }
    if (table_[at] == 0) table_[at] = static_cast<std::uint32_t>(i + 1);
  }
  if (joined_.size() * kWorthwhile < active_.size()) {
    merge_pause_[step] = std::min(2 * merge_pause_[step] + 1, kLongestPause);
    merge_wait_[step] = merge_pause_[step];
  } else {
    merge_pause_[step] = 0;
  }
  if (joined_.empty()) return;
  std::ranges::sort(joined_);
  for (auto begin = joined_.begin(); begin != joined_.end();) {
    auto end = begin;
    while (end != joined_.end() && end->first == begin->first) ++end;
    join({begin, end}, pc);
    begin = end;
  }
  statistics_.merges += joined_.size();
  if (frame_.count * 2 < frame_.packs.size() * lanes_) compact();
}

// The first of each pair takes over the shots of the second.
template <class T>
void LaneWalker<T>::join(std::span<const std::pair<std::uint32_t, std::uint32_t>> pairs, std::uint32_t pc) {
  const std::uint32_t stays = pairs.front().first;
  Branch branch = store_.branch(stays);
  if (is_weighted_) {
    for (const auto& [first, goes] : pairs) {
      branch.set_weight(branch.weight() + store_.branch(goes).weight());
      drop_lane(goes);
    }
    return;
  }
  disown_differences(pairs, pc);
  std::size_t total = branch.count();
  for (const auto& [first, goes] : pairs) total += store_.branch(goes).count();
  store_.make_room(2 * total);
  std::uint32_t from = store_.take_list(static_cast<std::uint32_t>(total));
  std::uint32_t to = store_.take_list(static_cast<std::uint32_t>(total));
  std::uint32_t* const shots = store_.shots();
  runs_.assign(1, 0);
  const auto append = [&](const Branch& b) {
    std::copy_n(shots + b.first(), b.count(), shots + from + runs_.back());
    runs_.push_back(runs_.back() + b.count());
  };
  append(branch);
  for (const auto& [first, goes] : pairs) append(store_.branch(goes));
  while (runs_.size() > 2) {  // ascending runs, two by two
    std::size_t kept = 0;
    for (std::size_t k = 0; k + 1 < runs_.size(); k += 2) {
      const std::size_t end = std::min(k + 2, runs_.size() - 1);
      std::merge(shots + from + runs_[k], shots + from + runs_[k + 1], shots + from + runs_[k + 1],
                 shots + from + runs_[end], shots + to + runs_[k]);
      runs_[++kept] = runs_[end];
    }
    runs_.resize(kept + 1);
    std::swap(from, to);
  }
  branch.set_shots(from, static_cast<std::uint32_t>(total));
  for (const auto& [first, goes] : pairs) drop_lane(goes);
}

// Words of classical bits in which the branches differ, or not all own the same, go to the rows.
template <class T>
void LaneWalker<T>::disown_differences(std::span<const std::pair<std::uint32_t, std::uint32_t>> pairs,
                                       std::uint32_t pc) {
  Branch stays = store_.branch(pairs.front().first);
  for (const auto& pair : pairs) {
    if (!store_.branch(pair.second).is_whole()) stays.set_partly_in_rows();
  }
  for (std::size_t k = 0; k < static_cast<std::size_t>(store_.layout().words); ++k) {
    const bool is_same = std::ranges::all_of(pairs, [&](const auto& pair) {
      const Branch goes = store_.branch(pair.second);
      return goes.bits()[k] == stays.bits()[k] && goes.owned()[k] == stays.owned()[k];
    });
    if (is_same) continue;
    disown(stays, k, pc);
    for (const auto& pair : pairs) {
      Branch goes = store_.branch(pair.second);
      disown(goes, k, pc);
    }
  }
}

// Writes a word of classical bits to the rows; the branch keeps what is read from step pc on.
template <class T>
void LaneWalker<T>::disown(Branch& branch, std::size_t word, std::uint32_t pc) {
  const auto words = static_cast<std::size_t>(store_.layout().words);
  const std::uint64_t owned = branch.owned()[word], bits = branch.bits()[word] & owned;
  const std::uint32_t* const shots = store_.shots() + branch.first();
  for (std::uint32_t i = 0; owned != 0 && i < branch.count(); ++i) {
    std::uint64_t& row = run_.rows[shots[i] * words + word];
    row = (row & ~owned) | bits;
  }
  branch.set_partly_in_rows();
  branch.owned()[word] = 0;
  branch.bits()[word] &= script_.live.bits[static_cast<std::size_t>(script_.live.row[pc]) * words + word];
}

template class LaneWalker<float>;
template class LaneWalker<double>;

}  // namespace qfast
