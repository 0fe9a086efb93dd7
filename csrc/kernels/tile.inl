// The tile kernels, written once; see tile_kernels.h. Included by every isa_*.cc after simd.h.

namespace qfast::QFAST_SIMD_NS {

// 32 vector registers hold 2^3 complex vectors and their temporaries, 16 registers 2^2.
#if QFAST_SIMD_BYTES == 64
constexpr int kBlockBits = 3;
#else
constexpr int kBlockBits = 2;
#endif
constexpr int kBlockVectors = 1 << kBlockBits;

template <class T>
struct Block {
  V<T> re[kBlockVectors];
  V<T> im[kBlockVectors];
};

// The numbers of a step, seen as vectors: one number for all lanes, or one of each lane where the lanes are states.
template <class T>
struct Shared {
  const T* at;
  QFAST_LAMBDA V<T> operator[](std::ptrdiff_t i) const { return set1(at[i]); }
  QFAST_LAMBDA Shared from(std::ptrdiff_t i) const { return {at + i}; }
};
template <class T>
struct PerLane {
  const T* at;
  QFAST_LAMBDA V<T> operator[](std::ptrdiff_t i) const { return load(at + kLanes<T> * i); }
  QFAST_LAMBDA PerLane from(std::ptrdiff_t i) const { return {at + kLanes<T> * i}; }
};

// Calls f(index with target bit 0, index with target bit 1) for every pair whose control bits are all 1.
template <int kTarget, int kControls, class F>
QFAST_INLINE void for_pairs(F f) {
#pragma GCC unroll 8
  for (int i = 0; i < kBlockVectors; ++i) {
    if (((i >> kTarget) & 1) == 0 && (i & kControls) == kControls) f(i, i | (1 << kTarget));
  }
}

template <class T, int J, class Numbers>
QFAST_INLINE void step_real(Block<T>& x, Numbers c) {
  const V<T> a = c[0], b = c[1];
  for_pairs<J, 0>([&](int p, int q) QFAST_LAMBDA {
    const V<T> re = x.re[p], im = x.im[p];
    x.re[p] = fma(a, x.re[q], re);
    x.im[p] = fma(a, x.im[q], im);
    x.re[q] = fma(b, re, x.re[q]);
    x.im[q] = fma(b, im, x.im[q]);
  });
}

template <class T, int J, class Numbers>
QFAST_INLINE void step_real_neg(Block<T>& x, Numbers c) {
  const V<T> a = c[0], nb = -c[1];
  for_pairs<J, 0>([&](int p, int q) QFAST_LAMBDA {
    const V<T> re = x.re[p], im = x.im[p];
    x.re[p] = fma(a, x.re[q], re);
    x.im[p] = fma(a, x.im[q], im);
    x.re[q] = -fma(nb, re, x.re[q]);
    x.im[q] = -fma(nb, im, x.im[q]);
  });
}

template <class T, int J, class Numbers>
QFAST_INLINE void step_imag(Block<T>& x, Numbers c) {
  const V<T> a = c[0], b = c[1];
  for_pairs<J, 0>([&](int p, int q) QFAST_LAMBDA {
    const V<T> re = x.re[p], im = x.im[p];
    x.re[p] = fnma(a, x.im[q], re);
    x.im[p] = fma(a, x.re[q], im);
    x.re[q] = fnma(b, im, x.re[q]);
    x.im[q] = fma(b, re, x.im[q]);
  });
}

template <class T, int J, class Numbers>
QFAST_INLINE void step_givens(Block<T>& x, Numbers c) {
  const V<T> ar = c[0], ai = c[1], br = c[2], bi = c[3];
  for_pairs<J, 0>([&](int p, int q) QFAST_LAMBDA {
    const V<T> re = x.re[p], im = x.im[p], qre = x.re[q], qim = x.im[q];
    x.re[p] = fnma(ai, qim, fma(ar, qre, re));
    x.im[p] = fma(ai, qre, fma(ar, qim, im));
    x.re[q] = fnma(bi, im, fma(br, re, qre));
    x.im[q] = fma(bi, re, fma(br, im, qim));
  });
}

// x_p' = x_p + a x_q, x_q' = b x_p + d x_q.
template <class T, class Numbers>
QFAST_INLINE void scale_pair(Block<T>& x, int p, int q, Numbers c) {
  const V<T> re = x.re[p], im = x.im[p], qre = x.re[q], qim = x.im[q];
  x.re[p] = fnma(c[1], qim, fma(c[0], qre, re));
  x.im[p] = fma(c[1], qre, fma(c[0], qim, im));
  x.re[q] = fnma(c[3], im, fma(c[2], re, fnma(c[5], qim, c[4] * qre)));
  x.im[q] = fma(c[3], re, fma(c[2], im, fma(c[5], qre, c[4] * qim)));
}

template <class T, int J, class Numbers>
QFAST_INLINE void step_scaled(Block<T>& x, Numbers c) {
  for_pairs<J, 0>([&](int p, int q) QFAST_LAMBDA { scale_pair<T>(x, p, q, c); });
}

template <class T, class Numbers>
QFAST_INLINE void multiply2(Block<T>& x, int p, int q, Numbers c) {
  const V<T> re = x.re[p], im = x.im[p], qre = x.re[q], qim = x.im[q];
  x.re[p] = fnma(c[3], qim, fma(c[2], qre, fnma(c[1], im, c[0] * re)));
  x.im[p] = fma(c[3], qre, fma(c[2], qim, fma(c[1], re, c[0] * im)));
  x.re[q] = fnma(c[7], qim, fma(c[6], qre, fnma(c[5], im, c[4] * re)));
  x.im[q] = fma(c[7], qre, fma(c[6], qim, fma(c[5], re, c[4] * im)));
}

template <class T, int J, int C, class Numbers>
QFAST_INLINE void step_general(Block<T>& x, Numbers c) {
  for_pairs<J, C>([&](int p, int q) QFAST_LAMBDA { multiply2<T>(x, p, q, c); });
}

template <class T, int J, int C, class Numbers>
QFAST_INLINE void step_general_real(Block<T>& x, Numbers c) {
  const V<T> m00 = c[0], m01 = c[1], m10 = c[2], m11 = c[3];
  for_pairs<J, C>([&](int p, int q) QFAST_LAMBDA {
    const V<T> re = x.re[p], im = x.im[p];
    x.re[p] = fma(m01, x.re[q], m00 * re);
    x.im[p] = fma(m01, x.im[q], m00 * im);
    x.re[q] = fma(m11, x.re[q], m10 * re);
    x.im[q] = fma(m11, x.im[q], m10 * im);
  });
}

template <class T, int J, int C>
QFAST_INLINE void step_exchange(Block<T>& x) {
  for_pairs<J, C>([&](int p, int q) QFAST_LAMBDA {
    const V<T> re = x.re[p], im = x.im[p];
    x.re[p] = x.re[q];
    x.im[p] = x.im[q];
    x.re[q] = re;
    x.im[q] = im;
  });
}

// Calls f(i0, i1, i2, i3) for every quadruple of block vectors that differ in bits J < K.
template <int J, int K, class F>
QFAST_INLINE void for_quads(F f) {
#pragma GCC unroll 8
  for (int i = 0; i < kBlockVectors; ++i) {
    if ((i & ((1 << J) | (1 << K))) == 0) f(i, i | (1 << J), i | (1 << K), i | (1 << J) | (1 << K));
  }
}

template <class T, class Numbers>
QFAST_INLINE void multiply4(Block<T>& x, const int (&at)[4], Numbers m) {
  V<T> re[4], im[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    re[r] = m[8 * r] * x.re[at[0]];
    im[r] = m[8 * r] * x.im[at[0]];
    re[r] = fnma(m[8 * r + 1], x.im[at[0]], re[r]);
    im[r] = fma(m[8 * r + 1], x.re[at[0]], im[r]);
#pragma GCC unroll 3
    for (int s = 1; s < 4; ++s) {
      re[r] = fma(m[8 * r + 2 * s], x.re[at[s]], re[r]);
      im[r] = fma(m[8 * r + 2 * s], x.im[at[s]], im[r]);
      re[r] = fnma(m[8 * r + 2 * s + 1], x.im[at[s]], re[r]);
      im[r] = fma(m[8 * r + 2 * s + 1], x.re[at[s]], im[r]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    x.re[at[r]] = re[r];
    x.im[at[r]] = im[r];
  }
}

template <class T, int J, int K, class Numbers>
QFAST_INLINE void step_dense2(Block<T>& x, Numbers m) {
  for_quads<J, K>([&](int i0, int i1, int i2, int i3) QFAST_LAMBDA { multiply4<T>(x, {i0, i1, i2, i3}, m); });
}

template <class T, int J, int K, class Numbers>
QFAST_INLINE void step_dense2_real(Block<T>& x, Numbers m) {
  for_quads<J, K>([&](int i0, int i1, int i2, int i3) QFAST_LAMBDA {
    const int at[4] = {i0, i1, i2, i3};
    V<T> re[4], im[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      re[r] = m[4 * r] * x.re[at[0]];
      im[r] = m[4 * r] * x.im[at[0]];
#pragma GCC unroll 3
      for (int s = 1; s < 4; ++s) {
        re[r] = fma(m[4 * r + s], x.re[at[s]], re[r]);
        im[r] = fma(m[4 * r + s], x.im[at[s]], im[r]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      x.re[at[r]] = re[r];
      x.im[at[r]] = im[r];
    }
  });
}

template <class T, int J, int K, class Numbers>
QFAST_INLINE void step_pairs2(Block<T>& x, Numbers m) {
  for_quads<J, K>([&](int i0, int i1, int i2, int i3) QFAST_LAMBDA {
    multiply2<T>(x, i0, i3, m);
    multiply2<T>(x, i1, i2, m.from(8));
  });
}

template <class T, int J, int K, class Numbers>
QFAST_INLINE void step_pairs2_scaled(Block<T>& x, Numbers m) {
  for_quads<J, K>([&](int i0, int i1, int i2, int i3) QFAST_LAMBDA {
    scale_pair<T>(x, i0, i3, m);
    multiply2<T>(x, i1, i2, m.from(6));
  });
}

// Of the vectors whose number has all bits of kMask.
template <class T, int kMask = 0, class Numbers>
QFAST_INLINE void step_diagonal(Block<T>& x, Numbers table) {
#pragma GCC unroll 8
  for (int i = 0; i < kBlockVectors; ++i) {
    if ((i & kMask) != kMask) continue;
    const V<T> dr = table[2 * i], di = table[2 * i + 1];
    const V<T> re = x.re[i];
    x.re[i] = fnma(di, x.im[i], dr * re);
    x.im[i] = fma(di, re, dr * x.im[i]);
  }
}

template <class T, class Numbers>
QFAST_INLINE void step_scale(Block<T>& x, Numbers c) {
  const V<T> dr = c[0], di = c[1];
#pragma GCC unroll 8
  for (int i = 0; i < kBlockVectors; ++i) {
    const V<T> re = x.re[i];
    x.re[i] = fnma(di, x.im[i], dr * re);
    x.im[i] = fma(di, re, dr * x.im[i]);
  }
}

template <class T, int J, int K>
QFAST_INLINE void step_swap_lane(Block<T>& x) {
  for_pairs<J, 0>([&](int p, int q) QFAST_LAMBDA {
    swap_lane_bit<T, K>(x.re[p], x.re[q]);
    swap_lane_bit<T, K>(x.im[p], x.im[q]);
  });
}

// Bit `n` (0 or 1) of the block bits other than J, in ascending order.
constexpr int other_bit(int j, int n) {
  int seen = 0;
  for (int b = 0; b < kBlockBits; ++b) {
    if (b == j) continue;
    if (seen++ == n) return 1 << b;
  }
  return 0;
}
constexpr int control_mask(int j, int mask) {
  return ((mask & 1) ? other_bit(j, 0) : 0) | ((mask & 2) ? other_bit(j, 1) : 0);
}

// Cases of one kind: for each target, and for each control mask that this block size has.
#define QFAST_CASE(kind, variant) case step_code(StepKind::kind, variant)
#if QFAST_SIMD_BYTES == 64
#define QFAST_TARGETS(kind, call) \
  QFAST_CASE(kind, 0) : call(0);  \
  break;                          \
  QFAST_CASE(kind, 1) : call(1);  \
  break;                          \
  QFAST_CASE(kind, 2) : call(2);  \
  break;
#define QFAST_CONTROLLED(kind, call)       \
  QFAST_CASE(kind, 0) : call(0, 0) break;  \
  QFAST_CASE(kind, 1) : call(1, 0) break;  \
  QFAST_CASE(kind, 2) : call(2, 0) break;  \
  QFAST_CASE(kind, 3) : call(0, 1) break;  \
  QFAST_CASE(kind, 4) : call(1, 1) break;  \
  QFAST_CASE(kind, 5) : call(2, 1) break;  \
  QFAST_CASE(kind, 6) : call(0, 2) break;  \
  QFAST_CASE(kind, 7) : call(1, 2) break;  \
  QFAST_CASE(kind, 8) : call(2, 2) break;  \
  QFAST_CASE(kind, 9) : call(0, 3) break;  \
  QFAST_CASE(kind, 10) : call(1, 3) break; \
  QFAST_CASE(kind, 11) : call(2, 3) break;
#define QFAST_PAIRS(kind, call)     \
  QFAST_CASE(kind, 0) : call(0, 1); \
  break;                            \
  QFAST_CASE(kind, 1) : call(0, 2); \
  break;                            \
  QFAST_CASE(kind, 2) : call(1, 2); \
  break;
#else
#define QFAST_TARGETS(kind, call) \
  QFAST_CASE(kind, 0) : call(0);  \
  break;                          \
  QFAST_CASE(kind, 1) : call(1);  \
  break;
#define QFAST_CONTROLLED(kind, call)      \
  QFAST_CASE(kind, 0) : call(0, 0) break; \
  QFAST_CASE(kind, 1) : call(1, 0) break; \
  QFAST_CASE(kind, 3) : call(0, 1) break; \
  QFAST_CASE(kind, 4) : call(1, 1) break;
#define QFAST_PAIRS(kind, call)     \
  QFAST_CASE(kind, 0) : call(0, 1); \
  break;
#endif

// clang-format off
template <class T>
QFAST_INLINE void apply_swap_lane(Block<T>& x, std::uint16_t code) {
#define QFAST_LANE_CASE(j, k)                                                     \
  QFAST_CASE(kSwapLane, j + 3 * k) :                                              \
    if constexpr (j < kBlockBits && k < kLaneBits<T>) step_swap_lane<T, j, k>(x); \
    break;
  switch (code) {
    QFAST_LANE_CASE(0, 0) QFAST_LANE_CASE(1, 0) QFAST_LANE_CASE(2, 0)
    QFAST_LANE_CASE(0, 1) QFAST_LANE_CASE(1, 1) QFAST_LANE_CASE(2, 1)
    QFAST_LANE_CASE(0, 2) QFAST_LANE_CASE(1, 2) QFAST_LANE_CASE(2, 2)
    QFAST_LANE_CASE(0, 3) QFAST_LANE_CASE(1, 3) QFAST_LANE_CASE(2, 3)
    default: __builtin_unreachable();
  }
#undef QFAST_LANE_CASE
}
// clang-format on

template <class T, template <class> class Numbers>
QFAST_INLINE void apply_step(Block<T>& x, const LiveStep<T>& step, std::uint32_t block) {
  const Numbers<T> c{step.constants};
#define QFAST_CALL_REAL(j) step_real<T, j>(x, c)
#define QFAST_CALL_REAL_NEG(j) step_real_neg<T, j>(x, c)
#define QFAST_CALL_IMAG(j) step_imag<T, j>(x, c)
#define QFAST_CALL_GIVENS(j) step_givens<T, j>(x, c)
#define QFAST_CALL_SCALED(j) step_scaled<T, j>(x, c)
#define QFAST_CALL_GENERAL(j, m) step_general<T, j, control_mask(j, m)>(x, c);
#define QFAST_CALL_GENERAL_REAL(j, m) step_general_real<T, j, control_mask(j, m)>(x, c);
#define QFAST_CALL_EXCHANGE(j, m) step_exchange<T, j, control_mask(j, m)>(x);
#define QFAST_CALL_DENSE2(j, k) step_dense2<T, j, k>(x, c)
#define QFAST_CALL_DENSE2_REAL(j, k) step_dense2_real<T, j, k>(x, c)
#define QFAST_CALL_PAIRS2(j, k) step_pairs2<T, j, k>(x, c)
#define QFAST_CALL_PAIRS2_SCALED(j, k) step_pairs2_scaled<T, j, k>(x, c)
#define QFAST_DIAGONAL_CASE(variant, mask)                                                            \
  QFAST_CASE(kDiagonalScalar, variant) : step_diagonal<T, mask>(x, c.from(step.block_offset[block])); \
  break;
  switch (step.code) {
    QFAST_TARGETS(kReal, QFAST_CALL_REAL)
    QFAST_TARGETS(kRealNeg, QFAST_CALL_REAL_NEG)
    QFAST_TARGETS(kImag, QFAST_CALL_IMAG)
    QFAST_TARGETS(kGivens, QFAST_CALL_GIVENS)
    QFAST_TARGETS(kScaled, QFAST_CALL_SCALED)
    QFAST_CONTROLLED(kGeneral, QFAST_CALL_GENERAL)
    QFAST_CONTROLLED(kGeneralReal, QFAST_CALL_GENERAL_REAL)
    QFAST_CONTROLLED(kExchange, QFAST_CALL_EXCHANGE)
    QFAST_PAIRS(kDense2, QFAST_CALL_DENSE2)
    QFAST_PAIRS(kDense2Real, QFAST_CALL_DENSE2_REAL)
    QFAST_PAIRS(kPairs2, QFAST_CALL_PAIRS2)
    QFAST_PAIRS(kPairs2Scaled, QFAST_CALL_PAIRS2_SCALED)
    QFAST_CASE(kDiagonal, 0) : step_diagonal<T>(x, PerLane<T>{step.constants + step.block_offset[block]});
    break;
    QFAST_DIAGONAL_CASE(0, 0)
    QFAST_DIAGONAL_CASE(1, 1)
    QFAST_DIAGONAL_CASE(2, 2)
    QFAST_DIAGONAL_CASE(4, 3)
#if QFAST_SIMD_BYTES == 64
    QFAST_DIAGONAL_CASE(3, 4)
    QFAST_DIAGONAL_CASE(5, 5)
    QFAST_DIAGONAL_CASE(6, 6)
#endif
    QFAST_CASE(kScale, 0) : step_scale<T>(x, c);
    break;
    default:
      apply_swap_lane<T>(x, step.code);
  }
}

QFAST_INLINE std::uint32_t expand_block(std::uint32_t block, const BlockGeometry& g) {
  for (int k = 0; k < g.num_inserted; ++k) {
    const std::uint32_t below = (1u << g.inserted[k]) - 1;
    block = ((block & ~below) << 1) | (block & below);
  }
  return block | g.fixed_value;
}

QFAST_INLINE void ask_ahead(Prefetch* p, int amplitude_bytes, int vector_bytes) {
  for (std::uint32_t i = 0; i < p->per_block && p->next < p->end; ++i, ++p->next) {
    const std::uint32_t v = p->next;
    const char* at = p->base + (p->high[v >> kMapLowBits] + p->low[v & ((1u << kMapLowBits) - 1)]) *
                                   static_cast<std::uint64_t>(amplitude_bytes);
    for (int line = 0; line < 2 * vector_bytes; line += 64) __builtin_prefetch(at + line, 1, 2);
  }
}

QFAST_INLINE std::uint64_t map_offset(const TileMap& map, std::uint32_t v) {
  return map.high[v >> kMapLowBits] + map.low[v & ((1u << kMapLowBits) - 1)];
}

template <class T>
QFAST_INLINE void load_vector(const BlockIo<T>& io, std::uint32_t v, V<T>& re, V<T>& im) {
  if ((v & io.zero_mask) != 0) {
    re = im = V<T>{};
    return;
  }
  const T* from = io.from + 2 * map_offset(*io.load_map, v);
  deinterleave<T>(load(from), load(from + kLanes<T>), re, im);
}

template <class T>
QFAST_INLINE void store_vector(const BlockIo<T>& io, std::uint32_t v, V<T> re, V<T> im) {
  if ((v & io.skip_mask) != 0) return;
  if (io.scale_re != T(1) || io.scale_im != T(0)) {
    const V<T> sr = set1(io.scale_re), si = set1(io.scale_im), old = re;
    re = fnma(si, im, sr * re);
    im = fma(si, old, sr * im);
  }
  V<T> lo, hi;
  interleave<T>(re, im, lo, hi);
  T* to = io.to + 2 * map_offset(*io.store_map, v);
  store(to, lo);
  store(to + kLanes<T>, hi);
}

template <class T, template <class> class Numbers>
static void run_block(T* tile, const BlockGeometry& g, const LiveStep<T>* steps, int num_steps, const BlockIo<T>& io,
                      Prefetch* prefetch) {
  constexpr std::size_t kStride = 2 * kLanes<T>;  // elements of one complex vector
  std::uint32_t vector_of[kBlockVectors];         // vector index of each block vector, less the block's own
  std::size_t offset[kBlockVectors];
  for (std::uint32_t i = 0; i < kBlockVectors; ++i) {
    vector_of[i] = 0;
    for (int b = 0; b < kBlockBits; ++b) vector_of[i] |= ((i >> b) & 1u) << g.block_bits[b];
    offset[i] = kStride * vector_of[i];
  }
  for (std::uint32_t block = 0; block < g.num_blocks; ++block) {
    const std::uint32_t first = expand_block(block, g);
    T* at = tile + kStride * first;
    Block<T> x;
    if (io.from) {
#pragma GCC unroll 8
      for (int i = 0; i < kBlockVectors; ++i) load_vector<T>(io, first | vector_of[i], x.re[i], x.im[i]);
    } else {
#pragma GCC unroll 8
      for (int i = 0; i < kBlockVectors; ++i) {
        x.re[i] = load(at + offset[i]);
        x.im[i] = load(at + offset[i] + kLanes<T>);
      }
    }
    for (int s = 0; s < num_steps; ++s) apply_step<T, Numbers>(x, steps[s], block);
    if (io.to) {
#pragma GCC unroll 8
      for (int i = 0; i < kBlockVectors; ++i) store_vector<T>(io, first | vector_of[i], x.re[i], x.im[i]);
    } else {
#pragma GCC unroll 8
      for (int i = 0; i < kBlockVectors; ++i) {
        store(at + offset[i], x.re[i]);
        store(at + offset[i] + kLanes<T>, x.im[i]);
      }
    }
    if (prefetch->base) ask_ahead(prefetch, 2 * sizeof(T), QFAST_SIMD_BYTES);
  }
}

template <class T, template <class> class Numbers>
static void run_matrix(T* tile, const BlockGeometry& g, const std::int8_t* targets, int k, const T* matrix,
                       const T* lane_mask, T* scratch) {
  constexpr std::size_t kStride = 2 * kLanes<T>;
  const Numbers<T> numbers{matrix};
  const std::uint32_t dim = 1u << k;
  for (std::uint32_t block = 0; block < g.num_blocks; ++block) {
    T* at = tile + kStride * expand_block(block, g);
    auto offset_of = [&](std::uint32_t i) {
      std::size_t offset = 0;
      for (int b = 0; b < k; ++b) offset |= static_cast<std::size_t>((i >> b) & 1) << targets[b];
      return offset * kStride;
    };
    for (std::uint32_t i = 0; i < dim; ++i) {
      const T* from = at + offset_of(i);
      store(scratch + kStride * i, load(from));
      store(scratch + kStride * i + kLanes<T>, load(from + kLanes<T>));
    }
    for (std::uint32_t r = 0; r < dim; ++r) {
      const Numbers<T> row = numbers.from(2 * static_cast<std::ptrdiff_t>(dim) * r);
      V<T> re{}, im{};
      for (std::uint32_t s = 0; s < dim; ++s) {
        const V<T> mr = row[2 * s], mi = row[2 * s + 1];
        const V<T> xr = load(scratch + kStride * s), xi = load(scratch + kStride * s + kLanes<T>);
        re = fnma(mi, xi, fma(mr, xr, re));
        im = fma(mi, xr, fma(mr, xi, im));
      }
      T* to = at + offset_of(r);
      const auto is_kept = load(lane_mask) == V<T>{};
      store(to, is_kept ? load(scratch + kStride * r) : re);
      store(to + kLanes<T>, is_kept ? load(scratch + kStride * r + kLanes<T>) : im);
    }
  }
}

template <class T>
static void load_tile(T* tile, const BlockIo<T>& io) {
  constexpr std::size_t kStride = 2 * kLanes<T>;
  for (std::uint32_t v = 0; v < io.load_map->num_vectors; ++v) {
    V<T> re, im;
    load_vector<T>(io, v, re, im);
    store(tile + kStride * v, re);
    store(tile + kStride * v + kLanes<T>, im);
  }
}

template <class T>
static void store_tile(const T* tile, const BlockIo<T>& io) {
  constexpr std::size_t kStride = 2 * kLanes<T>;
  for (std::uint32_t v = 0; v < io.store_map->num_vectors; ++v) {
    store_vector<T>(io, v, load(tile + kStride * v), load(tile + kStride * v + kLanes<T>));
  }
}

template <class T>
static constexpr TileKernels<T> tile_kernels() {
  return {kLaneBits<T>,           kBlockBits,
          &run_block<T, Shared>,  &run_block<T, PerLane>,
          &run_matrix<T, Shared>, &run_matrix<T, PerLane>,
          &load_tile<T>,          &store_tile<T>};
}

#undef QFAST_CASE
#undef QFAST_DIAGONAL_CASE
#undef QFAST_TARGETS
#undef QFAST_CONTROLLED
#undef QFAST_PAIRS

}  // namespace qfast::QFAST_SIMD_NS
