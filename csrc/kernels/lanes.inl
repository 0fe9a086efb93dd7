// Sums over states in lanes. Written once, compiled per ISA after reduce.inl; see kernels/lane_kernels.h.

#include "kernels/lane_kernels.h"

namespace qfast::QFAST_SIMD_NS {

template <class T, bool kImaginary, int kUnrolled>
QFAST_INLINE void add_overlaps(const T* tile, std::size_t first, std::size_t count, std::size_t x, std::size_t skipped,
                               const double* weights, double scale, double* sums) {
  constexpr std::size_t kStride = 2 * kLanes<T>;
  constexpr int kParts = kLanes<T> / kLanes<double>;  // vectors of double in a vector of T
  const std::size_t below = skipped == 0 ? ~std::size_t{0} : skipped - 1;
  const std::size_t turns = skipped == 0 ? count : count / 2;
  D sum[kParts][kUnrolled] = {};
  for (std::size_t k = 0; k < turns; k += kUnrolled) {
#pragma GCC unroll 4
    for (std::size_t u = 0; u < kUnrolled; ++u) {
      const std::size_t at = ((k + u) & below) | (((k + u) & ~below) << 1);
      const T* ket = tile + kStride * (first + at);
      const T* bra = tile + kStride * ((first + at) ^ x);
      const D weight = set1(weights[at]);
#pragma GCC unroll 2
      for (int p = 0; p < kParts; ++p) {
        const D kr = load_double(ket + p * kLanes<double>), ki = load_double(ket + kLanes<T> + p * kLanes<double>);
        const D br = load_double(bra + p * kLanes<double>), bi = load_double(bra + kLanes<T> + p * kLanes<double>);
        const D part = kImaginary ? fnma(bi, kr, br * ki) : fma(bi, ki, br * kr);
        sum[p][u] = fma(weight, part, sum[p][u]);
      }
    }
  }
  for (int p = 0; p < kParts; ++p) {
    D total = sum[p][0];
    for (int u = 1; u < kUnrolled; ++u) total = total + sum[p][u];
    double* to = sums + p * kLanes<double>;
    store(to, fma(set1(scale), total, load(to)));
  }
}

template <class T>
static void lane_overlaps(const T* tile, std::size_t first, std::size_t count, std::size_t x, std::size_t skipped,
                          const double* weights, bool is_imaginary, double scale, double* sums) {
  const bool is_short = (skipped == 0 ? count : count / 2) < 4;
  if (is_imaginary) {
    is_short ? add_overlaps<T, true, 1>(tile, first, count, x, skipped, weights, scale, sums)
             : add_overlaps<T, true, 4>(tile, first, count, x, skipped, weights, scale, sums);
  } else {
    is_short ? add_overlaps<T, false, 1>(tile, first, count, x, skipped, weights, scale, sums)
             : add_overlaps<T, false, 4>(tile, first, count, x, skipped, weights, scale, sums);
  }
}

template <class T>
static constexpr LaneKernels<T> lane_kernels() {
  return {&lane_overlaps<T>};
}

}  // namespace qfast::QFAST_SIMD_NS
