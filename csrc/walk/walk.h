// One run of a script: every shot from beginning to end, in one call that comes back from time to time.
//
//   const auto plan = std::make_shared<const WalkPlan>(script, Precision::kComplex128, isa);
//   Walk walk(plan, values, nullptr, options);
//   walk.count({seed, first_shot, shots, 0});
//   while (!walk.step(deadline, cancel)) { look for signals }
//   walk.histogram();
//
// Shot s of a script is a function of (seed, s): of neither the number of shots, threads or steps nor of what is
// merged.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/types.h"
#include "run/histogram.h"
#include "run/sampling.h"
#include "walk/script.h"

namespace qfast {

struct WalkOptions {
  int threads = 1;
  std::int64_t max_loop_passes = 100'000;
  double cutoff = 0;  // of exact walks: branches of this probability or less are dropped
};

// The end of a branch. Valid until the next step.
struct WalkLeaf {
  std::span<const std::uint32_t> shots;  // counted from the first; none where branches are weighted
  double weight = 0;                     // of a weighted branch
  int num_qubits = 0;
};

struct WalkFigures {
  std::uint64_t branches = 0, merges = 0, gates = 0, size_bytes = 0;
};

// What all runs of a script have in common. Its states have at most kMaxWalkQubits qubits.
class QFAST_API WalkPlan {
 public:
  WalkPlan(WalkScript script, Precision precision, Isa isa);
  ~WalkPlan();
  WalkPlan(const WalkPlan&) = delete;
  WalkPlan& operator=(const WalkPlan&) = delete;

  const WalkScript& script() const { return script_; }
  Precision precision() const { return precision_; }

 private:
  friend class Walk;
  template <class T>
  struct Stretches;
  template <class T>
  const Stretches<T>& stretches() const;

  WalkScript script_;
  Precision precision_;
  Isa isa_;
  std::vector<int> widths_;  // qubits in front of each step, and at the end
  std::size_t most_outcomes_;
  std::unique_ptr<const Stretches<float>> stretches32_;
  std::unique_ptr<const Stretches<double>> stretches64_;
};

class QFAST_API Walk {
 public:
  // `initial`: 2^n amplitudes of the precision (4^n entries of a density matrix), or null for |0...0>; copied.
  Walk(std::shared_ptr<const WalkPlan> plan, std::span<const double> values, const void* initial,
       const WalkOptions& options);
  ~Walk();

  // What to do; then step() until it returns true. rows: row_bytes(num_bits) bytes a shot.
  void fill_rows(const ShotRange& shots, std::uint8_t* rows);
  void count(const ShotRange& shots);
  void visit_leaves(const ShotRange& shots);
  void visit_weighted_leaves();

  // False: the time is up, or a leaf was reached. Throws Error(kCancelled), or the error of the lowest shot.
  bool step(std::chrono::steady_clock::time_point deadline, CancelToken* cancel);
  bool has_leaf() const;
  WalkLeaf leaf() const;
  // What it has recorded: a row for each shot, or one for a weighted branch.
  void copy_leaf_rows(std::uint8_t* rows) const;
  void copy_leaf_state(void* amplitudes) const;

  Histogram histogram() const;
  WalkFigures figures() const;

 private:
  struct Impl;
  template <class T>
  struct ImplOf;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfast
