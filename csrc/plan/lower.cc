// Gates to nodes: swaps become relabellings, chains of one-qubit gates one matrix, runs of gates on a pair one matrix
// where its pattern of zeros makes that no dearer than the parts (cx rz cx is a diagonal, rxx ryy rzz two 2 x 2
// blocks).
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/cancel.h"
#include "plan/matrices.h"
#include "plan/node.h"

namespace qfast {
namespace {

constexpr int kMaxTableQubits = 10;      // of a diagonal that has another form: a parity, a controlled gate
constexpr int kMaxSparseTable = 16;      // of a diagonal that controls make sparse
constexpr int kMaxDensePermutation = 4;  // a wider one costs more as a matrix than a pass of its own

std::uint16_t pattern_of(const Complex* m, int dim) {
  std::uint16_t bits = 0;
  for (int i = 0; i < dim * dim; ++i) {
    if (std::abs(m[i]) > kRoundingOfZero) bits = static_cast<std::uint16_t>(bits | (1u << i));
  }
  return bits;
}

std::uint16_t multiply_patterns(std::uint16_t a, std::uint16_t b, int dim) {
  std::uint16_t out = 0;
  for (int r = 0; r < dim; ++r) {
    for (int c = 0; c < dim; ++c) {
      for (int k = 0; k < dim; ++k) {
        if (((a >> (r * dim + k)) & 1) && ((b >> (k * dim + c)) & 1)) {
          out = static_cast<std::uint16_t>(out | (1u << (r * dim + c)));
        }
      }
    }
  }
  return out;
}

std::uint16_t tensor_patterns(std::uint16_t high, std::uint16_t low) {
  std::uint16_t out = 0;
  for (int i = 0; i < 16; ++i) {
    const int r = i >> 2, c = i & 3;
    const bool h = (high >> (2 * (r >> 1) + (c >> 1))) & 1, l = (low >> (2 * (r & 1) + (c & 1))) & 1;
    if (h && l) out = static_cast<std::uint16_t>(out | (1u << i));
  }
  return out;
}

std::uint16_t swap_pattern_qubits(std::uint16_t p) {
  static constexpr int kSwapped[4] = {0, 2, 1, 3};
  std::uint16_t out = 0;
  for (int i = 0; i < 16; ++i) {
    if ((p >> i) & 1) out = static_cast<std::uint16_t>(out | (1u << (4 * kSwapped[i >> 2] + kSwapped[i & 3])));
  }
  return out;
}

constexpr std::uint16_t kPatternIdentity1 = kPatternDiagonal1;
constexpr std::uint16_t kPatternExchange1 = 0b0110;
constexpr std::uint16_t kPatternSwap2 = 0b1000'0010'0100'0001;

bool is_within(std::uint16_t pattern, std::uint16_t allowed) { return (pattern & ~allowed) == 0; }

double two_qubit_cost(std::uint16_t pattern, const StepCosts& costs) {
  if (is_within(pattern, kPatternDiagonal2)) return costs.diagonal;
  return is_within(pattern, kPatternPairs2) ? costs.pairs : costs.dense_pair;
}

class Lowering {
 public:
  Lowering(const FlatCircuit& circuit, const StepCosts& costs)
      : circuit_(circuit), costs_(costs), last_(to_size(circuit.num_qubits), -1) {
    out_.num_qubits = circuit.num_qubits;
    out_.label_of.resize(to_size(circuit.num_qubits));
    std::iota(out_.label_of.begin(), out_.label_of.end(), 0);
    params_ = generic_parameters(circuit);
  }

  Lowered run() {
    out_.nodes.reserve(to_size(circuit_.size()));
    out_.sources.reserve(to_size(circuit_.size()));
    for (std::int64_t i = 0; i < circuit_.size(); ++i) {
      throw_if_interrupted(to_size(i));
      add(i);
    }
    drop_merged();
    split_dense_pairs();
    find_diagonals();
    find_absorbers();
    return std::move(out_);
  }

