#include "run/sampling.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "base/aligned_buffer.h"
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
constexpr std::size_t kGuidedShots = 1024;
constexpr std::size_t kCellsPerBlock = 4;

bool is_cancelled(const CancelToken* cancel) {
  return cancel != nullptr && cancel->cancelled.load(std::memory_order_relaxed);
}

void throw_if_cancelled(const CancelToken* cancel) {
  if (is_cancelled(cancel)) throw Error(ErrorKind::kCancelled, "sampling was cancelled");
}

ShotRange shots_from(ShotRange shots, std::int64_t first) {
  shots.first_shot += static_cast<std::uint64_t>(first);
  return shots;
}

// Memory that is written before it is read, from the pool of state buffers: fresh pages would cost as much as drawing.
template <class T>
class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(std::size_t size)
      : buffer_(StateBufferPool::instance().allocate(std::bit_ceil(std::max<std::size_t>(size, 1) * sizeof(T)),
                                                     "sampling")),
        data_(static_cast<T*>(buffer_.data())) {}
  T* data() const { return data_; }
  T& operator[](std::size_t i) const { return data_[i]; }

 private:
  StateBuffer buffer_;
  T* data_ = nullptr;
};

// Finds where values lie among ascending sums. A table of equal cells of [0, last sum] says where to start; on average
// less than one sum lies in a cell, so a few steps without a branch nearly always do. Index is wide enough for `size`.
template <class Index>
class Guide {
 public:
  // sums[size] must be writable: it becomes the sentinel that ends every search. cells: one per sum or more.
  static void make(double* sums, std::size_t size, Index* cells, std::size_t num_cells, double scale) {
    // cells[c]: the first i with sums[i] * scale >= c. A value of cell c is below none of the sums before it, since
    // multiplication is monotonic, also rounded.
    std::fill_n(cells, num_cells, static_cast<Index>(size - 1));
    for (std::size_t i = size; i-- > 0;) cells[cell_of(sums[i], scale, num_cells)] = static_cast<Index>(i);
    for (std::size_t c = num_cells - 1; c-- > 0;) cells[c] = std::min(cells[c], cells[c + 1]);
    sums[size] = std::numeric_limits<double>::infinity();
  }

  // The first i with sums[i] > value; `size` if there is none.
  static std::size_t find(double value, const double* sums, const Index* cells, std::size_t num_cells, double scale) {
    std::size_t i = cells[cell_of(value, scale, num_cells)];
    i += sums[i] <= value;
    i += sums[i] <= value;
    i += sums[i] <= value;
    while (sums[i] <= value) ++i;
    return i;
  }

 private:
  static std::size_t cell_of(double value, double scale, std::size_t num_cells) {
    return std::min(static_cast<std::size_t>(value * scale), num_cells - 1);
  }
};

// The first i with sums[i] > value, or size, a power of two; no branch depends on the data.
std::size_t binary_search(double value, const double* sums, std::size_t size) {
  std::size_t i = 0;
  for (std::size_t step = size / 2; step > 0; step /= 2)
    i += step & -static_cast<std::size_t>(sums[i + step - 1] <= value);
  return i + (sums[i] <= value);
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

Histogram histogram_of(std::span<const std::int64_t> count_of_outcome) {
  const auto zeros = static_cast<std::size_t>(std::count(count_of_outcome.begin(), count_of_outcome.end(), 0));
  const std::size_t distinct = count_of_outcome.size() - zeros;
  Histogram histogram{std::vector<std::uint64_t>(distinct + 1), std::vector<std::int64_t>(distinct + 1)};
  std::size_t filled = 0;  // without a branch: a place is written until a count that came fills it
  for (std::size_t outcome = 0; outcome < count_of_outcome.size(); ++outcome) {
    histogram.outcomes[filled] = outcome;
    histogram.counts[filled] = count_of_outcome[outcome];
    filled += count_of_outcome[outcome] != 0;
  }
  histogram.outcomes.pop_back();
  histogram.counts.pop_back();
  return histogram;
}

}  // namespace

