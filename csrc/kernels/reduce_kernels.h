// What the workloads know of the reduction kernels: sums over a run of amplitudes. Amplitudes are interleaved (re, im)
// as in the caller's memory, of any alignment. Everything is accumulated in double, whatever the precision of the
// state, in an order that depends on the length alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qfast {

template <class T>
struct ReduceKernels {
  // Sum of |a_i|^2.
  double (*norm_squared)(const T* a, std::size_t length);
  // Sum of conj(a_i) b_i: real and imaginary part.
  void (*inner_product)(const T* a, const T* b, std::size_t length, double* result);
  // sums[i] += |a_i|^2.
  void (*add_squares)(const T* a, std::size_t length, double* sums);
  // out[i] = |a_0|^2 + … + |a_i|^2. Never decreases, and stays equal exactly where a_i is zero.
  void (*cumulative)(const T* a, std::size_t length, double* out);
  // With q_i = conj(b_(i ^ x)) a_i: the sum over i of (-1)^(bits in i & z) times Re q_i or Im q_i. length is a power of
  // two and x, z < length.
  double (*signed_overlap)(const T* a, const T* b, std::size_t length, std::uint64_t x, std::uint64_t z,
                           bool imaginary);
  // out[i] = Re q_i or Im q_i.
  void (*overlaps)(const T* a, const T* b, std::size_t length, std::uint64_t x, bool imaginary, double* out);
  // (sum_re, sum_im)_i += (d_re, d_im)_i a_(i ^ x); a null d_im stands for zeros.
  void (*add_products)(const T* a, std::size_t length, std::uint64_t x, const double* d_re, const double* d_im,
                       double* sum_re, double* sum_im);
};

// Index bits below it are inside the widest vector.
constexpr int kLeastFoldedBit = 3;

constexpr std::size_t kPhiloxPadding = 32;

// Kernels that see no amplitudes.
struct RealKernels {
  // In place, out[z] = sum over i of (-1)^(bits in i & z) in[i]: the Walsh–Hadamard transform, 2^log2_length numbers.
  void (*walsh_hadamard)(double* values, int log2_length);
  // Halves 2^log2_length numbers in place along index bit `bit`, at least kLeastFoldedBit: the sum of the two whose
  // indices differ there, or the one with bit 0 minus the other. The index loses the bit.
  void (*fold)(double* values, int log2_length, int bit, bool minus);
  // The adjoint: doubles 2^log2_length numbers in place; the copies with the new bit set are negated if `minus`.
  void (*unfold)(double* values, int log2_length, int bit, bool minus);
  // out[i] = the uniform of (seed, first_shot + i, site), bit for bit that of base/philox.h.
  void (*philox_uniforms)(std::uint64_t seed, std::uint64_t first_shot, std::uint64_t site, std::size_t count,
                          double* out);
  // out[i] = the uniform of (seed, shots[i], sites[i]). Both arrays may be read up to the next multiple of
  // kPhiloxPadding.
  void (*philox_uniforms_at)(std::uint64_t seed, const std::uint64_t* shots, const std::uint64_t* sites,
                             std::size_t count, double* out);
};

}  // namespace qfast
