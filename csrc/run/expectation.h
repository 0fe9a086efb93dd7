// Expectation values of Pauli sums. Terms are grouped by X mask: all terms of a group need the same products
// conj(psi[i ^ x]) psi[i], and differ in signs only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/types.h"
#include "run/state_view.h"

namespace qfast {

// Pauli strings, prepared once for any number of states. Qubit k of string j carries X where only bit k of x_masks[j]
// is set, Z where only that of z_masks[j] is, Y where both are.
class QFAST_API PauliSum {
 public:
  // coefficients: one per string. Throws Error(kObservable) if the columns differ in length or a mask has a bit at or
  // above num_qubits.
  PauliSum(int num_qubits, std::span<const std::uint64_t> x_masks, std::span<const std::uint64_t> z_masks,
           std::span<const Complex> coefficients);

  int num_qubits() const { return num_qubits_; }
  std::size_t size() const { return coefficients_.size(); }

  // ⟨state|H|state⟩, not divided by the norm. The state has num_qubits() qubits. The same bits for any number of
  // threads; memory: 512 bytes per string. Throws Error(kCancelled) when the token was set.
  Complex expectation(const StateView& state, Isa isa, int threads, CancelToken* cancel = nullptr) const;

  // ⟨state|P_j|state⟩ of each string, without its coefficient: size() numbers, which are real.
  void term_values(const StateView& state, Isa isa, int threads, double* values, CancelToken* cancel = nullptr) const;

 private:
  struct Term {
    std::uint64_t z;
    std::uint32_t index;  // in the caller's order
    std::int8_t sign;     // of the sum that the kernels give
    bool imaginary;       // an odd number of Y: the sum is of imaginary parts
  };
  struct Group {  // the strings of one X mask
    std::uint64_t x;
    std::uint32_t first, last;  // into terms_
  };
  // Groups that are summed in one pass over the state. Their X masks above a block span a space over GF(2) that is
  // small enough for all blocks that they combine, a coset of it, to stay in the cache.
  struct Batch {
    std::uint32_t first, last;         // into groups_
    std::vector<std::uint64_t> basis;  // of the space, reduced: the highest bit of each vector is in no other
    std::vector<std::uint64_t> space;  // all sums of basis vectors
    std::vector<int> pivots;           // those highest bits, ascending

    bool contains(std::uint64_t x_high) const;
    void extend(std::uint64_t x_high);
    void list_space();
  };
  template <class T>
  void sum_batch(const T* amplitudes, const ReduceKernels<T>& kernels, const RealKernels& real, const Batch& batch,
                 std::size_t strand, std::size_t num_strands, double* sums, const CancelToken* cancel) const;
  template <class T>
  void add_block(const T* amplitudes, const ReduceKernels<T>& kernels, const RealKernels& real, const Group& group,
                 std::uint64_t base, double* sums) const;
  bool sums_half(const Group& group) const;
  std::size_t num_cosets(const Batch& batch) const;

  int num_qubits_;
  int block_bits_;
  std::vector<Complex> coefficients_;
  std::vector<Term> terms_;    // sorted by X mask, then Z mask
  std::vector<Group> groups_;  // sorted by X mask
  std::vector<Batch> batches_;
};

}  // namespace qfast