 private:
  static std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }
  Node& node(std::int32_t i) { return out_.nodes[to_size(i)]; }

  void add(std::int64_t index) {
    const Operation op = operation_at(circuit_, index);
    labels_.clear();
    for (int k = 0; k < op.num_controls + op.num_targets; ++k) {
      labels_.push_back(out_.label_of[to_size(op.qubits[k])]);
    }
    if (op.opcode == k_id) return;
    if (op.opcode == k_gphase && op.num_controls == 0) {
      out_.phases.push_back(index);
      return;
    }
    if (op.row->data == DataKind::kPauli && op.num_targets > 2) return add_pauli_rotation(op, index);
    if (op.row->data == DataKind::kDiagonal) {
      const bool is_sparse = op.num_controls > 0 && op.num_targets <= kMaxTableQubits;
      if (is_sparse && op.num_controls + op.num_targets > kMaxSparseTable) {
        return add_wide(op, index, NodeKind::kMatrix);
      }
      return add_diagonal(op, index, NodeKind::kDiagonal);
    }
    if (op.row->data == DataKind::kPermutation && op.num_targets > kMaxDensePermutation) {
      return add_wide(op, index, NodeKind::kPermutation);
    }
    if (op.num_targets > 2) return add_wide(op, index, NodeKind::kMatrix);
    target_matrix(circuit_, op, params_.data(), matrix_);
    if (op.num_targets == 0) return add_controlled_phase(op, index);
    if (op.num_controls + op.num_targets > 2) {
      if (is_diagonal(matrix_, 1 << op.num_targets) && op.num_controls + op.num_targets <= kMaxTableQubits) {
        return add_diagonal(op, index, NodeKind::kDiagonal);
      }
      return op.num_targets == 1 ? add_controlled(op, index) : add_wide(op, index, NodeKind::kMatrix);
    }
    op.num_controls + op.num_targets == 1 ? add_one(index) : add_two(op, index);
  }

  std::int32_t new_source(std::int64_t operation, Placement placement) {
    out_.sources.push_back({operation, -1, placement});
    return static_cast<std::int32_t>(out_.sources.size() - 1);
  }

  void append_source(Node& n, std::int64_t operation, Placement placement) {
    const std::int32_t s = new_source(operation, placement);
    if (n.last_source >= 0) {
      out_.sources[to_size(n.last_source)].next = s;
    } else {
      n.first_source = s;
    }
    n.last_source = s;
  }

  // Moves the sources of a one-qubit node behind those of a two-qubit node.
  void take_sources(Node& into, Node& from, Placement placement) {
    for (std::int32_t s = from.first_source; s >= 0; s = out_.sources[to_size(s)].next) {
      out_.sources[to_size(s)].placement = placement;
    }
    if (into.last_source >= 0) {
      out_.sources[to_size(into.last_source)].next = from.first_source;
    } else {
      into.first_source = from.first_source;
    }
    into.last_source = from.last_source;
    from.is_alive = false;
  }

  // Targets come last among an operation's qubits and first among a node's.
  std::int32_t new_node(NodeKind kind, const std::int32_t* targets, int num_targets, const std::int32_t* others,
                        int num_others) {
    Node n{};
    n.kind = kind;
    n.num_targets = static_cast<std::int16_t>(num_targets);
    n.num_diagonal = static_cast<std::int16_t>(num_others);
    n.qubits_begin = static_cast<std::int32_t>(out_.qubits.size());
    out_.qubits.insert(out_.qubits.end(), targets, targets + num_targets);
    out_.qubits.insert(out_.qubits.end(), others, others + num_others);
    out_.nodes.push_back(n);
    previous_.push_back({-1, -1});
    return static_cast<std::int32_t>(out_.nodes.size() - 1);
  }

