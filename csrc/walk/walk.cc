#include "walk/walk.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>
#include <vector>

#include "base/flush_denormals.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "walk/lane_walker.h"

namespace qfast {
namespace {

// Shots that are walked together: their rows and lists take some 30 bytes each.
constexpr std::int64_t kChunk = std::int64_t{1} << 20;
// With fewer branches abreast a second thread brings nothing.
constexpr std::size_t kWideForThread = 128;

std::vector<int> widths_of(const WalkScript& script) {
  if (script.is_density) return std::vector<int>(script.steps.size() + 1, 2 * script.num_qubits);
  std::vector<int> widths{script.num_qubits};
  for (const WalkStep& step : script.steps) {
    widths.push_back(widths.back() + (step.kind == WalkStepKind::kAlloc) - (step.kind == WalkStepKind::kFree));
  }
  return widths;
}

std::size_t most_outcomes(const WalkScript& script) {
  std::size_t most = 2;
  for (const WalkChannel& channel : script.channels) most = std::max(most, channel.operators.size());
  return most;
}

// The stretch's parameters in order, and which of them differ from branch to branch.
template <class T>
LaneProgram<T> program_of(const WalkScript& script, std::size_t stretch, std::span<const double> values) {
  std::vector<double> own;
  std::vector<std::uint8_t> is_variable;
  for (std::int32_t p : script.angles[stretch]) {
    own.push_back(p >= 0 ? values[static_cast<std::size_t>(p)] : 0.0);
    is_variable.push_back(p < 0);
  }
  return LaneProgram<T>(script.segments[stretch], own, is_variable);
}

bool has_parameters(const WalkScript& script, std::size_t stretch) {
  return std::ranges::any_of(script.angles[stretch], [](std::int32_t p) { return p >= 0; });
}

}  // namespace

// --- plans -----------------------------------------------------------------------------------------------------------

// Stretches of gates without parameters, by number; the others wait for their values.
template <class T>
struct WalkPlan::Stretches {
  std::vector<std::optional<LaneProgram<T>>> programs;

  explicit Stretches(const WalkScript& script) : programs(script.segments.size()) {
    for (std::size_t g = 0; g < programs.size(); ++g) {
      if (!has_parameters(script, g)) programs[g].emplace(program_of<T>(script, g, {}));
    }
  }
};

template <class T>
const WalkPlan::Stretches<T>& WalkPlan::stretches() const {
  if constexpr (sizeof(T) == 4) {
    return *stretches32_;
  } else {
    return *stretches64_;
  }
}

WalkPlan::WalkPlan(WalkScript script, Precision precision, Isa isa)
    : script_(std::move(script)),
      precision_(precision),
      isa_(isa),
      widths_(widths_of(script_)),
      most_outcomes_(most_outcomes(script_)) {
  if (precision == Precision::kComplex64) {
    stretches32_ = std::make_unique<const Stretches<float>>(script_);
  } else {
    stretches64_ = std::make_unique<const Stretches<double>>(script_);
  }
}

WalkPlan::~WalkPlan() = default;

// --- runs ------------------------------------------------------------------------------------------------------------

struct Walk::Impl {
  virtual ~Impl() = default;
  virtual void begin(WalkMode mode, const ShotRange& shots, std::uint8_t* rows) = 0;
  virtual bool step(std::chrono::steady_clock::time_point deadline, CancelToken* cancel) = 0;
  virtual bool has_leaf() const = 0;
  virtual WalkLeaf leaf() const = 0;
  virtual void copy_leaf_rows(std::uint8_t* to) const = 0;
  virtual void copy_leaf_state(void* amplitudes) const = 0;
  virtual Histogram histogram() const = 0;
  virtual WalkFigures figures() const = 0;
};

template <class T>
struct Walk::ImplOf final : Walk::Impl {
  std::shared_ptr<const WalkPlan> plan;
  const WalkScript& script;
  WalkOptions options;
  int max_qubits;
  std::vector<double> values;
  std::vector<T> initial;
  std::vector<LaneProgram<T>> own_programs;  // of stretches with parameters
  std::vector<const LaneProgram<T>*> programs;
  WalkRun<T> run;
  BranchLimits limits{};

  ShotRange shots;
  std::int64_t next_shot = 0;  // of the next chunk
  std::int64_t chunk_shots = 0;
  std::uint8_t* out_rows = nullptr;
  std::vector<std::uint64_t> rows;
  // The first walks alone; where it has many branches its packs go to the others, one for each thread.
  std::vector<std::unique_ptr<LaneWalker<T>>> walkers;
  bool is_wide = false, is_running = false, at_leaf = false, is_finished = false;
  RowHistogram counted;
  WalkFigures done;
  WalkError error;

