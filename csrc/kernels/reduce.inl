// Sums over amplitudes. Written once, compiled per ISA after simd.h; see kernels/reduce_kernels.h.
//
// All arithmetic is in double: a vector D holds kPairs complex numbers, interleaved as in memory. Products of
// interleaved numbers give real parts without taking them apart: the lanes of a * b sum up to Re(conj(a) b), and those
// of a * (b with re and im exchanged) to Im, if the signs alternate.

#include "kernels/reduce_kernels.h"

namespace qfast::QFAST_SIMD_NS {

using D = V<double>;
static constexpr int kPairs = kLanes<double> / 2;  // complex numbers in a D
static constexpr int kPairBits = log2_of(kPairs);
static constexpr std::size_t kUnroll = 4;               // independent accumulators: latency of an addition
static constexpr std::size_t kStep = kUnroll * kPairs;  // amplitudes of one turn of the main loops

QFAST_INLINE D load_double(const double* p) { return load<double>(p); }
QFAST_INLINE D load_double(const float* p) {  // GCC 12 makes five instructions of __builtin_convertvector
#if QFAST_SIMD_BYTES == 64
  return (D)_mm512_maskz_cvtps_pd(0xFF, _mm256_loadu_ps(p));
#elif QFAST_SIMD_BYTES == 32
  return (D)_mm256_cvtps_pd(_mm_loadu_ps(p));
#elif defined(__aarch64__)
  return (D)vcvt_f64_f32(vld1_f32(p));
#else
  return D{static_cast<double>(p[0]), static_cast<double>(p[1])};
#endif
}

// Lane i of the result is lane i ^ kXor of x.
template <int kXor>
QFAST_INLINE D xor_lanes(D x) {
  if constexpr (kXor == 0) {
    return x;
  } else if constexpr (kLanes<double> == 2) {
    return QFAST_SHUFFLE(double, x, x, 0 ^ kXor, 1 ^ kXor);
  } else if constexpr (kLanes<double> == 4) {
    return QFAST_SHUFFLE(double, x, x, 0 ^ kXor, 1 ^ kXor, 2 ^ kXor, 3 ^ kXor);
  } else {
    return QFAST_SHUFFLE(double, x, x, 0 ^ kXor, 1 ^ kXor, 2 ^ kXor, 3 ^ kXor, 4 ^ kXor, 5 ^ kXor, 6 ^ kXor, 7 ^ kXor);
  }
}

QFAST_INLINE double sum_lanes(D x) {
  if constexpr (kLanes<double> > 4) x = x + xor_lanes<(kLanes<double> > 4 ? 4 : 0)>(x);
  if constexpr (kLanes<double> > 2) x = x + xor_lanes<(kLanes<double> > 2 ? 2 : 0)>(x);
  return x[0] + x[1];
}

QFAST_INLINE int odd_parity(std::uint64_t bits) { return __builtin_popcountll(bits) & 1; }

// Row m: by lane, +1 or -1, -1 where lane & m has an odd number of bits.
static constexpr double kLaneSigns[8][8] = {{+1, +1, +1, +1, +1, +1, +1, +1}, {+1, -1, +1, -1, +1, -1, +1, -1},
                                            {+1, +1, -1, -1, +1, +1, -1, -1}, {+1, -1, -1, +1, +1, -1, -1, +1},
                                            {+1, +1, +1, +1, -1, -1, -1, -1}, {+1, -1, +1, -1, -1, +1, -1, +1},
                                            {+1, +1, -1, -1, -1, -1, +1, +1}, {+1, -1, -1, +1, -1, +1, +1, -1}};
QFAST_INLINE D lane_signs(unsigned mask) { return load(kLaneSigns[mask]); }

QFAST_INLINE D flip_sign(D x, std::uint64_t sign_bit) {  // sign_bit: 0 or 2^63
  using Mask = typename Vec<double>::Mask;
  return (D)((Mask)x ^ (static_cast<long long>(sign_bit) - Mask{}));
}

template <class T>
static double norm_squared(const T* a, std::size_t length) {
  D sum[kUnroll] = {};
  std::size_t i = 0;
  for (; i + kStep <= length; i += kStep) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kUnroll; ++k) {
      const D x = load_double(a + 2 * (i + k * kPairs));
      sum[k] = fma(x, x, sum[k]);
    }
  }
  double total = sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
  for (; i < length; ++i) {
    const double re = static_cast<double>(a[2 * i]), im = static_cast<double>(a[2 * i + 1]);
    total += re * re + im * im;
  }
  return total;
}

