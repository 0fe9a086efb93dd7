#include "run/expectation.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/thread_pool.h"
#include "run/probabilities.h"

// With P = i^y X^x Z^z, y the number of Y (bits in x & z), and q_i = conj(bra[i ^ x]) ket[i]:
//   <bra|P|ket> = i^y sum_i (-1)^(bits in i & z) q_i.
// An expectation value has bra = ket: i and i ^ x give conjugate products and their signs differ by (-1)^y, so only
// real parts remain for even y and only imaginary parts for odd y, and for x != 0 half of the indices suffice:
//   y = 0, 1, 2, 3 (mod 4):  + sum Re, - sum Im, - sum Re, + sum Im.
// The imaginary part of an overlap is, over all indices,
//   y = 0, 1, 2, 3 (mod 4):  + sum Im, + sum Re, - sum Im, - sum Re.
//
// The state is walked in blocks that fit in the first cache, inside tiles that fit in the second. A group of few
// strings sums products and signs in one go, string by string; a group of many writes the products of a block down and
// takes their Walsh-Hadamard transform, which holds the signed sums of all Z masks.

namespace qfast {
namespace {

constexpr std::size_t kMaxRank = 4;  // 2^4 blocks of complex128: 256 KiB
// X masks inside a block pair up inside it; runs shorter than this are not worth a call, so both partners are summed.
constexpr int kShortestRunBits = 7;
// A transform costs as much as this many sums string by string: 0.05 ms a group of 2^18 amplitudes on Zen 5 with
// AVX-512 (one thread, November 2026); with AVX2 it is between 4 and 5, with SSE below 4.
constexpr std::uint32_t kTransformTerms = 4;
// A batch is one pass over the state; of a small state, which is in the cache anyway, more batches are more tasks.
constexpr std::uint32_t kBatchTerms = 256;
constexpr std::uint32_t kSmallStateBatchTerms = 32;
constexpr int kSmallStateQubits = 17;
constexpr std::size_t kMaxStrands = 64;

int highest_bit(std::uint64_t x) { return 63 - std::countl_zero(x); }

bool is_transformed(std::uint32_t num_terms) { return num_terms >= kTransformTerms; }

double with_sign(double value, std::uint64_t mask) { return parity(mask) ? -value : value; }

}  // namespace

PauliSum::PauliSum(int num_qubits, std::span<const std::uint64_t> x_masks, std::span<const std::uint64_t> z_masks,
                   std::span<const Complex> coefficients)
    : num_qubits_(num_qubits),
      block_bits_(std::min(num_qubits, kBlockBits)),
      coefficients_(coefficients.begin(), coefficients.end()) {
  if (x_masks.size() != z_masks.size() || x_masks.size() != coefficients.size()) {
    throw Error(ErrorKind::kObservable, "a Pauli sum has " + std::to_string(x_masks.size()) + " X masks, " +
                                            std::to_string(z_masks.size()) + " Z masks and " +
                                            std::to_string(coefficients.size()) +
                                            " coefficients; it needs one of each per string");
  }
  const auto size = static_cast<std::uint32_t>(coefficients.size());
  for (std::uint32_t j = 0; j < size; ++j) {
    if (const std::uint64_t mask = x_masks[j] | z_masks[j]; (mask & ~low_mask(num_qubits)) != 0) {
      throw Error(ErrorKind::kObservable, "string " + std::to_string(j) + " of the Pauli sum acts on qubit " +
                                              std::to_string(highest_bit(mask)) + "; the state has " +
                                              std::to_string(num_qubits) + " qubits");
    }
  }
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(x_masks[a], z_masks[a], a) < std::tuple(x_masks[b], z_masks[b], b);
  });
  terms_.reserve(size);
  for (std::uint32_t j : order) {
    const std::uint64_t x = x_masks[j], z = z_masks[j];
    const auto num_y = static_cast<std::int8_t>(std::popcount(x & z) & 3);
    if (groups_.empty() || groups_.back().x != x) groups_.push_back({x, size, size, 0});
    if (groups_.back().first == size) groups_.back().first = static_cast<std::uint32_t>(terms_.size());
    terms_.push_back({z, j, num_y, 0});
    groups_.back().last = static_cast<std::uint32_t>(terms_.size());
  }
  const std::uint32_t batch_terms = num_qubits <= kSmallStateQubits ? kSmallStateBatchTerms : kBatchTerms;
  for (std::uint32_t g = 0; g < groups_.size(); ++g) {
    const std::uint64_t x_high = groups_[g].x >> block_bits_;
    const bool fits = !batches_.empty() && groups_[g].last - groups_[batches_.back().first].first <= batch_terms &&
                      (batches_.back().contains(x_high) || batches_.back().basis.size() < kMaxRank);
    if (!fits) batches_.push_back({g, g, {}, {}, {}});
    if (!batches_.back().contains(x_high)) batches_.back().extend(x_high);
    batches_.back().last = g + 1;
  }
  for (Batch& batch : batches_) batch.list_space();
  for (Group& group : groups_) find_folds(group);
}

// On a bit on which all Z masks of a group agree, the transform is wanted for one of its two values only: the bit is
// summed over before the transform, which is then shorter.
void PauliSum::find_folds(Group& group) {
  std::uint64_t differing = low_mask(kLeastFoldedBit);
  for (std::uint32_t t = group.first; t < group.last; ++t) differing |= terms_[t].z ^ terms_[group.first].z;
  group.folded = low_mask(block_bits_) & ~differing;
  for (std::uint32_t t = group.first; t < group.last; ++t) {
    int to = 0;
    for (int bit = 0; bit < block_bits_; ++bit) {
      if ((group.folded >> bit) & 1) continue;
      terms_[t].place |= static_cast<std::uint16_t>(((terms_[t].z >> bit) & 1) << to++);
    }
  }
}

// Sums a block's numbers over the folded bits, with signs; returns the number of bits that are left.
int PauliSum::fold(const Group& group, const RealKernels& real, double* values) const {
  int left = block_bits_;
  for (int bit = block_bits_ - 1; bit >= kLeastFoldedBit; --bit) {
    if ((group.folded >> bit) & 1) real.fold(values, left--, bit, (terms_[group.first].z >> bit) & 1);
  }
  return left;
}

void PauliSum::unfold(const Group& group, const RealKernels& real, double* values) const {
  int length = block_bits_ - std::popcount(group.folded);
  for (int bit = kLeastFoldedBit; bit < block_bits_; ++bit) {
    if ((group.folded >> bit) & 1) real.unfold(values, length++, bit, (terms_[group.first].z >> bit) & 1);
  }
}

bool PauliSum::Batch::contains(std::uint64_t x_high) const {
  for (std::uint64_t vector : basis) {
    if ((x_high >> highest_bit(vector)) & 1) x_high ^= vector;
  }
  return x_high == 0;
}

// Gauss-Jordan elimination, one vector at a time; x_high is not in the space yet.
void PauliSum::Batch::extend(std::uint64_t x_high) {
  for (std::uint64_t vector : basis) {
    if ((x_high >> highest_bit(vector)) & 1) x_high ^= vector;
  }
  for (std::uint64_t& vector : basis) {
    if ((vector >> highest_bit(x_high)) & 1) vector ^= x_high;
  }
  basis.push_back(x_high);
}

void PauliSum::Batch::list_space() {
  space.assign(1, 0);
  for (std::uint64_t vector : basis) {
    pivots.push_back(highest_bit(vector));
    for (std::size_t i = 0, size = space.size(); i < size; ++i) space.push_back(space[i] ^ vector);
  }
  std::sort(space.begin(), space.end());
  std::sort(pivots.begin(), pivots.end());
}

// True where add_block visits one of i and i ^ x only.
bool PauliSum::sums_half(const Group& group, Quantity quantity) const {
  if (group.x == 0 || quantity != Quantity::kExpectation) return false;
  const int top = highest_bit(group.x);
  return top >= block_bits_ || (top >= kShortestRunBits && !is_transformed(group.last - group.first));
}

template <class T>
void PauliSum::add_block(const States<T>& states, const ReduceKernels<T>& kernels, const RealKernels& real,
                         const Group& group, std::uint64_t base, double* sums) const {
  const auto [bra, ket, quantity] = states;
  std::size_t length = std::size_t{1} << block_bits_;
  std::uint64_t end = base + length;
  std::uint64_t step = length;
  if (sums_half(group, quantity)) {
    const std::uint64_t top = 1ull << highest_bit(group.x);
    if (base & top) return;
    if (top < length) {  // runs of the block in which the top bit of i is 0
      length = top;
      step = 2 * top;
    }
  }
  const std::uint64_t inside = length - 1, x_inside = group.x & inside, x_above = group.x & ~inside;
  if (is_transformed(group.last - group.first)) {
    alignas(64) double sums_of[2][1 << kBlockBits];  // of real parts, of imaginary parts
    bool any[2] = {false, false};
    for (std::uint32_t t = group.first; t < group.last; ++t) any[terms_[t].sums_imaginary(quantity)] = true;
    for (int part = 0; part < 2; ++part) {
      if (!any[part]) continue;
      kernels.overlaps(ket + 2 * base, bra + 2 * (base ^ x_above), length, x_inside, part == 1, sums_of[part]);
      real.walsh_hadamard(sums_of[part], fold(group, real, sums_of[part]));
    }
    for (std::uint32_t t = group.first; t < group.last; ++t) {
      const double* transformed = sums_of[terms_[t].sums_imaginary(quantity)];
      *sums++ += with_sign(transformed[terms_[t].place], terms_[t].z & base);
    }
    return;
  }
  for (std::uint32_t t = group.first; t < group.last; ++t, ++sums) {
    const Term& term = terms_[t];
    for (std::uint64_t run = base; run < end; run += step) {
      const double sum = kernels.signed_overlap(ket + 2 * run, bra + 2 * (run ^ x_above), length, x_inside,
                                                term.z & inside, term.sums_imaginary(quantity));
      *sums += with_sign(sum, term.z & run);
    }
  }
}

