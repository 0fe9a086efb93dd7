// What the planner and the executor know of the tile kernels. A tile is 2^t amplitudes in a cache-resident buffer, in
// split form by vectors: kLanes real parts, then the kLanes imaginary parts of the same amplitudes. Tile bit k is bit k
// of the amplitude's index inside the tile; the lowest `lane_bits` tile bits lie inside a vector.
//
// A block op loads 2^kBlockBits vectors that differ in `kBlockBits` tile bits into registers, applies a list of steps
// to them, and writes them back: the memory traffic of one pass is shared by all its steps. Gates only ever act on
// block bits, never on lane bits; a step that exchanges a lane bit with a block bit brings lane qubits into reach.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qfast {

constexpr int kMaxBlockBits = 3;
constexpr int kMaxTileBits = 20;
constexpr int kMaxInsertedBits = 32;

// x0, x1: the amplitudes whose target bit is 0 and 1. Scalars are taken from the step's constants in this order.
enum class StepKind : std::uint8_t {
  kReal,         // x0' = x0 + a x1, x1' = x1 + b x0                          (a, b real)
  kRealNeg,      // x0' = x0 + a x1, x1' = b x0 - x1
  kImag,         // x0' = x0 + i a x1, x1' = x1 + i b x0                      (a, b real)
  kGivens,       // x0' = x0 + a x1, x1' = x1 + b x0                          (a, b complex)
  kScaled,       // x0' = x0 + a x1, x1' = b x0 + d x1                        (a, b, d complex)
  kGeneral,      // x0' = m00 x0 + m01 x1, x1' = m10 x0 + m11 x1              (complex; may be controlled by block bits)
  kGeneralReal,  // the same with real numbers
  kExchange,     // x0' = x1, x1' = x0                                         (may be controlled by block bits)
  kDense2,       // 4 x 4 complex on block bits (j, k), row-major, j least significant
  kDense2Real,
  kPairs2,          // 2 x 2 complex on (|00>, |11>), then 2 x 2 complex on (|01>, |10>)
  kPairs2Scaled,    // the same with 1 at |00>: a, b, d of kScaled, then 2 x 2
  kDiagonal,        // one complex vector per block vector: re lanes, im lanes
  kDiagonalScalar,  // one complex number per block vector
  kSwapLane,        // exchange lane bit k with block bit j
  kScale,           // multiply by one complex number
};

// variant: target j, plus 3 * (control mask over the two other block bits, in ascending order) for kGeneral,
// kGeneralReal and kExchange; pair index (01, 02, 12) for the two-qubit steps; j + 3 * lane bit for kSwapLane; for
// kDiagonalScalar 1 + j, or 4 + pair index, if vectors with that block bit, or one of the two, at 0 stay as they are.
constexpr std::uint16_t step_code(StepKind kind, int variant) {
  return static_cast<std::uint16_t>(static_cast<int>(kind) * 16 + variant);
}

// A step as a kernel sees it, made for each tile from the bound plan.
template <class T>
struct LiveStep {
  const T* constants;                 // numbers or table of the step
  const std::uint32_t* block_offset;  // diagonal steps: offset into the table by block number, or null
  std::uint16_t code;
};

struct BlockGeometry {
  std::int8_t num_inserted = 0;                 // block bits and fixed bits
  std::int8_t inserted[kMaxInsertedBits] = {};  // vector-index positions, ascending
  std::int8_t block_bits[kMaxBlockBits] = {};   // vector-index positions, ascending
  std::uint32_t fixed_value = 0;                // vector index bits held at 1
  std::uint32_t num_blocks = 0;
};

// The lines of the next tile, asked for a few at a time while this one is computed.
struct Prefetch {
  const char* base = nullptr;           // null: nothing to ask for
  const std::uint64_t* high = nullptr;  // as in TileMap, in amplitudes
  const std::uint64_t* low = nullptr;
  std::uint32_t next = 0, end = 0;  // in vectors
  std::uint32_t per_block = 0;
};

// Where the vectors of a tile lie in memory: vector v starts at amplitude base + high[v >> low_bits] + low[v & mask].
constexpr int kMapLowBits = 6;
struct TileMap {
  const std::uint64_t* high;
  const std::uint64_t* low;
  std::uint32_t num_vectors;
};

// Lets the first block op of a tile read memory itself and the last one write it: a pass over the tile's buffer less
// each.
template <class T>
struct BlockIo {
  const T* from = nullptr;  // null: the tile's buffer
  const TileMap* load_map = nullptr;
  std::uint32_t zero_mask = 0;  // vectors whose index has one of these bits are known to be zero and not read
  T* to = nullptr;              // null: the tile's buffer
  const TileMap* store_map = nullptr;
  std::uint32_t skip_mask = 0;  // vectors whose index has one of these bits are padding and not written
  T scale_re = 1, scale_im = 0;
};

template <class T>
struct TileKernels {
  int lane_bits;
  int block_bits;
  using RunBlock = void (*)(T* tile, const BlockGeometry&, const LiveStep<T>* steps, int num_steps, const BlockIo<T>&,
                            Prefetch*);
  RunBlock run_block;
  // The same for a tile whose lanes are states of their own: every number of a step is a vector, one number a lane.
  // There is no kDiagonal, kSwapLane.
  RunBlock run_block_of_states;
  // Dense 2^k x 2^k matrix (row-major re, im pairs) on k vector-index positions (first = least significant), on the
  // lanes whose lane_mask entry is not zero. scratch: 2^(k+1) vectors.
  using RunMatrix = void (*)(T* tile, const BlockGeometry&, const std::int8_t* targets, int k, const T* matrix,
                             const T* lane_mask, T* scratch);
  RunMatrix run_matrix;
  RunMatrix run_matrix_of_states;  // as run_block_of_states
  // Memory to tile and back, for tiles whose first or last op cannot do it.
  void (*load)(T* tile, const BlockIo<T>&);
  void (*store)(const T* tile, const BlockIo<T>&);
};

}  // namespace qfast
