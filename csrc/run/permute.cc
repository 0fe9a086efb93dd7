#include "run/permute.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "base/bits.h"

namespace qfast {
namespace {

constexpr int kChunkBits = 17;       // amplitudes in scratch at a time, where a group has no more: stays in cache
constexpr int kMaxRunBits = 6;       // contiguous amplitudes copied at once
constexpr int kItemsPerLook = 16;    // 2^16 items between two looks at the cancel token
constexpr std::int64_t kPieces = 4;  // of each thread's share of a chunk
constexpr std::int64_t kLeastItems = 1 << 13;  // amplitudes that are worth a piece

// Groups of 2^k runs of contiguous amplitudes, `chunk_groups` of them in scratch at a time.
struct Chunking {
  int run_bits, group_bits, chunk_group_bits;

  Chunking(int num_targets, std::uint64_t spectators) {
    run_bits = std::clamp(kChunkBits - num_targets, 0, std::min(kMaxRunBits, std::countr_one(spectators)));
    group_bits = std::popcount(spectators) - run_bits;
    chunk_group_bits = std::clamp(kChunkBits - num_targets - run_bits, 0, group_bits);
  }
};

template <class T>
class Permutation {
 public:
  Permutation(const PermutationLayout& layout, std::span<const std::uint32_t> source, T* amplitudes, T* scratch,
              std::uint64_t spectators, CancelToken* cancel)
      : layout_(layout),
        source_(source),
        amplitudes_(amplitudes),
        scratch_(scratch),
        chunking_(layout.num_targets, spectators),
        group_bits_(spectators & ~low_mask(chunking_.run_bits)),
        cancel_(cancel) {}

  bool work(Team& team) const {
    const std::int64_t items = std::int64_t{1} << (layout_.num_targets + chunking_.chunk_group_bits);
    const std::int64_t grain = std::max(items / (kPieces * team.size()), kLeastItems >> chunking_.run_bits);
    const std::uint64_t chunks = std::uint64_t{1} << (chunking_.group_bits - chunking_.chunk_group_bits);
    for (std::uint64_t c = 0; c < chunks; ++c) {
      const std::uint64_t first_group = c << chunking_.chunk_group_bits;
      const auto all = [&]<bool kGathers>() {
        return parallel_for(team, items, grain, cancel_, [&](std::int64_t first, std::int64_t last) {
          copy<kGathers>(first_group, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(last));
        });
      };
      if (!all.template operator()<true>() || !all.template operator()<false>()) return false;
    }
    return true;
  }

 private:
  bool is_cancelled() const { return should_stop(cancel_); }

  std::uint64_t offset(std::uint64_t target) const {
    return layout_.low[target & low_mask(layout_.low_bits)] + layout_.high[target >> layout_.low_bits];
  }

  // Items [first, last) of a chunk: into scratch, or back.
  template <bool kGathers>
  void copy(std::uint64_t first_group, std::uint64_t first, std::uint64_t last) const {
    const int k = layout_.num_targets;
    for (std::uint64_t item = first; item < last && !is_cancelled();) {
      const std::uint64_t group = item >> k, begin = item & low_mask(k);
      const std::uint64_t count =
          std::min({last - item, (std::uint64_t{1} << k) - begin, std::uint64_t{1} << kItemsPerLook});
      T* base = amplitudes_ + 2 * (deposit_bits(first_group + group, group_bits_) | layout_.control_value);
      T* buffer = scratch_ + (item << (chunking_.run_bits + 1));
      const auto copy_runs = [&]<int kRunBits>() {
        const std::size_t numbers = std::size_t{2} << (kRunBits < 0 ? chunking_.run_bits : kRunBits);
        for (std::uint64_t j = 0; j < count; ++j) {
          T* at = base + 2 * offset(kGathers ? source_[begin + j] : begin + j);
          T* kept = buffer + j * numbers;
          kGathers ? std::copy_n(at, numbers, kept) : std::copy_n(kept, numbers, at);
        }
      };
      switch (chunking_.run_bits) {
        case 0:
          copy_runs.template operator()<0>();
          break;
        case 1:
          copy_runs.template operator()<1>();
          break;
        case 2:
          copy_runs.template operator()<2>();
          break;
        default:
          copy_runs.template operator()<-1>();
      }
      item += count;
    }
  }