std::size_t PauliSum::num_cosets(const Batch& batch) const {
  return std::size_t{1} << (num_qubits_ - block_bits_ - static_cast<int>(batch.basis.size()));
}

// Adds the batch's sums over the strand's cosets to sums[0 …), one per term of the batch.
template <class T>
void PauliSum::sum_batch(const States<T>& states, const ReduceKernels<T>& kernels, const RealKernels& real,
                         const Batch& batch, std::size_t strand, std::size_t num_strands, double* sums,
                         const CancelToken* cancel) const {
  const std::size_t cosets_per_strand = num_cosets(batch) / num_strands;
  const std::uint32_t first_term = groups_[batch.first].first;
  for (std::size_t i = 0; i < cosets_per_strand; ++i) {
    if (should_stop(cancel)) return;
    // A coset has one member whose pivot bits are all 0.
    const std::uint64_t member = insert_zero_bits(strand * cosets_per_strand + i, batch.pivots);
    for (std::uint64_t element : batch.space) {
      const std::uint64_t base = (member ^ element) << block_bits_;
      for (std::uint32_t g = batch.first; g < batch.last; ++g) {
        add_block(states, kernels, real, groups_[g], base, sums + (groups_[g].first - first_term));
      }
    }
  }
}

void PauliSum::term_values(const StateView& state, Isa isa, int threads, double* values, CancelToken* cancel) const {
  sum_terms(state, state, Quantity::kExpectation, isa, threads, values, cancel);
}

void PauliSum::imaginary_overlaps(const StateView& bra, const StateView& ket, Isa isa, int threads, double* values,
                                  CancelToken* cancel) const {
  sum_terms(bra, ket, Quantity::kImaginaryOverlap, isa, threads, values, cancel);
}

void PauliSum::sum_terms(const StateView& bra, const StateView& ket, Quantity quantity, Isa isa, int threads,
                         double* values, CancelToken* cancel) const {
  // Strands, and with them the order of the sums, depend on the strings and the number of qubits alone.
  std::vector<std::size_t> first_task(batches_.size() + 1, 0);
  const auto strands_of = [&](std::size_t b) { return std::min(kMaxStrands, num_cosets(batches_[b])); };
  for (std::size_t b = 0; b < batches_.size(); ++b) first_task[b + 1] = first_task[b] + strands_of(b);
  const std::size_t num_strands = std::min(kMaxStrands, std::size_t{1} << (num_qubits_ - block_bits_));
  std::vector<double> sums(num_strands * terms_.size(), 0.0);  // [strand][term]

  const RealKernels& real = kernels_for(isa).real;
  with_amplitudes(ket, isa, [&]<class T>(const T* amplitudes, const ReduceKernels<T>& kernels) {
    const States<T> states{static_cast<const T*>(bra.amplitudes), amplitudes, quantity};
    parallel_for(useful_threads(threads, ket.size() * terms_.size()), static_cast<std::int64_t>(first_task.back()), 1,
                 [&](std::int64_t task, std::int64_t) {
                   const auto index = static_cast<std::size_t>(task);
                   const auto after = std::upper_bound(first_task.begin(), first_task.end(), index);
                   const auto b = static_cast<std::size_t>(after - first_task.begin()) - 1;
                   const std::size_t strand = index - first_task[b];
                   double* const out = sums.data() + strand * terms_.size() + groups_[batches_[b].first].first;
                   sum_batch(states, kernels, real, batches_[b], strand, strands_of(b), out, cancel);
                 });
  });
  if (should_stop(cancel)) {
    throw Error(ErrorKind::kCancelled, quantity == Quantity::kExpectation ? "the expectation value was cancelled"
                                                                          : "the overlaps were cancelled");
  }
  std::vector<double> strands(num_strands);
  for (const Group& group : groups_) {
    const double scale = sums_half(group, quantity) ? 2.0 : 1.0;
    for (std::uint32_t t = group.first; t < group.last; ++t) {
      for (std::size_t s = 0; s < num_strands; ++s) strands[s] = sums[s * terms_.size() + t];
      values[terms_[t].index] = scale * terms_[t].sign(quantity) * pairwise_sum(strands);
    }
  }
}

Complex PauliSum::expectation(const StateView& state, Isa isa, int threads, CancelToken* cancel) const {
  std::vector<double> values(size());
  term_values(state, isa, threads, values.data(), cancel);
  std::vector<double> re(size()), im(size());
  for (std::size_t j = 0; j < size(); ++j) {
    re[j] = coefficients_[j].real() * values[j];
    im[j] = coefficients_[j].imag() * values[j];
  }
  return {pairwise_sum(re), pairwise_sum(im)};
}

}  // namespace qfast