template <class T>
static void inner_product(const T* a, const T* b, std::size_t length, double* result) {
  D re_sum[kUnroll] = {}, im_sum[kUnroll] = {};
  std::size_t i = 0;
  for (; i + kStep <= length; i += kStep) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kUnroll; ++k) {
      const D x = load_double(a + 2 * (i + k * kPairs)), y = load_double(b + 2 * (i + k * kPairs));
      re_sum[k] = fma(x, y, re_sum[k]);
      im_sum[k] = fma(x, xor_lanes<1>(y), im_sum[k]);  // lanes: re_a im_b, im_a re_b
    }
  }
  double re = sum_lanes((re_sum[0] + re_sum[1]) + (re_sum[2] + re_sum[3]));
  double im = sum_lanes(((im_sum[0] + im_sum[1]) + (im_sum[2] + im_sum[3])) * lane_signs(1));
  for (; i < length; ++i) {
    const double ar = static_cast<double>(a[2 * i]), ai = static_cast<double>(a[2 * i + 1]);
    const double br = static_cast<double>(b[2 * i]), bi = static_cast<double>(b[2 * i + 1]);
    re += ar * br + ai * bi;
    im += ar * bi - ai * br;
  }
  result[0] = re;
  result[1] = im;
}

// |a_i|^2 of the next 2 * kPairs amplitudes, one to a lane.
template <class T>
QFAST_INLINE D squares_of(const T* a) {
  D re, im;
  deinterleave<double>(load_double(a), load_double(a + kLanes<double>), re, im);
  return fma(re, re, im * im);
}

template <class T, bool kAdd>
QFAST_INLINE void put_squares(const T* a, std::size_t length, double* out) {
  std::size_t i = 0;
  for (; i + kLanes<double> <= length; i += kLanes<double>) {
    const D x = squares_of(a + 2 * i);
    store(out + i, kAdd ? load(out + i) + x : x);
  }
  for (; i < length; ++i) {
    const double re = static_cast<double>(a[2 * i]), im = static_cast<double>(a[2 * i + 1]);
    out[i] = (kAdd ? out[i] : 0.0) + (re * re + im * im);
  }
}

template <class T>
static void add_squares(const T* a, std::size_t length, double* sums) {
  put_squares<T, true>(a, length, sums);
}

// A chain of additions runs at the latency of one addition: the run is cut into kChains parts that are summed side by
// side, then each part is raised by the end of the one before. Both steps keep equal sums equal, so an amplitude of
// zero never owns an interval of the distribution.
template <class T>
static void cumulative(const T* a, std::size_t length, double* out) {
  constexpr std::size_t kChains = 8;
  put_squares<T, false>(a, length, out);
  const std::size_t part = length / kChains;
  double sum[kChains] = {};
  for (std::size_t i = 0; i < part; ++i) {
#pragma GCC unroll 8
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      double* at = out + chain * part + i;
      *at = sum[chain] += *at;
    }
  }
  for (std::size_t chain = 1; chain < kChains && part != 0; ++chain) {
    double* const at = out + chain * part;
    const double before = at[-1];
    for (std::size_t i = 0; i < part; ++i) at[i] += before;
  }
  for (std::size_t i = kChains * part; i < length; ++i) out[i] += i == 0 ? 0.0 : out[i - 1];
}

template <class T>
static double signed_overlap_scalar(const T* a, const T* b, std::size_t length, std::uint64_t x, std::uint64_t z,
                                    bool imaginary) {
  double sum = 0;
  for (std::uint64_t i = 0; i < length; ++i) {
    const double ar = static_cast<double>(a[2 * i]), ai = static_cast<double>(a[2 * i + 1]);
    const double br = static_cast<double>(b[2 * (i ^ x)]), bi = static_cast<double>(b[2 * (i ^ x) + 1]);
    const double value = imaginary ? ai * br - ar * bi : ar * br + ai * bi;
    sum += odd_parity(i & z) ? -value : value;
  }
  return sum;
}

