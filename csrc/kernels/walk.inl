// Packs of branches. Written once, compiled per ISA after reduce.inl; see kernels/walk_kernels.h.

#include "kernels/walk_kernels.h"

namespace qfast::QFAST_SIMD_NS {

template <class T>
using LaneMask = typename Vec<T>::Mask;

template <class T>
QFAST_INLINE LaneMask<T> load_mask(const LaneWord<T>* p) {
  typedef LaneMask<T> Unaligned __attribute__((aligned(4), may_alias));
  return *reinterpret_cast<const Unaligned*>(p);
}

// Numbers of T from an amplitude to the next.
template <class T>
constexpr std::size_t kPairStride = 2 * kLanes<T>;

template <class T>
struct Pair {  // one amplitude of every lane
  V<T> re, im;
};

template <class T>
QFAST_INLINE Pair<T> load_pair(const T* p) {
  return {load(p), load(p + kLanes<T>)};
}

// Writes all lanes, or those of a mask.
template <class T, bool kMasked>
struct PairStore {
  LaneMask<T> mask;
  QFAST_INLINE PairStore of(const LaneWord<T>* mask) {
    PairStore put{};
    if constexpr (kMasked) put.mask = load_mask<T>(mask);
    return put;
  }
  inline __attribute__((always_inline)) void operator()(T* p, Pair<T> x) const {
    if constexpr (kMasked) {
      store(p, mask ? x.re : load(p));
      store(p + kLanes<T>, mask ? x.im : load(p + kLanes<T>));
    } else {
      store(p, x.re);
      store(p + kLanes<T>, x.im);
    }
  }
};

template <class T, bool kByLane>
QFAST_INLINE V<T> lane_number(const T* numbers, std::size_t k) {
  if constexpr (kByLane) {
    return load(numbers + k * kLanes<T>);
  } else {
    return set1(numbers[k]);
  }
}
template <class T, bool kByLane>
QFAST_INLINE Pair<T> lane_complex(const T* numbers, std::size_t k) {
  return {lane_number<T, kByLane>(numbers, 2 * k), lane_number<T, kByLane>(numbers, 2 * k + 1)};
}

template <class T>
QFAST_INLINE Pair<T> times(Pair<T> a, Pair<T> x) {
  return {fnma(a.im, x.im, a.re * x.re), fma(a.im, x.re, a.re * x.im)};
}
template <class T>
QFAST_INLINE Pair<T> add_times(Pair<T> a, Pair<T> x, Pair<T> sum) {  // sum + a x
  return {fnma(a.im, x.im, fma(a.re, x.re, sum.re)), fma(a.im, x.re, fma(a.re, x.im, sum.im))};
}

// Calls body(T* first of the amplitude) for each index whose fixed bits are those of `value`.
template <class T, class Pointer, class Body>
QFAST_INLINE void for_each_rest(Pointer pack, int num_qubits, std::uint32_t fixed, std::uint32_t value,
                                const Body& body) {
  const std::uint32_t all = (1u << num_qubits) - 1;
  std::uint32_t i = 0;
  do {
    body(pack + kPairStride<T> * (i | value));
    i = ((i | fixed) + 1) & ~fixed;  // the carry runs through the fixed bits
  } while (i <= all);
}

template <class T, bool kByLane, bool kMasked>
QFAST_INLINE void lane_real(T* pack, int n, const LaneOp& op, const T* c, PairStore<T, kMasked> put) {
  const V<T> a = lane_number<T, kByLane>(c, 0), b = lane_number<T, kByLane>(c, 1);
  const V<T> d = lane_number<T, kByLane>(c, 2), e = lane_number<T, kByLane>(c, 3);
  const std::size_t step = kPairStride<T> * op.target0;
  for_each_rest<T>(pack, n, op.fixed, op.value, [&](T* p) QFAST_LAMBDA {
    const Pair<T> x = load_pair(p), y = load_pair(p + step);
    put(p, {fma(b, y.re, a * x.re), fma(b, y.im, a * x.im)});
    put(p + step, {fma(e, y.re, d * x.re), fma(e, y.im, d * x.im)});
  });
}

template <class T, bool kByLane, bool kMasked>
QFAST_INLINE void lane_general(T* pack, int n, const LaneOp& op, const T* c, PairStore<T, kMasked> put) {
  const Pair<T> m00 = lane_complex<T, kByLane>(c, 0), m01 = lane_complex<T, kByLane>(c, 1);
  const Pair<T> m10 = lane_complex<T, kByLane>(c, 2), m11 = lane_complex<T, kByLane>(c, 3);
  const std::size_t step = kPairStride<T> * op.target0;
  for_each_rest<T>(pack, n, op.fixed, op.value, [&](T* p) QFAST_LAMBDA {
    const Pair<T> x = load_pair(p), y = load_pair(p + step);
    put(p, add_times(m01, y, times(m00, x)));
    put(p + step, add_times(m11, y, times(m10, x)));
  });
}

template <class T, bool kMasked>
QFAST_INLINE void lane_exchange(T* pack, int n, const LaneOp& op, std::uint32_t one, std::uint32_t other,
                                PairStore<T, kMasked> put) {
  const std::size_t at0 = kPairStride<T> * one, at1 = kPairStride<T> * other;
  for_each_rest<T>(pack, n, op.fixed, op.value, [&](T* p) QFAST_LAMBDA {
    const Pair<T> x = load_pair(p + at0), y = load_pair(p + at1);
    put(p + at0, y);
    put(p + at1, x);
  });
}

template <class T, bool kByLane, bool kMasked, int kDim>
QFAST_INLINE void lane_dense_of(T* pack, int n, const LaneOp& op, const T* c, const std::uint32_t* offsets,
                                PairStore<T, kMasked> put) {
  for_each_rest<T>(pack, n, op.fixed, op.value, [&](T* p) QFAST_LAMBDA {
    Pair<T> x[kDim];
    for (int j = 0; j < kDim; ++j) x[j] = load_pair(p + kPairStride<T> * offsets[j]);
#pragma GCC unroll 4
    for (std::size_t row = 0; row < kDim; ++row) {
      Pair<T> sum = times(lane_complex<T, kByLane>(c, row * kDim), x[0]);
#pragma GCC unroll 4
      for (std::size_t j = 1; j < kDim; ++j) sum = add_times(lane_complex<T, kByLane>(c, row * kDim + j), x[j], sum);
      put(p + kPairStride<T> * offsets[row], sum);
    }
  });
}

template <class T, bool kByLane, bool kMasked>
QFAST_INLINE void lane_dense(T* pack, int n, const LaneOp& op, const T* c, const std::uint32_t* offsets, T* scratch,
                             PairStore<T, kMasked> put) {
  const std::size_t dim = std::size_t{1} << op.num_targets;
  if (dim == 4) return lane_dense_of<T, kByLane, kMasked, 4>(pack, n, op, c, offsets, put);
  for_each_rest<T>(pack, n, op.fixed, op.value, [&](T* p) QFAST_LAMBDA {
    for (std::size_t j = 0; j < dim; ++j) {
      const Pair<T> x = load_pair(p + kPairStride<T> * offsets[j]);
      store(scratch + kPairStride<T> * j, x.re);
      store(scratch + kPairStride<T> * j + kLanes<T>, x.im);
    }
    for (std::size_t row = 0; row < dim; ++row) {
      Pair<T> sum = times(lane_complex<T, kByLane>(c, row * dim), load_pair(scratch));
      for (std::size_t j = 1; j < dim; ++j) {
        sum = add_times(lane_complex<T, kByLane>(c, row * dim + j), load_pair(scratch + kPairStride<T> * j), sum);
      }
      put(p + kPairStride<T> * offsets[row], sum);
    }
  });
}

template <class T, bool kMasked>
QFAST_INLINE void lane_permutation(T* pack, int n, const LaneOp& op, const std::uint32_t* offsets, T* scratch,
                                   PairStore<T, kMasked> put) {
  const std::size_t dim = std::size_t{1} << op.num_targets;
  const std::uint32_t* images = offsets + dim;
  for_each_rest<T>(pack, n, op.fixed, op.value, [&](T* p) QFAST_LAMBDA {
    for (std::size_t j = 0; j < dim; ++j) {
      const Pair<T> x = load_pair(p + kPairStride<T> * offsets[j]);
      store(scratch + kPairStride<T> * j, x.re);
      store(scratch + kPairStride<T> * j + kLanes<T>, x.im);
    }
    for (std::size_t j = 0; j < dim; ++j)
      put(p + kPairStride<T> * offsets[images[j]], load_pair(scratch + kPairStride<T> * j));
  });
}

// exp(-i a/2 P), numbers c = cos(a/2) and s = sin(a/2): x_i' = c x_i - i s <i|P|j> x_j, j = i ^ x_mask, and
// <i|P|j> = (-1)^parity(j & z_mask) i^num_y.
template <class T, bool kByLane, bool kMasked>
QFAST_INLINE void lane_pauli(T* pack, int n, const LaneOp& op, const T* numbers, PairStore<T, kMasked> put) {
  const V<T> c = lane_number<T, kByLane>(numbers, 0), s = lane_number<T, kByLane>(numbers, 1);
  const int num_y = __builtin_popcount(op.x_mask & op.z_mask) & 3;
  const bool is_imaginary = (num_y & 1) == 0;  // -i i^num_y: -i, 1, i, -1
  const V<T> plus = num_y == 0 || num_y == 3 ? -s : s;
  const auto part = [&](Pair<T> x, std::uint32_t j) QFAST_LAMBDA {
    const V<T> f = (__builtin_popcount(j & op.z_mask) & 1) ? -plus : plus;
    return is_imaginary ? Pair<T>{-(f * x.im), f * x.re} : Pair<T>{f * x.re, f * x.im};
  };
  const std::uint32_t top = op.x_mask == 0 ? 0 : 1u << (31 - __builtin_clz(op.x_mask));
  for_each_rest<T>(pack, n, op.fixed | top, op.value, [&](T* p) QFAST_LAMBDA {
    const auto i = static_cast<std::uint32_t>(static_cast<std::size_t>(p - pack) / kPairStride<T>), j = i ^ op.x_mask;
    T* const q = pack + kPairStride<T> * j;
    const Pair<T> x = load_pair(p), y = load_pair(q), to_x = part(y, j), to_y = part(x, i);
    put(p, {fma(c, x.re, to_x.re), fma(c, x.im, to_x.im)});
    if (top != 0) put(q, {fma(c, y.re, to_y.re), fma(c, y.im, to_y.im)});
  });
}

template <class T, bool kByLane, bool kMasked>
static void apply_lane_ops(T* pack, int n, const LaneOp* ops, std::size_t num_ops, const T* numbers,
                           const std::uint32_t* tables, const LaneWord<T>* mask, T* scratch) {
  const PairStore<T, kMasked> put = PairStore<T, kMasked>::of(mask);
  for (const LaneOp* op = ops; op < ops + num_ops; ++op) {
    const T* const c = numbers + op->numbers * (kByLane ? static_cast<std::size_t>(kLanes<T>) : 1);
    const std::uint32_t* const offsets = tables + op->table;
    switch (op->kind) {
      case LaneOpKind::kReal:
        lane_real<T, kByLane, kMasked>(pack, n, *op, c, put);
        break;
      case LaneOpKind::kGeneral:
        lane_general<T, kByLane, kMasked>(pack, n, *op, c, put);
        break;
      case LaneOpKind::kPhase: {
        const Pair<T> a = lane_complex<T, kByLane>(c, 0);
        for_each_rest<T>(pack, n, op->fixed, op->value, [&](T* p) QFAST_LAMBDA { put(p, times(a, load_pair(p))); });
        break;
      }
      case LaneOpKind::kFlip:
        lane_exchange<T, kMasked>(pack, n, *op, 0, op->target0, put);
        break;
      case LaneOpKind::kSwap:
        lane_exchange<T, kMasked>(pack, n, *op, op->target0, op->target1, put);
        break;
      case LaneOpKind::kDense:
        lane_dense<T, kByLane, kMasked>(pack, n, *op, c, offsets, scratch, put);
        break;
      case LaneOpKind::kDiagonal: {
        const std::size_t dim = std::size_t{1} << op->num_targets;
        for (std::size_t j = 0; j < dim; ++j) {
          const Pair<T> a = lane_complex<T, kByLane>(c, j);
          for_each_rest<T>(pack, n, op->fixed, op->value | offsets[j],
                           [&](T* p) QFAST_LAMBDA { put(p, times(a, load_pair(p))); });
        }
        break;
      }
      case LaneOpKind::kPermutation:
        lane_permutation<T, kMasked>(pack, n, *op, offsets, scratch, put);
        break;
      case LaneOpKind::kPauli:
        lane_pauli<T, kByLane, kMasked>(pack, n, *op, c, put);
        break;
    }
  }
}

template <class T, bool kByLane>
static void apply_lanes(T* pack, int n, const LaneOp* ops, std::size_t num_ops, const T* numbers,
                        const std::uint32_t* tables, const LaneWord<T>* mask, T* scratch) {
  mask == nullptr ? apply_lane_ops<T, kByLane, false>(pack, n, ops, num_ops, numbers, tables, mask, scratch)
                  : apply_lane_ops<T, kByLane, true>(pack, n, ops, num_ops, numbers, tables, mask, scratch);
}

// The squared moduli of an amplitude, in double: one vector for each half of a vector of float.
template <class T>
QFAST_INLINE D square_of(const T* p, int part, D sum) {
  const D re = load_double(p + part * kLanes<double>), im = load_double(p + kLanes<T> + part * kLanes<double>);
  return fma(im, im, fma(re, re, sum));
}

template <class T>
static void lane_weights(const T* pack, int n, int qubit, double* weight0, double* weight1) {
  constexpr int kParts = kLanes<T> / kLanes<double>;
  const std::size_t bit = std::size_t{1} << qubit, size = std::size_t{1} << n;
  D sum[2][kParts] = {};
  for (std::size_t high = 0; high < size; high += 2 * bit) {
    for (std::size_t i = high; i < high + bit; ++i) {
#pragma GCC unroll 2
      for (int p = 0; p < kParts; ++p) {
        sum[0][p] = square_of(pack + kPairStride<T> * i, p, sum[0][p]);
        sum[1][p] = square_of(pack + kPairStride<T> * (i + bit), p, sum[1][p]);
      }
    }
  }
  for (int p = 0; p < kParts; ++p) {
    store(weight0 + p * kLanes<double>, sum[0][p]);
    store(weight1 + p * kLanes<double>, sum[1][p]);
  }
}

template <class T, bool kMasked>
QFAST_INLINE void project_lanes(T* pack, int n, int qubit, const T* keep0, const T* keep1, const T* from1,
                                const LaneWord<T>* mask) {
  const PairStore<T, kMasked> put = PairStore<T, kMasked>::of(mask);
  const V<T> a = load(keep0), b = load(keep1), c = load(from1), zero{};
  const std::uint32_t bit = 1u << qubit;
  for_each_rest<T>(pack, n, bit, 0, [&](T* p) QFAST_LAMBDA {
    const Pair<T> x = load_pair(p), y = load_pair(p + kPairStride<T> * bit);
    // + 0 makes a negative zero positive, so that equal states have equal bits.
    put(p, {fma(a, x.re, c * y.re) + zero, fma(a, x.im, c * y.im) + zero});
    put(p + kPairStride<T> * bit, {b * y.re + zero, b * y.im + zero});
  });
}

template <class T>
static void lane_project(T* pack, int n, int qubit, const T* keep0, const T* keep1, const T* from1,
                         const LaneWord<T>* mask) {
  mask == nullptr ? project_lanes<T, false>(pack, n, qubit, keep0, keep1, from1, mask)
                  : project_lanes<T, true>(pack, n, qubit, keep0, keep1, from1, mask);
}

// Lanes with one amplitude that is not zero: it becomes 1.
template <class T>
static void lane_settle(T* pack, int n, const LaneWord<T>* mask) {
  const V<T> zero{};
  const LaneMask<T> one = LaneMask<T>{} + 1;
  LaneMask<T> count{};
  for (std::size_t i = 0; i < std::size_t{1} << n; ++i) {
    const Pair<T> x = load_pair(pack + kPairStride<T> * i);
    count -= (x.re != zero) | (x.im != zero);
  }
  const LaneMask<T> chosen = (count == one) & load_mask<T>(mask);
  LaneWord<T> any = 0;
  for (int l = 0; l < kLanes<T>; ++l) any |= static_cast<LaneWord<T>>(chosen[l]);
  if (any == 0) return;
  for (std::size_t i = 0; i < std::size_t{1} << n; ++i) {
    T* const p = pack + kPairStride<T> * i;
    const Pair<T> x = load_pair(p);
    const LaneMask<T> here = chosen & ((x.re != zero) | (x.im != zero));
    store(p, here ? set1(T{1}) : x.re);
    store(p + kLanes<T>, here ? zero : x.im);
  }
}

template <class T>
static void lane_drop(T* pack, int n, int qubit, const LaneWord<T>* mask) {
  const PairStore<T, true> put = PairStore<T, true>::of(mask);
  const std::size_t low = (std::size_t{1} << qubit) - 1;
  for (std::size_t i = 0; i < std::size_t{1} << (n - 1); ++i) {
    put(pack + kPairStride<T> * i, load_pair(pack + kPairStride<T> * (((i & ~low) << 1) | (i & low))));
  }
}

template <class T>
static void lane_extend(T* pack, int n, const LaneWord<T>* mask) {
  const PairStore<T, true> put = PairStore<T, true>::of(mask);
  for (std::size_t i = std::size_t{1} << n; i < std::size_t{2} << n; ++i)
    put(pack + kPairStride<T> * i, {V<T>{}, V<T>{}});
}

template <class T>
static void lane_fingerprint(const T* pack, int n, const double* coefficients, double* out) {
  constexpr int kParts = kLanes<T> / kLanes<double>;
  D sum[2][kParts] = {};
  for (std::size_t i = 0; i < std::size_t{1} << n; ++i) {
    const T* const p = pack + kPairStride<T> * i;
#pragma GCC unroll 2
    for (int k = 0; k < kParts; ++k) {
      sum[0][k] = fma(set1(coefficients[2 * i]), load_double(p + k * kLanes<double>), sum[0][k]);
      sum[1][k] = fma(set1(coefficients[2 * i + 1]), load_double(p + kLanes<T> + k * kLanes<double>), sum[1][k]);
    }
  }
  for (int k = 0; k < kParts; ++k) store(out + k * kLanes<double>, sum[0][k] + sum[1][k]);
}

template <class T>
static void lane_reduce(const T* pack, int n, std::uint32_t fixed, const std::uint32_t* offsets, std::size_t dim,
                        double* out) {
  constexpr int kParts = kLanes<T> / kLanes<double>;
  for (std::size_t a = 0; a < dim; ++a) {
    for (std::size_t b = a; b < dim; ++b) {
      D re[kParts] = {}, im[kParts] = {};
      for_each_rest<T>(pack, n, fixed, 0, [&](const T* p) QFAST_LAMBDA {
        const T* const x = p + kPairStride<T> * offsets[a];
        const T* const y = p + kPairStride<T> * offsets[b];
#pragma GCC unroll 2
        for (int k = 0; k < kParts; ++k) {
          const D xr = load_double(x + k * kLanes<double>), xi = load_double(x + kLanes<T> + k * kLanes<double>);
          const D yr = load_double(y + k * kLanes<double>), yi = load_double(y + kLanes<T> + k * kLanes<double>);
          re[k] = fma(xi, yi, fma(xr, yr, re[k]));  // x conj(y)
          im[k] = fnma(xr, yi, fma(xi, yr, im[k]));
        }
      });
      for (int k = 0; k < kParts; ++k) {
        store(out + k * kLanes<double>, re[k]);
        store(out + kLanes<T> + k * kLanes<double>, im[k]);
      }
      out += kPairStride<T>;
    }
  }
}

template <class T>
static void lane_cumulate(const T* pack, int n, double* out) {
  constexpr int kParts = kLanes<T> / kLanes<double>;
  D sum[kParts] = {};
  for (std::size_t i = 0; i < std::size_t{1} << n; ++i) {
    for (int k = 0; k < kParts; ++k) {
      sum[k] = square_of(pack + kPairStride<T> * i, k, sum[k]);
      store(out + static_cast<std::size_t>(kLanes<T>) * i + k * kLanes<double>, sum[k]);
    }
  }
}

template <class T>
static void lane_move(T* to, const T* from_pack, std::size_t num_amplitudes, const LaneWord<T>* from,
                      const LaneWord<T>* mask) {
  const LaneMask<T> index = load_mask<T>(from), chosen = load_mask<T>(mask);
  for (std::size_t i = 0; i < 2 * num_amplitudes; ++i) {
    const V<T> x = load(from_pack + kLanes<T> * i);
#if defined(__clang__)
    V<T> y;
    for (int l = 0; l < kLanes<T>; ++l) y[l] = x[index[l]];
#else
    const V<T> y = __builtin_shuffle(x, index);
#endif
    T* const p = to + kLanes<T> * i;
    store(p, chosen ? y : load(p));
  }
}

template <class T>
static constexpr WalkKernels<T> walk_kernels() {
  return {kLanes<T>,         &apply_lanes<T, false>, &apply_lanes<T, true>, &lane_weights<T>,     &lane_project<T>,
          &lane_settle<T>,   &lane_drop<T>,          &lane_extend<T>,       &lane_fingerprint<T>, &lane_reduce<T>,
          &lane_cumulate<T>, &lane_move<T>};
}

}  // namespace qfast::QFAST_SIMD_NS