  ImplOf(std::shared_ptr<const WalkPlan> given, std::span<const double> given_values, const void* state,
         const WalkOptions& given_options)
      : plan(std::move(given)),
        script(plan->script_),
        options(given_options),
        max_qubits(std::ranges::max(plan->widths_)),
        values(given_values.begin(), given_values.end()),
        counted(script.num_bits) {
    if (state != nullptr) {
      const T* const amplitudes = static_cast<const T*>(state);
      initial.assign(amplitudes, amplitudes + (std::size_t{2} << plan->widths_.front()));
    }
    const auto& prepared = plan->stretches<T>().programs;
    own_programs.reserve(prepared.size());
    for (std::size_t g = 0; g < prepared.size(); ++g) {
      if (!prepared[g]) own_programs.push_back(program_of<T>(script, g, values));
      programs.push_back(prepared[g] ? &*prepared[g] : &own_programs.back());
    }
    run.script = &script;
    run.programs = &programs;
    run.widths = &plan->widths_;
    run.kernels = &kernels_for(plan->isa_);
    run.values = values;
    run.initial = initial.empty() ? nullptr : initial.data();
    run.cutoff = options.cutoff;
    run.max_loop_passes = options.max_loop_passes;
  }

  void begin(WalkMode mode, const ShotRange& range, std::uint8_t* to) override {
    run.mode = mode;
    run.seed = range.seed;
    shots = range;
    out_rows = to;
    next_shot = 0;
    chunk_shots = std::min(kChunk, std::max<std::int64_t>(range.num_shots, 0));
    const auto count = static_cast<std::size_t>(chunk_shots);
    limits = branch_limits(count, (2 * sizeof(T)) << max_qubits, walk_kernels_of<T>(*run.kernels).lanes,
                           plan->most_outcomes_);
    const auto words = static_cast<std::size_t>(row_words(script.num_bits));
    rows.assign(count * words, 0);
    run.rows = rows.data();
    walkers.clear();
    walkers.push_back(std::make_unique<LaneWalker<T>>(run, max_qubits, limits));
    counted = RowHistogram(script.num_bits);
    done = {};
    error = {};
    is_running = at_leaf = is_wide = is_finished = false;
    done.size_bytes = walkers.front()->size_bytes();
  }

  // Shots [next_shot, next_shot + chunk_shots), or what is left of them.
  void begin_chunk() {
    const std::int64_t count = std::min(chunk_shots, shots.num_shots - next_shot);
    if (next_shot != 0) std::ranges::fill(rows, std::uint64_t{0});
    run.first_shot = shots.first_shot + static_cast<std::uint64_t>(next_shot);
    walkers.front()->begin(static_cast<std::size_t>(count));
    is_wide = false;
    is_running = true;
  }

  void end_chunk() {
    const std::int64_t count = std::min(chunk_shots, shots.num_shots - next_shot);
    const auto words = static_cast<std::size_t>(row_words(script.num_bits));
    const auto bytes = static_cast<std::size_t>(row_bytes(script.num_bits));
    if (run.mode == WalkMode::kRows) {
      for (std::int64_t i = 0; i < count; ++i) {
        write_row(rows.data() + static_cast<std::size_t>(i) * words, script.num_bits,
                  out_rows + static_cast<std::size_t>(next_shot + i) * bytes);
      }
    }
    is_running = false;
    next_shot += std::max<std::int64_t>(count, 1);
  }

  bool step(std::chrono::steady_clock::time_point deadline, CancelToken* cancel) override {
    at_leaf = false;
    for (;;) {
      if (!is_running) {
        if (next_shot != 0 && next_shot >= shots.num_shots) return finish();
        begin_chunk();
      }
      if (!(is_wide ? walk_side_by_side(deadline, cancel) : walk_alone(deadline, cancel))) return false;
      for (std::size_t k = 1; k < walkers.size(); ++k) collect(*walkers[k]);
      walkers.resize(1);
      end_chunk();
    }
  }

  bool walk_alone(std::chrono::steady_clock::time_point deadline, CancelToken* cancel) {
    LaneWalker<T>& walker = *walkers.front();
    const bool may_part = options.threads > 1 && run.mode != WalkMode::kLeaves;
    const std::size_t wide = may_part ? kWideForThread * static_cast<std::size_t>(options.threads) : 0;
    const FlushDenormals flush_denormals;
    const auto stop = walker.run(deadline, wide, cancel);
    if (stop == LaneWalker<T>::Stop::kLeaf) at_leaf = true;
    if (stop == LaneWalker<T>::Stop::kWide) {
      part();
      return walk_side_by_side(deadline, cancel);
    }
    return stop == LaneWalker<T>::Stop::kDone;
  }

  // Gives every thread packs with about as many shots.
  void part() {
    const LaneWalker<T>& first = *walkers.front();
    const std::span<const std::uint32_t> packs = first.frame_packs();
    std::size_t total = 0, seen = 0, begin = 0;
    for (std::uint32_t pack : packs) total += first.shots_of_pack(pack);
    const auto parts = static_cast<std::size_t>(options.threads);
    for (std::size_t k = 0; k < packs.size(); ++k) {
      seen += first.shots_of_pack(packs[k]);
      if (seen * parts < total * walkers.size() && k + 1 < packs.size()) continue;
      walkers.push_back(std::make_unique<LaneWalker<T>>(run, max_qubits, limits));
      walkers.back()->adopt(first, packs.subspan(begin, k + 1 - begin));
      begin = k + 1;
    }
    is_wide = true;
  }

  bool walk_side_by_side(std::chrono::steady_clock::time_point deadline, CancelToken* cancel) {
    Team team(options.threads);
    const auto count = static_cast<std::int64_t>(walkers.size()) - 1;
    const bool is_done = team.run(count, cancel, [&](Pieces::Taker& pieces) {
      for (std::int64_t k; (k = pieces.take()) >= 0;)
        walkers[static_cast<std::size_t>(k + 1)]->run(deadline, 0, cancel);
    });
    if (!is_done) throw Error(ErrorKind::kCancelled, "the walk was cancelled");
    return std::all_of(walkers.begin() + 1, walkers.end(), [](const auto& walker) { return walker->is_idle(); });
  }

  void collect(const LaneWalker<T>& walker) {
    counted.add(walker.histogram());
    done.branches += walker.statistics().branches;
    done.merges += walker.statistics().merges;
    done.gates += walker.statistics().gates;
    if (walker.error().error) error.add(walker.error().shot, *walker.error().error);
  }

  bool finish() {
    if (!is_finished) {
      collect(*walkers.front());
      is_finished = true;
    }
    if (error.error) throw Error(*error.error);
    return true;
  }

  bool has_leaf() const override { return at_leaf; }
  WalkLeaf leaf() const override {
    const LaneWalker<T>& walker = *walkers.front();
    const Branch branch = walker.leaf();
    return {walker.leaf_shots(), branch.weight(), walker.leaf_qubits()};
  }
  void copy_leaf_rows(std::uint8_t* to) const override { walkers.front()->copy_leaf_rows(to); }
  void copy_leaf_state(void* amplitudes) const override {
    walkers.front()->copy_leaf_state(static_cast<T*>(amplitudes));
  }

  Histogram histogram() const override { return counted.sorted(); }
  WalkFigures figures() const override { return done; }
};

Walk::Walk(std::shared_ptr<const WalkPlan> plan, std::span<const double> values, const void* initial,
           const WalkOptions& options) {
  if (plan->precision() == Precision::kComplex64) {
    impl_ = std::make_unique<ImplOf<float>>(std::move(plan), values, initial, options);
  } else {
    impl_ = std::make_unique<ImplOf<double>>(std::move(plan), values, initial, options);
  }
}

Walk::~Walk() = default;

void Walk::fill_rows(const ShotRange& shots, std::uint8_t* rows) { impl_->begin(WalkMode::kRows, shots, rows); }
void Walk::count(const ShotRange& shots) { impl_->begin(WalkMode::kCounts, shots, nullptr); }
void Walk::visit_leaves(const ShotRange& shots) { impl_->begin(WalkMode::kLeaves, shots, nullptr); }
void Walk::visit_weighted_leaves() { impl_->begin(WalkMode::kLeaves, ShotRange{}, nullptr); }

bool Walk::step(std::chrono::steady_clock::time_point deadline, CancelToken* cancel) {
  return impl_->step(deadline, cancel);
}
bool Walk::has_leaf() const { return impl_->has_leaf(); }
WalkLeaf Walk::leaf() const { return impl_->leaf(); }
void Walk::copy_leaf_rows(std::uint8_t* rows) const { impl_->copy_leaf_rows(rows); }
void Walk::copy_leaf_state(void* amplitudes) const { impl_->copy_leaf_state(amplitudes); }
Histogram Walk::histogram() const { return impl_->histogram(); }
WalkFigures Walk::figures() const { return impl_->figures(); }

}  // namespace qfast
