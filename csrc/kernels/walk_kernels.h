// Kernels over packs of branches. A pack holds as many states of w qubits as a vector has lanes: vector 2 i has the
// real parts of amplitude i of every state, vector 2 i + 1 the imaginary ones. No gate ever acts inside a vector, and
// what happens in one lane is the same whatever the others hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace qfast {

constexpr int kMaxPackLanes = 16;

enum class LaneOpKind : std::uint8_t {
  kReal,         // x0' = a x0 + b x1, x1' = c x0 + d x1                      (numbers a b c d, real)
  kGeneral,      // the same, complex: re, im of each
  kPhase,        // x' = a x where all fixed bits have their value            (a complex)
  kFlip,         // x0 <-> x1
  kSwap,         // |01> <-> |10>
  kDense,        // 2^k x 2^k complex, row-major, on k targets
  kDiagonal,     // 2^k complex
  kPermutation,  // basis state j of the targets becomes `images`[j]
  kPauli,        // x' = c x + s i^(…) P x: numbers c, s; see `x_mask`
};

// One gate on a pack, with the qubits as bits of the amplitude's index.
struct LaneOp {
  LaneOpKind kind = LaneOpKind::kFlip;
  std::uint8_t num_targets = 0;
  std::uint32_t fixed = 0;    // bits of controls and targets: the kernel visits the indices of all others
  std::uint32_t value = 0;    // of the controls: bits that are 1
  std::uint32_t target0 = 0;  // kReal, kGeneral, kFlip, kSwap: the bit of the first target, and of the second
  std::uint32_t target1 = 0;
  std::uint32_t numbers = 0;  // where its numbers begin
  std::uint32_t table = 0;    // where its tables begin: 2^k index offsets of the targets' basis states, then images
  std::uint32_t x_mask = 0;   // kPauli: bits it flips and bits whose parity is a sign
  std::uint32_t z_mask = 0;
};

template <class T>
using LaneWord = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

template <class T>
struct WalkKernels {
  int lanes;
  // Applies ops to a pack of states of `num_qubits` qubits. `mask`: null, or -1 in the lanes that take part and 0 in
  // those that stay. scratch: 2^(k+1) vectors for the widest kDense or kPermutation of more than two targets.
  using Apply = void (*)(T* pack, int num_qubits, const LaneOp* ops, std::size_t num_ops, const T* numbers,
                         const std::uint32_t* tables, const LaneWord<T>* mask, T* scratch);
  Apply apply;
  // The same with every number of an op given once for each lane.
  Apply apply_by_lane;
  // The squared norm of the parts whose bit is 0 and 1, one number a lane.
  void (*weights)(const T* pack, int num_qubits, int qubit, double* weight0, double* weight1);
  // x0' = keep0 x0 + from1 x1, x1' = keep1 x1, one number a lane: projection, and reset, of a qubit.
  void (*project)(T* pack, int num_qubits, int qubit, const T* keep0, const T* keep1, const T* from1,
                  const LaneWord<T>* mask);
  // A state with one amplitude that is not zero: the amplitude becomes 1. Its phase means nothing, and states that are
  // equal can be seen to be equal. `mask` is not null.
  void (*settle)(T* pack, int num_qubits, const LaneWord<T>* mask);
  // Takes out a qubit that is |0>: those above it move down. `mask` is not null here and in extend.
  void (*drop)(T* pack, int num_qubits, int qubit, const LaneWord<T>* mask);
  // Brings in a qubit in |0> above all others.
  void (*extend)(T* pack, int num_qubits, const LaneWord<T>* mask);
  // A number a lane that equal states have equal.
  void (*fingerprint)(const T* pack, int num_qubits, const double* coefficients, double* out);
  // The entries (a, b), a <= b, of the density matrix of some qubits, row by row: re of every lane, im of every lane.
  // offsets: 2^k index offsets; fixed: the qubits' bits.
  void (*reduce)(const T* pack, int num_qubits, std::uint32_t fixed, const std::uint32_t* offsets, std::size_t dim,
                 double* out);
  // out[i * lanes + l]: sum of the squared moduli of amplitudes 0 ... i of lane l.
  void (*cumulate)(const T* pack, int num_qubits, double* out);
  // Copies lane from[l] of one pack to lane l of another, where mask[l] is -1.
  void (*move)(T* to, const T* from_pack, std::size_t num_amplitudes, const LaneWord<T>* from, const LaneWord<T>* mask);
};

}  // namespace qfast
