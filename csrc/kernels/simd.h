// Short vectors, once per ISA. An isa_*.cc defines QFAST_SIMD_NS (its namespace) and QFAST_SIMD_BYTES (the width) and
// includes this file, then the *.inl files; hence no include guard. Nothing here may have external linkage outside
// the ISA's namespace: a weak symbol compiled for AVX-512 would crash older processors.
//
// Vec<T>: V (the vector type), kLanes, kLaneBits, and free functions load/store/set1/fma/fnma. +, -, * work on V.

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace qfast::QFAST_SIMD_NS {

#define QFAST_INLINE static inline __attribute__((always_inline))
#define QFAST_LAMBDA __attribute__((always_inline))

template <class T>
struct Vec;

template <>
struct Vec<double> {
  typedef double V __attribute__((vector_size(QFAST_SIMD_BYTES)));
  typedef double U __attribute__((vector_size(QFAST_SIMD_BYTES), aligned(8), may_alias));  // any alignment
  typedef long long Mask __attribute__((vector_size(QFAST_SIMD_BYTES)));
  static constexpr int kLanes = QFAST_SIMD_BYTES / 8;
};
template <>
struct Vec<float> {
  typedef float V __attribute__((vector_size(QFAST_SIMD_BYTES)));
  typedef float U __attribute__((vector_size(QFAST_SIMD_BYTES), aligned(4), may_alias));
  typedef int Mask __attribute__((vector_size(QFAST_SIMD_BYTES)));
  static constexpr int kLanes = QFAST_SIMD_BYTES / 4;
};

constexpr int log2_of(int lanes) { return lanes <= 1 ? 0 : 1 + log2_of(lanes / 2); }

template <class T>
using V = typename Vec<T>::V;
template <class T>
constexpr int kLanes = Vec<T>::kLanes;
template <class T>
constexpr int kLaneBits = log2_of(Vec<T>::kLanes);

template <class T>
QFAST_INLINE V<T> load(const T* p) {  // any alignment; as fast as an aligned load where the address is aligned
  return *reinterpret_cast<const typename Vec<T>::U*>(p);
}
template <class T>
QFAST_INLINE void store(T* p, V<T> x) {
  *reinterpret_cast<typename Vec<T>::U*>(p) = x;
}
template <class T>
QFAST_INLINE V<T> set1(T x) {
  return x - V<T>{};
}

// fma(a, b, c) = a*b + c, fnma(a, b, c) = c - a*b; rounded once where the ISA has it.
#if QFAST_SIMD_BYTES == 64
QFAST_INLINE V<double> fma(V<double> a, V<double> b, V<double> c) { return (V<double>)_mm512_fmadd_pd(a, b, c); }
QFAST_INLINE V<float> fma(V<float> a, V<float> b, V<float> c) { return (V<float>)_mm512_fmadd_ps(a, b, c); }
QFAST_INLINE V<double> fnma(V<double> a, V<double> b, V<double> c) { return (V<double>)_mm512_fnmadd_pd(a, b, c); }
QFAST_INLINE V<float> fnma(V<float> a, V<float> b, V<float> c) { return (V<float>)_mm512_fnmadd_ps(a, b, c); }
#elif QFAST_SIMD_BYTES == 32
QFAST_INLINE V<double> fma(V<double> a, V<double> b, V<double> c) { return (V<double>)_mm256_fmadd_pd(a, b, c); }
QFAST_INLINE V<float> fma(V<float> a, V<float> b, V<float> c) { return (V<float>)_mm256_fmadd_ps(a, b, c); }
QFAST_INLINE V<double> fnma(V<double> a, V<double> b, V<double> c) { return (V<double>)_mm256_fnmadd_pd(a, b, c); }
QFAST_INLINE V<float> fnma(V<float> a, V<float> b, V<float> c) { return (V<float>)_mm256_fnmadd_ps(a, b, c); }
#elif defined(__aarch64__)
QFAST_INLINE V<double> fma(V<double> a, V<double> b, V<double> c) {
  return (V<double>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
QFAST_INLINE V<float> fma(V<float> a, V<float> b, V<float> c) {
  return (V<float>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
QFAST_INLINE V<double> fnma(V<double> a, V<double> b, V<double> c) {
  return (V<double>)vfmsq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
QFAST_INLINE V<float> fnma(V<float> a, V<float> b, V<float> c) {
  return (V<float>)vfmsq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
template <class X>
QFAST_INLINE X fma(X a, X b, X c) {
  return a * b + c;
}
template <class X>
QFAST_INLINE X fnma(X a, X b, X c) {
  return c - a * b;
}
#endif

// Shuffles of two vectors with a constant index list; index lanes..2*lanes-1 means the second vector.
#if defined(__clang__) || __GNUC__ >= 12
#define QFAST_SHUFFLE(T, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define QFAST_SHUFFLE(T, a, b, ...) __builtin_shuffle(a, b, (typename Vec<T>::Mask){__VA_ARGS__})
#endif

// Index lists by lane count: the even and the odd elements of (a, b), and the two halves of their interleaving.
#define QFAST_EVEN_2 0, 2
#define QFAST_ODD_2 1, 3
#define QFAST_ZIPLO_2 0, 2
#define QFAST_ZIPHI_2 1, 3
#define QFAST_EVEN_4 0, 2, 4, 6
#define QFAST_ODD_4 1, 3, 5, 7
#define QFAST_ZIPLO_4 0, 4, 1, 5
#define QFAST_ZIPHI_4 2, 6, 3, 7
#define QFAST_EVEN_8 0, 2, 4, 6, 8, 10, 12, 14
#define QFAST_ODD_8 1, 3, 5, 7, 9, 11, 13, 15
#define QFAST_ZIPLO_8 0, 8, 1, 9, 2, 10, 3, 11
#define QFAST_ZIPHI_8 4, 12, 5, 13, 6, 14, 7, 15
#define QFAST_EVEN_16 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define QFAST_ODD_16 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define QFAST_ZIPLO_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define QFAST_ZIPHI_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

#define QFAST_BY_LANES(T, what, a, b)                     \
  ([](V<T> a_, V<T> b_) QFAST_LAMBDA {                    \
    if constexpr (kLanes<T> == 2) {                       \
      return QFAST_SHUFFLE(T, a_, b_, QFAST_##what##_2);  \
    } else if constexpr (kLanes<T> == 4) {                \
      return QFAST_SHUFFLE(T, a_, b_, QFAST_##what##_4);  \
    } else if constexpr (kLanes<T> == 8) {                \
      return QFAST_SHUFFLE(T, a_, b_, QFAST_##what##_8);  \
    } else {                                              \
      return QFAST_SHUFFLE(T, a_, b_, QFAST_##what##_16); \
    }                                                     \
  }(a, b))

// Lane bit k exchanged with the bit that tells vector a from vector b.
#define QFAST_SWAP0LO_2 0, 2
#define QFAST_SWAP0HI_2 1, 3
#define QFAST_SWAP0LO_4 0, 4, 2, 6
#define QFAST_SWAP0HI_4 1, 5, 3, 7
#define QFAST_SWAP1LO_4 0, 1, 4, 5
#define QFAST_SWAP1HI_4 2, 3, 6, 7
#define QFAST_SWAP0LO_8 0, 8, 2, 10, 4, 12, 6, 14
#define QFAST_SWAP0HI_8 1, 9, 3, 11, 5, 13, 7, 15
#define QFAST_SWAP1LO_8 0, 1, 8, 9, 4, 5, 12, 13
#define QFAST_SWAP1HI_8 2, 3, 10, 11, 6, 7, 14, 15
#define QFAST_SWAP2LO_8 0, 1, 2, 3, 8, 9, 10, 11
#define QFAST_SWAP2HI_8 4, 5, 6, 7, 12, 13, 14, 15
#define QFAST_SWAP0LO_16 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define QFAST_SWAP0HI_16 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define QFAST_SWAP1LO_16 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define QFAST_SWAP1HI_16 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define QFAST_SWAP2LO_16 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define QFAST_SWAP2HI_16 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define QFAST_SWAP3LO_16 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define QFAST_SWAP3HI_16 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

// (lo, hi) holds kLanes interleaved complex numbers (re, im, re, im, …); (re, im) their split form.
template <class T>
QFAST_INLINE void deinterleave(V<T> lo, V<T> hi, V<T>& re, V<T>& im) {
  re = QFAST_BY_LANES(T, EVEN, lo, hi);
  im = QFAST_BY_LANES(T, ODD, lo, hi);
}
template <class T>
QFAST_INLINE void interleave(V<T> re, V<T> im, V<T>& lo, V<T>& hi) {
  lo = QFAST_BY_LANES(T, ZIPLO, re, im);
  hi = QFAST_BY_LANES(T, ZIPHI, re, im);
}

// Exchanges lane bit K with the bit that tells a from b: a[.., K=1] <-> b[.., K=0].
#define QFAST_SWAP_CASE(K, L)                                      \
  if constexpr (kBit == K && kLanes<T> == L) {                     \
    const V<T> lo = QFAST_SHUFFLE(T, a, b, QFAST_SWAP##K##LO_##L); \
    const V<T> hi = QFAST_SHUFFLE(T, a, b, QFAST_SWAP##K##HI_##L); \
    a = lo;                                                        \
    b = hi;                                                        \
  }
template <class T, int kBit>
QFAST_INLINE void swap_lane_bit(V<T>& a, V<T>& b) {
  static_assert(kBit < kLaneBits<T>);
  QFAST_SWAP_CASE(0, 2)
  QFAST_SWAP_CASE(0, 4)
  QFAST_SWAP_CASE(1, 4)
  QFAST_SWAP_CASE(0, 8)
  QFAST_SWAP_CASE(1, 8)
  QFAST_SWAP_CASE(2, 8)
  QFAST_SWAP_CASE(0, 16)
  QFAST_SWAP_CASE(1, 16)
  QFAST_SWAP_CASE(2, 16)
  QFAST_SWAP_CASE(3, 16)
}
#undef QFAST_SWAP_CASE

}  // namespace qfast::QFAST_SIMD_NS