void fill_uniforms(const ShotRange& shots, std::span<double> uniforms, Isa isa, int threads) {
  const RealKernels& kernels = kernels_for(isa).real;
  parallel_for(useful_threads(threads, uniforms.size()), static_cast<std::int64_t>(uniforms.size()), kShotsPerTask,
               [&](std::int64_t first, std::int64_t last) {
                 kernels.philox_uniforms(shots.seed, shots.first_shot + static_cast<std::uint64_t>(first), shots.site,
                                         static_cast<std::size_t>(last - first), uniforms.data() + first);
               });
}

OutcomeBits::OutcomeBits(int num_qubits, std::span<const int> qubits) : num_bits_(static_cast<int>(qubits.size())) {
  if (qubits.size() > 64) {
    throw Error(ErrorKind::kInput, "an outcome of " + std::to_string(qubits.size()) +
                                       " bits was asked for; counting takes at most 64. Draw indices instead and pick "
                                       "their bits");
  }
  for (std::size_t j = 0; j < qubits.size(); ++j) {
    if (qubits[j] >= num_qubits) {
      throw Error(ErrorKind::kInput, "bit " + std::to_string(j) + " of the outcome is read from qubit " +
                                         std::to_string(qubits[j]) + "; the state has " + std::to_string(num_qubits) +
                                         " qubits");
    }
  }
  is_identity_ = num_bits_ == num_qubits;
  for (int j = 0; j < num_bits_; ++j) is_identity_ = is_identity_ && qubits[static_cast<std::size_t>(j)] == j;
  if (is_identity_) return;
  tables_.assign(256 * static_cast<std::size_t>((num_qubits + 7) / 8), 0);
  for (std::size_t j = 0; j < qubits.size(); ++j) {
    if (qubits[j] < 0) continue;
    const auto byte = static_cast<std::size_t>(qubits[j] / 8);
    for (std::size_t value = 0; value < 256; ++value) {
      if ((value >> (qubits[j] % 8)) & 1) tables_[256 * byte + value] |= 1ull << j;
    }
  }
}

Sampler::Sampler(const StateView& state, Isa isa, int threads)
    : state_(state), isa_(isa), block_size_(std::min(kBlock, state.size())) {
  const std::vector<double> norms = block_norms(state, isa, threads);
  cumulative_.resize(norms.size() + 2, 0.0);
  for (std::size_t b = 0; b < norms.size(); ++b) cumulative_[b + 1] = cumulative_[b] + norms[b];
  norm_squared_ = cumulative_[norms.size()];
  if (!(norm_squared_ > 0) || !std::isfinite(norm_squared_)) {
    throw Error(ErrorKind::kInput, "cannot sample a state whose squared norm is " + std::to_string(norm_squared_) +
                                       "; it must be positive and finite");
  }
  guide_.resize(kCellsPerBlock * norms.size());
  cells_per_norm_ = static_cast<double>(guide_.size()) / norm_squared_;
  if (!std::isfinite(cells_per_norm_)) cells_per_norm_ = 0;  // a denormal norm: every search starts at the first block
  Guide<std::uint32_t>::make(cumulative_.data() + 1, norms.size(), guide_.data(), guide_.size(), cells_per_norm_);
}

// The first block b with cumulative_[b + 1] > value; value is in [0, norm]. One that rounding has brought to the norm
// itself belongs to the last block that is not empty.
std::uint32_t Sampler::block_of(double value) const {
  std::size_t block =
      Guide<std::uint32_t>::find(value, cumulative_.data() + 1, guide_.data(), guide_.size(), cells_per_norm_);
  if (block == num_blocks()) {
    do --block;
    while (cumulative_[block] == norm_squared_);
  }
  return static_cast<std::uint32_t>(block);
}

