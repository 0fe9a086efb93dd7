// A compiled unitary circuit: a plan (structure) plus what is needed to bind parameter values and run it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/cancel.h"
#include "base/function_ref.h"
#include "base/types.h"
#include "circuit/flat.h"
#include "plan/cost_table.h"
#include "run/expectation.h"
#include "run/state_view.h"

namespace qfast {

struct PlannedCircuit;

struct PlanOptions {
  int tile_qubits = 0;  // log2 of the amplitudes of a tile; 0: from the cost table. Tests force tiny ones.
  CostTable costs;      // by default the built-in one
};

enum class Start : std::uint8_t {
  kZero,   // the buffer's content is ignored: the run starts from |0...0>
  kGiven,  // the run continues the state in the buffer
};

struct RunOptions {
  int threads = 1;
  CancelToken* cancel = nullptr;
};

class QFAST_API Program {
 public:
  // Checks nothing: the circuit comes checked from the border (Python's Circuit, the QASM reader, the C ABI).
  Program(FlatCircuit circuit, Precision precision, Isa isa, PlanOptions options = {});
  ~Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;

  int num_qubits() const;
  std::uint64_t num_operations() const;  // of the circuit
  std::int64_t num_parameters() const;
  Precision precision() const;
  Isa isa() const;
  // Bytes that a run allocates besides the state, where they may be many: the scratch of wide permutation gates.
  std::size_t workspace_bytes() const;
  const FlatCircuit& circuit() const;
  // Whether the circuit is so small that it runs gate by gate, without a plan (run/direct.h).
  bool is_direct() const;
  const PlannedCircuit& planned() const;  // of one that has a plan: PlanOptions::tile_qubits forces it
  // Amplitudes: 2^n interleaved complex64 or complex128, 64-byte aligned or not. Throws Error(kCancelled) when the
  // token was set (the state is then unspecified), Error(kParameter) for values that are not finite.
  // Thread-safe: several threads may run one Program on different buffers.
  void run(void* amplitudes, Start start, std::span<const double> values, const RunOptions& options) const;
  // Runs every row of `values` (num_sets x parameters, row-major) from |0...0> and calls visit(set, state), on one of
  // the threads and in no fixed order; the state is gone when visit returns. Small states run side by side, one a
  // thread, or in the lanes of one (run/lanes.h), large ones one after the other on all threads. What visit throws is
  // thrown here after the others have stopped. Cancelled between two sets at the latest; throws as run() does.
  using Visit = FunctionRef<void(std::int64_t set, const StateView& state)>;
  void run_many(std::span<const double> values, std::int64_t num_sets, const RunOptions& options, Visit visit) const;
  // The expectation of a sum on the final state of every row, into out[0 … num_sets).
  void expectation_many(std::span<const double> values, std::int64_t num_sets, const PauliSum& sum,
                        const RunOptions& options, Complex* out) const;
  // JSON: sweeps, tiles, operations, flops and bytes per amplitude.
  std::string explain() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfast
