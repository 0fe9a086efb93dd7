// The branches of a walk: packs of states, the classical side of each branch, and the lists of shots that walk it.
// All of it lies in one arena, made once; a branch costs no allocation.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/walk_kernels.h"
#include "walk/script.h"

namespace qfast {

// Pieces of one buffer, each at a 64-byte boundary.
class WalkArena {
 public:
  template <class X>
  static std::size_t bytes_of(std::size_t count) {
    return (count * sizeof(X) + 63) & ~std::size_t{63};
  }
  explicit WalkArena(std::size_t size_bytes)
      : buffer_(StateBufferPool::instance().allocate(std::bit_ceil(std::max<std::size_t>(size_bytes, 4096)),
                                                     "the branches of a walk")),
        next_(static_cast<std::byte*>(buffer_.data())) {}
  template <class X>
  X* take(std::size_t count) {
    X* const found = reinterpret_cast<X*>(next_);
    next_ += bytes_of<X>(count);
    return found;
  }
  std::size_t size_bytes() const { return buffer_.size_bytes(); }

 private:
  StateBuffer buffer_;
  std::byte* next_;
};

// The words of a branch: its place, its shots, the classical bits that it records and reads, variables, loop counters.
struct BranchLayout {
  explicit BranchLayout(const WalkScript& script);

  int words;                                           // of a row of classical bits
  std::size_t bits, owned, variables, passes, visits;  // where they begin
  std::size_t size;
};

// One branch, seen in its words.
class Branch {
 public:
  Branch(std::uint64_t* words, const BranchLayout& layout) : w_(words), layout_(&layout) {}

  std::uint32_t pc() const { return static_cast<std::uint32_t>(w_[0]); }
  void set_pc(std::uint32_t pc) { w_[0] = (w_[0] & kPartlyInRows) | pc; }
  std::uint32_t first() const { return static_cast<std::uint32_t>(w_[1]); }
  std::uint32_t count() const { return static_cast<std::uint32_t>(w_[1] >> 32); }
  void set_shots(std::uint32_t first, std::uint32_t count) { w_[1] = first | std::uint64_t{count} << 32; }
  double weight() const { return std::bit_cast<double>(w_[2]); }
  void set_weight(double weight) { w_[2] = std::bit_cast<std::uint64_t>(weight); }

  // Classical bits. What is owned stands here and not in the rows of the shots; the rest of the row stands there, if
  // the branch is not whole, or is zero.
  bool is_whole() const { return (w_[0] & kPartlyInRows) == 0; }
  void set_partly_in_rows() { w_[0] |= kPartlyInRows; }
  std::uint64_t* bits() const { return w_ + layout_->bits; }
  std::uint64_t* owned() const { return w_ + layout_->owned; }
  bool bit(std::int32_t b) const { return (bits()[b >> 6] >> (b & 63)) & 1; }
  void set_bit(std::int32_t b, bool value) {
    const std::uint64_t mask = std::uint64_t{1} << (b & 63);
    bits()[b >> 6] = value ? bits()[b >> 6] | mask : bits()[b >> 6] & ~mask;
    owned()[b >> 6] |= mask;
  }
  void own(std::int32_t first, std::int32_t count) {
    for (std::int32_t b = first; b < first + count; ++b) owned()[b >> 6] |= std::uint64_t{1} << (b & 63);
  }
  std::uint64_t* variables() const { return w_ + layout_->variables; }
  std::uint64_t& passes(std::int32_t loop) const { return w_[layout_->passes + static_cast<std::size_t>(loop)]; }
  std::uint64_t& visits(std::int32_t loop) const { return w_[layout_->visits + static_cast<std::size_t>(loop)]; }
  std::uint64_t* words() const { return w_; }

 private:
  static constexpr std::uint64_t kPartlyInRows = std::uint64_t{1} << 32;

  std::uint64_t* w_;
  const BranchLayout* layout_;
};

// How much a walker holds at most.
struct BranchLimits {
  std::size_t packs;
  std::size_t shots;        // 0: branches are weighted
  std::size_t frame_lanes;  // branches that are walked abreast
  std::size_t most_outcomes;
};
BranchLimits branch_limits(std::size_t shots, std::size_t state_bytes, int lanes, std::size_t most_outcomes);

constexpr std::uint32_t kNoLane = ~std::uint32_t{0};

// Lane l of pack p is lane number p * lanes + l.
template <class T>
class BranchStore {
 public:
  BranchStore(const WalkScript& script, int max_qubits, const WalkKernels<T>& kernels, const BranchLimits& limits);

  static std::size_t arena_bytes(const BranchLayout& layout, int max_qubits, int lanes, const BranchLimits& limits);

  T* pack(std::uint32_t p) const { return states_ + p * pack_size_; }
  Branch branch(std::uint32_t lane) const { return {records_ + lane * layout_.size, layout_}; }
  std::uint32_t& occupied(std::uint32_t p) { return occupied_[p]; }  // bit l: lane l holds a branch
  std::uint32_t occupied(std::uint32_t p) const { return occupied_[p]; }
  std::size_t pack_size() const { return pack_size_; }  // numbers of T
  std::uint32_t* shots() const { return shots_; }
  const BranchLayout& layout() const { return layout_; }
  std::uint32_t lanes() const { return lanes_; }
  std::size_t num_free_packs() const { return free_packs_.size(); }
  std::size_t size_bytes() const { return arena_.size_bytes(); }
  std::size_t num_shots() const { return limits_.shots; }
  WalkArena& arena() { return arena_; }

  std::uint32_t take_pack();
  void give_pack(std::uint32_t p) {
    occupied_[p] = 0;
    free_packs_.push_back(p);
  }
  void clear();

  // Room for `count` more entries in the lists of shots; first make_room(count), which may move all lists.
  std::uint32_t take_list(std::uint32_t count) {
    const std::uint32_t first = next_shot_;
    next_shot_ += count;
    return first;
  }
  void make_room(std::size_t count);

 private:
  BranchLayout layout_;
  BranchLimits limits_;
  std::uint32_t lanes_;
  std::size_t pack_size_;
  WalkArena arena_;
  T* states_;
  std::uint64_t* records_;
  std::uint32_t* occupied_;
  std::uint32_t* shots_;
  std::uint32_t next_shot_ = 0;
  std::size_t shot_capacity_;
  std::vector<std::uint32_t> free_packs_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> by_place_;  // make_room's: where a list begins, whose it is
};

extern template class BranchStore<float>;
extern template class BranchStore<double>;

}  // namespace qfast
