#include "run/program.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <string>

#include "base/aligned_buffer.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "plan/assert_plan.h"
#include "plan/matrices.h"
#include "run/direct.h"
#include "run/executor.h"
#include "run/explain.h"
#include "run/free_list.h"
#include "run/lanes.h"
#include "run/plan_cache.h"

namespace qfast {
namespace {

// A state of a few tiles is cut finer, so that every thread of a small machine has some.
constexpr int kSmallestSplit = 13;
// Parameter sets of states up to this size run side by side: a state then fits a core's second-level cache.
constexpr int kLargestSideBySide = 14;
// The plan of a sweep in lanes holds up to 350 bytes for every gate and lane.
constexpr std::int64_t kMostOperationsInLanes = 10'000;

int wished_tile_bits(int num_qubits, Precision precision, const PlanOptions& options) {
  if (options.tile_qubits > 0) return options.tile_qubits;
  const int full = options.costs.of(precision).tile_bits;
  return num_qubits <= kSmallestSplit ? num_qubits : std::min(full, std::max(kSmallestSplit, num_qubits - 3));
}

}  // namespace

// The half that does not depend on the precision; the other half is below.
struct Program::Impl {
  FlatCircuit circuit;
  Precision precision;
  Isa isa;
  std::string cost_table;                                 // its name
  std::shared_ptr<const PlannedCircuit> planned_circuit;  // null where the circuit runs directly

  const Plan& plan() const { return planned_circuit->plan; }
  const std::vector<SweepLayout>& layouts() const { return planned_circuit->layouts; }

  Impl(FlatCircuit c, Precision p, Isa i) : circuit(std::move(c)), precision(p), isa(i) {}
  virtual ~Impl() = default;
  virtual bool run(void* amplitudes, Start start, const double* values, const RunOptions& options) = 0;
  virtual bool run_many(const double* values, std::int64_t num_sets, const RunOptions& options,
                        Program::Visit visit) = 0;
  virtual bool expectation_many(const double* values, std::int64_t num_sets, const PauliSum& sum,
                                const RunOptions& options, Complex* out) = 0;
};

namespace {

template <class T, class Base>
class TypedImpl final : public Base {
 public:
  TypedImpl(FlatCircuit circuit, Precision precision, Isa isa, const PlanOptions& options)
      : Base(std::move(circuit), precision, isa),
        kernels_(tile_kernels_of<T>(kernels_for(isa))),
        trig_(kernels_for(isa).trig),
        costs_(options.costs.of(precision)),
        may_use_lanes_(options.tile_qubits == 0) {
    this->cost_table = options.costs.name;
    assert_circuit(this->circuit);
    if (options.tile_qubits > 0 || !qfast::is_direct(this->circuit, kernels_.block_bits)) {
      const int tile_bits = wished_tile_bits(this->circuit.num_qubits, precision, options);
      this->planned_circuit = planned(this->circuit, {kernels_.lane_bits, kernels_.block_bits, tile_bits, costs_});
    }
    if (this->circuit.expressions.slots.empty()) {
      constant_ = std::make_unique<Bound>(kernels_);
      bind_values(nullptr, *constant_);
    }
  }

  ~TypedImpl() override { delete lane_planned_.load(std::memory_order_acquire); }
  TypedImpl(const TypedImpl&) = delete;
  TypedImpl& operator=(const TypedImpl&) = delete;

  bool run(void* amplitudes, Start start, const double* values, const RunOptions& options) override {
    if (constant_) return run_bound(*constant_, static_cast<T*>(amplitudes), start, options);
    std::unique_ptr<Bound> bound = take_bound();
    bind_values(values, *bound);
    const bool is_done = run_bound(*bound, static_cast<T*>(amplitudes), start, options);
    bound_.give_back(std::move(bound));
    return is_done;
  }

  bool run_many(const double* values, std::int64_t num_sets, const RunOptions& options, Program::Visit visit) override {
    if (this->circuit.num_qubits > kLargestSideBySide) return run_in_turn(values, num_sets, options, visit);
    if (!goes_in_lanes(num_sets)) return run_side_by_side(values, num_sets, options, visit);
    const std::size_t numbers = std::size_t{2} << this->circuit.num_qubits;
    return run_in_lanes(values, num_sets, options, [&](const LaneRun<T>& run, std::int64_t first, int count) {
      const StateBuffer buffer =
          StateBufferPool::instance().allocate(numbers * sizeof(T) * static_cast<std::size_t>(count));
      T* states = static_cast<T*>(buffer.data());
      run.copy_states(count, states);
      for (int l = 0; l < count; ++l) visit(first + l, view(states + numbers * static_cast<std::size_t>(l)));
    });
  }