  void set_last(std::int32_t index) {
    const Node& n = node(index);
    const std::int32_t* q = out_.qubits_of(n);
    const int count = out_.num_qubits_of(n);
    for (int k = 0; k < count; ++k) {
      if (k < 2) previous_[to_size(index)][to_size(k)] = last_[to_size(q[k])];
      last_[to_size(q[k])] = index;
    }
  }

  bool is_free_one(std::int32_t index) {
    return index >= 0 && node(index).kind == NodeKind::kOne && node(index).num_diagonal == 0;
  }

  void add_one(std::int64_t index) {
    const std::int32_t q = labels_[0];
    const std::uint16_t pattern = pattern_of(matrix_.data(), 2);
    append_one(q, pattern, index);
  }

  void append_one(std::int32_t q, std::uint16_t pattern, std::int64_t operation) {
    const std::int32_t at = last_[to_size(q)];
    if (is_free_one(at)) {
      Node& n = node(at);
      n.pattern = multiply_patterns(pattern, n.pattern, 2);
      return append_source(n, operation, Placement::kWhole);
    }
    if (at >= 0 && node(at).kind == NodeKind::kTwo) {
      Node& n = node(at);
      const bool is_low = out_.qubits_of(n)[0] == q;
      const std::uint16_t wide =
          is_low ? tensor_patterns(kPatternIdentity1, pattern) : tensor_patterns(pattern, kPatternIdentity1);
      const std::uint16_t product = multiply_patterns(wide, n.pattern, 4);
      if (pair_cost(product) <= pair_cost(n.pattern)) {
        n.pattern = product;
        return append_source(n, operation, is_low ? Placement::kLow : Placement::kHigh);
      }
    }
    const std::int32_t i = new_node(NodeKind::kOne, &q, 1, nullptr, 0);
    node(i).pattern = pattern;
    append_source(node(i), operation, Placement::kWhole);
    set_last(i);
  }

  // A gate on two qubits: two targets, or a target and a control.
  void add_two(const Operation& op, std::int64_t index) {
    full_matrix(circuit_, op, params_.data(), full_);
    const std::uint16_t pattern = pattern_of(full_.data(), 4);
    if (op.num_targets == 2 && pattern == kPatternSwap2) return add_swap(index);
    const std::int32_t low = labels_[0], high = labels_[1];
    if (merge_into_pair(low, high, pattern, op, index)) return;
    if (is_within(pattern, kPatternDiagonal2)) return add_diagonal(op, index, NodeKind::kDiagonal);
    if (op.num_controls == 1) return add_controlled(op, index);
    const std::int32_t i = new_node(NodeKind::kTwo, labels_.data(), 2, nullptr, 0);
    node(i).pattern = pattern;
    absorb_before(i, low, high);
    append_source(node(i), index, Placement::kForward);
    set_last(i);
  }

  // A swap with phases (iswap, fsim(π/2, φ)) is a relabelling and a diagonal.
  void add_swap(std::int64_t index) {
    const Operation op = operation_at(circuit_, index);
    std::swap(out_.label_of[to_size(op.qubits[0])], out_.label_of[to_size(op.qubits[1])]);
    if (op.opcode == k_swap) return;
    const std::int32_t bits[2] = {out_.label_of[to_size(op.qubits[0])], out_.label_of[to_size(op.qubits[1])]};
    const std::int32_t i = new_node(NodeKind::kDiagonal, nullptr, 0, bits, 2);
    append_source(node(i), index, Placement::kUnswapped);
    set_last(i);
  }

  // One-qubit nodes right before a dense pair cost nothing inside it.
  void absorb_before(std::int32_t pair, std::int32_t low, std::int32_t high) {
    for (const auto& [q, placement] : {std::pair{low, Placement::kLow}, std::pair{high, Placement::kHigh}}) {
      const std::int32_t at = last_[to_size(q)];
      if (!is_free_one(at)) continue;
      const std::uint16_t one = node(at).pattern;
      const std::uint16_t wide = placement == Placement::kLow ? tensor_patterns(kPatternIdentity1, one)
                                                              : tensor_patterns(one, kPatternIdentity1);
      const std::uint16_t product = multiply_patterns(node(pair).pattern, wide, 4);
      if (pair_cost(product) > pair_cost(node(pair).pattern)) continue;
      node(pair).pattern = product;
      last_[to_size(q)] = previous_[to_size(at)][0];
      take_sources(node(pair), node(at), placement);
    }
  }

