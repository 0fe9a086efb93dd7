#include "run/trajectories.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "run/executor.h"
#include "run/plan_cache.h"
#include "run/plan_units.h"

namespace qfast {
namespace {

// States up to this size run side by side, one a thread; larger ones one after the other on all threads.
constexpr int kLargestSideBySide = 17;
// A worker takes neighbouring rows that cost as much as this many whole runs: it begins with a whole run of its own.
constexpr double kRunsPerPiece = 20;
constexpr std::int64_t kPiecesPerThread = 16;

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

// What all workers of a visit know.
template <class T>
struct Task {
  const FlatCircuit& circuit;
  const PlannedCircuit& planned;
  const TileKernels<T>& kernels;
  const TrigKernels& trig;
  const ParameterRows& rows;
  const std::vector<std::int32_t>& order;
  const T* initial;
  Precision precision;
  RunOptions options;
  const PlanUnits& units;
  std::size_t max_kept;                  // states a worker keeps
  std::vector<std::int32_t> parts_at;    // by row: the first unit in which it
                                         // differs from the row before
  std::vector<std::int64_t> next_lower;  // by row: the next one that parts earlier

  std::size_t num_numbers() const {
    return std::size_t{2} << std::max(planned.plan.num_qubits, planned.plan.lane_bits);
  }
};

// Runs neighbouring rows, one after the other.
template <class T>
class Walker {
 public:
  Walker(const Task<T>& task, bool runs_alone)
      : task_(task), runs_alone_(runs_alone), memory_(allocate(task.num_numbers())) {
    if (task.units.is_one_tile) live_ = allocate(live_numbers());
  }

  // Returns false when the token stopped it.
  bool run(std::int64_t first, std::int64_t last, Trajectories::Visit visit) {
    kept_.clear();
    for (std::int64_t row = first; row < last; ++row) {
      if (should_stop(task_.options.cancel)) return false;
      bind_row(row);
      const std::size_t common = row == first ? 0 : first_difference(*bound_, *previous_, task_.units);
      while (!kept_.empty() && kept_.back().unit > common) drop_last();
      plan_stops(row, last);
      if (!run_from(start())) return false;
      visit(row, {memory(), task_.planned.plan.num_qubits, task_.precision});
      if (task_.options.cancel) task_.options.cancel->work_done.fetch_add(1, std::memory_order_relaxed);
    }
    return true;
  }

  double work() const { return work_; }

 private:
  struct Kept {
    std::size_t unit;  // the state in front of this unit
    StateBuffer state;
  };

  static StateBuffer allocate(std::size_t numbers) {
    return StateBufferPool::instance().allocate(numbers * sizeof(T), "noisy trajectories");
  }
  std::size_t live_numbers() const {
    return task_.units.is_one_tile ? std::size_t{2} << task_.planned.plan.tile_bits : task_.num_numbers();
  }
  T* memory() const { return static_cast<T*>(memory_.data()); }
  StateBuffer& live() { return task_.units.is_one_tile ? live_ : memory_; }

  void bind_row(std::int64_t row) {
    std::swap(bound_, previous_);
    if (!bound_) bound_ = std::make_unique<BoundPlan<T>>();
    values_.assign(task_.rows.base.begin(), task_.rows.base.end());
    const std::uint8_t* bits = task_.rows.bits + to_size(row) * task_.rows.row_bytes;
    for (std::size_t c = 0; c < values_.size(); ++c) {
      if ((bits[c / 8] >> (7 - c % 8)) & 1) {
        const std::size_t p = to_size(task_.order[c]);
        values_[p] += task_.rows.change[p];
      }
    }
    bind<T>(task_.planned.plan, task_.circuit, task_.trig, values_.data(), *bound_);
  }

  // The units in front of which later rows leave this one, descending; `is_start_needed_`: one of them goes on where
  // this row begins, too.
  void plan_stops(std::int64_t row, std::int64_t last) {
    const std::size_t begin = kept_.empty() ? 0 : kept_.back().unit;
    stops_.clear();
    is_start_needed_ = false;
    for (std::int64_t next = row + 1; next < last; next = task_.next_lower[to_size(next)]) {
      const auto unit = std::min(to_size(task_.parts_at[to_size(next)]), task_.units.count - 1);
      is_start_needed_ = unit == begin;
      if (unit <= begin) break;
      if (stops_.empty() || stops_.back() != unit) stops_.push_back(unit);
    }
    if (stops_.size() > task_.max_kept) stops_.resize(task_.max_kept);  // the deepest save the most
  }

