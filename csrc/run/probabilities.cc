#include "run/probabilities.h"

#include <algorithm>
#include <vector>

#include "base/thread_pool.h"

namespace qfast {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << kSumBlockBits;
constexpr int kMaxTasksBits = 6;  // a marginal of few qubits is cut into this many partial sums

// Adds up pairs of entries whose index differs in `bit`, which disappears from the index.
void fold_bit(double* values, std::size_t length, int bit) {
  const std::size_t stride = std::size_t{1} << bit;
  double* to = values;
  for (std::size_t base = 0; base < length; base += 2 * stride) {
    for (std::size_t i = base; i < base + stride; ++i) *to++ = values[i] + values[i + stride];
  }
}

// How a marginal is cut into tasks. The qubits of a block (the lowest ones) are summed inside it; of the higher ones,
// the asked-for qubits choose a segment of the result and the others are summed over, strand by strand.
struct Marginal {
  Marginal(int num_qubits, std::span<const int> qubits) {
    for (int qubit : qubits) asked_mask |= 1ull << qubit;
    block_bits = std::min(num_qubits, kSumBlockBits);
    const std::uint64_t high = low_mask(num_qubits) & ~low_mask(block_bits);
    low_asked = asked_mask & low_mask(block_bits);
    high_asked = asked_mask & high;
    high_summed = high & ~asked_mask;
    segment_bits = std::popcount(high_asked);
    strand_bits = std::clamp(kMaxTasksBits - segment_bits, 0, std::popcount(high_summed));
    blocks_per_strand = std::size_t{1} << (std::popcount(high_summed) - strand_bits);
    segment_length = std::size_t{1} << std::popcount(low_asked);
  }

  std::uint64_t asked_mask = 0, low_asked = 0, high_asked = 0, high_summed = 0;
  int block_bits = 0, segment_bits = 0, strand_bits = 0;
  std::size_t blocks_per_strand = 0, segment_length = 0;

  std::uint64_t first_amplitude(std::size_t task, std::size_t block) const {
    const std::uint64_t strand = task & low_mask(strand_bits), segment = task >> strand_bits;
    return deposit_bits(segment, high_asked) | deposit_bits(strand * blocks_per_strand + block, high_summed);
  }
};

// One segment of the result, summed over the blocks of one strand.
template <class T>
void sum_strand(const T* amplitudes, const ReduceKernels<T>& kernels, const Marginal& m, std::size_t task,
                double* out) {
  alignas(64) double sums[kBlock];
  std::size_t length = std::size_t{1} << m.block_bits;
  std::fill_n(sums, length, 0.0);
  for (std::size_t block = 0; block < m.blocks_per_strand; ++block) {
    kernels.add_squares(amplitudes + 2 * m.first_amplitude(task, block), length, sums);
  }
  for (int bit = m.block_bits - 1; bit >= 0; --bit) {
    if ((m.low_asked >> bit) & 1) continue;
    fold_bit(sums, length, bit);
    length /= 2;
  }
  std::copy_n(sums, length, out);
}

// out[j] += out of the other strands of the segment, in a tree: strand s takes strand s + stride.
void combine_strands(double* strands, std::size_t num_strands, std::size_t length) {
  for (std::size_t stride = num_strands / 2; stride > 0; stride /= 2) {
    for (std::size_t i = 0; i < stride * length; ++i) strands[i] += strands[stride * length + i];
  }
}

}  // namespace

double pairwise_sum(std::span<const double> values) {
  if (values.size() <= 8) {
    double sum = 0;
    for (double value : values) sum += value;
    return sum;
  }
  const std::size_t half = values.size() / 2;
  return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
}

std::vector<double> block_norms(const StateView& state, Isa isa, int threads) {
  const std::size_t length = std::min(kBlock, state.size());
  std::vector<double> norms(state.size() / length);
  with_amplitudes(state, isa, [&](const auto* amplitudes, const auto& kernels) {
    parallel_for(useful_threads(threads, state.size()), static_cast<std::int64_t>(norms.size()), 4,
                 [&](std::int64_t first, std::int64_t last) {
                   for (auto b = static_cast<std::size_t>(first); b < static_cast<std::size_t>(last); ++b) {
                     norms[b] = kernels.norm_squared(amplitudes + 2 * b * length, length);
                   }
                 });
  });
  return norms;
}