  std::uint16_t pair_pattern(const Node& n) {
    if (n.kind == NodeKind::kTwo) return n.pattern;
    // A controlled gate or a two-qubit diagonal has one source.
    const Operation op = operation_at(circuit_, out_.sources[to_size(n.first_source)].operation);
    std::vector<Complex> full;
    full_matrix(circuit_, op, params_.data(), full);
    const std::uint16_t pattern = pattern_of(full.data(), 4);
    // kOne: node qubits are (target, control), the operation's (control, target).
    return n.kind == NodeKind::kOne ? swap_pattern_qubits(pattern) : pattern;
  }

  double one_cost(std::uint16_t pattern) const {
    const bool has_half = is_within(pattern, kPatternDiagonal1) || is_within(pattern, kPatternExchange1);
    return has_half ? costs_.one / 2 : costs_.one;
  }

  double pair_cost(std::uint16_t pattern) const { return two_qubit_cost(pattern, costs_); }

  // A gate on a pair whose previous two-qubit node is on the same pair, perhaps with one-qubit nodes between.
  bool merge_into_pair(std::int32_t low, std::int32_t high, std::uint16_t pattern, const Operation& op,
                       std::int64_t index) {
    const std::int32_t one_low = is_free_one(last_[to_size(low)]) ? last_[to_size(low)] : -1;
    const std::int32_t one_high = is_free_one(last_[to_size(high)]) ? last_[to_size(high)] : -1;
    const std::int32_t pair = one_low >= 0 ? previous_[to_size(one_low)][0] : last_[to_size(low)];
    const std::int32_t other = one_high >= 0 ? previous_[to_size(one_high)][0] : last_[to_size(high)];
    if (pair < 0 || pair != other) return false;
    Node& n = node(pair);
    const bool is_pair = n.kind == NodeKind::kTwo || (n.kind == NodeKind::kOne && n.num_diagonal == 1) ||
                         (n.kind == NodeKind::kDiagonal && n.num_diagonal == 2);
    if (!is_pair || out_.sources[to_size(n.first_source)].placement == Placement::kUnswapped) return false;
    const bool is_forward = out_.qubits_of(n)[0] == low;
    const std::uint16_t old_pattern = pair_pattern(n);
    const std::uint16_t p_low = one_low >= 0 ? node(one_low).pattern : kPatternIdentity1;
    const std::uint16_t p_high = one_high >= 0 ? node(one_high).pattern : kPatternIdentity1;
    const std::uint16_t between = is_forward ? tensor_patterns(p_high, p_low) : tensor_patterns(p_low, p_high);
    const std::uint16_t added = is_forward ? pattern : swap_pattern_qubits(pattern);
    const std::uint16_t product = multiply_patterns(added, multiply_patterns(between, old_pattern, 4), 4);
    double parts = node_cost(n, costs_) + (op.num_controls == 1 ? controlled_cost(pattern) : pair_cost(pattern));
    if (one_low >= 0) parts += one_cost(p_low);
    if (one_high >= 0) parts += one_cost(p_high);
    if (pair_cost(product) > parts) return false;
    become_pair(n);
    n.pattern = product;
    if (one_low >= 0) take_sources(n, node(one_low), is_forward ? Placement::kLow : Placement::kHigh);
    if (one_high >= 0) take_sources(n, node(one_high), is_forward ? Placement::kHigh : Placement::kLow);
    append_source(n, index, is_forward ? Placement::kForward : Placement::kReverse);
    last_[to_size(low)] = last_[to_size(high)] = pair;
    return true;
  }

