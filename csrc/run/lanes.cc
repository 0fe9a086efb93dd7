#include "run/lanes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <utility>

#include "base/bits.h"

namespace qfast {
namespace {

constexpr int kBlockBits = 6;  // 64 amplitudes of every lane are 8 KiB, and their partners as much
constexpr std::size_t kTableBytes = std::size_t{1} << 18;

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

// Tile bit of each memory bit after the last sweep.
std::vector<int> final_places(const Plan& plan) {
  std::vector<int> places(to_size(plan.num_qubits));
  for (int k = 0; k < plan.num_qubits; ++k) places[to_size(k)] = k;
  if (plan.sweeps.empty()) return places;
  const std::vector<std::int32_t>& store_bits = plan.sweeps.front().store_bits;
  for (std::size_t k = 0; k < store_bits.size(); ++k) {
    if (store_bits[k] >= 0) places[to_size(store_bits[k])] = static_cast<int>(k);
  }
  return places;
}

std::size_t moved(std::uint64_t mask, const std::vector<int>& places) {
  std::size_t out = 0;
  for (; mask != 0; mask &= mask - 1) out |= std::size_t{1} << places[to_size(std::countr_zero(mask))];
  return out;
}

}  // namespace

LaneSum::LaneSum(const PauliSum& sum, const Plan& plan, const RealKernels& kernels) : tile_bits_(plan.tile_bits) {
  const std::vector<int> places = final_places(plan);
  // By X mask: the strings that sum real or imaginary parts into the real or imaginary part of the result.
  std::map<std::size_t, std::array<Strings, 4>> by_x;
  sum.for_each_string([&](std::uint64_t x, std::uint64_t z, Complex coefficient) {
    const int num_y = std::popcount(x & z) & 3;
    const double sign = num_y == 1 || num_y == 2 ? -1.0 : 1.0;
    auto& lists = by_x[moved(x, places)];
    const auto put = [&](bool to_imaginary, double weight) {
      if (weight != 0) lists[(num_y & 1u) + (to_imaginary ? 2u : 0u)].push_back({moved(z, places), sign * weight});
    };
    put(false, coefficient.real());
    put(true, coefficient.imag());
  });
  std::size_t bytes = 0;
  for (const auto& [x, lists] : by_x) {
    for (const auto& strings : lists) bytes += strings.size() > 1 ? sizeof(double) << tile_bits_ : 0;
  }
  has_room_ = bytes <= kTableBytes;
  if (!has_room_) return;
  for (const auto& [x, lists] : by_x) {
    for (unsigned k = 0; k < 4; ++k) {
      if (!lists[k].empty()) add_entry(x, (k & 1) != 0, (k & 2) != 0, lists[k], kernels);
    }
  }
}

// Of one string the signs inside a block repeat from block to block; of several all amplitudes have their own weight.
void LaneSum::add_entry(std::size_t x, bool is_imaginary, bool goes_to_imaginary, const Strings& strings,
                        const RealKernels& kernels) {
  const int bits = strings.size() > 1 ? tile_bits_ : std::min(kBlockBits, tile_bits_);
  const std::size_t inside = low_mask(bits);
  Entry entry{x, is_imaginary, goes_to_imaginary, strings[0].first & ~inside, {}};
  entry.signed_weights.assign(inside + 1, 0.0);
  // i and i ^ x contribute alike: one of them is visited.
  for (const auto& [z, weight] : strings) entry.signed_weights[z & inside] += x == 0 ? weight : 2 * weight;
  kernels.walsh_hadamard(entry.signed_weights.data(), bits);
  entries_.push_back(std::move(entry));
}

template <class T>
void LaneSum::expectations(const LaneKernels<T>& kernels, const T* tile, std::size_t lanes, Complex* out) const {
  alignas(64) double sums[2][16] = {};
  const std::size_t all = std::size_t{1} << tile_bits_, block = std::min(std::size_t{1} << kBlockBits, all);
  for (std::size_t base = 0; base < all; base += block) {
    for (const Entry& entry : entries_) {
      const std::size_t top = std::bit_floor(entry.x);
      if (base & top) continue;
      const bool has_table = entry.signed_weights.size() == all;
      kernels.overlaps(tile, base, block, entry.x, top < block ? top : 0,
                       entry.signed_weights.data() + (has_table ? base : 0), entry.is_imaginary,
                       parity(base & entry.z_above) ? -1.0 : 1.0, sums[entry.goes_to_imaginary ? 1 : 0]);
    }
  }
  for (std::size_t l = 0; l < lanes; ++l) out[l] = {sums[0][l], sums[1][l]};
}

template <class T>
bool LaneRun<T>::can_run(const Plan& plan) {
  if (plan.lane_bits != 0 || plan.sweeps.size() > 1) return false;
  return plan.sweeps.empty() || std::ranges::all_of(plan.sweeps.front().ops, [](const TileOp& op) {
           return op.kind == TileOp::Kind::kBlock || op.kind == TileOp::Kind::kMatrix;
         });
}

template <class T>
LaneRun<T>::LaneRun(const Plan& plan, const FlatCircuit& circuit, const KernelTable& kernels)
    : plan_(plan),
      circuit_(circuit),
      kernels_(tile_kernels_of<T>(kernels)),
      sums_(lane_kernels_of<T>(kernels)),
      trig_(kernels.trig),
      lanes_(1 << kernels_.lane_bits),
      tile_(StateBufferPool::instance().allocate((2 * sizeof(T) * to_size(lanes_)) << plan.tile_bits)) {
  std::size_t widest = 0;
  for (const Sweep& sweep : plan.sweeps) {
    for (const TileOp& op : sweep.ops) widest = std::max(widest, op.targets.size());
  }
  if (widest > 0) scratch_ = StateBufferPool::instance().allocate((2 * sizeof(T) * to_size(lanes_)) << widest);
}

template <class T>
void LaneRun<T>::run(const double* values, std::int64_t num_params, int num_rows) {
  rows_.resize(to_size(lanes_));
  for (int l = 0; l < lanes_; ++l) rows_[to_size(l)] = values + std::min(l, num_rows - 1) * num_params;
  bind_lanes<T>(plan_, circuit_, trig_, rows_, bound_);
  T* const amplitudes = tile();
  std::fill_n(amplitudes, to_size(2 * lanes_) << plan_.tile_bits, T(0));
  std::fill_n(amplitudes, lanes_, T(1));
  Prefetch nothing;
  for (const BoundOp& op : bound_.ops) {
    if (op.op->kind == TileOp::Kind::kMatrix) {
      kernels_.run_matrix_of_states(amplitudes, op.op->geometry, op.op->targets.data(),
                                    static_cast<int>(op.op->targets.size()), bound_.arena.data() + op.matrix,
                                    bound_.arena.data() + op.lane_mask, static_cast<T*>(scratch_.data()));
      continue;
    }
    steps_.clear();
    for (std::size_t i = op.first_step; i < op.last_step; ++i) {
      const BoundStep& step = bound_.steps[i];
      steps_.push_back(
          {bound_.arena.data() + step.constants, step.group ? step.group->block_offset.data() : nullptr, step.code});
    }
    if (steps_.empty()) continue;
    kernels_.run_block_of_states(amplitudes, op.op->geometry, steps_.data(), static_cast<int>(steps_.size()), {},
                                 &nothing);
  }
}

template <class T>
void LaneRun<T>::copy_states(int num_rows, T* states) const {
  const std::vector<int> places = final_places(plan_);
  const std::size_t size = std::size_t{1} << plan_.num_qubits, lanes = to_size(lanes_), rows = to_size(num_rows);
  std::vector<T> scale_re(rows), scale_im(rows);
  for (std::size_t l = 0; l < rows; ++l) {
    scale_re[l] = static_cast<T>(bound_.scale[l].real());
    scale_im[l] = static_cast<T>(bound_.scale[l].imag());
  }
  for (std::size_t i = 0; i < size; ++i) {
    const T* re = tile() + 2 * lanes * moved(i, places);
    const T* im = re + lanes;
    for (std::size_t l = 0; l < rows; ++l) {
      T* to = states + 2 * (l * size + i);
      to[0] = re[l] * scale_re[l] - im[l] * scale_im[l];
      to[1] = re[l] * scale_im[l] + im[l] * scale_re[l];
    }
  }
}

template <class T>
void LaneRun<T>::expectations(const LaneSum& sum, Complex* out) const {
  sum.expectations<T>(sums_, tile(), to_size(lanes_), out);
  for (std::size_t l = 0; l < to_size(lanes_); ++l) out[l] *= std::norm(bound_.scale[l]);
}

template class LaneRun<float>;
template class LaneRun<double>;

}  // namespace qfast
