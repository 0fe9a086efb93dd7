// One program run for many rows of parameter values that differ little from each other, as the noisy trajectories of a
// circuit do: errors that were pushed to its end have changed some of its angles.
//
// Rows stand in an order in which neighbours do the same for as long as possible. A worker that comes to a row goes on
// from the last state that it has in common with the row before, and keeps a copy of the state wherever a later row
// will leave the one it runs. A state of one tile can be left between any two ops of the plan, a larger one between two
// sweeps. What two rows have in common is read from their bound constants, so that every row ends with the bits of a
// run of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/function_ref.h"
#include "run/program.h"
#include "run/state_view.h"

namespace qfast {

struct PlanUnits;

// Row r has the values base[p] + bit(r, c) * change[p], where column c belongs to parameter p = order()[c]. Columns are
// the bits of the row's bytes, the most significant bit first; rows ascend as strings of bytes.
struct ParameterRows {
  std::span<const double> base, change;
  const std::uint8_t* bits = nullptr;
  std::size_t row_bytes = 0;
  std::int64_t num_rows = 0;
};

class QFAST_API Trajectories {
 public:
  // The program must outlive it.
  explicit Trajectories(const Program& program);
  ~Trajectories();

  const Program& program() const { return program_; }
  // Parameters in the order in which the plan first uses them; one that it does not use is among the last.
  const std::vector<std::int32_t>& order() const { return order_; }

  // Calls visit(row, state) with the final state of every row, on one of the threads and in no fixed order; the state
  // is gone when visit returns, and what visit throws is thrown here. `initial`: amplitudes of the program's precision
  // to start from; null: |0...0>. `kept_bytes`: most memory for copies of states. Returns the work done in runs of the
  // whole program. Throws as Program::run does.
  using Visit = FunctionRef<void(std::int64_t row, const StateView& state)>;
  double visit(const ParameterRows& rows, const void* initial, std::size_t kept_bytes, const RunOptions& options,
               Visit visit) const;

 private:
  template <class T>
  double visit_typed(const ParameterRows& rows, const void* initial, std::size_t kept_bytes, const RunOptions& options,
                     Visit visit) const;

  const Program& program_;
  std::unique_ptr<const PlanUnits> units_;
  std::vector<std::int32_t> order_;
};

}  // namespace qfast