  double controlled_cost(std::uint16_t full_pattern) const {
    if (is_within(full_pattern, kPatternDiagonal2)) return costs_.diagonal;
    return std::popcount(full_pattern) == 4 ? costs_.exchange : costs_.controlled;
  }

  // A controlled gate or a diagonal of two qubits turns into a kTwo node over the same qubits.
  void become_pair(Node& n) {
    if (n.kind == NodeKind::kTwo) return;
    Source& s = out_.sources[to_size(n.first_source)];
    // Node qubits of kOne are (target, control) while the operation lists (control, target).
    s.placement = n.kind == NodeKind::kOne ? Placement::kReverse : Placement::kForward;
    n.kind = NodeKind::kTwo;
    n.num_targets = 2;
    n.num_diagonal = 0;
    n.control_state = 0;
  }

  void add_controlled(const Operation& op, std::int64_t index) {
    const std::int32_t i =
        new_node(NodeKind::kOne, labels_.data() + op.num_controls, 1, labels_.data(), op.num_controls);
    node(i).control_state = op.control_state;
    node(i).pattern = pattern_of(matrix_.data(), 2);
    append_source(node(i), index, Placement::kWhole);
    set_last(i);
  }

  // On many qubits the last control serves as target (Chain::source1).
  void add_controlled_phase(const Operation& op, std::int64_t index) {
    if (op.num_controls <= kMaxTableQubits) return add_diagonal(op, index, NodeKind::kDiagonal);
    const int others = op.num_controls - 1;
    const std::int32_t i = new_node(NodeKind::kOne, labels_.data() + others, 1, labels_.data(), others);
    node(i).control_state = op.control_state & ((std::uint64_t{1} << others) - 1);
    node(i).pattern = kPatternDiagonal1;
    append_source(node(i), index, Placement::kWhole);
    set_last(i);
  }

  void add_diagonal(const Operation&, std::int64_t index, NodeKind kind) {
    const std::int32_t i = new_node(kind, nullptr, 0, labels_.data(), static_cast<int>(labels_.size()));
    append_source(node(i), index, Placement::kWhole);
    set_last(i);
  }

  void add_wide(const Operation& op, std::int64_t index, NodeKind kind) {
    const std::int32_t i =
        new_node(kind, labels_.data() + op.num_controls, op.num_targets, labels_.data(), op.num_controls);
    node(i).control_state = op.control_state;
    append_source(node(i), index, Placement::kWhole);
    set_last(i);
  }

  // exp(-i θ/2 P) = B† exp(-i θ/2 Z...Z) B with a one-qubit basis change B where P has X or Y; B needs no control.
  void add_pauli_rotation(const Operation& op, std::int64_t index) {
    const auto& letters = circuit_.integer_data[to_size(op.data)];
    const std::vector<std::int32_t> controls(labels_.begin(), labels_.begin() + op.num_controls);
    const std::vector<std::int32_t> labels(labels_.begin() + op.num_controls, labels_.end());
    std::vector<std::int32_t> support;
    for (std::size_t k = 0; k < letters.size(); ++k) {
      if (letters[k] == 0) continue;
      support.push_back(labels[k]);
      if (letters[k] == 1) append_one(labels[k], 0b1111, kSourceHadamard);
      if (letters[k] == 2) append_one(labels[k], 0b1111, kSourceYBasis);
    }
    support.insert(support.end(), controls.begin(), controls.end());
    const std::int32_t i = new_node(NodeKind::kParity, nullptr, 0, support.data(), static_cast<int>(support.size()));
    node(i).num_controls = static_cast<std::int16_t>(op.num_controls);
    node(i).control_state = op.control_state;
    append_source(node(i), index, Placement::kWhole);
    set_last(i);
    for (std::size_t k = 0; k < letters.size(); ++k) {
      if (letters[k] == 1) append_one(labels[k], 0b1111, kSourceHadamard);
      if (letters[k] == 2) append_one(labels[k], 0b1111, kSourceYBasisInverse);
    }
  }

