#include "run/tune.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "circuit/gates.h"
#include "kernels/kernel_table.h"
#include "plan/bind.h"
#include "run/executor.h"
#include "run/rendezvous.h"

namespace qfast {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMinTileBits = 7;  // three block bits beside the lanes of the widest vectors
constexpr int kMaxQubits = 40;
constexpr int kStepsPerBlock = 2;

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

void check_range(std::int64_t value, std::int64_t least, std::int64_t most, const char* name) {
  if (value >= least && value <= most) return;
  throw Error(ErrorKind::kInput, std::string(name) + " is " + std::to_string(value) + "; it may be " +
                                     std::to_string(least) + " to " + std::to_string(most));
}

// Tiles with runs shorter than a vector would share vectors: no plan has them.
void check_tile(int num_qubits, const std::vector<std::int32_t>& tile_bits, int lane_bits) {
  check_range(static_cast<std::int64_t>(tile_bits.size()), kMinTileBits, std::min(kMaxTileBits, num_qubits),
              "the number of tile bits");
  for (std::size_t k = 0; k < tile_bits.size(); ++k) {
    const std::int32_t least = k == 0 ? 0 : tile_bits[k - 1] + 1;
    check_range(tile_bits[k], least, num_qubits - 1, "a tile bit");
  }
  for (std::int32_t b = 0; b < lane_bits; ++b) {
    if (tile_bits[to_size(b)] == b) continue;
    throw Error(ErrorKind::kInput, "bit " + std::to_string(b) +
                                       " of memory is not among the tile's bits, whose lowest must be 0 to " +
                                       std::to_string(lane_bits - 1) + ": those of one vector");
  }
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A circuit whose only gate is a dense unitary on two qubits: the node that every step of a measured sweep applies. Its
// square is not the identity and no entry is zero.
FlatCircuit dense_pair_circuit(int num_qubits) {
  FlatCircuit circuit;
  circuit.num_qubits = num_qubits;
  circuit.opcodes = {static_cast<std::uint16_t>(k_unitary)};
  circuit.num_controls = {0};
  circuit.ctrl_states = {0};
  circuit.data = {0};
  circuit.qubit_end = {2};
  circuit.qubits = {0, 1};
  circuit.param_end = {0};
  const Complex a{0.6, 0.0}, b{0.0, 0.8}, c{0.28, 0.96};  // unit rows of A (x) B
  const std::array<Complex, 4> one{a, b, b, a}, two{c * a, -c * b, c * b, -c * a};
  std::vector<Complex> matrix(16);
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t s = 0; s < 4; ++s) {
      matrix[4 * r + s] = one[2 * (r >> 1) + (s >> 1)] * std::conj(two[2 * (s & 1) + (r & 1)]);
    }
  }
  circuit.complex_data.push_back(std::move(matrix));
  return circuit;
}

// One sweep of block ops that take the tile's bits in turn.
template <class T>
Plan one_sweep(const FlatCircuit& circuit, const std::vector<std::int32_t>& tile_bits, int num_steps,
               const TileKernels<T>& kernels) {
  Plan plan;
  plan.num_qubits = circuit.num_qubits;
  plan.tile_bits = static_cast<int>(tile_bits.size());
  plan.lane_bits = kernels.lane_bits;
  plan.block_bits = kernels.block_bits;
  plan.lowered = lower(circuit, plan.costs.steps);
  Sweep sweep;
  sweep.tile_bits = sweep.store_bits = tile_bits;
  for (std::int32_t b = 0; b < circuit.num_qubits; ++b) {
    if (!std::ranges::binary_search(tile_bits, b)) sweep.outer_bits.push_back(b);
  }
  const int vector_bits = plan.tile_bits - plan.lane_bits;
  int next = 0;
  for (int done = 0; done < num_steps; done += kStepsPerBlock) {
    TileOp op;
    BlockGeometry& g = op.geometry;
    g.num_inserted = static_cast<std::int8_t>(plan.block_bits);
    std::vector<int> bits;
    for (int b = 0; b < plan.block_bits; ++b) bits.push_back((next + b) % vector_bits);
    next = (next + plan.block_bits) % vector_bits;
    std::ranges::sort(bits);
    for (std::size_t b = 0; b < bits.size(); ++b) g.inserted[b] = g.block_bits[b] = static_cast<std::int8_t>(bits[b]);
    g.num_blocks = 1u << (vector_bits - plan.block_bits);
    for (int s = 0; s < std::min(kStepsPerBlock, num_steps - done); ++s) {
      PlanStep step{};
      step.kind = PlanStep::Kind::kTwo;
      step.target = 0;
      step.second = 1;
      step.is_reversed = s % 2 == 1;
      op.steps.push_back(step);
    }
    sweep.ops.push_back(std::move(op));
  }
  plan.sweeps.push_back(std::move(sweep));
  return plan;
}

