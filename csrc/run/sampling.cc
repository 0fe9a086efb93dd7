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
// Shots that are drawn together. The state is read once for each batch, so that of a large state may grow.
constexpr std::int64_t kBatchShots = std::int64_t{1} << 20;
constexpr std::int64_t kLargestBatchShots = std::int64_t{1} << 24;
constexpr std::int64_t kShotsPerTask = std::int64_t{1} << 14;
constexpr std::size_t kShotsAtOnce = 2048;  // uniforms computed in the first-level cache
// With fewer shots in a block a binary search is cheaper than its table.
constexpr std::size_t kGuidedShots = 1024;
constexpr std::size_t kCellsPerBlock = 4;

void throw_if_cancelled(const CancelToken* cancel) {
  if (should_stop(cancel)) throw Error(ErrorKind::kCancelled, "sampling was cancelled");
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

// Shots to draw together, of a state of `size` amplitudes.
std::int64_t batch_shots(std::size_t size, std::int64_t num_shots) {
  const std::int64_t batch = std::clamp(static_cast<std::int64_t>(size), kBatchShots, kLargestBatchShots);
  return std::min(batch, num_shots);
}

void begin_work(CancelToken* cancel, std::int64_t num_shots) {
  if (cancel == nullptr) return;
  cancel->work_done.store(0);
  cancel->work_total.store(static_cast<std::uint64_t>(num_shots));
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

// Shots that are drawn together, sorted by block: those of block b are at [begin[b], begin[b + 1]).
struct Sampler::Batch {
  Batch(std::size_t num_blocks, std::size_t num_shots, bool keep_order)
      : values(num_shots), block_of_shot(num_shots), begin(num_blocks + 1) {
    if (keep_order) shots = Scratch<std::uint32_t>(num_shots);
  }
  bool keeps_order() const { return shots.data() != nullptr; }

  Scratch<double> values;                // uniform * norm
  Scratch<std::uint32_t> shots;          // position in the batch; empty where the order does not matter
  Scratch<std::uint32_t> block_of_shot;  // by position
  std::vector<std::uint32_t> begin;
};

// Uniforms from the caller, or those of shots. These are computed where they are needed, each twice: it takes less time
// than fetching them from memory.
class Sampler::Uniforms {
 public:
  explicit Uniforms(std::span<const double> given) : given_(given.data()) {}
  Uniforms(const ShotRange& shots, Isa isa) : shots_(shots), philox_(kernels_for(isa).real.philox_uniforms) {}

  Uniforms from(std::int64_t first) const {
    Uniforms rest = *this;
    if (given_ != nullptr) rest.given_ += first;
    rest.shots_.first_shot += static_cast<std::uint64_t>(first);
    return rest;
  }

  // Calls body(i, uniform) for i in [first, last).
  template <class Body>
  void for_each(std::size_t first, std::size_t last, const Body& body) const {
    if (given_ != nullptr) {
      for (std::size_t i = first; i < last; ++i) body(i, given_[i]);
      return;
    }
    alignas(64) double some[kShotsAtOnce];
    for (; first < last; first += kShotsAtOnce) {
      const std::size_t count = std::min(kShotsAtOnce, last - first);
      philox_(shots_.seed, shots_.first_shot + first, shots_.site, count, some);
      for (std::size_t j = 0; j < count; ++j) body(first + j, some[j]);
    }
  }

 private:
  const double* given_ = nullptr;
  ShotRange shots_;
  decltype(RealKernels::philox_uniforms) philox_ = nullptr;
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
void Sampler::sort_by_block(Batch& batch, const Uniforms& uniforms, std::size_t num_shots, int threads) const {
  const std::size_t num_blocks = this->num_blocks();
  const double norm = norm_squared_;
  const std::int64_t count = static_cast<std::int64_t>(num_shots);
  // Few pieces, since each has a counter per block.
  const std::size_t num_pieces = std::clamp<std::size_t>(num_shots / kShotsPerTask, 1, 16);
  const std::size_t piece = (num_shots + num_pieces - 1) / num_pieces;
  std::vector<std::uint32_t> next(num_pieces * num_blocks, 0);
  const auto grain = static_cast<std::int64_t>(piece);
  parallel_for(threads, count, grain, [&](std::int64_t first, std::int64_t last) {
    std::uint32_t* const counts = next.data() + static_cast<std::size_t>(first / grain) * num_blocks;
    uniforms.for_each(static_cast<std::size_t>(first), static_cast<std::size_t>(last),
                      [&](std::size_t i, double uniform) {
                        batch.block_of_shot[i] = block_of(uniform * norm);
                        ++counts[batch.block_of_shot[i]];
                      });
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
    uniforms.for_each(static_cast<std::size_t>(first), static_cast<std::size_t>(last),
                      [&](std::size_t i, double uniform) {
                        const std::uint32_t to = at[batch.block_of_shot[i]]++;
                        batch.values[to] = uniform * norm;
                        if (batch.keeps_order()) batch.shots[to] = static_cast<std::uint32_t>(i);
                      });
  });
}

// Calls visit(first shot of the batch, batch, block, distribution of the block, from, to) for each block of each batch
// that has shots: [from, to) of the batch.
template <class Visit>
void Sampler::draw(const Uniforms& uniforms, std::int64_t num_shots, bool keep_order, int threads, CancelToken* cancel,
                   const Visit& visit) const {
  const std::int64_t most = batch_shots(state_.size(), num_shots);
  const int useful = useful_threads(threads, std::max(static_cast<std::size_t>(most), state_.size()));
  Batch batch(num_blocks(), static_cast<std::size_t>(most), keep_order);
  for (std::int64_t first = 0; first < num_shots; first += most) {
    const auto count = static_cast<std::size_t>(std::min(most, num_shots - first));
    sort_by_block(batch, uniforms.from(first), count, useful);
    parallel_for(useful, static_cast<std::int64_t>(num_blocks()), 1, [&](std::int64_t index, std::int64_t) {
      const auto block = static_cast<std::uint32_t>(index);
      const std::uint32_t from = batch.begin[block], to = batch.begin[block + 1];
      if (from == to || should_stop(cancel)) return;
      visit(first, batch, block, Block(*this, block, to - from), from, to);
      if (cancel != nullptr) cancel->work_done.fetch_add(to - from, std::memory_order_relaxed);
    });
    throw_if_cancelled(cancel);
  }
}

// Calls put(i, index) with the basis state of each uniform, in no order.
template <class Put>
void Sampler::find_all(const Uniforms& uniforms, std::int64_t num_shots, int threads, CancelToken* cancel,
                       const Put& put) const {
  begin_work(cancel, num_shots);
  draw(uniforms, num_shots, true, threads, cancel,
       [&](std::int64_t first, const Batch& batch, std::uint32_t block, const Block& inside, std::uint32_t from,
           std::uint32_t to) {
         const std::uint64_t base = block * block_size_;
         for (std::uint32_t i = from; i < to; ++i) put(first + batch.shots[i], base + inside.find(batch.values[i]));
       });
}

void Sampler::find(std::span<const double> uniforms, std::int64_t* indices, int threads, CancelToken* cancel) const {
  find_all(Uniforms(uniforms), static_cast<std::int64_t>(uniforms.size()), threads, cancel,
           [&](std::int64_t i, std::uint64_t index) { indices[i] = static_cast<std::int64_t>(index); });
}

void Sampler::sample(const ShotRange& shots, std::int64_t* indices, int threads, CancelToken* cancel) const {
  find_all(Uniforms(shots, isa_), shots.num_shots, threads, cancel,
           [&](std::int64_t shot, std::uint64_t index) { indices[shot] = static_cast<std::int64_t>(index); });
}

void Sampler::sample(const ShotRange& shots, const OutcomeBits& bits, std::uint64_t* outcomes, int threads,
                     CancelToken* cancel) const {
  find_all(Uniforms(shots, isa_), shots.num_shots, threads, cancel,
           [&](std::int64_t shot, std::uint64_t index) { outcomes[shot] = bits(index); });
}

void Sampler::sample_packed(const ShotRange& shots, const OutcomeBits& bits, std::uint8_t* rows, int threads,
                            CancelToken* cancel) const {
  const std::int64_t bytes = row_bytes(bits.num_bits());
  find_all(Uniforms(shots, isa_), shots.num_shots, threads, cancel, [&](std::int64_t shot, std::uint64_t index) {
    std::uint64_t outcome = bits(index);
    for (std::uint8_t* byte = rows + shot * bytes; byte < rows + (shot + 1) * bytes; ++byte, outcome >>= 8) {
      *byte = static_cast<std::uint8_t>(outcome);
    }
  });
}

// Adds the shots of one block to the counters of the outcomes.
template <class Counter>
void Sampler::add_counts(std::uint32_t block, const Block& inside, std::span<const double> values,
                         const OutcomeBits& bits, Counter* count_of_outcome) const {
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

template <class Counter>
Histogram Sampler::count_in_table(const ShotRange& shots, const OutcomeBits& bits, int threads,
                                  CancelToken* cancel) const {
  const std::size_t num_counters = std::size_t{1} << bits.num_bits();
  const Scratch<Counter> counters(num_counters);
  std::fill_n(counters.data(), num_counters, Counter{0});
  draw(Uniforms(shots, isa_), shots.num_shots, false, threads, cancel,
       [&](std::int64_t, const Batch& batch, std::uint32_t block, const Block& inside, std::uint32_t from,
           std::uint32_t to) {
         add_counts(block, inside, {batch.values.data() + from, to - from}, bits, counters.data());
       });
  return histogram_of<Counter>({counters.data(), num_counters}, bits.num_bits());
}

Histogram Sampler::count_in_list(const ShotRange& shots, const OutcomeBits& bits, int threads,
                                 CancelToken* cancel) const {
  OutcomeList list(bits.num_bits());
  std::vector<std::uint64_t> outcomes;
  const std::int64_t most = batch_shots(state_.size(), shots.num_shots);
  for (std::int64_t first = 0; first < shots.num_shots; first += most) {
    const ShotRange part{shots.seed, shots.first_shot + static_cast<std::uint64_t>(first),
                         std::min(most, shots.num_shots - first), shots.site};
    outcomes.resize(static_cast<std::size_t>(part.num_shots));
    draw(Uniforms(part, isa_), part.num_shots, false, threads, cancel,
         [&](std::int64_t, const Batch& batch, std::uint32_t block, const Block& inside, std::uint32_t from,
             std::uint32_t to) {
           const std::uint64_t base = block * block_size_;
           for (std::uint32_t i = from; i < to; ++i) outcomes[i] = bits(base + inside.find(batch.values[i]));
         });
    list.add(outcomes);
  }
  return list.to_histogram();
}

Histogram Sampler::count(const ShotRange& shots, const OutcomeBits& bits, int threads, CancelToken* cancel) const {
  begin_work(cancel, shots.num_shots);
  if (!has_few_outcomes(bits.num_bits(), shots.num_shots)) return count_in_list(shots, bits, threads, cancel);
  if (shots.num_shots <= std::numeric_limits<std::uint32_t>::max()) {
    return count_in_table<std::uint32_t>(shots, bits, threads, cancel);
  }
  return count_in_table<std::uint64_t>(shots, bits, threads, cancel);
}

}  // namespace qfast
