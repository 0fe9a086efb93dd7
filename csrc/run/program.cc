#include "run/program.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/error.h"
#include "plan/matrices.h"
#include "run/executor.h"
#include "run/explain.h"

namespace qfast {
namespace {

// Built-in cost table (portable plans): a tile and the lines of the next one share a 1 MiB second-level cache.
constexpr int kTileBits128 = 14, kTileBits64 = 15;
// A state of a few tiles is cut finer, so that every thread of a small machine has some.
constexpr int kSmallestSplit = 13;

int wished_tile_bits(int num_qubits, Precision precision, const PlanOptions& options) {
  if (options.tile_qubits > 0) return options.tile_qubits;
  const int full = precision == Precision::kComplex64 ? kTileBits64 : kTileBits128;
  return num_qubits <= kSmallestSplit ? num_qubits : std::min(full, std::max(kSmallestSplit, num_qubits - 3));
}

}  // namespace

// The half that does not depend on the precision; the other half is below.
struct Program::Impl {
  FlatCircuit circuit;
  Precision precision;
  Isa isa;
  Plan plan;
  std::vector<SweepLayout> layouts;

  Impl(FlatCircuit c, Precision p, Isa i) : circuit(std::move(c)), precision(p), isa(i) {}
  virtual ~Impl() = default;
  virtual bool run(void* amplitudes, Start start, const double* values, const RunOptions& options) = 0;
};

namespace {

template <class T, class Base>
class TypedImpl final : public Base {
 public:
  TypedImpl(FlatCircuit circuit, Precision precision, Isa isa, const PlanOptions& options)
      : Base(std::move(circuit), precision, isa), kernels_(tile_kernels_of<T>(kernels_for(isa))) {
    const int tile_bits = wished_tile_bits(this->circuit.num_qubits, precision, options);
    this->plan = make_plan(this->circuit, {kernels_.lane_bits, kernels_.block_bits, tile_bits});
    this->layouts = lay_out(this->plan);
    if (this->circuit.expressions.slots.empty()) {
      constant_ = std::make_unique<BoundPlan<T>>();
      bind<T>(this->plan, this->circuit, nullptr, *constant_);
    }
  }

  bool run(void* amplitudes, Start start, const double* values, const RunOptions& options) override {
    if (constant_) return run_bound(*constant_, static_cast<T*>(amplitudes), start, options);
    std::unique_ptr<BoundPlan<T>> bound = take();
    bind<T>(this->plan, this->circuit, values, *bound);
    const bool is_done = run_bound(*bound, static_cast<T*>(amplitudes), start, options);
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(bound));
    return is_done;
  }

 private:
  bool run_bound(const BoundPlan<T>& bound, T* amplitudes, Start start, const RunOptions& options) {
    if (this->plan.num_qubits >= this->plan.lane_bits) {
      return execute<T>(this->plan, this->layouts, bound, kernels_, amplitudes, start, options);
    }
    // Fewer amplitudes than a vector has lanes: run on a padded copy.
    alignas(64) T padded[2 * 16] = {};
    const std::size_t count = std::size_t{2} << this->plan.num_qubits;
    if (start == Start::kGiven) std::copy(amplitudes, amplitudes + count, padded);
    const bool is_done = execute<T>(this->plan, this->layouts, bound, kernels_, padded, start, options);
    std::copy(padded, padded + count, amplitudes);
    return is_done;
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
Precision Program::precision() const { return impl_->precision; }
Isa Program::isa() const { return impl_->isa; }

void Program::run(void* amplitudes, Start start, std::span<const double> values, const RunOptions& options) const {
  if (static_cast<std::int64_t>(values.size()) != impl_->circuit.expressions.num_parameters) {
    throw Error(ErrorKind::kParameter, "the program has " +
                                           std::to_string(impl_->circuit.expressions.num_parameters) +
                                           " parameters, got " + std::to_string(values.size()) + " values");
  }
  const auto bad = std::ranges::find_if(values, [](double v) { return !std::isfinite(v); });
  if (bad != values.end()) {
    throw Error(ErrorKind::kParameter, "parameter value " + std::to_string(bad - values.begin()) + " is " +
                                           std::to_string(*bad) + "; values must be finite");
  }
  if (!impl_->run(amplitudes, start, values.data(), options)) {
    throw Error(ErrorKind::kCancelled, "the run was cancelled");
  }
}

std::string Program::explain() const { return explain_plan(impl_->plan, impl_->precision, impl_->isa); }

}  // namespace qfast