  bool expectation_many(const double* values, std::int64_t num_sets, const PauliSum& sum, const RunOptions& options,
                        Complex* out) override {
    if (goes_in_lanes(num_sets)) {
      const LaneSum lane_sum(sum, lane_plan(), kernels_for(this->isa).real);
      if (lane_sum.has_room()) {
        return run_in_lanes(values, num_sets, options, [&](const LaneRun<T>& run, std::int64_t first, int count) {
          std::array<Complex, kMaxLanes> found;
          run.expectations(lane_sum, found.data());
          std::copy_n(found.begin(), count, out + first);
        });
      }
    }
    return run_many(values, num_sets, options, [&](std::int64_t set, const StateView& state) {
      out[set] = sum.expectation(state, this->isa, options.threads);
    });
  }

 private:
  using Planned = std::shared_ptr<const PlannedCircuit>;
  // The numbers of one set of values, for either way to run.
  struct Bound {
    explicit Bound(const TileKernels<T>& kernels) : direct(kernels) {}
    BoundPlan<T> planned;
    DirectSteps<T> direct;
  };
  static constexpr int kMaxLanes = 16;

  const double* row(const double* values, std::int64_t set) const {
    return values + set * this->circuit.expressions.num_parameters;
  }
  StateView view(const T* state) const { return {state, this->circuit.num_qubits, this->precision}; }

  void bind_values(const double* values, Bound& bound) const {
    if (!this->planned_circuit) return bound.direct.bind(this->circuit, values);
    bind<T>(this->plan(), this->circuit, trig_, values, bound.planned);
  }

  // On the calling thread, into memory for at least a vector.
  void run_here(const Bound& bound, T* state) const {
    if (!this->planned_circuit) return bound.direct.run(state, Start::kZero);
    execute_here<T>(this->plan(), this->layouts(), bound.planned, kernels_, state, Start::kZero, nullptr);
  }

  bool run_in_turn(const double* values, std::int64_t num_sets, const RunOptions& options, Program::Visit visit) {
    const StateBuffer buffer = StateBufferPool::instance().allocate((2 * sizeof(T)) << this->circuit.num_qubits);
    T* state = static_cast<T*>(buffer.data());
    for (std::int64_t set = 0; set < num_sets; ++set) {
      if (!run(state, Start::kZero, row(values, set), options)) return false;
      visit(set, view(state));
    }
    return true;
  }

  bool run_side_by_side(const double* values, std::int64_t num_sets, const RunOptions& options, Program::Visit visit) {
    const std::size_t numbers = std::size_t{2} << std::max(this->circuit.num_qubits, kernels_.lane_bits);
    Team team(static_cast<int>(std::min<std::int64_t>(options.threads, num_sets)));
    return team.run(num_sets, options.cancel, [&](Pieces::Taker& sets) {
      std::unique_ptr<Bound> bound = take_bound();
      const StateBuffer buffer = StateBufferPool::instance().allocate(numbers * sizeof(T));
      T* state = static_cast<T*>(buffer.data());
      for (std::int64_t set; (set = sets.take()) >= 0;) {
        if (!constant_) bind_values(row(values, set), *bound);
        run_here(constant_ ? *constant_ : *bound, state);
        visit(set, view(state));
      }
      bound_.give_back(std::move(bound));
    });
  }

  // Fewer sets than lanes leave lanes idle, and a plan holds numbers for each lane.
  bool goes_in_lanes(std::int64_t num_sets) {
    if (constant_ || !may_use_lanes_ || this->circuit.num_qubits > kLargestInLanes ||
        num_sets < (std::int64_t{1} << kernels_.lane_bits) || this->circuit.size() > kMostOperationsInLanes) {
      return false;
    }
    return LaneRun<T>::can_run(lane_plan());
  }

  // Without a lock: planning takes long, and a child of fork() would find it locked for good.
  const Plan& lane_plan() {
    const Planned* found = lane_planned_.load(std::memory_order_acquire);
    if (!found) {
      auto made = std::make_unique<const Planned>(
          planned(this->circuit, {0, kernels_.block_bits, this->circuit.num_qubits, costs_}));
      if (lane_planned_.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) found = made.release();
    }
    return (*found)->plan;
  }

  // Calls read(run, first set, number of sets) for as many sets at a time as there are lanes.
  template <class Read>
  bool run_in_lanes(const double* values, std::int64_t num_sets, const RunOptions& options, const Read& read) {
    const Plan& plan = lane_plan();
    const std::int64_t lanes = std::int64_t{1} << kernels_.lane_bits, batches = (num_sets + lanes - 1) / lanes;
    Team team(static_cast<int>(std::min<std::int64_t>(options.threads, batches)));
    return team.run(batches, options.cancel, [&](Pieces::Taker& pieces) {
      std::unique_ptr<LaneRun<T>> run =
          lane_runs_.take([&] { return std::make_unique<LaneRun<T>>(plan, this->circuit, kernels_for(this->isa)); });
      for (std::int64_t batch; (batch = pieces.take()) >= 0;) {
        const std::int64_t first = batch * lanes;
        const int count = static_cast<int>(std::min(lanes, num_sets - first));
        run->run(row(values, first), this->circuit.expressions.num_parameters, count);
        read(*run, first, count);
      }
      lane_runs_.give_back(std::move(run));
    });
  }