  void drop_merged() {
    std::erase_if(out_.nodes, [](const Node& n) { return !n.is_alive; });
  }

  // For each node the neighbours on its first two qubits, before (0, 1) and after (2, 3).
  std::vector<std::array<std::int32_t, 4>> find_neighbours() const {
    std::vector<std::array<std::int32_t, 4>> neighbours(out_.nodes.size(), {-1, -1, -1, -1});
    std::vector<std::pair<std::int32_t, std::size_t>> last(last_.size(), {-1, 0});  // node, its slot for this qubit
    for (std::size_t i = 0; i < out_.nodes.size(); ++i) {
      const std::int32_t* q = out_.qubits_of(out_.nodes[i]);
      const int count = out_.num_qubits_of(out_.nodes[i]);
      for (int k = 0; k < count; ++k) {
        auto& [before, slot] = last[to_size(q[k])];
        if (k < 2) neighbours[i][to_size(k)] = before;
        if (before >= 0 && slot < 2) neighbours[to_size(before)][2 + slot] = static_cast<std::int32_t>(i);
        before = static_cast<std::int32_t>(i);
        slot = to_size(k);
      }
    }
    return neighbours;
  }

  bool is_dense_pair(std::int32_t i) const {
    return i >= 0 && out_.nodes[to_size(i)].kind == NodeKind::kTwo &&
           !is_within(out_.nodes[to_size(i)].pattern, kPatternPairs2);
  }

  // Judged source by source: a product that is real by accident must not change the plan of a structure.
  bool is_real_pair(const Node& n) {
    for (std::int32_t s = n.first_source; s >= 0; s = out_.sources[to_size(s)].next) {
      const std::int64_t operation = out_.sources[to_size(s)].operation;
      if (operation == kSourceHadamard) continue;
      if (operation < 0) return false;
      target_matrix(circuit_, operation_at(circuit_, operation), params_.data(), matrix_);
      for (const Complex z : matrix_) {
        if (std::abs(z.imag()) > kRoundingOfZero) return false;
      }
    }
    return true;
  }

  // Dense pairs with dense pairs before and after them on both qubits are split (kak.h): their one-qubit parts meet, or
  // vanish in a neighbour that stays dense. Elsewhere the parts would cost more than they save.
  void split_dense_pairs() {
    const auto neighbours = find_neighbours();
    std::vector<Node> old = std::move(out_.nodes);
    out_.nodes = old;  // is_dense_pair looks at the nodes as they were
    std::vector<bool> is_split(old.size(), false);
    bool any = false;
    for (std::size_t i = 0; i < old.size(); ++i) {
      is_split[i] = is_dense_pair(static_cast<std::int32_t>(i)) &&
                    std::ranges::all_of(neighbours[i], [&](std::int32_t k) { return is_dense_pair(k); }) &&
                    !is_real_pair(old[i]);
      any = any || is_split[i];
    }
    if (!any) return;
    out_.nodes.clear();
    previous_.clear();
    std::ranges::fill(last_, -1);
    for (std::size_t i = 0; i < old.size(); ++i) {
      throw_if_interrupted(i);
      is_split[i] ? add_split(old[i]) : add_again(old[i]);
    }
    drop_merged();
  }

  void add_split(const Node& n) {
    const auto pair = static_cast<std::int64_t>(out_.pairs.size());
    const std::int32_t targets[2] = {out_.qubits_of(n)[0], out_.qubits_of(n)[1]};
    out_.pairs.push_back(n.first_source);
    append_one(targets[0], 0b1111, pair_code(pair, PairPart::kPre0));
    append_one(targets[1], 0b1111, pair_code(pair, PairPart::kPre1));
    const std::int32_t core = new_node(NodeKind::kTwo, targets, 2, nullptr, 0);
    node(core).pattern = kPatternPairs2;
    append_source(node(core), pair_code(pair, PairPart::kCore), Placement::kForward);
    set_last(core);
    append_one(targets[0], 0b1111, pair_code(pair, PairPart::kPost0));
    append_one(targets[1], 0b1111, pair_code(pair, PairPart::kPost1));
  }

