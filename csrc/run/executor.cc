#include "run/executor.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <new>

#include "base/aligned_buffer.h"
#include "base/assert.h"
#include "base/bits.h"
#include "base/thread_pool.h"

namespace qfast {
namespace {

constexpr std::uint64_t kPieces = 16;           // of each worker's share of a sweep
constexpr std::size_t kOpsPerLook = 16;         // on a tile, between two looks at the cancel token
constexpr std::uint64_t kLeastMoved = 1 << 13;  // amplitudes of a permutation that a worker is woken for

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

// Memory offset of every vector of a tile, split into a table for the low bits of its number and one for the rest.
void make_map(const std::vector<std::int32_t>& memory_bits, int lane_bits, std::vector<std::uint64_t>& high,
              std::vector<std::uint64_t>& low, std::uint32_t& padding) {
  const int vector_bits = static_cast<int>(memory_bits.size()) - lane_bits;
  const auto offset = [&](std::uint64_t v, int first, int last) {
    std::uint64_t sum = 0;
    for (int b = first; b < last; ++b) {
      const std::int32_t m = memory_bits[to_size(lane_bits + b)];
      if (m >= 0 && ((v >> (b - first)) & 1)) sum |= std::uint64_t{1} << m;
    }
    return sum;
  };
  const int split = std::min(kMapLowBits, vector_bits);
  low.resize(std::size_t{1} << split);
  high.resize(std::size_t{1} << (vector_bits - split));
  for (std::size_t v = 0; v < low.size(); ++v) low[v] = offset(v, 0, split);
  for (std::size_t v = 0; v < high.size(); ++v) high[v] = offset(v, split, vector_bits);
  padding = 0;
  for (int b = 0; b < vector_bits; ++b) {
    if (memory_bits[to_size(lane_bits + b)] < 0) padding |= 1u << b;
  }
}

// A worker's tile, its scratch and its list of live steps; kept from run to run.
template <class T>
class Workspace {
 public:
  static Workspace& of_this_thread() {
    static thread_local Workspace workspace;
    return workspace;
  }

  void prepare(std::size_t tile_numbers, std::size_t scratch_numbers) {
    reserve(tile_, tile_size_, tile_numbers);
    reserve(scratch_, scratch_size_, scratch_numbers);
  }

  T* tile() { return tile_.get(); }
  T* scratch() { return scratch_.get(); }
  std::vector<LiveStep<T>> steps;
  std::vector<std::size_t> steps_end;         // per op
  std::size_t first_live = 0, last_live = 0;  // first and last op that does anything; first_live == ops: none
  std::uint32_t num_live_blocks = 0;

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{4096}); }
  };
  using Buffer = std::unique_ptr<T[], Free>;
  static void reserve(Buffer& buffer, std::size_t& size, std::size_t wanted) {
    if (wanted <= size) return;
    buffer.reset(static_cast<T*>(::operator new[](wanted * sizeof(T), std::align_val_t{4096})));
    size = wanted;
  }
  Buffer tile_, scratch_;
  std::size_t tile_size_ = 0, scratch_size_ = 0;
};

template <class T>
StateBuffer scratch_for_permutations(const Plan& plan, const std::vector<SweepLayout>& layouts) {
  const std::size_t bytes = permutation_bytes(plan, layouts, 2 * sizeof(T));
  if (bytes == 0) return {};
  return StateBufferPool::instance().allocate(bytes, "the scratch of a permutation gate, besides the state itself,");
}

template <class T>
class Run {
 public:
  Run(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
      const TileKernels<T>& kernels, T* amplitudes, T* moved, Start start, SweepRange range, CancelToken* cancel)
      : plan_(plan),
        layouts_(layouts),
        bound_(bound),
        kernels_(kernels),
        amplitudes_(amplitudes),
        moved_(moved),
        start_(start),
        range_{range.first, std::min(range.last, plan.sweeps.size())},
        cancel_(cancel),
        scratch_numbers_(scratch_numbers(plan)) {
    QFAST_ASSERT(layouts.size() == plan.sweeps.size() && bound.sweeps.size() == plan.sweeps.size());
    QFAST_ASSERT(plan.num_qubits <= plan.tile_bits || plan.lane_bits < plan.tile_bits);
    QFAST_ASSERT(range_.first <= range_.last);
    QFAST_ASSERT(plan.lane_bits == kernels.lane_bits);
  }

  std::uint64_t num_tiles(std::size_t s) const { return std::uint64_t{1} << std::popcount(active_outer(s)); }

