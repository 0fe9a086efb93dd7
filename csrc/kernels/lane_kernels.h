// Sums over a tile whose lanes are states of their own: vector i holds amplitude i of every state, first the real
// parts, then the imaginary ones.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qfast {

template <class T>
struct LaneKernels {
  // Adds to sums[l], for every lane l,
  //   scale * Σ_k weights[i_k - first] * part(conj(amplitude[i_k ^ x]) * amplitude[i_k]),
  // part: imaginary or real, in double. The i_k are those of first … first + count - 1 that have no bit of `skipped`,
  // one bit below count, or 0; their number is a power of two.
  void (*overlaps)(const T* tile, std::size_t first, std::size_t count, std::size_t x, std::size_t skipped,
                   const double* weights, bool is_imaginary, double scale, double* sums);
};

}  // namespace qfast