  void add_again(const Node& n) {
    out_.nodes.push_back(n);
    previous_.push_back({-1, -1});
    const auto i = static_cast<std::int32_t>(out_.nodes.size() - 1);
    if (n.kind == NodeKind::kTwo) {
      node(i).first_source = node(i).last_source = -1;
      absorb_before(i, out_.qubits_of(n)[0], out_.qubits_of(n)[1]);
      if (node(i).last_source < 0) {
        node(i).first_source = n.first_source;
      } else {
        out_.sources[to_size(node(i).last_source)].next = n.first_source;
      }
      node(i).last_source = n.last_source;
    }
    set_last(i);
  }

  // Nodes whose pattern turned out diagonal mix nothing.
  void find_diagonals() {
    for (Node& n : out_.nodes) {
      const bool is_diagonal_one =
          n.kind == NodeKind::kOne && n.num_diagonal == 0 && is_within(n.pattern, kPatternDiagonal1);
      const bool is_diagonal_two = n.kind == NodeKind::kTwo && is_within(n.pattern, kPatternDiagonal2);
      if (is_diagonal_one || is_diagonal_two) {
        n.num_diagonal = n.num_targets;
        n.num_targets = 0;
        n.kind = NodeKind::kDiagonal;
      }
    }
  }

  // Walks every qubit's nodes: a diagonal passes controls and ends in a pair or a table.
  void find_absorbers() {
    out_.absorbers.assign(out_.nodes.size(), {-1, -1});
    const auto walk = [&](std::int32_t i, std::vector<std::int32_t>& absorber, std::size_t side) {
      const Node& n = out_.nodes[to_size(i)];
      const std::int32_t* q = out_.qubits_of(n);
      const int count = out_.num_qubits_of(n);
      for (int k = 0; k < count; ++k) {
        std::int32_t& at = absorber[to_size(q[k])];
        if (n.kind == NodeKind::kOne && n.num_diagonal == 0) out_.absorbers[to_size(i)][side] = at;
        if (n.kind == NodeKind::kTwo || n.kind == NodeKind::kDiagonal) {
          at = i;
        } else if (k < n.num_targets) {
          at = -1;
        }
      }
    };
    std::vector<std::int32_t> absorber(last_.size(), -1);
    const auto count = static_cast<std::int32_t>(out_.nodes.size());
    for (std::int32_t i = 0; i < count; ++i) walk(i, absorber, 0);
    std::ranges::fill(absorber, -1);
    for (std::int32_t i = count - 1; i >= 0; --i) walk(i, absorber, 1);
  }

  const FlatCircuit& circuit_;
  const StepCosts costs_;
  Lowered out_;
  std::vector<std::int32_t> last_;                     // per label: the last node on it, -1 before the first
  std::vector<std::array<std::int32_t, 2>> previous_;  // per node: the node before it on its first two qubits
  std::vector<double> params_;
  std::vector<std::int32_t> labels_;
  std::vector<Complex> matrix_, full_;
};

}  // namespace

double node_cost(const Node& n, const StepCosts& costs) {
  switch (n.kind) {
    case NodeKind::kOne:
      if (n.num_diagonal == 0) return costs.one;
      return is_within(n.pattern, kPatternExchange1) ? costs.exchange : costs.controlled;
    case NodeKind::kTwo:
      return two_qubit_cost(n.pattern, costs);
    case NodeKind::kDiagonal:
    case NodeKind::kParity:
      return costs.diagonal;
    case NodeKind::kMatrix:
      return 4.0 * static_cast<double>(std::int64_t{1} << n.num_targets);
    case NodeKind::kPermutation:
      return 0;
  }
  return costs.dense_pair;
}

Lowered lower(const FlatCircuit& circuit, const StepCosts& costs) { return Lowering(circuit, costs).run(); }

}  // namespace qfast
