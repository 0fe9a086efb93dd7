// A Pauli sum applied to a state. With P = i^y X^x Z^z (see run/expectation.cc):
//   (P psi)[i] = (-i)^y (-1)^(bits in i & z) psi[i ^ x],
// so the strings of one X mask are together a diagonal, which multiplies the amplitudes at i ^ x. The result is made
// block by block: every group adds its products to the block's sums, which stay in the first cache.
#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/thread_pool.h"
#include "run/expectation.h"

namespace qfast {
namespace {

Complex power_of_minus_i(int exponent) {
  constexpr Complex kPowers[4] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
  return kPowers[exponent & 3];
}

}  // namespace

// Writes the group's diagonal over the block at `base`. False: it is real, and im is not written.
bool PauliSum::fill_diagonal(const Group& group, std::uint64_t base, const RealKernels& real, double* re,
                             double* im) const {
  const auto weight_of = [&](const Term& term) {
    const Complex weight = power_of_minus_i(term.num_y) * coefficients_[term.index];
    return parity(term.z & base) ? -weight : weight;
  };
  bool is_complex = false;
  const int log2_short = block_bits_ - std::popcount(group.folded);
  std::fill(re, re + (std::size_t{1} << log2_short), 0.0);
  std::fill(im, im + (std::size_t{1} << log2_short), 0.0);
  for (std::uint32_t t = group.first; t < group.last; ++t) {
    const Complex weight = weight_of(terms_[t]);
    re[terms_[t].place] += weight.real();
    im[terms_[t].place] += weight.imag();
    is_complex |= weight.imag() != 0;
  }
  for (double* part : {re, im}) {
    if (part == im && !is_complex) break;
    real.walsh_hadamard(part, log2_short);
    unfold(group, real, part);
  }
  return is_complex;
}

template <class T>
void PauliSum::apply_block(const T* amplitudes, const ReduceKernels<T>& kernels, const RealKernels& real,
                           std::uint64_t base, T* out) const {
  constexpr std::size_t kBlock = std::size_t{1} << kBlockBits;
  alignas(64) double sum_re[kBlock], sum_im[kBlock], d_re[kBlock], d_im[kBlock];
  const std::size_t length = std::size_t{1} << block_bits_;
  const std::uint64_t inside = length - 1;
  std::fill(sum_re, sum_re + length, 0.0);
  std::fill(sum_im, sum_im + length, 0.0);
  for (const Group& group : groups_) {
    const bool is_complex = fill_diagonal(group, base, real, d_re, d_im);
    kernels.add_products(amplitudes + 2 * (base ^ (group.x & ~inside)), length, group.x & inside, d_re,
                         is_complex ? d_im : nullptr, sum_re, sum_im);
  }
  T* const to = out + 2 * base;
  for (std::size_t i = 0; i < length; ++i) {
    to[2 * i] = static_cast<T>(sum_re[i]);
    to[2 * i + 1] = static_cast<T>(sum_im[i]);
  }
}

void PauliSum::apply(const StateView& state, void* out, Isa isa, int threads, CancelToken* cancel) const {
  const RealKernels& real = kernels_for(isa).real;
  const auto num_blocks = static_cast<std::int64_t>(state.size() >> block_bits_);
  with_amplitudes(state, isa, [&]<class T>(const T* amplitudes, const ReduceKernels<T>& kernels) {
    // A product costs a quarter of what others count an amplitude with.
    parallel_for(useful_threads(threads, state.size() * groups_.size() / 4), num_blocks, 1,
                 [&](std::int64_t block, std::int64_t) {
                   if (should_stop(cancel)) return;
                   apply_block(amplitudes, kernels, real, static_cast<std::uint64_t>(block) << block_bits_,
                               static_cast<T*>(out));
                 });
  });
  if (should_stop(cancel)) {
    throw Error(ErrorKind::kCancelled, "applying a Pauli sum was cancelled");
  }
}

}  // namespace qfast
