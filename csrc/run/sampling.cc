#include "run/sampling.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/thread_pool.h"
#include "run/probabilities.h"

namespace qfast {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << kSumBlockBits;
// Shots that are drawn together. A large state is read once per batch, so it gets larger ones.
constexpr std::int64_t kBatchShots = std::int64_t{1} << 20;
constexpr std::int64_t kLargeStateBatchShots = std::int64_t{1} << 22;
constexpr int kLargeStateQubits = 23;
constexpr std::int64_t kShotsPerTask = std::int64_t{1} << 14;
// With fewer shots in a block a binary search is cheaper than its table.
constexpr std::size_t kGuidedShots = 256;

bool is_cancelled(const CancelToken* cancel) {
  return cancel != nullptr && cancel->cancelled.load(std::memory_order_relaxed);
}

void throw_if_cancelled(const CancelToken* cancel) {
  if (is_cancelled(cancel)) throw Error(ErrorKind::kCancelled, "sampling was cancelled");
}

// Memory that is written before it is read: std::vector would fill it with zeros first.
template <class T>
std::unique_ptr<T[]> uninitialized(std::size_t size) {
  return std::make_unique_for_overwrite<T[]>(size);
}

// Least significant digit first, 8 bits at a time.
void radix_sort(std::vector<std::uint64_t>& values, int num_bits) {
  std::vector<std::uint64_t> other(values.size());
  for (int shift = 0; shift < num_bits; shift += 8) {
    std::size_t next[257] = {};
    for (std::uint64_t value : values) ++next[((value >> shift) & 255) + 1];
    for (int digit = 0; digit < 256; ++digit) next[digit + 1] += next[digit];
    for (std::uint64_t value : values) other[next[(value >> shift) & 255]++] = value;
    values.swap(other);
  }
}

// Adds sorted outcomes, each counted once, to a histogram.
void merge_sorted(Histogram& histogram, std::span<const std::uint64_t> sorted) {
  Histogram merged;
  merged.outcomes.reserve(histogram.outcomes.size() + sorted.size() / 2);
  merged.counts.reserve(histogram.outcomes.size() + sorted.size() / 2);
  std::size_t old = 0;
  for (std::size_t i = 0; i < sorted.size();) {
    const std::uint64_t outcome = sorted[i];
    std::int64_t count = 0;
    for (; i < sorted.size() && sorted[i] == outcome; ++i) ++count;
    for (; old < histogram.outcomes.size() && histogram.outcomes[old] < outcome; ++old) {
      merged.outcomes.push_back(histogram.outcomes[old]);
      merged.counts.push_back(histogram.counts[old]);
    }
    if (old < histogram.outcomes.size() && histogram.outcomes[old] == outcome) count += histogram.counts[old++];
    merged.outcomes.push_back(outcome);
    merged.counts.push_back(count);
  }
  for (; old < histogram.outcomes.size(); ++old) {
    merged.outcomes.push_back(histogram.outcomes[old]);
    merged.counts.push_back(histogram.counts[old]);
  }
  histogram = std::move(merged);
}

Histogram histogram_of(const std::vector<std::int64_t>& count_of_outcome) {
  Histogram histogram;
  const auto distinct = count_of_outcome.size() -
                        static_cast<std::size_t>(std::count(count_of_outcome.begin(), count_of_outcome.end(), 0));
  histogram.outcomes.reserve(distinct);
  histogram.counts.reserve(distinct);
  for (std::size_t outcome = 0; outcome < count_of_outcome.size(); ++outcome) {
    if (count_of_outcome[outcome] == 0) continue;
    histogram.outcomes.push_back(outcome);
    histogram.counts.push_back(count_of_outcome[outcome]);
  }
  return histogram;
}

}  // namespace

