// Walks the branches of a script whose states are small enough to stand side by side in the lanes of vectors.
//
// A frame is a set of packs whose branches are walked abreast: the ones that are furthest behind in the script go on,
// so that those which have parted meet again. At a measurement, a channel or a misreading the shots of each branch
// divide by their own uniforms; a branch whose shots take several outcomes is copied into further lanes. Branches that
// are equal, bit for bit, with equal classical values as far as these are read again, become one. A frame that grows
// too wide is halved, and one half waits.
//
// What a lane computes does not depend on other lanes, nor on which lane it is: neither does any shot.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "kernels/kernel_table.h"
#include "walk/branches.h"
#include "walk/lane_program.h"
#include "walk/row_histogram.h"
#include "walk/script.h"

namespace qfast {

enum class WalkMode : std::uint8_t {
  kRows,    // what every shot records
  kCounts,  // distinct rows
  kLeaves,  // stops at the end of each branch
};

// What all walkers of one run share; the pointers outlive them.
template <class T>
struct WalkRun {
  const WalkScript* script = nullptr;
  const std::vector<const LaneProgram<T>*>* programs = nullptr;  // by stretch
  const std::vector<int>* widths = nullptr;                      // qubits in front of each step, and at the end
  const KernelTable* kernels = nullptr;
  std::span<const double> values;  // of the circuit's parameters
  const T* initial = nullptr;      // amplitudes, or null: |0...0>
  WalkMode mode = WalkMode::kCounts;
  std::uint64_t seed = 0;
  std::uint64_t first_shot = 0;   // of the list entries: entry i is shot first_shot + i
  std::uint64_t* rows = nullptr;  // by list entry; zero in the beginning
  double cutoff = 0;              // weighted branches of this weight or less are dropped
  std::int64_t max_loop_passes = 0;
};

struct WalkStatistics {
  std::uint64_t branches = 0;  // parts that all divisions have made
  std::uint64_t merges = 0;
  std::uint64_t gates = 0;  // applied, all branches together
};

// The error of the lowest shot.
struct WalkError {
  std::uint64_t shot = 0;
  std::optional<Error> error;
  void add(std::uint64_t at, const Error& what) {
    if (!error || at < shot) {
      shot = at;
      error = what;
    }
  }
};

template <class T>
class LaneWalker {
 public:
  enum class Stop : std::uint8_t { kDone, kTime, kWide, kLeaf };
  using Clock = std::chrono::steady_clock;

  LaneWalker(const WalkRun<T>& run, int max_qubits, const BranchLimits& limits);

  // One branch in the beginning, walked by list entries [0, shots), or of weight 1.
  void begin(std::size_t shots);
  // Goes on with copies of the branches in some packs of a walker that has stopped because it is wide.
  void adopt(const LaneWalker& other, std::span<const std::uint32_t> packs);

  // Walks until there is nothing left, the time is up, more than `wide` branches are abreast (0: never), or a leaf is
  // reached. Inside a parallel region, where denormals are flushed. Throws Error(kCancelled).
  Stop run(Clock::time_point deadline, std::size_t wide, const CancelToken* cancel);

  std::span<const std::uint32_t> frame_packs() const { return frame_.packs; }
  std::size_t shots_of_pack(std::uint32_t pack) const;
  bool is_idle() const { return frame_.count == 0 && parked_.empty(); }

  // After kLeaf: the branch, until run() is called again.
  Branch leaf() const { return store_.branch(leaf_); }
  std::span<const std::uint32_t> leaf_shots() const;
  int leaf_qubits() const { return widths_.back(); }
  void copy_leaf_rows(std::uint8_t* rows) const;
  void copy_leaf_state(T* amplitudes) const;

  const RowHistogram& histogram() const { return histogram_; }
  const WalkStatistics& statistics() const { return statistics_; }
  const WalkError& error() const { return error_; }
  std::size_t size_bytes() const { return store_.size_bytes() + scratch_.size_bytes(); }

