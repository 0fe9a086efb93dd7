// Written once, compiled per ISA after simd.h. See kernels/roofline.h.

#include "kernels/roofline.h"

namespace qfast::QFAST_SIMD_NS {

inline void flip_signs(void* data, std::size_t bytes) {
  constexpr std::size_t kStep = 4 * kLanes<double>;
  double* p = static_cast<double*>(data);
  double* const end = p + bytes / sizeof(double);
  for (; end - p >= static_cast<std::ptrdiff_t>(kStep); p += kStep) {
    const V<double> a = load(p);
    const V<double> b = load(p + kLanes<double>);
    const V<double> c = load(p + 2 * kLanes<double>);
    const V<double> d = load(p + 3 * kLanes<double>);
    store(p, -a);
    store(p + kLanes<double>, -b);
    store(p + 2 * kLanes<double>, -c);
    store(p + 3 * kLanes<double>, -d);
  }
  for (; p < end; p += kLanes<double>) store(p, -load(p));
}

template <class T>
inline double multiply_add(std::int64_t rounds) {
  // x ← x·c + d converges to d / (1 − c) = 1: no overflow and no denormals.
  V<T> x[kRooflineChains];
  for (int i = 0; i < kRooflineChains; ++i) x[i] = set1<T>(static_cast<T>(i));
  const V<T> c = set1<T>(static_cast<T>(0.75));
  const V<T> d = set1<T>(static_cast<T>(0.25));
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kRooflineChains; ++i) x[i] = fma(x[i], c, d);
  }
  double sum = 0;
  for (int i = 0; i < kRooflineChains; ++i) {
    for (int lane = 0; lane < kLanes<T>; ++lane) sum += static_cast<double>(x[i][lane]);
  }
  return sum;
}

constexpr RooflineKernels roofline_kernels() {
  return {flip_signs, multiply_add<double>, multiply_add<float>, kLanes<double>, kLanes<float>};
}

}  // namespace qfast::QFAST_SIMD_NS
