// Order constraints among nodes, with diagonals commuting: on one qubit, nodes that are diagonal there (controls,
// diagonals) may pass each other, nodes that mix it may not.
//
// A diagonal has no cost until something mixes one of its qubits, so it is "ready" rather than done, and is emitted
// together with other ready diagonals when a node that depends on it is (or at the end): merged diagonals share a
// table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace qfast {

// Marks items that no reach ever holds: they are taken one by one.
constexpr std::uint64_t kNeverInReach = std::uint64_t{1} << 63;

struct DagItem {
  std::span<const std::int32_t> mixing;  // qubits (any numbering below num_qubits)
  std::span<const std::int32_t> diagonal;
  bool is_free;                  // a diagonal: needs no qubit in reach
  std::uint64_t also_needs = 0;  // qubits that must be in reach although the node does not mix them
};

class Dag {
 public:
  Dag(int num_qubits, const std::vector<DagItem>& items);

  int size() const { return static_cast<int>(waiting_for_.size()); }
  std::span<const std::int32_t> successors(std::int32_t i) const {
    return {successors_.data() + begin_[static_cast<std::size_t>(i)],
            static_cast<std::size_t>(begin_[static_cast<std::size_t>(i) + 1] - begin_[static_cast<std::size_t>(i)])};
  }
  std::span<const std::int32_t> predecessors(std::int32_t i) const {
    return {predecessors_.data() + pred_begin_[static_cast<std::size_t>(i)],
            static_cast<std::size_t>(pred_begin_[static_cast<std::size_t>(i) + 1] -
                                     pred_begin_[static_cast<std::size_t>(i)])};
  }
  const std::vector<std::int32_t>& waiting_for() const { return waiting_for_; }  // number of predecessors

 private:
  std::vector<std::int32_t> waiting_for_;
  std::vector<std::int32_t> begin_, successors_, pred_begin_, predecessors_;
};

// Which nodes are done, ready or waiting, as sets of qubits come within reach.
class Frontier {
 public:
  Frontier(const Dag& dag, const std::vector<DagItem>& items);

  bool is_finished() const { return num_left_ == 0; }
  // Ready nodes that mix qubits, oldest first (compacted on the way).
  const std::vector<std::int32_t>& ready();
  // Sum of weights that would be done with `reach` (bit set over qubits), looking at no more than `limit` nodes.
  // Leaves everything as it was. `blocked`, if given, receives the mixing nodes that only lack qubits then.
  double gain(std::uint64_t reach, const std::vector<double>& weight, int limit,
              std::vector<std::int32_t>* blocked = nullptr);
  // Does every mixing node within reach, in order; appends them to `order`, each preceded by the diagonals it needs.
  // At most `limit` mixing nodes.
  void advance(std::uint64_t reach, std::vector<std::int32_t>& order, int limit);
  // Does one ready node, preceded by the diagonals it needs.
  void take(std::int32_t i, std::vector<std::int32_t>& order);
  bool is_done(std::int32_t i) const { return status_[static_cast<std::size_t>(i)] == Status::kDone; }
  std::uint64_t need(std::int32_t i) const { return need_[static_cast<std::size_t>(i)]; }
  // Diagonals that nothing has asked for yet.
  void flush(std::vector<std::int32_t>& order);

 private:
  enum class Status : std::uint8_t { kWaiting, kReady, kDone };
  void make_ready(std::int32_t i, std::vector<std::int32_t>& newly);
  void take_diagonals_before(std::int32_t i, std::vector<std::int32_t>& order);
  void finish(std::int32_t i, std::vector<std::int32_t>& order, std::vector<std::int32_t>& newly);
  bool is_within(std::int32_t i, std::uint64_t reach) const {
    return (need_[static_cast<std::size_t>(i)] & ~reach) == 0;
  }

  const Dag& dag_;
  std::vector<std::uint64_t> need_;  // mixing qubits as bits
  std::vector<std::uint8_t> is_free_;
  std::vector<std::int32_t> waiting_;
  std::vector<Status> status_;
  std::vector<std::int32_t> ready_;
  std::vector<std::int32_t> ready_free_;
  std::vector<std::int32_t> undo_, trial_;  // scratch of gain()
  int num_left_ = 0;                        // mixing nodes not done
};

}  // namespace qfast
