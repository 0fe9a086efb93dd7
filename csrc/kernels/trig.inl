// Written once, compiled per ISA after simd.h; see kernels/trig_kernels.h.

#include "kernels/trig_kernels.h"

namespace qfast::QFAST_SIMD_NS {

// angle = quarter · π/2 + rest with |rest| <= π/4, π/2 in three parts of which the first two have 33 bits, so that
// their products with a quarter below 2^20 are exact; then the Taylor series, cut below 1e-17.
QFAST_INLINE void sine_cosine(V<double> angle, V<double>& sine, V<double>& cosine) {
  using X = V<double>;
  using Mask = typename Vec<double>::Mask;
  constexpr double kRounder = 0x1.8p52;  // its sum with a number has that number, rounded, in the lowest bits
  const X shifted = fma(angle, set1(0x1.45f306dc9c883p-1), set1(kRounder));
  const X quarter = shifted - set1(kRounder);
  const Mask bits = (Mask)shifted;
  X r = fnma(quarter, set1(0x1.921fb544p+0), angle);
  r = fnma(quarter, set1(0x1.0b4611a6p-34), r);
  r = fnma(quarter, set1(0x1.3198a2e037073p-69), r);
  const X square = r * r;
  constexpr double kSine[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                              -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
  constexpr double kCosine[] = {-1.0 / 2,       1.0 / 24,        -1.0 / 720,         1.0 / 40320,
                                -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};
  X s = set1(kSine[7]), c = set1(kCosine[7]);
#pragma GCC unroll 7
  for (int k = 6; k >= 0; --k) {
    s = fma(s, square, set1(kSine[k]));
    c = fma(c, square, set1(kCosine[k]));
  }
  s = fma(s * square, r, r);
  c = fma(c, square, set1(1.0));
  // Odd quarters exchange the two; the sine is negative in quarters 2 and 3, the cosine in 1 and 2.
  const Mask odd = -(bits & 1);
  const Mask sine_bits = ((Mask)s & ~odd) | ((Mask)c & odd), cosine_bits = ((Mask)c & ~odd) | ((Mask)s & odd);
  sine = (X)(sine_bits ^ ((bits & 2) << 62));
  cosine = (X)(cosine_bits ^ (((bits + 1) & 2) << 62));
}

static void sines_cosines(const double* angles, std::size_t count, double* sines, double* cosines) {
  constexpr std::size_t kWidth = kLanes<double>;
  V<double> s, c;
  std::size_t k = 0;
  for (; k + kWidth <= count; k += kWidth) {
    sine_cosine(load(angles + k), s, c);
    store(sines + k, s);
    store(cosines + k, c);
  }
  if (k == count) return;
  V<double> last{};
  for (std::size_t i = k; i < count; ++i) last[i - k] = angles[i];
  sine_cosine(last, s, c);
  for (std::size_t i = k; i < count; ++i) {
    sines[i] = s[i - k];
    cosines[i] = c[i - k];
  }
}

static constexpr TrigKernels trig_kernels() { return {&sines_cosines}; }

}  // namespace qfast::QFAST_SIMD_NS