OutcomeBits::OutcomeBits(int num_qubits, std::span<const int> qubits) : num_bits_(static_cast<int>(qubits.size())) {
  if (qubits.size() > 64) {
    throw Error(ErrorKind::kInput, "an outcome of " + std::to_string(qubits.size()) +
                                       " bits was asked for; counting takes at most 64. Draw indices instead and pick "
                                       "their bits");
  }
  is_identity_ = num_bits_ == num_qubits;
  for (int j = 0; j < num_bits_; ++j) is_identity_ = is_identity_ && qubits[static_cast<std::size_t>(j)] == j;
  if (is_identity_) return;
  tables_.assign(256 * static_cast<std::size_t>((num_qubits + 7) / 8), 0);
  for (std::size_t j = 0; j < qubits.size(); ++j) {
    const auto byte = static_cast<std::size_t>(qubits[j] / 8);
    for (std::size_t value = 0; value < 256; ++value) {
      if ((value >> (qubits[j] % 8)) & 1) tables_[256 * byte + value] |= 1ull << j;
    }
  }
}

Sampler::Sampler(const StateView& state, Isa isa, int threads)
    : state_(state), isa_(isa), block_size_(std::min(kBlock, state.size())) {
  const std::vector<double> norms = block_norms(state, isa, threads);
  cumulative_.resize(norms.size() + 1, 0.0);
  for (std::size_t b = 0; b < norms.size(); ++b) cumulative_[b + 1] = cumulative_[b] + norms[b];
  if (!(norm_squared() > 0) || !std::isfinite(norm_squared())) {
    throw Error(ErrorKind::kInput, "cannot sample a state whose squared norm is " + std::to_string(norm_squared()) +
                                       "; it must be positive and finite");
  }
  guide_.resize(norms.size());
  std::uint32_t block = 0;
  for (std::size_t cell = 0; cell < guide_.size(); ++cell) {
    const double lowest = static_cast<double>(cell) / static_cast<double>(guide_.size()) * norm_squared();
    while (block + 1 < norms.size() && cumulative_[block + 1] <= lowest) ++block;
    guide_[cell] = block;
  }
}

// The block that `value`, in [0, norm], lies in: the first one with cumulative_[b + 1] > value. A value that rounding
// has brought to the norm itself belongs to the last block that is not empty.
std::uint32_t Sampler::block_of(double value) const {
  const std::size_t num_blocks = cumulative_.size() - 1;
  const double cell = value / norm_squared() * static_cast<double>(num_blocks);
  std::uint32_t block = guide_[std::min(num_blocks - 1, static_cast<std::size_t>(cell))];
  while (block > 0 && cumulative_[block] > value) --block;  // the cell is rounded, the comparison is not
  while (block + 1 < num_blocks && cumulative_[block + 1] <= value) ++block;
  while (block > 0 && cumulative_[block + 1] == cumulative_[block]) --block;
  return block;
}

// One batch of shots, sorted by block: those of block b are at [begin[b], begin[b + 1]).
struct Sampler::Batch {
  std::unique_ptr<double[]> values;        // uniform * norm
  std::unique_ptr<std::uint32_t[]> shots;  // position in the batch; null where the order does not matter
  std::vector<std::uint32_t> begin;
};

// The cumulative distribution inside one block.
class Sampler::Block {
 public:
  Block(const Sampler& sampler, std::uint32_t block, std::size_t num_shots)
      : before_(sampler.cumulative_[block]), size_(sampler.block_size_) {
    const std::size_t first = block * size_;
    with_amplitudes(sampler.state_, sampler.isa_, [&](const auto* amplitudes, const auto& kernels) {
      kernels.cumulative(amplitudes + 2 * first, size_, sums_);
    });
    const double norm = sums_[size_ - 1];
    scale_ = static_cast<double>(size_) / norm;
    is_guided_ = num_shots >= kGuidedShots && norm > 0 && std::isfinite(scale_);
    if (is_guided_) make_guide();
  }

  // The first index whose sum exceeds `value`, else (by rounding) the last one that is not empty.
  std::size_t find(double value) const {
    const double inside = value - before_;
    std::size_t i = 0;
    if (is_guided_) {
      const double cell = std::min(std::max(inside, 0.0) * scale_, static_cast<double>(size_ - 1));
      i = guide_[static_cast<std::size_t>(cell)];
      while (i < size_ && sums_[i] <= inside) ++i;
    } else {
      i = static_cast<std::size_t>(std::upper_bound(sums_, sums_ + size_, inside) - sums_);
    }
    if (i < size_ && sums_[i] > 0) return i;
    return static_cast<std::size_t>(std::lower_bound(sums_, sums_ + size_, sums_[size_ - 1]) - sums_);
  }