  bool run_bound(const Bound& bound, T* amplitudes, Start start, const RunOptions& options) {
    if (!this->planned_circuit) {
      bound.direct.run(amplitudes, start);
      return !should_stop(options.cancel);
    }
    if (this->plan().num_qubits >= this->plan().lane_bits) {
      return execute<T>(this->plan(), this->layouts(), bound.planned, kernels_, amplitudes, start, options);
    }
    // Fewer amplitudes than a vector has lanes: run on a padded copy.
    alignas(64) T padded[2 * kMaxLanes] = {};
    const std::size_t count = std::size_t{2} << this->plan().num_qubits;
    if (start == Start::kGiven) std::copy(amplitudes, amplitudes + count, padded);
    const bool is_done = execute<T>(this->plan(), this->layouts(), bound.planned, kernels_, padded, start, options);
    std::copy(padded, padded + count, amplitudes);
    return is_done;
  }

  std::unique_ptr<Bound> take_bound() {
    return bound_.take([&] { return std::make_unique<Bound>(kernels_); });
  }

  const TileKernels<T>& kernels_;
  const TrigKernels& trig_;
  PlanCosts costs_;
  bool may_use_lanes_;
  std::unique_ptr<Bound> constant_;
  FreeList<Bound> bound_;
  std::atomic<const Planned*> lane_planned_{nullptr};  // owned; made when a sweep wants it
  FreeList<LaneRun<T>> lane_runs_;
};

}  // namespace

Program::Program(FlatCircuit circuit, Precision precision, Isa isa, PlanOptions options) {
  check_cost_table(options.costs);
  if (precision == Precision::kComplex64) {
    impl_ = std::make_unique<TypedImpl<float, Impl>>(std::move(circuit), precision, isa, options);
  } else {
    impl_ = std::make_unique<TypedImpl<double, Impl>>(std::move(circuit), precision, isa, options);
  }
}

Program::~Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;

int Program::num_qubits() const { return impl_->circuit.num_qubits; }
std::uint64_t Program::num_operations() const { return static_cast<std::uint64_t>(impl_->circuit.size()); }
std::int64_t Program::num_parameters() const { return impl_->circuit.expressions.num_parameters; }
Precision Program::precision() const { return impl_->precision; }
Isa Program::isa() const { return impl_->isa; }
std::size_t Program::workspace_bytes() const {
  return is_direct() ? 0 : permutation_bytes(impl_->plan(), impl_->layouts(), amplitude_bytes(impl_->precision));
}
const FlatCircuit& Program::circuit() const { return impl_->circuit; }
bool Program::is_direct() const { return impl_->planned_circuit == nullptr; }
const PlannedCircuit& Program::planned() const {
  QFAST_ASSERT(!is_direct());
  return *impl_->planned_circuit;
}

namespace {

void check_values(std::span<const double> values, std::int64_t num_parameters, std::int64_t num_sets) {
  if (static_cast<std::int64_t>(values.size()) != num_parameters * num_sets) {
    throw Error(ErrorKind::kParameter, "the program has " + std::to_string(num_parameters) + " parameters; " +
                                           std::to_string(num_sets) + " sets of them need " +
                                           std::to_string(num_parameters * num_sets) + " values, got " +
                                           std::to_string(values.size()));
  }
  const auto bad = std::ranges::find_if(values, [](double v) { return !std::isfinite(v); });
  if (bad != values.end()) {
    const std::int64_t at = bad - values.begin();
    throw Error(ErrorKind::kParameter, "parameter value " + std::to_string(at % num_parameters) + " of set " +
                                           std::to_string(at / num_parameters) + " is " + std::to_string(*bad) +
                                           "; values must be finite");
  }
}

}  // namespace

void Program::run(void* amplitudes, Start start, std::span<const double> values, const RunOptions& options) const {
  check_values(values, impl_->circuit.expressions.num_parameters, 1);
  if (!impl_->run(amplitudes, start, values.data(), options)) {
    throw Error(ErrorKind::kCancelled, "the run was cancelled");
  }
}

void Program::run_many(std::span<const double> values, std::int64_t num_sets, const RunOptions& options,
                       Visit visit) const {
  check_values(values, impl_->circuit.expressions.num_parameters, num_sets);
  if (!impl_->run_many(values.data(), num_sets, options, visit)) {
    throw Error(ErrorKind::kCancelled, "the run was cancelled");
  }
}

void Program::expectation_many(std::span<const double> values, std::int64_t num_sets, const PauliSum& sum,
                               const RunOptions& options, Complex* out) const {
  check_values(values, impl_->circuit.expressions.num_parameters, num_sets);
  if (!impl_->expectation_many(values.data(), num_sets, sum, options, out)) {
    throw Error(ErrorKind::kCancelled, "the run was cancelled");
  }
}

std::string Program::explain() const {
  if (is_direct()) return explain_direct(impl_->circuit, impl_->precision, impl_->isa);
  return explain_plan(impl_->plan(), impl_->precision, impl_->isa, impl_->cost_table);
}

}  // namespace qfast