  // Makes the state that this row begins with, and returns the unit in front of which it stands.
  std::size_t start() {
    if (kept_.empty()) {
      if (task_.initial) {  // fewer amplitudes than a vector has lanes: the
                            // others are zero
        std::fill_n(memory(), std::size_t{2} << task_.planned.plan.lane_bits, T(0));
        std::copy_n(task_.initial, std::size_t{2} << task_.planned.plan.num_qubits, memory());
      }
      return 0;
    }
    const std::size_t unit = kept_.back().unit;
    if (is_start_needed_) {
      std::memcpy(live().data(), kept_.back().state.data(), live_numbers() * sizeof(T));
    } else {
      std::swap(live(), kept_.back().state);
      drop_last();
    }
    return unit;
  }

  bool run_from(std::size_t unit) {
    for (; !stops_.empty(); stops_.pop_back()) {
      if (!advance(unit, stops_.back())) return false;
      unit = stops_.back();
      keep(unit);
    }
    return advance(unit, task_.units.count);
  }

  bool advance(std::size_t from, std::size_t to) {
    work_ += task_.units.work_before[to] - task_.units.work_before[from];
    const auto& [plan, layouts] = task_.planned;
    const Start start = task_.initial ? Start::kGiven : Start::kZero;
    if (task_.units.is_one_tile) {
      return execute_ops<T>(plan, layouts, *bound_, task_.kernels, start, from, to, static_cast<T*>(live_.data()),
                            memory(), task_.options.cancel);
    }
    if (runs_alone_) {
      return execute<T>(plan, layouts, *bound_, task_.kernels, memory(), start, task_.options, {from, to});
    }
    return execute_here<T>(plan, layouts, *bound_, task_.kernels, memory(), start, task_.options.cancel, {from, to});
  }

  void keep(std::size_t unit) {
    if (kept_.size() == task_.max_kept) {  // the one in front of all others is
                                           // the cheapest to make again
      free_.push_back(std::move(kept_.front().state));
      kept_.erase(kept_.begin());
    }
    StateBuffer copy;
    if (free_.empty()) {
      copy = allocate(live_numbers());
    } else {
      copy = std::move(free_.back());
      free_.pop_back();
    }
    std::memcpy(copy.data(), live().data(), live_numbers() * sizeof(T));
    kept_.push_back({unit, std::move(copy)});
  }

  void drop_last() {
    free_.push_back(std::move(kept_.back().state));
    kept_.pop_back();
  }

