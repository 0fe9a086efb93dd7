#include "run/program.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <string>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "plan/matrices.h"
#include "run/executor.h"
#include "run/explain.h"
#include "run/plan_cache.h"

namespace qfast {
namespace {

// A state of a few tiles is cut finer, so that every thread of a small machine has some.
constexpr int kSmallestSplit = 13;
// Parameter sets of states up to this size run side by side: a state then fits a core's second-level cache.
constexpr int kLargestSideBySide = 14;

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
  std::string cost_table;  // its name
  std::shared_ptr<const PlannedCircuit> planned_circuit;

  const Plan& plan() const { return planned_circuit->plan; }
  const std::vector<SweepLayout>& layouts() const { return planned_circuit->layouts; }

  Impl(FlatCircuit c, Precision p, Isa i) : circuit(std::move(c)), precision(p), isa(i) {}
  virtual ~Impl() = default;
  virtual bool run(void* amplitudes, Start start, const double* values, const RunOptions& options) = 0;
  virtual bool run_many(const double* values, std::int64_t num_sets, const RunOptions& options,
                        Program::Visit visit) = 0;
};

namespace {

template <class T, class Base>
class TypedImpl final : public Base {
 public:
  TypedImpl(FlatCircuit circuit, Precision precision, Isa isa, const PlanOptions& options)
      : Base(std::move(circuit), precision, isa), kernels_(tile_kernels_of<T>(kernels_for(isa))) {
    const int tile_bits = wished_tile_bits(this->circuit.num_qubits, precision, options);
    this->cost_table = options.costs.name;
    this->planned_circuit =
        planned(this->circuit, {kernels_.lane_bits, kernels_.block_bits, tile_bits, options.costs.of(precision)});
    if (this->circuit.expressions.slots.empty()) {
      constant_ = std::make_unique<BoundPlan<T>>();
      bind<T>(this->plan(), this->circuit, nullptr, *constant_);
    }
  }

  bool run(void* amplitudes, Start start, const double* values, const RunOptions& options) override {
    if (constant_) return run_bound(*constant_, static_cast<T*>(amplitudes), start, options);
    std::unique_ptr<BoundPlan<T>> bound = take();
    bind<T>(this->plan(), this->circuit, values, *bound);
    const bool is_done = run_bound(*bound, static_cast<T*>(amplitudes), start, options);
    give_back(std::move(bound));
    return is_done;
  }

  bool run_many(const double* values, std::int64_t num_sets, const RunOptions& options, Program::Visit visit) override {
    const std::size_t numbers = std::size_t{2} << std::max(this->plan().num_qubits, this->plan().lane_bits);
    const auto num_params = static_cast<std::size_t>(this->circuit.expressions.num_parameters);
    const StateBuffer whole = this->plan().num_qubits > kLargestSideBySide
                                  ? StateBufferPool::instance().allocate(numbers * sizeof(T))
                                  : StateBuffer();
    if (whole) {
      for (std::int64_t set = 0; set < num_sets; ++set) {
        T* state = static_cast<T*>(whole.data());
        if (!run(state, Start::kZero, values + static_cast<std::size_t>(set) * num_params, options)) return false;
        visit(set, view(state));
      }
      return true;
    }
    SideBySide shared;
    const int threads = static_cast<int>(std::min<std::int64_t>(options.threads, num_sets));
    ThreadPool::instance().parallel_region(threads, [&](int, int, SpinBarrier&) {
      shared.guard([&] {
        std::unique_ptr<BoundPlan<T>> bound = take();
        const StateBuffer buffer = StateBufferPool::instance().allocate(numbers * sizeof(T));
        T* state = static_cast<T*>(buffer.data());
        for (std::int64_t set; (set = shared.take_set(options.cancel)) < num_sets;) {
          if (!constant_)
            bind<T>(this->plan(), this->circuit, values + static_cast<std::size_t>(set) * num_params, *bound);
          execute_here<T>(this->plan(), this->layouts(), constant_ ? *constant_ : *bound, kernels_, state, Start::kZero,
                          nullptr);
          visit(set, view(state));
        }
        give_back(std::move(bound));
      });
    });
    shared.rethrow();
    return !(options.cancel && options.cancel->cancelled.load());
  }

 private:
  // Workers that take set after set; the first exception stops all and is kept.
  class SideBySide {
   public:
    std::int64_t take_set(const CancelToken* cancel) {
      if (is_stopped_.load(std::memory_order_relaxed) ||
          (cancel && cancel->cancelled.load(std::memory_order_relaxed))) {
        return std::numeric_limits<std::int64_t>::max();
      }
      return next_.fetch_add(1, std::memory_order_relaxed);
    }

    template <class Body>
    void guard(const Body& body) {
      try {
        body();
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        is_stopped_.store(true);
      }
    }

    void rethrow() const {
      if (error_) std::rethrow_exception(error_);
    }

   private:
    std::atomic<std::int64_t> next_{0};
    std::atomic<bool> is_stopped_{false};
    std::mutex mutex_;
    std::exception_ptr error_;
  };

  StateView view(const T* state) const { return {state, this->plan().num_qubits, this->precision}; }

  bool run_bound(const BoundPlan<T>& bound, T* amplitudes, Start start, const RunOptions& options) {
    if (this->plan().num_qubits >= this->plan().lane_bits) {
      return execute<T>(this->plan(), this->layouts(), bound, kernels_, amplitudes, start, options);
    }
    // Fewer amplitudes than a vector has lanes: run on a padded copy.
    alignas(64) T padded[2 * 16] = {};
    const std::size_t count = std::size_t{2} << this->plan().num_qubits;
    if (start == Start::kGiven) std::copy(amplitudes, amplitudes + count, padded);
    const bool is_done = execute<T>(this->plan(), this->layouts(), bound, kernels_, padded, start, options);
    std::copy(padded, padded + count, amplitudes);
    return is_done;
  }

  void give_back(std::unique_ptr<BoundPlan<T>> bound) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(bound));
  }

  // Bound plans are kept, so that a second run with other values allocates nothing.
  std::unique_ptr<BoundPlan<T>> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<BoundPlan<T>>();
    std::unique_ptr<BoundPlan<T>> bound = std::move(free_.back());
    free_.pop_back();
    return bound;
  }

  const TileKernels<T>& kernels_;
  std::unique_ptr<BoundPlan<T>> constant_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<BoundPlan<T>>> free_;
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
Precision Program::precision() const { return impl_->precision; }
Isa Program::isa() const { return impl_->isa; }

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

std::string Program::explain() const {
  return explain_plan(impl_->plan(), impl_->precision, impl_->isa, impl_->cost_table);
}

}  // namespace qfast