template <class T>
double time_sweep(int num_qubits, const std::vector<std::int32_t>& tile_bits, int num_steps, Isa isa, int threads,
                  int repeats) {
  const TileKernels<T>& kernels = tile_kernels_of<T>(kernels_for(isa));
  check_tile(num_qubits, tile_bits, kernels.lane_bits);
  const FlatCircuit circuit = dense_pair_circuit(num_qubits);
  const Plan plan = one_sweep<T>(circuit, tile_bits, num_steps, kernels);
  const std::vector<SweepLayout> layouts = lay_out(plan);
  BoundPlan<T> bound;
  bind<T>(plan, circuit, kernels_for(isa).trig, nullptr, bound);
  const StateBuffer buffer =
      StateBufferPool::instance().allocate((std::size_t{2} << num_qubits) * sizeof(T), "a state to measure sweeps on");
  T* state = static_cast<T*>(buffer.data());
  const std::size_t numbers = std::size_t{2} << num_qubits;
  parallel_for(threads, static_cast<std::int64_t>(numbers), 1 << 20, [&](std::int64_t first, std::int64_t last) {
    std::fill(state + first, state + last, T(1) / static_cast<T>(numbers));
  });
  double best = 0;
  for (int i = 0; i <= repeats; ++i) {
    const Clock::time_point start = Clock::now();
    execute<T>(plan, layouts, bound, kernels, state, Start::kGiven, RunOptions{.threads = threads});
    const double seconds = seconds_since(start);
    if (i == 1 || (i > 1 && seconds < best)) best = seconds;
  }
  return best;
}

struct MeasuredStep {
  std::string_view kind;
  std::array<std::uint16_t, 3> codes;  // on the block's bits in turn
};

// Controlled steps: the control is the lower of the two other block bits.
constexpr MeasuredStep kMeasuredSteps[] = {
    {"one", {step_code(StepKind::kScaled, 0), step_code(StepKind::kScaled, 1), step_code(StepKind::kScaled, 0)}},
    {"controlled",
     {step_code(StepKind::kGeneral, 3), step_code(StepKind::kGeneral, 4), step_code(StepKind::kGeneral, 3)}},
    {"exchange",
     {step_code(StepKind::kExchange, 3), step_code(StepKind::kExchange, 4), step_code(StepKind::kExchange, 3)}},
    {"diagonal",
     {step_code(StepKind::kDiagonal, 0), step_code(StepKind::kDiagonal, 0), step_code(StepKind::kDiagonal, 0)}},
    {"pairs",
     {step_code(StepKind::kPairs2Scaled, 0), step_code(StepKind::kPairs2Scaled, 0),
      step_code(StepKind::kPairs2Scaled, 0)}},
    {"dense_pair", {step_code(StepKind::kDense2, 0), step_code(StepKind::kDense2, 0), step_code(StepKind::kDense2, 0)}},
};

const MeasuredStep& find_step(std::string_view kind) {
  const auto found = std::ranges::find(kMeasuredSteps, kind, &MeasuredStep::kind);
  if (found != std::end(kMeasuredSteps)) return *found;
  std::string known;
  for (const MeasuredStep& s : kMeasuredSteps) known += (known.empty() ? "" : ", ") + std::string(s.kind);
  throw Error(ErrorKind::kInput, "a step of kind '" + std::string(kind) + "' was asked for; known are " + known);
}

// Seconds of one pass of a block op with `num_steps` steps over a tile, with every thread at work on its own.
template <class T>
double time_block(const MeasuredStep& measured, int num_steps, int tile_bits, const TileKernels<T>& kernels,
                  int threads, int repeats) {
  constexpr std::int64_t kAmplitudesPerTiming = 1 << 19;
  const std::int64_t passes = std::max<std::int64_t>(1, kAmplitudesPerTiming >> tile_bits);
  const int vector_bits = tile_bits - kernels.lane_bits;
  BlockGeometry g;
  g.num_inserted = static_cast<std::int8_t>(kernels.block_bits);
  for (int b = 0; b < kernels.block_bits; ++b) g.inserted[b] = g.block_bits[b] = static_cast<std::int8_t>(b);
  g.num_blocks = 1u << (vector_bits - kernels.block_bits);
  // Numbers that any kind may read: re, im of 1 and 0 and so on do not change the time, only the amplitudes.
  const std::size_t table = std::size_t{2} << (kernels.block_bits + kernels.lane_bits);
  const StateBuffer constants = StateBufferPool::instance().allocate(std::max<std::size_t>(table, 64) * sizeof(T));
  std::fill_n(static_cast<T*>(constants.data()), std::max<std::size_t>(table, 64), T(0.25));
  const std::vector<std::uint32_t> block_offset(g.num_blocks, 0);
  std::vector<LiveStep<T>> steps;
  for (int s = 0; s < num_steps; ++s) {
    steps.push_back({static_cast<const T*>(constants.data()), block_offset.data(), measured.codes[to_size(s % 3)]});
  }
  const std::size_t tile_numbers = std::size_t{2} << tile_bits;
  const StateBuffer tiles =
      StateBufferPool::instance().allocate(to_size(threads) * tile_numbers * sizeof(T), "tiles to measure steps on");
  double best = 0;
  const bool is_measured = run_together(threads, [&](int worker, Rendezvous& rendezvous) {
    T* tile = static_cast<T*>(tiles.data()) + to_size(worker) * tile_numbers;
    for (int i = 0; i <= repeats; ++i) {
      std::fill(tile, tile + tile_numbers, T(1));
      if (!rendezvous.meet()) return false;
      const Clock::time_point start = Clock::now();
      Prefetch nothing;
      for (std::int64_t p = 0; p < passes; ++p) {
        kernels.run_block(tile, g, steps.data(), num_steps, BlockIo<T>{}, &nothing);
      }
      if (!rendezvous.meet()) return false;
      const double seconds = seconds_since(start) / static_cast<double>(passes);
      if (worker == 0 && (i == 1 || (i > 1 && seconds < best))) best = seconds;
    }
    return true;
  });
  if (!is_measured) throw_no_threads(threads);
  return best;
}

template <class T>
double time_step(const MeasuredStep& measured, int tile_bits, Isa isa, int threads, int repeats) {
  constexpr int kFew = 4, kMany = 16;
  const TileKernels<T>& kernels = tile_kernels_of<T>(kernels_for(isa));
  const double few = time_block<T>(measured, kFew, tile_bits, kernels, threads, repeats);
  const double many = time_block<T>(measured, kMany, tile_bits, kernels, threads, repeats);
  return (many - few) / (kMany - kFew) / static_cast<double>(std::int64_t{1} << tile_bits);
}

}  // namespace

double measure_sweep(int num_qubits, const std::vector<std::int32_t>& tile_bits, int num_steps, Precision precision,
                     Isa isa, int threads, int repeats) {
  check_range(num_qubits, kMinTileBits, kMaxQubits, "num_qubits");
  check_range(num_steps, 1, 1000, "num_steps");
  check_range(threads, 1, ThreadPool::kMaxThreads, "threads");
  check_range(repeats, 1, 1000, "repeats");
  return precision == Precision::kComplex64
             ? time_sweep<float>(num_qubits, tile_bits, num_steps, isa, threads, repeats)
             : time_sweep<double>(num_qubits, tile_bits, num_steps, isa, threads, repeats);
}

double measure_step(std::string_view kind, int tile_bits, Precision precision, Isa isa, int threads, int repeats) {
  const MeasuredStep& measured = find_step(kind);
  check_range(tile_bits, kMinTileBits, kMaxTileBits, "tile_bits");
  check_range(threads, 1, ThreadPool::kMaxThreads, "threads");
  check_range(repeats, 1, 1000, "repeats");
  return precision == Precision::kComplex64 ? time_step<float>(measured, tile_bits, isa, threads, repeats)
                                            : time_step<double>(measured, tile_bits, isa, threads, repeats);
}

}  // namespace qfast