// kXor: lane bit 0 exchanges re and im (the imaginary part is asked for), the others are the lowest bits of x. The
// signs of z inside a vector and inside a turn of the loop are the same in every turn: they wait until the end.
template <class T, int kXor>
static double signed_overlap_lanes(const T* a, const T* b, std::size_t length, std::uint64_t x, std::uint64_t z) {
  constexpr bool kImaginary = kXor & 1;
  const std::uint64_t x_vector = x >> kPairBits, z_vector = z >> kPairBits;
  const std::uint64_t x_turn = x_vector / kUnroll, z_turn = z_vector / kUnroll;
  const T* partner[kUnroll];
  for (std::uint64_t k = 0; k < kUnroll; ++k) partner[k] = b + 2 * kPairs * (k ^ (x_vector % kUnroll));
  D sum[kUnroll] = {};
  for (std::uint64_t turn = 0; turn < length / kStep; ++turn) {
    const std::uint64_t sign_bit = static_cast<std::uint64_t>(__builtin_popcountll(turn & z_turn)) << 63;
    const T* const at = a + 2 * kStep * turn;
    const std::size_t other = 2 * kStep * (turn ^ x_turn);
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kUnroll; ++k) {
      const D p = flip_sign(load_double(at + 2 * kPairs * k), sign_bit);
      sum[k] = fma(p, xor_lanes<kXor>(load_double(partner[k] + other)), sum[k]);
    }
  }
  for (std::uint64_t k = 0; k < kUnroll; ++k) {
    sum[k] = flip_sign(sum[k], static_cast<std::uint64_t>(__builtin_popcountll(k & z_vector)) << 63);
  }
  const unsigned mask = 2 * static_cast<unsigned>(z % kPairs) + (kImaginary ? 1 : 0);
  const double total = sum_lanes(((sum[0] + sum[1]) + (sum[2] + sum[3])) * lane_signs(mask));
  return kImaginary ? -total : total;  // lanes hold re_a im_b and im_a re_b: the first is the negative one
}

template <class T>
static double signed_overlap(const T* a, const T* b, std::size_t length, std::uint64_t x, std::uint64_t z,
                             bool imaginary) {
  if (length < kStep) return signed_overlap_scalar(a, b, length, x, z, imaginary);
  switch (2 * (x % kPairs) + (imaginary ? 1 : 0)) {
    case 0:
      return signed_overlap_lanes<T, 0>(a, b, length, x, z);
    case 1:
      return signed_overlap_lanes<T, 1>(a, b, length, x, z);
#if QFAST_SIMD_BYTES >= 32
    case 2:
      return signed_overlap_lanes<T, 2>(a, b, length, x, z);
    case 3:
      return signed_overlap_lanes<T, 3>(a, b, length, x, z);
#endif
#if QFAST_SIMD_BYTES >= 64
    case 4:
      return signed_overlap_lanes<T, 4>(a, b, length, x, z);
    case 5:
      return signed_overlap_lanes<T, 5>(a, b, length, x, z);
    case 6:
      return signed_overlap_lanes<T, 6>(a, b, length, x, z);
    case 7:
      return signed_overlap_lanes<T, 7>(a, b, length, x, z);
#endif
  }
  __builtin_unreachable();
}

template <class T>
static void overlaps_scalar(const T* a, const T* b, std::size_t length, std::uint64_t x, bool imaginary, double* out) {
  for (std::uint64_t i = 0; i < length; ++i) {
    const double ar = static_cast<double>(a[2 * i]), ai = static_cast<double>(a[2 * i + 1]);
    const double br = static_cast<double>(b[2 * (i ^ x)]), bi = static_cast<double>(b[2 * (i ^ x) + 1]);
    out[i] = imaginary ? ai * br - ar * bi : ar * br + ai * bi;
  }
}

// kXor: lane bit 0 exchanges re and im (the imaginary part is asked for), the others are the bits of x inside two
// vectors of interleaved amplitudes, which become one vector of numbers.
template <class T, int kXor>
static void overlaps_lanes(const T* a, const T* b, std::size_t length, std::uint64_t x, double* out) {
  constexpr bool kImaginary = kXor & 1;
  constexpr int kInside = kXor % kLanes<double>;  // inside one of the two
  constexpr std::size_t kOther = kXor >= kLanes<double> ? kLanes<double> : 0;
  const std::uint64_t x_vector = x / kLanes<double>;
  for (std::uint64_t v = 0; v < length / kLanes<double>; ++v) {
    const T* const at = a + 2 * kLanes<double> * v;
    const T* const other = b + 2 * kLanes<double> * (v ^ x_vector);
    const D low = load_double(at) * xor_lanes<kInside>(load_double(other + kOther));
    const D high =
        load_double(at + kLanes<double>) * xor_lanes<kInside>(load_double(other + (kLanes<double> - kOther)));
    D even, odd;
    deinterleave<double>(low, high, even, odd);
    store(out + kLanes<double> * v, kImaginary ? odd - even : even + odd);
  }
}

