#include "walk/branches.h"

#include <algorithm>
#include <cstring>

namespace qfast {
namespace {

// Branches abreast whose states fit the second-level cache, and no more than bookkeeping can use.
constexpr std::size_t kFrameBytes = std::size_t{1} << 20;
constexpr std::size_t kLeastFrame = 16, kLargestFrame = 4096;

}  // namespace

BranchLayout::BranchLayout(const WalkScript& script) {
  words = (script.num_bits + 63) / 64;
  bits = 3;
  owned = bits + static_cast<std::size_t>(words);
  variables = owned + static_cast<std::size_t>(words);
  passes = variables + static_cast<std::size_t>(script.num_variables);
  visits = passes + static_cast<std::size_t>(script.num_loops);
  size = visits + static_cast<std::size_t>(script.num_loops);
}

// A frame that grows too wide is halved, and the half with fewer shots goes on: at most log2(shots) others wait. Each
// has at most twice its width, and a pack that is not full.
BranchLimits branch_limits(std::size_t shots, std::size_t state_bytes, int lanes, std::size_t most_outcomes) {
  BranchLimits out;
  const auto width = static_cast<std::size_t>(lanes);
  out.shots = shots;
  out.most_outcomes = most_outcomes;
  out.frame_lanes = std::clamp(kFrameBytes / state_bytes, kLeastFrame, kLargestFrame);
  const std::size_t depth = 2 + static_cast<std::size_t>(std::bit_width(shots == 0 ? std::size_t{1} << 20 : shots));
  const std::size_t by_frames = 2 * out.frame_lanes * depth + most_outcomes;
  const std::size_t by_shots = shots == 0 ? by_frames : 2 * shots;
  out.packs = (std::min(by_frames, by_shots) + width - 1) / width + depth;
  return out;
}

template <class T>
std::size_t BranchStore<T>::arena_bytes(const BranchLayout& layout, int max_qubits, int lanes,
                                        const BranchLimits& limits) {
  const auto width = static_cast<std::size_t>(lanes);
  return WalkArena::bytes_of<T>((limits.packs * 2 * width) << max_qubits) +
         WalkArena::bytes_of<std::uint64_t>(limits.packs * width * layout.size) +
         WalkArena::bytes_of<std::uint32_t>(limits.packs) + WalkArena::bytes_of<std::uint32_t>(3 * limits.shots);
}

template <class T>
BranchStore<T>::BranchStore(const WalkScript& script, int max_qubits, const WalkKernels<T>& kernels,
                            const BranchLimits& limits)
    : layout_(script),
      limits_(limits),
      lanes_(static_cast<std::uint32_t>(kernels.lanes)),
      pack_size_(std::size_t{2 * lanes_} << max_qubits),
      arena_(arena_bytes(layout_, max_qubits, kernels.lanes, limits)),
      shot_capacity_(3 * limits.shots) {
  states_ = arena_.take<T>(limits.packs * pack_size_);
  records_ = arena_.take<std::uint64_t>(limits.packs * lanes_ * layout_.size);
  occupied_ = arena_.take<std::uint32_t>(limits.packs);
  shots_ = arena_.take<std::uint32_t>(shot_capacity_);
  free_packs_.reserve(limits.packs);
  by_place_.reserve(limits.packs * lanes_);
  clear();
}

template <class T>
void BranchStore<T>::clear() {
  free_packs_.clear();
  for (std::size_t p = limits_.packs; p-- > 0;) free_packs_.push_back(static_cast<std::uint32_t>(p));
  std::fill_n(occupied_, limits_.packs, 0u);
  next_shot_ = 0;
}

template <class T>
std::uint32_t BranchStore<T>::take_pack() {
  const std::uint32_t p = free_packs_.back();
  free_packs_.pop_back();
  occupied_[p] = 0;
  return p;
}

template <class T>
void BranchStore<T>::make_room(std::size_t count) {
  if (next_shot_ + count <= shot_capacity_) return;
  by_place_.clear();
  for (std::uint32_t p = 0; p < limits_.packs; ++p) {
    for (std::uint32_t rest = occupied_[p]; rest != 0; rest &= rest - 1) {
      const std::uint32_t lane = p * lanes_ + static_cast<std::uint32_t>(std::countr_zero(rest));
      by_place_.emplace_back(branch(lane).first(), lane);
    }
  }
  std::ranges::sort(by_place_);
  next_shot_ = 0;
  for (const auto& [place, lane] : by_place_) {
    Branch b = branch(lane);
    std::memmove(shots_ + next_shot_, shots_ + place, b.count() * sizeof(std::uint32_t));
    b.set_shots(next_shot_, b.count());
    next_shot_ += b.count();
  }
}

template class BranchStore<float>;
template class BranchStore<double>;

}  // namespace qfast
