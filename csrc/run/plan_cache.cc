#include "run/plan_cache.h"

#include <cmath>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "base/cancel.h"
#include "plan/assert_plan.h"
#include "plan/matrices.h"

namespace qfast {
namespace {

constexpr std::size_t kMaxPlans = 256;
constexpr std::int64_t kMaxOperations = 1'000'000;
constexpr std::int64_t kMaxCircuit = 100'000;

// A string that two circuits share only if one plan serves both.
class StructureKey {
 public:
  StructureKey(const FlatCircuit& circuit, const PlanTarget& target) : circuit_(circuit) {
    put(circuit.num_qubits);
    put(target.lane_bits);
    put(target.block_bits);
    put(target.tile_bits);
    put_costs(target.costs);
    params_ = generic_parameters(circuit);
    for (std::int64_t i = 0; i < circuit.size(); ++i) {
      throw_if_interrupted(static_cast<std::size_t>(i));
      put_operation(i);
    }
  }

  std::string take() { return std::move(key_); }

 private:
  template <class T>
  void put(T value) {
    key_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  // The tile's size is the target's; a table's name plans nothing.
  void put_costs(const PlanCosts& costs) {
    for (const double price : costs.pass) put(price);
    const StepCosts& s = costs.steps;
    for (const double price : {s.one, s.controlled, s.exchange, s.diagonal, s.pairs, s.dense_pair}) put(price);
  }

  void put_operation(std::int64_t index) {
    const Operation op = operation_at(circuit_, index);
    put(op.opcode);
    put(static_cast<std::uint8_t>(op.num_controls));
    put(static_cast<std::uint8_t>(op.num_targets));
    put(op.control_state);
    for (int k = 0; k < op.num_controls + op.num_targets; ++k) put(op.qubits[k]);
    if (op.row->data == DataKind::kPauli) {
      for (const std::int64_t letter : circuit_.integer_data[static_cast<std::size_t>(op.data)]) {
        put(static_cast<std::uint8_t>(letter));
      }
    }
    if (op.num_targets > 2 || op.row->data == DataKind::kDiagonal) return;
    target_matrix(circuit_, op, params_.data(), matrix_);
    std::uint32_t zeros = 0;
    bool is_real = true;
    for (std::size_t e = 0; e < matrix_.size(); ++e) {
      if (std::abs(matrix_[e]) > kRoundingOfZero) zeros |= 1u << e;
      is_real = is_real && std::abs(matrix_[e].imag()) <= kRoundingOfZero;
    }
    put(zeros | (is_real ? 1u << 16 : 0u));
  }

  const FlatCircuit& circuit_;
  std::vector<double> params_;
  std::vector<Complex> matrix_;
  std::string key_;
};

class PlanCache {
 public:
  std::shared_ptr<const PlannedCircuit> find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found == places_.end()) {
      ++stats_.misses;
      return nullptr;
    }
    ++stats_.hits;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->planned;
  }

  void keep(std::string key, std::shared_ptr<const PlannedCircuit> planned, std::int64_t operations) {
    const std::lock_guard lock(mutex_);
    if (places_.contains(key)) return;  // another thread was quicker
    entries_.push_front({key, std::move(planned), operations});
    places_.emplace(std::move(key), entries_.begin());
    stats_.operations += static_cast<std::uint64_t>(operations);
    while (entries_.size() > kMaxPlans || stats_.operations > static_cast<std::uint64_t>(kMaxOperations)) {
      stats_.operations -= static_cast<std::uint64_t>(entries_.back().operations);
      places_.erase(entries_.back().key);
      entries_.pop_back();
    }
  }

  PlanCacheStats stats() {
    const std::lock_guard lock(mutex_);
    PlanCacheStats out = stats_;
    out.plans = entries_.size();
    return out;
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
    places_.clear();
    stats_ = {};
  }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const PlannedCircuit> planned;
    std::int64_t operations;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> places_;
  PlanCacheStats stats_;
};

// Never destroyed: programs may outlive static objects. Made when the library is loaded, not at first use, which may be
// while another thread forks. A child of fork() gets a fresh one, as the parent's lock may be held by a thread that the
// child does not have.
PlanCache* cache = new PlanCache;
#if !defined(_WIN32)
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, [] { cache = new PlanCache; });
#endif

std::shared_ptr<const PlannedCircuit> plan_now(const FlatCircuit& circuit, const PlanTarget& target) {
  auto made = std::make_shared<PlannedCircuit>();
  made->plan = make_plan(circuit, target);
  assert_plan(made->plan);
  made->layouts = lay_out(made->plan);
  return made;
}

}  // namespace

std::shared_ptr<const PlannedCircuit> planned(const FlatCircuit& circuit, const PlanTarget& target) {
  if (circuit.size() > kMaxCircuit) return plan_now(circuit, target);
  std::string key = StructureKey(circuit, target).take();
  if (auto found = cache->find(key)) return found;
  auto made = plan_now(circuit, target);
  cache->keep(std::move(key), made, circuit.size());
  return made;
}

PlanCacheStats plan_cache_stats() { return cache->stats(); }
void clear_plan_cache() { cache->clear(); }

}  // namespace qfast