 private:
  struct Frame {
    std::vector<std::uint32_t> packs;
    std::size_t count = 0;   // branches
    bool is_uniform = true;  // all at step pc; what the branches say themselves is out of date
    std::uint32_t pc = 0;
  };
  // A part of a branch that needs a lane of its own.
  struct Child {
    std::uint32_t source, outcome, first, count;  // its shots
    double weight;                                // of the outcome
    double size;                                  // of a weighted branch
  };
  // Shots of one branch in the block of draws.
  struct Drawer {
    std::uint32_t count, at;  // where their outcomes go
    const double* weights;
  };
  using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
  using Words = LaneWord<T>;

  static constexpr std::size_t kDrawBlock = 1024;
  static std::size_t scratch_bytes(const WalkRun<T>& run, int max_qubits, const BranchLimits& limits);
  void prepare_places();
  void add_place(std::span<const std::int32_t> qubits, std::span<const double> weights,
                 std::span<const std::vector<Complex>> operators);
  void prepare_wiring();

  // The frame (lane_walker.cc).
  std::uint32_t next_step();
  std::uint32_t active_lanes(std::uint32_t pack, std::uint32_t pc) const;
  template <class Visit>
  void for_each_active(std::uint32_t pc, const Visit& visit);
  bool fill_mask(std::uint32_t pack, std::uint32_t active, Words* mask) const;
  void spread_pc();
  void advance(std::uint32_t pc);
  void park_half();
  void compact();
  int most_qubits() const;
  void drop_lane(std::uint32_t lane);
  void fail(std::uint32_t lane, const Error& error);

  // Steps that do not divide (lane_walker.cc).
  void step(std::uint32_t pc);
  void apply_gates(const WalkStep& step, std::uint32_t pc);
  std::uint32_t bind_lanes(const LaneProgram<T>& program, const WalkStep& step, std::uint32_t pack,
                           std::uint32_t active);
  void alloc_qubit(std::uint32_t pc);
  void apply_superoperator(const WalkStep& step, std::uint32_t pc);
  void classical_step(const WalkStep& step, std::uint32_t pc);
  std::uint32_t decide(const WalkStep& step, std::uint32_t pc, Branch& branch);
  std::uint64_t run_code(std::int32_t number, Branch& branch);
  double variable_as_angle(const Branch& branch, std::int32_t variable) const;
  void begin_pass(std::int32_t loop, Branch& branch);

  // Steps that divide (lane_divide.cc).
  void misread_records(const WalkStep& step, std::uint32_t pc);
  void divide(const WalkStep& step, std::uint32_t pc);
  std::size_t num_outcomes(const WalkStep& step) const;
  std::uint64_t site(const WalkStep& step, const Branch& branch) const;
  std::size_t divide_some(const WalkStep& step, std::uint32_t pc, std::size_t from, std::size_t outcomes);
  void find_weights(const WalkStep& step, std::uint32_t pc, std::size_t from, std::size_t to, std::size_t outcomes);
  void kraus_weights(const WalkPlace& place, const T* pack, int qubits);
  void diagonal_weights(const T* pack, int qubit, double* weight0, double* weight1) const;
  const double* weights_of(std::size_t i, std::size_t from, std::size_t outcomes) const;
  void draw(const WalkStep& step, std::size_t from, std::size_t to, std::size_t outcomes);
  void flush_draws(std::size_t outcomes);
  void part(std::uint32_t lane, const double* weights, std::size_t outcomes, std::uint32_t drawn_at);
  void part_weighted(std::uint32_t lane, const double* weights, std::size_t outcomes);
  void settle_lane(std::uint32_t lane, std::uint32_t outcome, double weight);
  void copy_children(std::uint32_t pc);
  void carry_out(const WalkStep& step, std::uint32_t pc);
  void project(const WalkStep& step, std::uint32_t pack, int qubits);
  void operate(const WalkStep& step, std::uint32_t pack, int qubits);