 private:
  // guide_[c]: the first i with sums_[i] * scale_ >= c. A value of cell c lies at or after it: multiplication is
  // monotonic, also rounded.
  void make_guide() {
    std::size_t filled = 0;
    for (std::size_t i = 0; i < size_ && filled < size_; ++i) {
      const double end = std::floor(sums_[i] * scale_);
      for (; filled < size_ && static_cast<double>(filled) <= end; ++filled)
        guide_[filled] = static_cast<std::uint16_t>(i);
    }
    for (; filled < size_; ++filled) guide_[filled] = static_cast<std::uint16_t>(size_ - 1);
  }

  double before_;
  double scale_;
  std::size_t size_;
  bool is_guided_;
  alignas(64) double sums_[kBlock];
  std::uint16_t guide_[kBlock];
};

// A counting sort: pieces of the batch are counted, then every piece knows where its share of each block goes.
void Sampler::sort_by_block(Batch& batch, std::span<const double> uniforms, bool keep_order, int threads) const {
  const std::size_t num_shots = uniforms.size(), num_blocks = cumulative_.size() - 1;
  const double norm = norm_squared();
  batch.values = uninitialized<double>(num_shots);
  batch.shots = keep_order ? uninitialized<std::uint32_t>(num_shots) : nullptr;
  batch.begin.assign(num_blocks + 1, 0);
  const std::int64_t count = static_cast<std::int64_t>(num_shots);
  // Few pieces, since each has a counter per block.
  const std::size_t num_pieces = std::clamp<std::size_t>(num_shots / kShotsPerTask, 1, 16);
  const std::size_t piece = (num_shots + num_pieces - 1) / num_pieces;
  std::vector<std::uint32_t> next(num_pieces * num_blocks, 0);
  const std::unique_ptr<std::uint32_t[]> block_of_shot = uninitialized<std::uint32_t>(num_shots);
  const auto grain = static_cast<std::int64_t>(piece);
  parallel_for(threads, count, grain, [&](std::int64_t first, std::int64_t last) {
    std::uint32_t* const counts = next.data() + static_cast<std::size_t>(first / grain) * num_blocks;
    for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
      block_of_shot[i] = block_of(uniforms[i] * norm);
      ++counts[block_of_shot[i]];
    }
  });
  std::uint32_t sum = 0;
  for (std::size_t b = 0; b < num_blocks; ++b) {
    batch.begin[b] = sum;
    for (std::size_t p = 0; p < num_pieces; ++p) {
      const std::uint32_t counted = next[p * num_blocks + b];
      next[p * num_blocks + b] = sum;
      sum += counted;
    }
  }
  batch.begin[num_blocks] = sum;
  parallel_for(threads, count, grain, [&](std::int64_t first, std::int64_t last) {
    std::uint32_t* const at = next.data() + static_cast<std::size_t>(first / grain) * num_blocks;
    for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
      const std::uint32_t to = at[block_of_shot[i]]++;
      batch.values[to] = uniforms[i] * norm;
      if (keep_order) batch.shots[to] = static_cast<std::uint32_t>(i);
    }
  });
}

// Calls visit(block, distribution of the block, first, last) for each block that has shots [first, last) of the batch.
template <class Visit>
void Sampler::visit_blocks(const Batch& batch, int threads, CancelToken* cancel, const Visit& visit) const {
  parallel_for(threads, static_cast<std::int64_t>(cumulative_.size() - 1), 1, [&](std::int64_t index, std::int64_t) {
    const auto block = static_cast<std::uint32_t>(index);
    const std::uint32_t first = batch.begin[block], last = batch.begin[block + 1];
    if (first == last || is_cancelled(cancel)) return;
    visit(block, Block(*this, block, last - first), first, last);
  });
  throw_if_cancelled(cancel);
}

void Sampler::fill_uniforms(const ShotRange& shots, std::int64_t first, std::span<double> uniforms, int threads) const {
  const RealKernels& kernels = kernels_for(isa_).real;
  parallel_for(threads, static_cast<std::int64_t>(uniforms.size()), kShotsPerTask,
               [&](std::int64_t from, std::int64_t to) {
                 kernels.philox_uniforms(shots.seed, shots.first_shot + static_cast<std::uint64_t>(first + from),
                                         shots.site, static_cast<std::size_t>(to - from), uniforms.data() + from);
               });
}