double norm_squared(const StateView& state, Isa isa, int threads) {
  return pairwise_sum(block_norms(state, isa, threads));
}

Complex inner_product(const StateView& bra, const StateView& ket, Isa isa, int threads) {
  const std::size_t length = std::min(kBlock, bra.size()), num_blocks = bra.size() / length;
  std::vector<double> re(num_blocks), im(num_blocks);
  with_amplitudes(bra, isa, [&]<class T>(const T* left, const ReduceKernels<T>& kernels) {
    const T* right = static_cast<const T*>(ket.amplitudes);
    parallel_for(useful_threads(threads, bra.size()), static_cast<std::int64_t>(num_blocks), 4,
                 [&](std::int64_t first, std::int64_t last) {
                   for (auto b = static_cast<std::size_t>(first); b < static_cast<std::size_t>(last); ++b) {
                     double sum[2];
                     kernels.inner_product(left + 2 * b * length, right + 2 * b * length, length, sum);
                     re[b] = sum[0];
                     im[b] = sum[1];
                   }
                 });
  });
  return {pairwise_sum(re), pairwise_sum(im)};
}

void probabilities(const StateView& state, std::span<const int> qubits, double* out, Isa isa, int threads) {
  const Marginal m(state.num_qubits, qubits);
  const bool ascending = std::is_sorted(qubits.begin(), qubits.end());
  const std::size_t num_segments = std::size_t{1} << m.segment_bits, num_strands = std::size_t{1} << m.strand_bits;
  // Where an outcome in ascending order of qubits goes in the caller's order: bit j of the outcome is the j-th lowest
  // qubit, whose place in `qubits` is place[j]. Low bits by table, high bits by segment.
  std::vector<int> place(qubits.size());
  for (std::size_t j = 0; j < qubits.size(); ++j) {
    place[static_cast<std::size_t>(std::popcount(m.asked_mask & low_mask(qubits[j])))] = static_cast<int>(j);
  }
  std::vector<std::size_t> low_place(ascending ? 0 : m.segment_length);
  for (std::size_t j = 0; j < low_place.size(); ++j) low_place[j] = scatter_bits(j, place);

  const bool in_place = ascending && num_strands == 1;
  std::vector<double> partial(in_place || num_strands == 1 ? 0 : num_segments * num_strands * m.segment_length);
  with_amplitudes(state, isa, [&](const auto* amplitudes, const auto& kernels) {
    parallel_for(useful_threads(threads, state.size()), static_cast<std::int64_t>(num_segments * num_strands), 1,
                 [&](std::int64_t first, std::int64_t) {
                   const auto task = static_cast<std::size_t>(first);
                   if (num_strands > 1) {
                     sum_strand(amplitudes, kernels, m, task, partial.data() + task * m.segment_length);
                   } else if (in_place) {
                     sum_strand(amplitudes, kernels, m, task, out + task * m.segment_length);
                   } else {
                     double segment[kBlock];
                     sum_strand(amplitudes, kernels, m, task, segment);
                     const std::uint64_t base = scatter_bits(task * m.segment_length, place);
                     for (std::size_t j = 0; j < m.segment_length; ++j) out[base | low_place[j]] = segment[j];
                   }
                 });
  });
  if (num_strands == 1) return;
  for (std::size_t segment = 0; segment < num_segments; ++segment) {
    double* const sums = partial.data() + segment * num_strands * m.segment_length;
    combine_strands(sums, num_strands, m.segment_length);
    const std::size_t base = segment * m.segment_length;
    for (std::size_t j = 0; j < m.segment_length; ++j) out[scatter_bits(base + j, place)] = sums[j];
  }
}

}  // namespace qfast