  // Equal branches (lane_merge.cc).
  void merge(std::uint32_t pc, std::uint32_t step);
  template <class Visit>
  void for_each_live(const Branch& branch, std::uint32_t pc, const Visit& visit) const;
  std::uint64_t live_hash(const Branch& branch, std::uint32_t pc) const;
  bool are_equal(std::uint32_t a, std::uint32_t b, std::uint32_t pc);
  void join(std::span<const std::pair<std::uint32_t, std::uint32_t>> pairs, std::uint32_t pc);
  void disown(Branch& branch, std::size_t word, std::uint32_t pc);
  void disown_differences(std::span<const std::pair<std::uint32_t, std::uint32_t>> pairs, std::uint32_t pc);

  // The end (lane_arrive.cc).
  void arrive(std::uint32_t pc);
  void record(std::uint32_t lane, const double* cumulative);
  void misread_row(std::uint64_t* row, std::uint64_t shot) const;

  const WalkRun<T>& run_;
  const WalkScript& script_;
  const std::vector<int>& widths_;
  const WalkKernels<T>& kernels_;
  BranchLimits limits_;
  BranchStore<T> store_;
  std::uint32_t lanes_;
  Frame frame_;
  std::vector<Frame> parked_, spare_frames_;
  std::uint32_t leaf_ = kNoLane;
  RowHistogram histogram_;
  WalkStatistics statistics_;
  WalkError error_;
  bool is_weighted_;

  WalkArena scratch_;
  // Of the step at hand. By lane of touched packs: the outcome, -1 for those that do not take part, and its weight.
  std::int32_t* outcome_;
  double* outcome_weight_;
  std::uint32_t* touched_at_;  // by pack: the batch that has touched it last
  std::uint32_t batch_ = 1;
  std::vector<std::uint32_t> active_, touched_;
  std::vector<Child> children_;
  std::vector<double> weights_;  // by branch of the batch, unless they are the same for all
  const double* common_weights_ = nullptr;
  std::vector<std::uint32_t> drawn_at_;  // by branch of the batch
  std::uint8_t* drawn_;                  // outcomes of shots
  std::vector<Drawer> drawers_;
  std::uint64_t *draw_shots_, *draw_sites_;
  double* draw_uniforms_;
  std::size_t num_draws_ = 0;

  T* gate_scratch_;
  double* cumulative_;
  std::vector<T> lane_numbers_;
  std::vector<double> gate_values_, reduced_, lane_weights_;
  std::vector<std::uint64_t> classical_stack_, live_words_, row_;

  std::vector<std::uint32_t> table_, runs_;
  std::vector<std::uint64_t> hashes_;
  Pairs joined_;
  std::vector<std::uint32_t> merge_wait_, merge_pause_;  // by step: attempts to leave out, and how many the last time

  std::vector<std::uint64_t> wired_rows_, wired_mask_;  // what the measurements at the end write, by basis state
  bool has_wiring_ = false;
  std::vector<LaneOp> place_ops_;  // of channels; of a density matrix: then of the resets of each qubit
  std::vector<std::vector<std::uint32_t>> place_tables_;
  std::vector<std::vector<T>> place_numbers_;               // of a density matrix: superoperators
  std::vector<std::vector<std::vector<Complex>>> effects_;  // by channel: K†K of operators that the state chooses
};

template <class T>
template <class Visit>
void LaneWalker<T>::for_each_active(std::uint32_t pc, const Visit& visit) {
  for (std::uint32_t pack : frame_.packs) {
    for (std::uint32_t rest = active_lanes(pack, pc); rest != 0; rest &= rest - 1) {
      visit(pack * lanes_ + static_cast<std::uint32_t>(std::countr_zero(rest)));
    }
  }
}

extern template class LaneWalker<float>;
extern template class LaneWalker<double>;

}  // namespace qfast