  // Workers that a sweep has work for.
  std::uint64_t most_workers(std::size_t s) const {
    if (!is_permutation(plan_.sweeps[s])) return num_tiles(s);
    return std::max<std::uint64_t>(1, (std::uint64_t{1} << plan_.num_qubits) / kLeastMoved);
  }

  // Returns false when the token stopped it.
  bool work(Team& team) const {
    for (std::size_t s = range_.first; s < range_.last; ++s) {
      const bool is_done = is_permutation(plan_.sweeps[s]) ? move(s, team) : sweep(s, team);
      if (!is_done) return false;
    }
    if (start_ == Start::kZero && range_.last == plan_.sweeps.size()) clear_uncovered(team);
    return !is_cancelled();
  }

  // See execute_ops.
  bool work_in_tile(std::size_t first, std::size_t last, T* tile) const {
    QFAST_ASSERT(is_one_tile(plan_) && last <= plan_.sweeps[0].ops.size());
    QFAST_ASSERT(reinterpret_cast<std::uintptr_t>(tile) % 64 == 0);
    Workspace<T>& space = Workspace<T>::of_this_thread();
    space.prepare(0, scratch_numbers_);
    const SweepLayout& layout = layouts_[0];
    const BoundSweep& sweep = bound_.sweeps[0];
    if (first == 0 && start_ == Start::kZero) {
      make_zero_state(tile);
    } else if (first == 0) {
      const TileMap map{layout.load_high.data(), layout.load_low.data(), num_vectors()};
      kernels_.load(tile, {.from = amplitudes_, .load_map = &map, .zero_mask = layout.padding});
    }
    const TileMap map{layout.store_high.data(), layout.store_low.data(), num_vectors()};
    const BlockIo<T> to_memory{.to = amplitudes_,
                               .store_map = &map,
                               .skip_mask = layout.store_padding,
                               .scale_re = static_cast<T>(sweep.scale.real()),
                               .scale_im = static_cast<T>(sweep.scale.imag())};
    bool is_stored = false;
    for (std::size_t k = first; k < last; ++k) {
      if (k % kOpsPerLook == kOpsPerLook - 1 && is_cancelled()) return false;
      const BoundOp& op = sweep.ops[k];
      if (op.op->kind == TileOp::Kind::kMatrix) {
        if (holds(op.op->condition, 0)) run_matrix(op, tile, space);
        continue;
      }
      space.steps.clear();
      add_live_steps(op, 0, space);
      if (space.steps.empty()) continue;
      is_stored = k + 1 == sweep.ops.size();
      Prefetch none;
      kernels_.run_block(tile, op.op->geometry, space.steps.data(), static_cast<int>(space.steps.size()),
                         is_stored ? to_memory : BlockIo<T>{}, &none);
    }
    if (last == sweep.ops.size() && !is_stored) kernels_.store(tile, to_memory);
    return true;
  }

 private:
  std::uint64_t active_outer(std::size_t s) const {
    const SweepLayout& layout = layouts_[s];
    return start_ == Start::kZero ? layout.outer_mask & layout.covered : layout.outer_mask;
  }

  static std::size_t scratch_numbers(const Plan& plan) {
    std::size_t widest = 0;
    for (const Sweep& sweep : plan.sweeps) {
      for (const TileOp& op : sweep.ops) {
        if (op.kind == TileOp::Kind::kMatrix) widest = std::max(widest, op.targets.size());
      }
    }
    return widest == 0 ? 0 : std::size_t{2} << (widest + to_size(plan.lane_bits));
  }

  bool is_cancelled() const { return should_stop(cancel_); }

  bool move(std::size_t s, Team& team) const {
    const SweepLayout& layout = layouts_[s];
    const std::uint64_t written = start_ == Start::kZero ? layout.covered : low_mask(plan_.num_qubits);
    const std::uint64_t spectators = active_outer(s) & ~layout.permutation.controls;
    const bool is_done = permute<T>(layout.permutation, bound_.sweeps[s].source, amplitudes_, moved_, spectators,
                                    written, layout.tile_mask & ~written, team, cancel_);
    if (cancel_) cancel_->work_done.fetch_add(num_tiles(s), std::memory_order_relaxed);
    return is_done;
  }

  bool sweep(std::size_t s, Team& team) const {
    // Neighbouring tiles in pieces, taken by whoever is free: a worker whose processor is shared does less.
    const std::uint64_t count = num_tiles(s);
    const std::uint64_t grain = std::max<std::uint64_t>(1, count / (static_cast<std::uint64_t>(team.size()) * kPieces));
    return team.run(static_cast<std::int64_t>((count + grain - 1) / grain), cancel_, [&](Pieces::Taker& pieces) {
      Workspace<T>& space = Workspace<T>::of_this_thread();
      space.prepare(std::size_t{2} << plan_.tile_bits, scratch_numbers_);
      sweep_pieces(s, grain, pieces, space);
    });
  }