// One batch of shots, sorted by block: those of block b are at [begin[b], begin[b + 1]).
struct Sampler::Batch {
  Scratch<double> values;        // uniform * norm
  Scratch<std::uint32_t> shots;  // position in the batch; empty where the order does not matter
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
    norm_ = sums_[size_ - 1];
    cells_per_norm_ = static_cast<double>(size_) / norm_;
    is_guided_ = num_shots >= kGuidedShots && norm_ > 0 && std::isfinite(cells_per_norm_);
    if (is_guided_) Guide<std::uint16_t>::make(sums_, size_, guide_, size_, cells_per_norm_);
  }

  // The first index whose sum exceeds `value`, else (by rounding) the last one that is not empty.
  std::size_t find(double value) const {
    const double inside = value - before_;
    const std::size_t i = is_guided_ ? Guide<std::uint16_t>::find(inside, sums_, guide_, size_, cells_per_norm_)
                                     : binary_search(inside, sums_, size_);
    if (i < size_) return i;
    return static_cast<std::size_t>(std::lower_bound(sums_, sums_ + size_, norm_) - sums_);
  }

 private:
  double before_;
  double norm_;
  double cells_per_norm_;
  std::size_t size_;
  bool is_guided_;
  alignas(64) double sums_[kBlock + 1];
  std::uint16_t guide_[kBlock];
};

// A counting sort: pieces of the batch are counted, then every piece knows where its share of each block goes.
void Sampler::sort_by_block(Batch& batch, std::span<const double> uniforms, bool keep_order, int threads) const {
  const std::size_t num_shots = uniforms.size(), num_blocks = this->num_blocks();
  const double norm = norm_squared_;
  batch.values = Scratch<double>(num_shots);
  if (keep_order) batch.shots = Scratch<std::uint32_t>(num_shots);
  batch.begin.assign(num_blocks + 1, 0);
  const std::int64_t count = static_cast<std::int64_t>(num_shots);
  // Few pieces, since each has a counter per block.
  const std::size_t num_pieces = std::clamp<std::size_t>(num_shots / kShotsPerTask, 1, 16);
  const std::size_t piece = (num_shots + num_pieces - 1) / num_pieces;
  std::vector<std::uint32_t> next(num_pieces * num_blocks, 0);
  const Scratch<std::uint32_t> block_of_shot(num_shots);
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
  parallel_for(threads, static_cast<std::int64_t>(num_blocks()), 1, [&](std::int64_t index, std::int64_t) {
    const auto block = static_cast<std::uint32_t>(index);
    const std::uint32_t first = batch.begin[block], last = batch.begin[block + 1];
    if (first == last || is_cancelled(cancel)) return;
    visit(block, Block(*this, block, last - first), first, last);
  });
  throw_if_cancelled(cancel);
}

// Calls put(i, index) with the basis state of each uniform, in no order.
template <class Put>
void Sampler::find_batch(std::span<const double> uniforms, int threads, CancelToken* cancel, const Put& put) const {
  const int useful = useful_threads(threads, std::max(uniforms.size(), state_.size()));
  Batch batch;
  sort_by_block(batch, uniforms, true, useful);
  visit_blocks(batch, useful, cancel,
               [&](std::uint32_t block, const Block& inside, std::uint32_t from, std::uint32_t to) {
                 const std::uint64_t base = block * block_size_;
                 for (std::uint32_t i = from; i < to; ++i) put(batch.shots[i], base + inside.find(batch.values[i]));
               });
}

// The same for shots, numbered from 0.
template <class Put>
void Sampler::sample_batches(const ShotRange& shots, int threads, CancelToken* cancel, const Put& put) const {
  const Scratch<double> uniforms(static_cast<std::size_t>(std::min(kBatchShots, shots.num_shots)));
  for (std::int64_t first = 0; first < shots.num_shots; first += kBatchShots) {
    const std::span part(uniforms.data(), static_cast<std::size_t>(std::min(kBatchShots, shots.num_shots - first)));
    fill_uniforms(shots_from(shots, first), part, isa_, threads);
    find_batch(part, threads, cancel, [&](std::uint32_t i, std::uint64_t index) { put(first + i, index); });
  }
}

void Sampler::find(std::span<const double> uniforms, std::int64_t* indices, int threads, CancelToken* cancel) const {
  for (std::size_t first = 0; first < uniforms.size(); first += kBatchShots) {
    const auto part = uniforms.subspan(first, std::min<std::size_t>(kBatchShots, uniforms.size() - first));
    find_batch(part, threads, cancel,
               [&](std::uint32_t i, std::uint64_t index) { indices[first + i] = static_cast<std::int64_t>(index); });
  }
}

void Sampler::sample(const ShotRange& shots, std::int64_t* indices, int threads, CancelToken* cancel) const {
  sample_batches(shots, threads, cancel,
                 [&](std::int64_t shot, std::uint64_t index) { indices[shot] = static_cast<std::int64_t>(index); });
}

void Sampler::sample(const ShotRange& shots, const OutcomeBits& bits, std::uint64_t* outcomes, int threads,
                     CancelToken* cancel) const {
  sample_batches(shots, threads, cancel, [&](std::int64_t shot, std::uint64_t index) { outcomes[shot] = bits(index); });
}

void Sampler::sample_packed(const ShotRange& shots, const OutcomeBits& bits, std::uint8_t* rows, int threads,
                            CancelToken* cancel) const {
  const std::int64_t row_bytes = (bits.num_bits() + 7) / 8;
  sample_batches(shots, threads, cancel, [&](std::int64_t shot, std::uint64_t index) {
    std::uint64_t outcome = bits(index);
    for (std::uint8_t* byte = rows + shot * row_bytes; byte < rows + (shot + 1) * row_bytes; ++byte, outcome >>= 8) {
      *byte = static_cast<std::uint8_t>(outcome);
    }
  });
}

// Adds the shots of one block to the counters of the outcomes.
void Sampler::add_counts(std::uint32_t block, const Block& inside, std::span<const double> values,
                         const OutcomeBits& bits, std::int64_t* count_of_outcome) const {
  const std::uint64_t base = block * block_size_;
  std::uint32_t counts[kBlock];  // the counters themselves would be fetched from memory shot by shot
  std::fill_n(counts, block_size_, 0u);
  for (double value : values) ++counts[inside.find(value)];
  if (bits.is_identity()) {
    for (std::size_t i = 0; i < block_size_; ++i) count_of_outcome[base + i] += counts[i];
    return;
  }
  for (std::size_t i = 0; i < block_size_; ++i) {
    if (counts[i] == 0) continue;
    // Indices of other blocks, visited by other threads, may have the same outcome.
    std::atomic_ref(count_of_outcome[bits(base + i)]).fetch_add(counts[i], std::memory_order_relaxed);
  }
}

Histogram Sampler::count(const ShotRange& shots, const OutcomeBits& bits, int threads, CancelToken* cancel) const {
  // A counter for every possible outcome, if that is not much more memory than the shots themselves; else a sorted
  // list.
  const bool is_dense =
      bits.num_bits() <= 16 || (bits.num_bits() <= 28 && (std::int64_t{1} << bits.num_bits()) / 4 <= shots.num_shots);
  const std::size_t num_counters = is_dense ? std::size_t{1} << bits.num_bits() : 0;
  const Scratch<std::int64_t> counters(num_counters);
  std::fill_n(counters.data(), num_counters, 0);
  const std::int64_t batch_shots = state_.num_qubits >= kLargeStateQubits ? kLargeStateBatchShots : kBatchShots;
  const auto size = static_cast<std::size_t>(std::min(batch_shots, shots.num_shots));
  const Scratch<double> uniforms(size);
  std::vector<std::uint64_t> outcomes;
  Histogram list;
  for (std::int64_t first = 0; first < shots.num_shots; first += batch_shots) {
    const std::span part(uniforms.data(), static_cast<std::size_t>(std::min(batch_shots, shots.num_shots - first)));
    const int useful = useful_threads(threads, std::max(part.size(), state_.size()));
    fill_uniforms(shots_from(shots, first), part, isa_, threads);
    Batch batch;
    sort_by_block(batch, part, false, useful);
    if (!is_dense) outcomes.resize(part.size());
    visit_blocks(batch, useful, cancel,
                 [&](std::uint32_t block, const Block& inside, std::uint32_t from, std::uint32_t to) {
                   if (is_dense) {
                     add_counts(block, inside, {batch.values.data() + from, to - from}, bits, counters.data());
                     return;
                   }
                   for (std::uint32_t i = from; i < to; ++i) {
                     outcomes[i] = bits(block * block_size_ + inside.find(batch.values[i]));
                   }
                 });
    if (!is_dense) {
      radix_sort(outcomes, bits.num_bits());
      merge_sorted(list, outcomes);
    }
  }
  return is_dense ? histogram_of({counters.data(), num_counters}) : list;
}

}  // namespace qfast
