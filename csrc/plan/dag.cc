#include "plan/dag.h"

#include <algorithm>

#include "base/cancel.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Dag::Dag(int num_qubits, const std::vector<DagItem>& items) {
  // Per qubit: the last node that mixed it, and the diagonal ones since.
  std::vector<std::int32_t> last_mixing(to_size(num_qubits), -1);
  std::vector<std::vector<std::int32_t>> since(to_size(num_qubits));
  std::vector<std::int32_t> seen(items.size(), -1);  // seen[p] == i: edge p -> i exists
  waiting_for_.assign(items.size(), 0);
  pred_begin_.assign(items.size() + 1, 0);
  std::vector<std::int32_t> out_degree(items.size() + 1, 0);
  for (std::size_t i = 0; i < items.size(); ++i) {
    throw_if_interrupted(i);
    const auto self = static_cast<std::int32_t>(i);
    const auto depend_on = [&](std::int32_t p) {
      if (p < 0 || seen[to_size(p)] == self) return;
      seen[to_size(p)] = self;
      predecessors_.push_back(p);
      ++out_degree[to_size(p)];
      ++waiting_for_[i];
    };
    for (const std::int32_t q : items[i].diagonal) {
      depend_on(last_mixing[to_size(q)]);
      since[to_size(q)].push_back(self);
    }
    for (const std::int32_t q : items[i].mixing) {
      depend_on(last_mixing[to_size(q)]);
      for (const std::int32_t p : since[to_size(q)]) depend_on(p);
      since[to_size(q)].clear();
      last_mixing[to_size(q)] = self;
    }
    pred_begin_[i + 1] = static_cast<std::int32_t>(predecessors_.size());
  }
  begin_.assign(items.size() + 1, 0);
  for (std::size_t i = 0; i < items.size(); ++i) begin_[i + 1] = begin_[i] + out_degree[i];
  successors_.resize(predecessors_.size());
  std::vector<std::int32_t> fill(begin_.begin(), begin_.end() - 1);
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const std::int32_t p : predecessors(static_cast<std::int32_t>(i))) {
      successors_[to_size(fill[to_size(p)]++)] = static_cast<std::int32_t>(i);
    }
  }
}

Frontier::Frontier(const Dag& dag, const std::vector<DagItem>& items)
    : dag_(dag), waiting_(dag.waiting_for()), status_(items.size(), Status::kWaiting) {
  need_.reserve(items.size());
  is_free_.reserve(items.size());
  for (const DagItem& item : items) {
    std::uint64_t need = item.also_needs;
    for (const std::int32_t q : item.mixing) need |= std::uint64_t{1} << q;
    need_.push_back(need);
    is_free_.push_back(item.is_free);
    num_left_ += item.is_free ? 0 : 1;
  }
  for (std::int32_t i = 0; i < dag.size(); ++i) {
    if (dag.waiting_for()[to_size(i)] == 0 && status_[to_size(i)] == Status::kWaiting) make_ready(i, ready_);
  }
}

void Frontier::make_ready(std::int32_t i, std::vector<std::int32_t>& newly) {
  status_[to_size(i)] = Status::kReady;
  if (!is_free_[to_size(i)]) {
    newly.push_back(i);
    return;
  }
  // A ready diagonal can be done at any time, so whatever waits for it only no longer waits.
  ready_free_.push_back(i);
  for (const std::int32_t s : dag_.successors(i)) {
    if (--waiting_[to_size(s)] == 0) make_ready(s, newly);
  }
}

const std::vector<std::int32_t>& Frontier::ready() {
  std::erase_if(ready_, [&](std::int32_t i) { return status_[to_size(i)] == Status::kDone; });
  return ready_;
}

double Frontier::gain(std::uint64_t reach, const std::vector<double>& weight, int limit,
                      std::vector<std::int32_t>* blocked) {
  double total = 0;
  trial_.clear();
  undo_.clear();
  if (blocked) blocked->clear();
  const auto consider = [&](std::int32_t i) {
    if (is_free_[to_size(i)] || is_within(i, reach)) {
      trial_.push_back(i);
    } else if (blocked) {
      blocked->push_back(i);
    }
  };
  for (const std::int32_t i : ready_) {
    if (status_[to_size(i)] != Status::kDone) consider(i);
  }
  for (std::size_t k = 0; k < trial_.size() && static_cast<int>(k) < limit; ++k) {
    const std::int32_t i = trial_[k];
    if (!is_free_[to_size(i)]) total += weight[to_size(i)];
    for (const std::int32_t s : dag_.successors(i)) {
      undo_.push_back(s);
      if (--waiting_[to_size(s)] == 0) consider(s);
    }
  }
  for (const std::int32_t s : undo_) ++waiting_[to_size(s)];
  return total;
}

void Frontier::take_diagonals_before(std::int32_t i, std::vector<std::int32_t>& order) {
  for (const std::int32_t p : dag_.predecessors(i)) {
    if (is_free_[to_size(p)] && status_[to_size(p)] == Status::kReady) {
      status_[to_size(p)] = Status::kDone;
      order.push_back(p);
    }
  }
}

void Frontier::finish(std::int32_t i, std::vector<std::int32_t>& order, std::vector<std::int32_t>& newly) {
  status_[to_size(i)] = Status::kDone;
  --num_left_;
  order.push_back(i);
  for (const std::int32_t s : dag_.successors(i)) {
    if (--waiting_[to_size(s)] == 0) make_ready(s, newly);
  }
}

void Frontier::take(std::int32_t i, std::vector<std::int32_t>& order) {
  take_diagonals_before(i, order);
  std::vector<std::int32_t> newly;
  finish(i, order, newly);
  ready_.insert(ready_.end(), newly.begin(), newly.end());
}

void Frontier::advance(std::uint64_t reach, std::vector<std::int32_t>& order, int limit) {
  // In rounds, so that nodes which are ready together ask for their diagonals together and these can share tables.
  std::vector<std::int32_t> round, newly;
  for (const std::int32_t i : ready()) {
    if (is_within(i, reach)) round.push_back(i);
  }
  while (!round.empty() && limit > 0) {
    if (static_cast<int>(round.size()) > limit) round.resize(to_size(limit));
    limit -= static_cast<int>(round.size());
    for (const std::int32_t i : round) take_diagonals_before(i, order);
    newly.clear();
    for (const std::int32_t i : round) finish(i, order, newly);
    ready_.insert(ready_.end(), newly.begin(), newly.end());
    round.clear();
    for (const std::int32_t i : newly) {
      if (is_within(i, reach)) round.push_back(i);
    }
  }
  ready();
  std::erase_if(ready_free_, [&](std::int32_t i) { return status_[to_size(i)] == Status::kDone; });
}

void Frontier::flush(std::vector<std::int32_t>& order) {
  for (const std::int32_t i : ready_free_) {
    if (status_[to_size(i)] != Status::kReady) continue;
    status_[to_size(i)] = Status::kDone;
    order.push_back(i);
  }
  ready_free_.clear();
}

}  // namespace qfast