  void sweep_pieces(std::size_t s, std::uint64_t grain, Pieces::Taker& pieces, Workspace<T>& space) const {
    const SweepLayout& layout = layouts_[s];
    const std::uint64_t outer = active_outer(s), count = num_tiles(s);
    const TileMap load_map{layout.load_high.data(), layout.load_low.data(), num_vectors()};
    const TileMap store_map{layout.store_high.data(), layout.store_low.data(), num_vectors()};
    const std::uint32_t zero_mask = layout.padding | unwritten_vectors(s);
    const bool is_first = start_ == Start::kZero && layout.covered == 0;
    const BoundSweep& bound = bound_.sweeps[s];
    const bool is_identity_without_steps = !layout.moves && bound.scale == Complex{1.0, 0.0} && zero_mask == 0;
    std::uint64_t t = 0, last = 0;
    for (;; ++t) {
      if (t == last) {
        const std::int64_t piece = pieces.take();
        if (piece == Pieces::Taker::kNone) return;
        t = static_cast<std::uint64_t>(piece) * grain;
        last = std::min(t + grain, count);
      }
      if (is_cancelled()) return;
      const std::uint64_t base = deposit_bits(t, outer);
      collect_live_steps(bound, base, space);
      if (space.first_live < bound.ops.size() || !is_identity_without_steps || is_first) {
        BlockIo<T> io;
        io.from = io.to = amplitudes_ + 2 * base;
        io.load_map = &load_map;
        io.store_map = &store_map;
        io.zero_mask = zero_mask;
        io.skip_mask = layout.store_padding;
        io.scale_re = static_cast<T>(bound.scale.real());
        io.scale_im = static_cast<T>(bound.scale.imag());
        if (is_first) {
          make_zero_state(space.tile());
          io.from = nullptr;
        }
        Prefetch prefetch;
        if (t + 1 < last && zero_mask == 0 && space.num_live_blocks > 0) {
          prefetch.base = reinterpret_cast<const char*>(amplitudes_ + 2 * deposit_bits(t + 1, outer));
          prefetch.high = load_map.high;
          prefetch.low = load_map.low;
          prefetch.end = load_map.num_vectors;
          prefetch.per_block = (load_map.num_vectors + space.num_live_blocks - 1) / space.num_live_blocks;
        }
        run_ops(bound, base, layout.moves, io, space, prefetch);
      }
      if (cancel_) cancel_->work_done.fetch_add(1, std::memory_order_relaxed);
    }
  }

  std::uint32_t num_vectors() const { return 1u << (plan_.tile_bits - plan_.lane_bits); }

  // Vector-index bits whose amplitudes no sweep has written yet: zero in the state, garbage in memory.
  std::uint32_t unwritten_vectors(std::size_t s) const {
    if (start_ != Start::kZero) return 0;
    std::uint32_t mask = 0;
    const auto& bits = plan_.sweeps[s].tile_bits;
    for (std::size_t k = to_size(plan_.lane_bits); k < bits.size(); ++k) {
      if (bits[k] >= 0 && !((layouts_[s].covered >> bits[k]) & 1)) mask |= 1u << (k - to_size(plan_.lane_bits));
    }
    return mask;
  }

  void make_zero_state(T* tile) const {
    std::fill(tile, tile + (std::size_t{2} << plan_.tile_bits), T(0));
    tile[0] = T(1);
  }

  static bool holds(const OuterCondition& c, std::uint64_t base) { return (base & c.mask) == c.value; }

  void collect_live_steps(const BoundSweep& sweep, std::uint64_t base, Workspace<T>& space) const {
    space.steps.clear();
    space.steps_end.clear();
    space.first_live = sweep.ops.size();
    space.num_live_blocks = 0;
    for (std::size_t k = 0; k < sweep.ops.size(); ++k) {
      const BoundOp& op = sweep.ops[k];
      const std::size_t before = space.steps.size();
      add_live_steps(op, base, space);
      space.steps_end.push_back(space.steps.size());
      const bool is_matrix = op.op->kind == TileOp::Kind::kMatrix && holds(op.op->condition, base);
      if (space.steps.size() == before && !is_matrix) continue;
      space.first_live = std::min(space.first_live, k);
      space.last_live = k;
      if (!is_matrix) space.num_live_blocks += op.op->geometry.num_blocks;
    }
  }