template <class T>
static void overlaps(const T* a, const T* b, std::size_t length, std::uint64_t x, bool imaginary, double* out) {
  if (length < kLanes<double>) return overlaps_scalar(a, b, length, x, imaginary, out);
  switch (2 * (x % kLanes<double>)+(imaginary ? 1 : 0)) {
    case 0:
      return overlaps_lanes<T, 0>(a, b, length, x, out);
    case 1:
      return overlaps_lanes<T, 1>(a, b, length, x, out);
    case 2:
      return overlaps_lanes<T, 2>(a, b, length, x, out);
    case 3:
      return overlaps_lanes<T, 3>(a, b, length, x, out);
#if QFAST_SIMD_BYTES >= 32
    case 4:
      return overlaps_lanes<T, 4>(a, b, length, x, out);
    case 5:
      return overlaps_lanes<T, 5>(a, b, length, x, out);
    case 6:
      return overlaps_lanes<T, 6>(a, b, length, x, out);
    case 7:
      return overlaps_lanes<T, 7>(a, b, length, x, out);
#endif
#if QFAST_SIMD_BYTES >= 64
    case 8:
      return overlaps_lanes<T, 8>(a, b, length, x, out);
    case 9:
      return overlaps_lanes<T, 9>(a, b, length, x, out);
    case 10:
      return overlaps_lanes<T, 10>(a, b, length, x, out);
    case 11:
      return overlaps_lanes<T, 11>(a, b, length, x, out);
    case 12:
      return overlaps_lanes<T, 12>(a, b, length, x, out);
    case 13:
      return overlaps_lanes<T, 13>(a, b, length, x, out);
    case 14:
      return overlaps_lanes<T, 14>(a, b, length, x, out);
    case 15:
      return overlaps_lanes<T, 15>(a, b, length, x, out);
#endif
  }
  __builtin_unreachable();
}

template <class T>
static void add_products_scalar(const T* a, std::size_t length, std::uint64_t x, const double* d_re, const double* d_im,
                                double* sum_re, double* sum_im) {
  for (std::uint64_t i = 0; i < length; ++i) {
    const double re = static_cast<double>(a[2 * (i ^ x)]), im = static_cast<double>(a[2 * (i ^ x) + 1]);
    const double dr = d_re[i], di = d_im ? d_im[i] : 0.0;
    sum_re[i] += dr * re - di * im;
    sum_im[i] += dr * im + di * re;
  }
}

// kXor: the bits of x inside a vector of kLanes amplitudes, taken apart into real and imaginary parts.
template <class T, int kXor>
static void add_products_lanes(const T* a, std::size_t length, std::uint64_t x, const double* d_re, const double* d_im,
                               double* sum_re, double* sum_im) {
  constexpr std::size_t kVector = 2 * kLanes<double>;
  const std::uint64_t x_vector = x / kLanes<double>;
  for (std::uint64_t v = 0; v < length / kLanes<double>; ++v) {
    const std::size_t at = kLanes<double> * v;
    const T* const from = a + kVector * (v ^ x_vector);
    D re, im;
    deinterleave<double>(load_double(from), load_double(from + kLanes<double>), re, im);
    re = xor_lanes<kXor>(re);
    im = xor_lanes<kXor>(im);
    const D dr = load(d_re + at);
    D to_re = fma(dr, re, load(sum_re + at)), to_im = fma(dr, im, load(sum_im + at));
    if (d_im) {
      const D di = load(d_im + at);
      to_re = fnma(di, im, to_re);
      to_im = fma(di, re, to_im);
    }
    store(sum_re + at, to_re);
    store(sum_im + at, to_im);
  }
}