void Sampler::find(std::span<const double> uniforms, std::int64_t* indices, int threads, CancelToken* cancel) const {
  for (std::size_t first = 0; first < uniforms.size(); first += kBatchShots) {
    const auto part = uniforms.subspan(first, std::min<std::size_t>(kBatchShots, uniforms.size() - first));
    const int useful = useful_threads(threads, std::max(part.size(), state_.size()));
    Batch batch;
    sort_by_block(batch, part, true, useful);
    std::int64_t* const out = indices + first;
    visit_blocks(batch, useful, cancel,
                 [&](std::uint32_t block, const Block& inside, std::uint32_t from, std::uint32_t to) {
                   const auto base = static_cast<std::int64_t>(block * block_size_);
                   for (std::uint32_t i = from; i < to; ++i) {
                     out[batch.shots[i]] = base + static_cast<std::int64_t>(inside.find(batch.values[i]));
                   }
                 });
  }
}

void Sampler::sample(const ShotRange& shots, std::int64_t* indices, int threads, CancelToken* cancel) const {
  const auto size = static_cast<std::size_t>(std::min(kBatchShots, shots.num_shots));
  const std::unique_ptr<double[]> uniforms = uninitialized<double>(size);
  for (std::int64_t first = 0; first < shots.num_shots; first += kBatchShots) {
    const std::span part(uniforms.get(), static_cast<std::size_t>(std::min(kBatchShots, shots.num_shots - first)));
    fill_uniforms(shots, first, part, useful_threads(threads, part.size()));
    find(part, indices + first, threads, cancel);
  }
}

Histogram Sampler::count(const ShotRange& shots, const OutcomeBits& bits, int threads, CancelToken* cancel) const {
  // A counter for every possible outcome, if that is not much more memory than the shots themselves; else a sorted
  // list.
  const bool is_dense =
      bits.num_bits() <= 16 || (bits.num_bits() <= 28 && (std::int64_t{1} << bits.num_bits()) <= 4 * shots.num_shots);
  std::vector<std::int64_t> count_of_outcome(is_dense ? std::size_t{1} << bits.num_bits() : 0, 0);
  Histogram histogram;
  const std::int64_t batch_shots = state_.num_qubits >= kLargeStateQubits ? kLargeStateBatchShots : kBatchShots;
  const auto size = static_cast<std::size_t>(std::min(batch_shots, shots.num_shots));
  const std::unique_ptr<double[]> uniforms = uninitialized<double>(size);
  std::vector<std::uint64_t> outcomes;
  for (std::int64_t first = 0; first < shots.num_shots; first += batch_shots) {
    const std::span part(uniforms.get(), static_cast<std::size_t>(std::min(batch_shots, shots.num_shots - first)));
    const int useful = useful_threads(threads, std::max(part.size(), state_.size()));
    fill_uniforms(shots, first, part, useful);
    Batch batch;
    sort_by_block(batch, part, false, useful);
    if (!is_dense) outcomes.resize(part.size());
    visit_blocks(
        batch, useful, cancel, [&](std::uint32_t block, const Block& inside, std::uint32_t from, std::uint32_t to) {
          const std::uint64_t base = block * block_size_;
          if (!is_dense) {
            for (std::uint32_t i = from; i < to; ++i) outcomes[i] = bits(base + inside.find(batch.values[i]));
            return;
          }
          std::uint32_t counts[kBlock];
          std::fill_n(counts, block_size_, 0u);
          for (std::uint32_t i = from; i < to; ++i) ++counts[inside.find(batch.values[i])];
          for (std::size_t i = 0; i < block_size_; ++i) {
            if (counts[i] == 0) continue;
            if (bits.is_identity()) {
              count_of_outcome[base + i] += counts[i];
            } else {  // indices of other blocks, visited by other threads, may have the same outcome
              std::atomic_ref(count_of_outcome[bits(base + i)]).fetch_add(counts[i], std::memory_order_relaxed);
            }
          }
        });
    if (!is_dense) {
      radix_sort(outcomes, bits.num_bits());
      merge_sorted(histogram, outcomes);
    }
  }
  return is_dense ? histogram_of(count_of_outcome) : histogram;
}

}  // namespace qfast