  void add_live_steps(const BoundOp& op, std::uint64_t base, Workspace<T>& space) const {
    for (std::size_t i = op.first_step; i < op.last_step; ++i) {
      const BoundStep& step = bound_.steps[i];
      if (!holds(step.condition, base)) continue;
      LiveStep<T> live{bound_.arena.data() + step.constants, nullptr, step.code};
      if (step.group) {
        live.constants += slice_offset(*step.group, base);
        live.block_offset = step.group->block_offset.data();
      }
      space.steps.push_back(live);
    }
  }

  void run_matrix(const BoundOp& op, T* tile, Workspace<T>& space) const {
    kernels_.run_matrix(tile, op.op->geometry, op.op->targets.data(), static_cast<int>(op.op->targets.size()),
                        bound_.arena.data() + op.matrix, bound_.arena.data() + op.lane_mask, space.scratch());
  }

  static std::size_t slice_offset(const DiagonalGroup& group, std::uint64_t base) {
    if (group.is_parity) return static_cast<std::size_t>(parity(base & group.outer_mask)) << (group.inner_bits + 1);
    std::size_t slice = 0;
    for (std::size_t k = 0; k < group.outer_bits.size(); ++k) slice |= ((base >> group.outer_bits[k]) & 1) << k;
    return slice << (group.inner_bits + 1);
  }

  // The first live op reads memory and the last one writes it, where they are blocks: a tile that is both must not
  // write what another of its blocks has yet to read.
  void run_ops(const BoundSweep& sweep, std::uint64_t base, bool moves, const BlockIo<T>& io, Workspace<T>& space,
               Prefetch& prefetch) const {
    const std::size_t none = sweep.ops.size(), first = space.first_live, last = space.last_live;
    const auto is_block = [&](std::size_t k) { return k < none && sweep.ops[k].op->kind == TileOp::Kind::kBlock; };
    const bool first_reads = io.from && is_block(first);
    const bool last_writes = first < none && is_block(last) && (first != last || !moves || !first_reads);
    if (io.from && !first_reads) kernels_.load(space.tile(), io);
    for (std::size_t k = first; first < none && k <= last; ++k) {
      if (k % kOpsPerLook == kOpsPerLook - 1 && is_cancelled()) return;
      const BoundOp& op = sweep.ops[k];
      const std::size_t begin = k == 0 ? 0 : space.steps_end[k - 1], end = space.steps_end[k];
      if (op.op->kind == TileOp::Kind::kBlock) {
        if (end == begin) continue;
        BlockIo<T> block_io = io;
        if (k != first || !first_reads) block_io.from = nullptr;
        if (k != last || !last_writes) block_io.to = nullptr;
        kernels_.run_block(space.tile(), op.op->geometry, space.steps.data() + begin, static_cast<int>(end - begin),
                           block_io, &prefetch);
      } else if (holds(op.op->condition, base)) {
        run_matrix(op, space.tile(), space);
      }
    }
    if (!last_writes) kernels_.store(space.tile(), io);
  }

  // Qubits that no sweep has touched: every amplitude with one of them at 1 is zero and has not been written.
  void clear_uncovered(Team& team) const {
    if (layouts_.empty()) amplitudes_[0] = T(1), amplitudes_[1] = T(0);
    const std::uint64_t all = low_mask(plan_.num_qubits);
    const std::uint64_t covered = layouts_.empty() ? 0 : layouts_.back().covered | layouts_.back().tile_mask;
    const std::uint64_t uncovered = all & ~covered;
    if (uncovered == 0) return;
    const int run_bits = std::countr_zero(uncovered);
    const std::uint64_t count = (all + 1) >> run_bits;
    const std::uint64_t grain = std::max<std::uint64_t>(1, kLeastMoved >> run_bits);
    parallel_for(team, static_cast<std::int64_t>(count), static_cast<std::int64_t>(grain), cancel_,
                 [&](std::int64_t first, std::int64_t last) {
                   for (auto r = static_cast<std::uint64_t>(first); r < static_cast<std::uint64_t>(last); ++r) {
                     if (((r << run_bits) & uncovered) == 0) continue;
                     std::fill_n(amplitudes_ + (r << (run_bits + 1)), std::uint64_t{2} << run_bits, T(0));
                   }
                 });
  }