template <class T>
static void add_products(const T* a, std::size_t length, std::uint64_t x, const double* d_re, const double* d_im,
                         double* sum_re, double* sum_im) {
  if (length < kLanes<double>) return add_products_scalar(a, length, x, d_re, d_im, sum_re, sum_im);
  switch (x % kLanes<double>) {
    case 0:
      return add_products_lanes<T, 0>(a, length, x, d_re, d_im, sum_re, sum_im);
    case 1:
      return add_products_lanes<T, 1>(a, length, x, d_re, d_im, sum_re, sum_im);
#if QFAST_SIMD_BYTES >= 32
    case 2:
      return add_products_lanes<T, 2>(a, length, x, d_re, d_im, sum_re, sum_im);
    case 3:
      return add_products_lanes<T, 3>(a, length, x, d_re, d_im, sum_re, sum_im);
#endif
#if QFAST_SIMD_BYTES >= 64
    case 4:
      return add_products_lanes<T, 4>(a, length, x, d_re, d_im, sum_re, sum_im);
    case 5:
      return add_products_lanes<T, 5>(a, length, x, d_re, d_im, sum_re, sum_im);
    case 6:
      return add_products_lanes<T, 6>(a, length, x, d_re, d_im, sum_re, sum_im);
    case 7:
      return add_products_lanes<T, 7>(a, length, x, d_re, d_im, sum_re, sum_im);
#endif
  }
  __builtin_unreachable();
}

template <class T>
static constexpr ReduceKernels<T> reduce_kernels() {
  return {&norm_squared<T>,   &inner_product<T>, &add_squares<T>, &cumulative<T>,
          &signed_overlap<T>, &overlaps<T>,      &add_products<T>};
}

// --- kernels on real numbers --------------------------------------------------------------------------------------

// One stage on index bit `bit` and the next one, both at or above the vectors.
QFAST_INLINE void walsh_radix4(double* values, std::size_t length, std::size_t stride) {
  for (std::size_t base = 0; base < length; base += 4 * stride) {
    for (double* p = values + base; p < values + base + stride; p += kLanes<double>) {
      const D x0 = load(p), x1 = load(p + stride), x2 = load(p + 2 * stride), x3 = load(p + 3 * stride);
      const D s0 = x0 + x1, d0 = x0 - x1, s1 = x2 + x3, d1 = x2 - x3;
      store(p, s0 + s1);
      store(p + stride, d0 + d1);
      store(p + 2 * stride, s0 - s1);
      store(p + 3 * stride, d0 - d1);
    }
  }
}

QFAST_INLINE void walsh_radix2(double* values, std::size_t length, std::size_t stride) {
  for (std::size_t base = 0; base < length; base += 2 * stride) {
    for (double* p = values + base; p < values + base + stride; p += kLanes<double>) {
      const D x0 = load(p), x1 = load(p + stride);
      store(p, x0 + x1);
      store(p + stride, x0 - x1);
    }
  }
}

// The stage on lane bit kBit: a lane becomes itself (or its negative) plus the lane across.
template <int kBit>
QFAST_INLINE D walsh_lane(D x) {
  if constexpr ((1 << kBit) < kLanes<double>) {
    return fma(x, lane_signs(1u << kBit), xor_lanes<1 << kBit>(x));
  } else {
    return x;
  }
}

static void walsh_hadamard(double* values, int log2_length) {
  const std::size_t length = std::size_t{1} << log2_length;
  if (length < kLanes<double>) {
    for (std::size_t stride = 1; stride < length; stride *= 2) {
      for (std::size_t i = 0; i < length; ++i) {
        if (i & stride) continue;
        const double low = values[i], high = values[i + stride];
        values[i] = low + high;
        values[i + stride] = low - high;
      }
    }
    return;
  }
  for (double* p = values; p < values + length; p += kLanes<double>) {
    store(p, walsh_lane<2>(walsh_lane<1>(walsh_lane<0>(load(p)))));
  }
  std::size_t stride = kLanes<double>;
  for (; 4 * stride <= length; stride *= 4) walsh_radix4(values, length, stride);
  if (2 * stride <= length) walsh_radix2(values, length, stride);
}

static void fold(double* values, int log2_length, int bit, bool minus) {
  const std::size_t length = std::size_t{1} << log2_length, half = std::size_t{1} << bit;
  for (std::size_t base = 0; base < length; base += 2 * half) {
    for (std::size_t i = 0; i < half; i += kLanes<double>) {
      const D low = load(values + base + i), high = load(values + base + half + i);
      store(values + base / 2 + i, minus ? low - high : low + high);
    }
  }
}

// From the end, so that nothing is written over before it has been read.
static void unfold(double* values, int log2_length, int bit, bool minus) {
  const std::size_t length = std::size_t{2} << log2_length, half = std::size_t{1} << bit;
  for (std::size_t base = length; base != 0;) {
    base -= 2 * half;
    for (std::size_t i = 0; i < half; i += kLanes<double>) {
      const D x = load(values + base / 2 + i);
      store(values + base + i, x);
      store(values + base + half + i, minus ? -x : x);
    }
  }
}

