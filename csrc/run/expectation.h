// What a Pauli sum does to states: expectation values, overlaps of two states, and the sum applied to a state. Terms
// are grouped by X mask: all terms of a group need the same products conj(bra[i ^ x]) ket[i], and differ in signs only.
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
  // Calls visit(x mask, z mask, coefficient) for every string, those of one X mask one after the other.
  template <class F>
  void for_each_string(F visit) const {
    for (const Group& group : groups_) {
      for (std::uint32_t t = group.first; t < group.last; ++t) {
        visit(group.x, terms_[t].z, coefficients_[terms_[t].index]);
      }
    }
  }

  // ⟨state|H|state⟩, not divided by the norm. The state has num_qubits() qubits. The same bits for any number of
  // threads; memory: 512 bytes per string. Throws Error(kCancelled) when the token was set.
  Complex expectation(const StateView& state, Isa isa, int threads, CancelToken* cancel = nullptr) const;

  // ⟨state|P_j|state⟩ of each string, without its coefficient: size() numbers, which are real.
  void term_values(const StateView& state, Isa isa, int threads, double* values, CancelToken* cancel = nullptr) const;

  // Im ⟨bra|P_j|ket⟩ of each string, without its coefficient: what the adjoint gradient needs. Both states have
  // num_qubits() qubits and one precision. Determinism, memory and errors as for expectation().
  void imaginary_overlaps(const StateView& bra, const StateView& ket, Isa isa, int threads, double* values,
                          CancelToken* cancel = nullptr) const;

  // out = H|state⟩: amplitudes of the state's precision, summed in double; out must not overlap the state. The same
  // bits for any number of threads. Throws Error(kCancelled) when the token was set.
  void apply(const StateView& state, void* out, Isa isa, int threads, CancelToken* cancel = nullptr) const;

 private:
  static constexpr int kBlockBits = 10;  // a block of complex128 and its sums stay in the first cache
  enum class Quantity : std::uint8_t { kExpectation, kImaginaryOverlap };
  struct Term {
    std::uint64_t z;
    std::uint32_t index;      // in the caller's order
    std::int8_t num_y;        // modulo 4
    std::uint16_t place = 0;  // the bits of z inside a block, without those that are folded

    // The quantity is the sum of the products' imaginary parts, or of their real parts, up to its sign.
    bool sums_imaginary(Quantity quantity) const {
      return ((num_y & 1) != 0) != (quantity == Quantity::kImaginaryOverlap);
    }
    double sign(Quantity quantity) const {
      const int first_negative = quantity == Quantity::kExpectation ? 1 : 2;
      return num_y == first_negative || num_y == first_negative + 1 ? -1.0 : 1.0;
    }
  };
  template <class T>
  struct States {
    const T* bra;
    const T* ket;
    Quantity quantity;
  };
  struct Group {  // the strings of one X mask
    std::uint64_t x;
    std::uint32_t first, last;  // into terms_
    std::uint64_t folded = 0;   // bits of a block, none inside a vector, on which all Z masks of the group agree
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
  void sum_terms(const StateView& bra, const StateView& ket, Quantity quantity, Isa isa, int threads, double* values,
                 CancelToken* cancel) const;
  template <class T>
  void sum_batch(const States<T>& states, const ReduceKernels<T>& kernels, const RealKernels& real, const Batch& batch,
                 std::size_t strand, std::size_t num_strands, double* sums, const CancelToken* cancel) const;
  template <class T>
  void add_block(const States<T>& states, const ReduceKernels<T>& kernels, const RealKernels& real, const Group& group,
                 std::uint64_t base, double* sums) const;
  template <class T>
  void apply_block(const T* amplitudes, const ReduceKernels<T>& kernels, const RealKernels& real, std::uint64_t base,
                   T* out) const;
  bool fill_diagonal(const Group& group, std::uint64_t base, const RealKernels& real, double* re, double* im) const;
  bool sums_half(const Group& group, Quantity quantity) const;
  void find_folds(Group& group);
  int fold(const Group& group, const RealKernels& real, double* values) const;
  void unfold(const Group& group, const RealKernels& real, double* values) const;
  std::size_t num_cosets(const Batch& batch) const;

  int num_qubits_;
  int block_bits_;
  std::vector<Complex> coefficients_;
  std::vector<Term> terms_;    // sorted by X mask, then Z mask
  std::vector<Group> groups_;  // sorted by X mask
  std::vector<Batch> batches_;
};

}  // namespace qfast