  const PermutationLayout& layout_;
  const std::span<const std::uint32_t> source_;
  T* const amplitudes_;
  T* const scratch_;
  const Chunking chunking_;
  const std::uint64_t group_bits_;  // spectators above the runs
  CancelToken* const cancel_;
};

// Writes the zeros of a state that no earlier sweep has written: index bits within `reached`, one of `fresh` among
// them.
template <class T>
void write_zeros(T* amplitudes, std::uint64_t reached, std::uint64_t fresh, Team& team, const CancelToken* cancel) {
  const int run_bits = std::countr_one(reached & ~fresh);
  const std::uint64_t above = reached & ~low_mask(run_bits);
  const std::uint64_t count = std::uint64_t{1} << std::popcount(above);
  const std::int64_t grain = std::max<std::int64_t>(1, kLeastItems >> std::min(run_bits, 62));
  parallel_for(team, static_cast<std::int64_t>(count), grain, cancel, [&](std::int64_t first, std::int64_t last) {
    std::uint64_t index = deposit_bits(static_cast<std::uint64_t>(first), above);
    for (std::int64_t i = first; i < last; ++i, index = (index - above) & above) {
      if ((index & fresh) == 0) continue;
      std::fill_n(amplitudes + 2 * index, std::size_t{2} << run_bits, T(0));
    }
  });
}

}  // namespace

PermutationLayout lay_out_permutation(const Sweep& sweep) {
  PermutationLayout l;
  for (const std::int32_t b : sweep.tile_bits) l.targets |= std::uint64_t{1} << b;
  l.controls = sweep.ops.front().condition.mask;
  l.control_value = sweep.ops.front().condition.value;
  l.num_targets = std::popcount(l.targets);
  l.low_bits = (l.num_targets + 1) / 2;
  l.low.resize(std::size_t{1} << l.low_bits);
  for (std::size_t i = 0; i < l.low.size(); ++i) l.low[i] = deposit_bits(i, l.targets);
  l.high.resize(std::size_t{1} << (l.num_targets - l.low_bits));
  for (std::size_t i = 0; i < l.high.size(); ++i) l.high[i] = deposit_bits(i << l.low_bits, l.targets);
  return l;
}

std::uint64_t permutation_scratch(const PermutationLayout& layout, int num_qubits) {
  return std::uint64_t{1} << std::min(num_qubits, std::max(kChunkBits, layout.num_targets));
}

template <class T>
bool permute(const PermutationLayout& layout, std::span<const std::uint32_t> source, T* amplitudes, T* scratch,
             std::uint64_t spectators, std::uint64_t written, std::uint64_t fresh, Team& team, CancelToken* cancel) {
  QFAST_ASSERT(source.size() == std::size_t{1} << layout.num_targets && (written & fresh) == 0);
  QFAST_ASSERT(((layout.targets | layout.controls) & spectators) == 0);
  if (fresh != 0) {
    write_zeros(amplitudes, written | fresh, fresh, team, cancel);
    if (written == 0) amplitudes[0] = T(1), amplitudes[1] = T(0);
  }
  if ((layout.control_value & ~written) != 0) return true;  // a control that is 0 everywhere
  return Permutation<T>(layout, source, amplitudes, scratch, spectators, cancel).work(team);
}

template bool permute<float>(const PermutationLayout&, std::span<const std::uint32_t>, float*, float*, std::uint64_t,
                             std::uint64_t, std::uint64_t, Team&, CancelToken*);
template bool permute<double>(const PermutationLayout&, std::span<const std::uint32_t>, double*, double*, std::uint64_t,
                              std::uint64_t, std::uint64_t, Team&, CancelToken*);

}  // namespace qfast