  const Task<T>& task_;
  bool runs_alone_;
  StateBuffer memory_;  // the final state; between units the state too, if it is
                        // more than one tile
  StateBuffer live_;    // one tile: the state between units
  std::vector<Kept> kept_;
  std::vector<StateBuffer> free_;
  std::vector<std::size_t> stops_;
  bool is_start_needed_ = false;
  std::unique_ptr<BoundPlan<T>> bound_, previous_;
  std::vector<double> values_;
  double work_ = 0;
};

void check_rows(const ParameterRows& rows, std::size_t num_parameters) {
  if (rows.base.size() != num_parameters || rows.change.size() != num_parameters) {
    throw Error(ErrorKind::kParameter, "the program has " + std::to_string(num_parameters) + " parameters, got " +
                                           std::to_string(rows.base.size()) + " values and " +
                                           std::to_string(rows.change.size()) + " changes");
  }
  if (rows.row_bytes * 8 < num_parameters) {
    throw Error(ErrorKind::kParameter, "a row of " + std::to_string(rows.row_bytes) + " bytes has no bit for each of " +
                                           std::to_string(num_parameters) + " parameters");
  }
  for (std::int64_t r = 1; r < rows.num_rows; ++r) {
    const std::uint8_t* row = rows.bits + to_size(r) * rows.row_bytes;
    if (std::memcmp(row - rows.row_bytes, row, rows.row_bytes) > 0) {
      throw Error(ErrorKind::kParameter, "row " + std::to_string(r) + " is below the row before; rows must ascend");
    }
  }
}

// By row: the first unit in which it differs from the row before; 0 for the first row.
std::vector<std::int32_t> parting_units(const ParameterRows& rows, const std::vector<std::int32_t>& order,
                                        const PlanUnits& plan_units) {
  std::vector<std::int32_t> units(to_size(rows.num_rows), 0);
  for (std::size_t r = 1; r < units.size(); ++r) {
    const std::uint8_t* row = rows.bits + r * rows.row_bytes;
    const std::uint8_t* before = row - rows.row_bytes;
    std::size_t byte = 0;
    while (byte < rows.row_bytes && row[byte] == before[byte]) ++byte;
    std::size_t column = 8 * byte;
    if (byte < rows.row_bytes) {
      column += to_size(std::countl_zero(static_cast<std::uint8_t>(row[byte] ^ before[byte])));
    }
    units[r] = column < order.size() ? plan_units.of_parameter[to_size(order[column])]
                                     : static_cast<std::int32_t>(plan_units.count);
  }
  return units;
}

// By row: the next one that parts earlier, or the number of rows.
std::vector<std::int64_t> next_lower(const std::vector<std::int32_t>& units) {
  std::vector<std::int64_t> next(units.size(), static_cast<std::int64_t>(units.size()));
  std::vector<std::size_t> waiting;  // for theirs; they part ever later
  for (std::size_t r = 0; r < units.size(); ++r) {
    while (!waiting.empty() && units[waiting.back()] > units[r]) {
      next[waiting.back()] = static_cast<std::int64_t>(r);
      waiting.pop_back();
    }
    waiting.push_back(r);
  }
  return next;
}

// Cuts the rows into pieces of about equal work.
std::vector<std::int64_t> cut(const std::vector<double>& work_of_row, double whole_run, int threads) {
  const double total = std::accumulate(work_of_row.begin(), work_of_row.end(), 0.0);
  const auto num_rows = static_cast<std::int64_t>(work_of_row.size());
  const auto rounds = static_cast<std::int64_t>(total / whole_run / kRunsPerPiece / threads + 0.5);
  const std::int64_t pieces =
      std::min(num_rows, threads == 1 ? 1 : threads * std::clamp<std::int64_t>(rounds, 1, kPiecesPerThread));
  std::vector<std::int64_t> edges{0};
  double sum = 0;
  for (std::int64_t r = 0; r < num_rows; ++r) {
    if (sum * static_cast<double>(pieces) >= total * static_cast<double>(edges.size()) && r > edges.back()) {
      edges.push_back(r);
    }
    sum += work_of_row[to_size(r)];
  }
  edges.push_back(num_rows);
  return edges;
}

}  // namespace

Trajectories::Trajectories(const Program& program)
    : program_(program), units_(std::make_unique<PlanUnits>(find_units(program.circuit(), program.planned().plan))) {
  const std::vector<std::int32_t>& unit_of = units_->of_parameter;
  order_.resize(unit_of.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::ranges::stable_sort(order_, {}, [&](std::int32_t p) { return unit_of[to_size(p)]; });
}

Trajectories::~Trajectories() = default;

double Trajectories::visit(const ParameterRows& rows, const void* initial, std::size_t kept_bytes,
                           const RunOptions& options, Visit visit) const {
  check_rows(rows, order_.size());
  if (rows.num_rows == 0) return 0;
  return program_.precision() == Precision::kComplex64 ? visit_typed<float>(rows, initial, kept_bytes, options, visit)
                                                       : visit_typed<double>(rows, initial, kept_bytes, options, visit);
}

template <class T>
double Trajectories::visit_typed(const ParameterRows& rows, const void* initial, std::size_t kept_bytes,
                                 const RunOptions& options, Visit visit) const {
  const PlannedCircuit& planned = program_.planned();
  const bool is_side_by_side = units_->is_one_tile || planned.plan.num_qubits <= kLargestSideBySide;
  const int workers = is_side_by_side ? static_cast<int>(std::min<std::int64_t>(options.threads, rows.num_rows)) : 1;
  Task<T> task{.circuit = program_.circuit(),
               .planned = planned,
               .kernels = tile_kernels_of<T>(kernels_for(program_.isa())),
               .trig = kernels_for(program_.isa()).trig,
               .rows = rows,
               .order = order_,
               .initial = static_cast<const T*>(initial),
               .precision = program_.precision(),
               .options = options,
               .units = *units_,
               .max_kept = 0,
               .parts_at = {},
               .next_lower = {}};
  task.max_kept = kept_bytes / to_size(workers) / (task.num_numbers() * sizeof(T));
  task.parts_at = parting_units(rows, order_, *units_);
  task.next_lower = next_lower(task.parts_at);
  const std::vector<double>& work_before = units_->work_before;
  std::vector<double> work_of_row;
  for (const std::int32_t unit : task.parts_at) work_of_row.push_back(work_before.back() - work_before[to_size(unit)]);
  if (options.cancel) {
    options.cancel->work_done.store(0);
    options.cancel->work_total.store(static_cast<std::uint64_t>(rows.num_rows));
  }

  bool is_done = false;
  std::atomic<double> work{0.0};
  if (is_side_by_side) {
    const std::vector<std::int64_t> edges = cut(work_of_row, work_before.back(), workers);
    Team team(workers);
    is_done = team.run(static_cast<std::int64_t>(edges.size()) - 1, options.cancel, [&](Pieces::Taker& pieces) {
      Walker<T> walker(task, false);
      for (std::int64_t piece; (piece = pieces.take()) >= 0;) {
        if (!walker.run(edges[to_size(piece)], edges[to_size(piece) + 1], visit)) break;
      }
      work.fetch_add(walker.work());
    });
  } else {
    Walker<T> walker(task, true);
    is_done = walker.run(0, rows.num_rows, visit);
    work = walker.work();
  }
  if (!is_done) throw Error(ErrorKind::kCancelled, "the run was cancelled");
  return work_before.back() == 0 ? 0 : work / work_before.back();
}

}  // namespace qfast