  const Plan& plan_;
  const std::vector<SweepLayout>& layouts_;
  const BoundPlan<T>& bound_;
  const TileKernels<T>& kernels_;
  T* amplitudes_;
  T* moved_;  // scratch of permutations, or null
  Start start_;
  SweepRange range_;
  CancelToken* cancel_;
  std::size_t scratch_numbers_;
};

}  // namespace

std::vector<SweepLayout> lay_out(const Plan& plan) {
  std::vector<SweepLayout> layouts;
  std::uint64_t covered = 0;
  for (const Sweep& sweep : plan.sweeps) {
    SweepLayout l;
    if (is_permutation(sweep)) {
      l.permutation = lay_out_permutation(sweep);
    } else {
      make_map(sweep.tile_bits, plan.lane_bits, l.load_high, l.load_low, l.padding);
      make_map(sweep.store_bits, plan.lane_bits, l.store_high, l.store_low, l.store_padding);
    }
    for (const std::int32_t b : sweep.outer_bits) l.outer_mask |= std::uint64_t{1} << b;
    l.tile_mask = low_mask(plan.num_qubits) & ~l.outer_mask;
    // Later sweeps take it that all earlier ones have written whole vectors.
    if (is_permutation(sweep)) l.tile_mask |= low_mask(std::min(plan.lane_bits, plan.num_qubits));
    l.covered = covered;
    covered |= l.tile_mask;
    l.moves = sweep.tile_bits != sweep.store_bits;
    layouts.push_back(std::move(l));
  }
  return layouts;
}

std::size_t permutation_bytes(const Plan& plan, const std::vector<SweepLayout>& layouts, std::size_t amplitude_bytes) {
  std::size_t most = 0;
  for (std::size_t s = 0; s < layouts.size(); ++s) {
    if (!is_permutation(plan.sweeps[s])) continue;
    most = std::max(most, permutation_scratch(layouts[s].permutation, plan.num_qubits) * amplitude_bytes);
  }
  return most;
}

template <class T>
bool execute(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
             const TileKernels<T>& kernels, T* amplitudes, Start start, const RunOptions& options, SweepRange range) {
  const StateBuffer moved = scratch_for_permutations<T>(plan, layouts);
  const Run<T> run(plan, layouts, bound, kernels, amplitudes, static_cast<T*>(moved.data()), start, range,
                   options.cancel);
  std::uint64_t total = 0, most = 1;
  for (std::size_t s = range.first; s < std::min(range.last, layouts.size()); ++s) {
    total += run.num_tiles(s);
    most = std::max(most, run.most_workers(s));
  }
  if (options.cancel) {
    options.cancel->work_done.store(0);
    options.cancel->work_total.store(total);
  }
  Team team(static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(options.threads), most)));
  return run.work(team);
}

template <class T>
bool execute_here(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
                  const TileKernels<T>& kernels, T* amplitudes, Start start, CancelToken* cancel, SweepRange range) {
  const StateBuffer moved = scratch_for_permutations<T>(plan, layouts);
  Team alone(1);
  return Run<T>(plan, layouts, bound, kernels, amplitudes, static_cast<T*>(moved.data()), start, range, cancel)
      .work(alone);
}

bool is_one_tile(const Plan& plan) {
  return plan.sweeps.size() == 1 && plan.sweeps[0].outer_bits.empty() && !is_permutation(plan.sweeps[0]);
}

template <class T>
bool execute_ops(const Plan& plan, const std::vector<SweepLayout>& layouts, const BoundPlan<T>& bound,
                 const TileKernels<T>& kernels, Start start, std::size_t first, std::size_t last, T* tile,
                 T* amplitudes, CancelToken* cancel) {
  return Run<T>(plan, layouts, bound, kernels, amplitudes, nullptr, start, {}, cancel).work_in_tile(first, last, tile);
}

template bool execute_here<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                                  const TileKernels<float>&, float*, Start, CancelToken*, SweepRange);
template bool execute_here<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                                   const TileKernels<double>&, double*, Start, CancelToken*, SweepRange);
template bool execute<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                             const TileKernels<float>&, float*, Start, const RunOptions&, SweepRange);
template bool execute<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                              const TileKernels<double>&, double*, Start, const RunOptions&, SweepRange);
template bool execute_ops<float>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<float>&,
                                 const TileKernels<float>&, Start, std::size_t, std::size_t, float*, float*,
                                 CancelToken*);
template bool execute_ops<double>(const Plan&, const std::vector<SweepLayout>&, const BoundPlan<double>&,
                                  const TileKernels<double>&, Start, std::size_t, std::size_t, double*, double*,
                                  CancelToken*);

}  // namespace qfast