typedef unsigned long long Words __attribute__((vector_size(QFAST_SIMD_BYTES)));

// Products of the low 32 bits of each 64-bit lane.
QFAST_INLINE Words multiply_low_halves(Words a, Words b) {
#if QFAST_SIMD_BYTES == 64
  return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);  // GCC 12 warns of the plain one
#elif QFAST_SIMD_BYTES == 32
  return (Words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__) || defined(_M_X64)
  return (Words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#elif defined(__aarch64__)
  return (Words)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
#else
  return (a & 0xFFFFFFFFull) * (b & 0xFFFFFFFFull);
#endif
}

// An integer below 2^52 as a double: it becomes the fraction of a number in [2^52, 2^53).
QFAST_INLINE D exact_double(Words x) { return (D)(x | 0x4330000000000000ull) - set1(0x1p52); }

// Philox4x32-10 with one shot to a lane (see base/philox.h), kStreams vectors at a time to hide the latency of the
// multiplications. The upper half of a lane is never looked at, so it may hold anything until the end.
// counters(i, shots, sites) gives those of lanes i … i + kLanes - 1.
template <class Counters>
QFAST_INLINE void philox_lanes(std::uint64_t seed, std::size_t count, double* out, const Counters& counters) {
  constexpr int kStreams = QFAST_SIMD_BYTES == 64 ? 4 : 2;  // as many as fit in 32 or 16 registers
  constexpr std::size_t kShots = kStreams * kLanes<double>;
  static_assert(kPhiloxPadding % kShots == 0);
  const Words zero{};
  const Words multiplier0 = zero + 0xD2511F53ull, multiplier1 = zero + 0xCD9E8D57ull;
  for (std::size_t first = 0; first < count; first += kShots) {
    Words c0[kStreams], c1[kStreams], c2[kStreams], c3[kStreams];
    for (std::size_t s = 0; s < kStreams; ++s) {
      counters(first + s * kLanes<double>, c0[s], c2[s]);
      c1[s] = c0[s] >> 32;
      c3[s] = c2[s] >> 32;
    }
    Words key0 = zero + seed, key1 = zero + (seed >> 32);
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 4
      for (int s = 0; s < kStreams; ++s) {
        const Words product0 = multiply_low_halves(multiplier0, c0[s]);
        const Words product1 = multiply_low_halves(multiplier1, c2[s]);
        c0[s] = (product1 >> 32) ^ c1[s] ^ key0;
        c2[s] = (product0 >> 32) ^ c3[s] ^ key1;
        c1[s] = product1;
        c3[s] = product0;
      }
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    double uniforms[kShots];
    double* const to = first + kShots <= count ? out + first : uniforms;
    for (int s = 0; s < kStreams; ++s) {
      const Words high = (c0[s] & 0xFFFFFFFFull) >> 5, low = (c1[s] & 0xFFFFFFFFull) >> 6;
      // Exact: 27 + 26 bits.
      store(to + s * kLanes<double>, exact_double(high) * set1(0x1p-27) + exact_double(low) * set1(0x1p-53));
    }
    for (std::size_t i = first; to == uniforms && i < count; ++i) out[i] = uniforms[i - first];
  }
}

static void philox_uniforms(std::uint64_t seed, std::uint64_t first_shot, std::uint64_t site, std::size_t count,
                            double* out) {
  Words lane;
  for (int i = 0; i < kLanes<double>; ++i) lane[i] = static_cast<unsigned long long>(i);
  philox_lanes(seed, count, out, [&](std::size_t i, Words& shots, Words& sites) QFAST_LAMBDA {
    shots = lane + (first_shot + i);
    sites = Words{} + site;
  });
}

static void philox_uniforms_at(std::uint64_t seed, const std::uint64_t* shots_of, const std::uint64_t* sites_of,
                               std::size_t count, double* out) {
  typedef Words Unaligned __attribute__((aligned(8), may_alias));
  philox_lanes(seed, count, out, [&](std::size_t i, Words& shots, Words& sites) QFAST_LAMBDA {
    shots = *reinterpret_cast<const Unaligned*>(shots_of + i);
    sites = *reinterpret_cast<const Unaligned*>(sites_of + i);
  });
}

static constexpr RealKernels real_kernels() {
  return {&walsh_hadamard, &fold, &unfold, &philox_uniforms, &philox_uniforms_at};
}

}  // namespace qfast::QFAST_SIMD_NS
