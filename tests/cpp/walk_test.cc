// The walk against a simulation that runs every shot for itself, amplitude by amplitude.
#include "walk/walk.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <random>

#include "base/cpu_features.h"
#include "base/error.h"
#include "base/philox.h"
#include "check.h"
#include "circuit/gates.h"
#include "plan/matrices.h"
#include "walk/row_histogram.h"

namespace {

using namespace qfast;
using State = std::vector<Complex>;
using Rng = std::mt19937_64;

std::vector<Isa> isas() {
  std::vector<Isa> found;
  for (Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (isa_available(isa)) found.push_back(isa);
  }
  return found;
}

int below(Rng& rng, int bound) { return static_cast<int>(rng() % static_cast<std::uint64_t>(bound)); }
double angle(Rng& rng) { return 6.28 * (static_cast<double>(rng() >> 11) * 0x1p-53) - 3.14; }

// --- scripts ---------------------------------------------------------------------------------------------------------

void add_gate(FlatCircuit& c, std::uint16_t opcode, std::vector<std::int32_t> qubits, std::vector<double> params = {},
              std::int32_t data = -1, std::uint16_t controls = 0, std::uint64_t state = 0) {
  c.qubits.append(qubits);
  c.params.append(params);
  c.end_row({opcode, controls, state, data});
}

std::vector<std::int32_t> some_qubits(Rng& rng, int n, int count) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(n));
  for (int k = 0; k < n; ++k) all[static_cast<std::size_t>(k)] = k;
  std::shuffle(all.begin(), all.end(), rng);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

FlatCircuit random_gates(Rng& rng, int n, int count) {
  FlatCircuit c;
  c.num_qubits = n;
  for (int g = 0; g < count; ++g) {
    const int kind = below(rng, n >= 3 ? 14 : n >= 2 ? 11 : 5);
    switch (kind) {
      case 0:
        add_gate(c, k_h, some_qubits(rng, n, 1));
        break;
      case 1:
        add_gate(c, k_ry, some_qubits(rng, n, 1), {angle(rng)});
        break;
      case 2:
        add_gate(c, k_u, some_qubits(rng, n, 1), {angle(rng), angle(rng), angle(rng)});
        break;
      case 3:
        add_gate(c, k_t, some_qubits(rng, n, 1));
        break;
      case 4:
        add_gate(c, k_gphase, {}, {angle(rng)});
        break;
      case 5:
        add_gate(c, k_cx, some_qubits(rng, n, 2));
        break;
      case 6:
        add_gate(c, k_cp, some_qubits(rng, n, 2), {angle(rng)});
        break;
      case 7:
        add_gate(c, k_swap, some_qubits(rng, n, 2));
        break;
      case 8:
        add_gate(c, k_rzz, some_qubits(rng, n, 2), {angle(rng)});
        break;
      case 9:
        add_gate(c, k_fsim, some_qubits(rng, n, 2), {angle(rng), angle(rng)});
        break;
      case 10:
        add_gate(c, k_h, some_qubits(rng, n, 2), {}, -1, 1, below(rng, 2));
        break;
      case 11:
        c.integer_data.push_back({below(rng, 4), below(rng, 4), below(rng, 4)});
        add_gate(c, k_pauli_rotation, some_qubits(rng, n, 3), {angle(rng)},
                 static_cast<std::int32_t>(c.integer_data.size()) - 1);
        break;
      case 12:
        c.integer_data.push_back({3, 0, 1, 2, 5, 4, 7, 6});
        add_gate(c, k_permutation, some_qubits(rng, n, 3), {}, static_cast<std::int32_t>(c.integer_data.size()) - 1);
        break;
      default:
        add_gate(c, k_cswap, some_qubits(rng, n, 3));
    }
  }
  return c;
}

WalkChannel depolarizing(double p) {
  const Complex i{0, 1};
  return {1, {1 - p, p / 3, p / 3, p / 3}, {{1, 0, 0, 1}, {0, 1, 1, 0}, {0, -i, i, 0}, {1, 0, 0, -1}}, {1, 0, 0, 0}};
}

WalkChannel damping(double g) { return {1, {}, {{1, 0, 0, std::sqrt(1 - g)}, {0, std::sqrt(g), 0, 0}}, {0, 0}}; }

WalkChannel correlated(double p) {  // XX or nothing
  std::vector<Complex> one(16), xx(16);
  for (std::size_t k = 0; k < 4; ++k) {
    one[5 * k] = 1;
    xx[4 * k + 3 - k] = 1;
  }
  return {2, {1 - p, p}, {one, xx}, {1, 0}};
}

// Everything is live everywhere: nothing is assumed that a test could not see.
void set_liveness(WalkScript& script, bool bits) {
  const auto words = [](int count) { return static_cast<std::size_t>(std::max(1, (count + 63) / 64)); };
  script.live.row.assign(script.steps.size() + 1, 0);
  script.live.bits.assign(words(script.num_bits), bits ? ~std::uint64_t{0} : 0);
  script.live.variables.assign(words(script.num_variables), 0);
  const std::uint64_t loops = script.num_loops == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << script.num_loops) - 1;
  script.live.passes.assign(words(script.num_loops), loops);
  script.live.visits.assign(words(script.num_loops), loops);
}

struct Builder {
  Rng rng;
  WalkScript script;
  int width;
  int number = 0;

  explicit Builder(std::uint64_t seed) : rng(seed), width(0) {
    script.num_qubits = width = 1 + below(rng, 5);
    script.num_bits = 1 + below(rng, 70);
    script.channels = {depolarizing(0.2), damping(0.3), correlated(0.3)};
    script.read_errors = {{0.9, 0.1, 0.2, 0.8}};
  }

  void add_block(int count, int loop) {
    for (int k = 0; k < count; ++k) {
      ++number;
      WalkStep step;
      step.number = number;
      step.loop = loop;
      step.operand = below(rng, width);
      const int kind = below(rng, loop < 0 ? 9 : 7);
      if (kind <= 1) {
        step.kind = WalkStepKind::kGates;
        step.operand = static_cast<std::int32_t>(script.segments.size());
        script.segments.push_back(random_gates(rng, width, 1 + below(rng, 6)));
        script.angles.emplace_back();
      } else if (kind == 2) {
        step.kind = WalkStepKind::kMeasure;
        step.bit = below(rng, script.num_bits);
      } else if (kind == 3) {
        step.kind = WalkStepKind::kReset;
      } else if (kind == 4) {
        step.kind = WalkStepKind::kNoise;
        step.operand = static_cast<std::int32_t>(script.places.size());
        const int channel = below(rng, width > 1 ? 3 : 2);
        script.places.push_back({channel, some_qubits(rng, width, channel == 2 ? 2 : 1)});
      } else if (kind == 5) {
        step.kind = WalkStepKind::kMisread;
        step.is_read = below(rng, 2) == 0;
        step.operand = 0;
        step.bit = below(rng, script.num_bits);
      } else if (kind == 6) {
        add_loop(loop);
        continue;
      } else if (kind == 7) {
        if (width >= 7) continue;
        step.kind = WalkStepKind::kAlloc;
        ++width;
      } else {
        if (width <= 1) continue;
        step.kind = WalkStepKind::kFree;
        --width;
      }
      script.steps.push_back(step);
    }
  }

  void add_loop(int around) {
    if (script.num_loops > 2) return;
    const std::int32_t loop = script.num_loops++;
    WalkStep enter, next, back;
    enter.kind = WalkStepKind::kEnter;
    enter.loop = loop;
    next.kind = WalkStepKind::kNextValue;
    next.loop = loop;
    next.count = 1 + below(rng, 3);
    script.steps.push_back(enter);
    const std::size_t begin = script.steps.size();
    script.steps.push_back(next);
    add_block(3, loop);
    back.kind = WalkStepKind::kJump;
    back.target = static_cast<std::int32_t>(begin);
    script.steps.push_back(back);
    script.steps[begin].target = static_cast<std::int32_t>(script.steps.size());
    static_cast<void>(around);
  }

  void finish() {
    script.loop_values.assign(8, 0);
    script.sources.assign(static_cast<std::size_t>(script.num_bits), -1);
    for (std::int32_t& source : script.sources) {
      if (below(rng, 3) == 0) source = below(rng, width);
    }
    if (below(rng, 2) == 0) {
      const int bit = below(rng, script.num_bits);
      script.final_readouts.push_back({{bit}, {0.7, 0.3, 0.1, 0.9}});
    }
    // Nothing reads bits but misreadings.
    bool reads = false;
    for (const WalkStep& step : script.steps) reads = reads || step.kind == WalkStepKind::kMisread;
    set_liveness(script, reads);
  }
};

// --- one shot after the other ----------------------------------------------------------------------------------------

class Shot {
 public:
  Shot(const WalkScript& script, std::uint64_t seed, std::uint64_t shot)
      : s_(script),
        seed_(seed),
        shot_(shot),
        state_(std::size_t{1} << script.num_qubits),
        row(static_cast<std::size_t>(row_words(script.num_bits))) {
    state_[0] = 1;
  }

  // False where a uniform lies so close to a boundary that rounding decides.
  bool run() {
    std::vector<std::uint64_t> passes(8), visits(8);
    for (std::size_t pc = 0; pc < s_.steps.size();) {
      const WalkStep& step = s_.steps[pc++];
      const std::uint64_t visit = step.loop < 0 ? 0 : visits[static_cast<std::size_t>(step.loop)] - 1;
      const auto number = static_cast<std::uint64_t>(step.number);
      switch (step.kind) {
        case WalkStepKind::kGates:
          gates(s_.segments[static_cast<std::size_t>(step.operand)]);
          break;
        case WalkStepKind::kMeasure:
        case WalkStepKind::kReset:
        case WalkStepKind::kFree:
          measure(step, site_of(SiteDomain::kOutcome, number, visit));
          break;
        case WalkStepKind::kAlloc:
          state_.resize(2 * state_.size());
          break;
        case WalkStepKind::kNoise:
          noise(s_.places[static_cast<std::size_t>(step.operand)], site_of(SiteDomain::kChannel, number, visit));
          break;
        case WalkStepKind::kMisread: {
          const auto& error = s_.read_errors[static_cast<std::size_t>(step.operand)];
          const std::size_t at = bit(step.bit) ? 2 : 0;
          set_bit(step.bit, draw({error[at], error[at + 1]}, site_of(SiteDomain::kReading, number, visit)) == 1);
          break;
        }
        case WalkStepKind::kEnter:
          passes[static_cast<std::size_t>(step.loop)] = 0;
          break;
        case WalkStepKind::kNextValue: {
          const auto loop = static_cast<std::size_t>(step.loop);
          if (passes[loop] == static_cast<std::uint64_t>(step.count)) {
            pc = static_cast<std::size_t>(step.target);
          } else {
            ++passes[loop];
            ++visits[loop];
          }
          break;
        }
        default:
          pc = static_cast<std::size_t>(step.target);
      }
    }
    finish();
    return is_clear_;
  }

 private:
  bool bit(std::int32_t b) const { return (row[static_cast<std::size_t>(b >> 6)] >> (b & 63)) & 1; }
  void set_bit(std::int32_t b, bool value) {
    std::uint64_t& word = row[static_cast<std::size_t>(b >> 6)];
    word = (word & ~(std::uint64_t{1} << (b & 63))) | std::uint64_t{value} << (b & 63);
  }

  std::size_t draw(const std::vector<double>& weights, std::uint64_t site) {
    std::size_t possible = 0, only = 0, last = 0;
    double sum = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      sum += weights[k];
      if (weights[k] > 1e-14) {
        ++possible;
        only = last = k;
      }
    }
    if (possible == 1) return only;
    const double value = philox_uniform(seed_, shot_, site) * sum;
    double end = 0;
    std::size_t found = 0;
    for (std::size_t k = 0; k < last; ++k) {
      end += weights[k];
      if (std::abs(end - value) < 1e-12) is_clear_ = false;
      if (end <= value) found = k + 1;
    }
    return found;
  }

  void apply(const std::vector<Complex>& matrix, const std::vector<std::int32_t>& qubits) {
    const std::size_t dim = std::size_t{1} << qubits.size();
    State out(state_.size());
    for (std::size_t i = 0; i < state_.size(); ++i) {
      std::size_t column = 0;
      for (std::size_t k = 0; k < qubits.size(); ++k) column |= ((i >> qubits[k]) & 1) << k;
      for (std::size_t row_index = 0; row_index < dim; ++row_index) {
        std::size_t j = i;
        for (std::size_t k = 0; k < qubits.size(); ++k) {
          j = (j & ~(std::size_t{1} << qubits[k])) | ((row_index >> k) & 1) << qubits[k];
        }
        out[j] += matrix[row_index * dim + column] * state_[i];
      }
    }
    state_ = out;
  }

  void gates(const FlatCircuit& c) {
    for (std::int64_t g = 0; g < c.size(); ++g) {
      const Operation op = operation_at(c, g);
      std::vector<Complex> matrix;
      full_matrix(c, op, c.params.data(), matrix);
      apply(matrix, {op.qubits, op.qubits + op.num_controls + op.num_targets});
    }
  }

  void measure(const WalkStep& step, std::uint64_t site) {
    std::vector<double> weights(2);
    for (std::size_t i = 0; i < state_.size(); ++i) weights[(i >> step.operand) & 1] += std::norm(state_[i]);
    const std::size_t outcome = draw(weights, site);
    const std::size_t mask = std::size_t{1} << step.operand;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      state_[i] = ((i >> step.operand) & 1) == outcome ? state_[i] / std::sqrt(weights[outcome]) : 0.0;
    }
    if (step.kind == WalkStepKind::kMeasure) return set_bit(step.bit, outcome == 1);
    if (outcome == 1) {
      for (std::size_t i = 0; i < state_.size(); ++i) {
        if ((i & mask) == 0) std::swap(state_[i], state_[i | mask]);
      }
    }
    if (step.kind == WalkStepKind::kReset) return;
    State out;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if ((i & mask) == 0) out.push_back(state_[i]);
    }
    state_ = out;
  }

  void noise(const WalkPlace& place, std::uint64_t site) {
    const WalkChannel& channel = s_.channels[static_cast<std::size_t>(place.channel)];
    const State before = state_;
    std::vector<double> weights = channel.probabilities;
    if (weights.empty()) {
      for (const auto& k : channel.operators) {
        state_ = before;
        apply(k, place.qubits);
        double norm = 0;
        for (Complex z : state_) norm += std::norm(z);
        weights.push_back(norm < 1e-15 ? 0.0 : norm);
      }
      state_ = before;
    }
    const std::size_t outcome = draw(weights, site);
    apply(channel.operators[outcome], place.qubits);
    if (!channel.probabilities.empty()) return;
    for (Complex& z : state_) z /= std::sqrt(weights[outcome]);
  }

  void finish() {
    if (std::ranges::any_of(s_.sources, [](std::int32_t source) { return source >= 0; })) {
      std::vector<double> weights;
      for (Complex z : state_) weights.push_back(std::norm(z));
      const std::size_t index = draw(weights, kFinalSampling);
      for (std::size_t b = 0; b < s_.sources.size(); ++b) {
        if (s_.sources[b] >= 0) set_bit(static_cast<std::int32_t>(b), (index >> s_.sources[b]) & 1);
      }
    }
    for (const WalkReadout& readout : s_.final_readouts) {
      const std::size_t truth = bit(readout.bits[0]) ? 2 : 0;
      const auto at = site_of(SiteDomain::kFinalReading, static_cast<std::uint64_t>(readout.bits[0]), 0);
      set_bit(readout.bits[0], philox_uniform(seed_, shot_, at) >= readout.probabilities[truth]);
    }
  }

  const WalkScript& s_;
  std::uint64_t seed_, shot_;
  State state_;
  bool is_clear_ = true;

 public:
  std::vector<std::uint64_t> row;
};

std::shared_ptr<const WalkPlan> plan_of(const std::shared_ptr<const WalkScript>& script) {
  return std::make_shared<const WalkPlan>(*script, Precision::kComplex128, default_isa());
}

constexpr auto kForever = std::chrono::steady_clock::time_point::max();

std::vector<std::uint8_t> rows_of(const std::shared_ptr<const WalkScript>& script, Precision precision, Isa isa,
                                  const ShotRange& shots, int threads,
                                  std::chrono::steady_clock::time_point deadline = kForever) {
  const auto plan = std::make_shared<const WalkPlan>(*script, precision, isa);
  Walk walk(plan, {}, nullptr, {threads});
  std::vector<std::uint8_t> rows(static_cast<std::size_t>(shots.num_shots * row_bytes(script->num_bits)));
  walk.fill_rows(shots, rows.data());
  for (int turn = 0; !walk.step(turn > 100 ? kForever : deadline, nullptr);) ++turn;
  return rows;
}

// Shots that differ though no uniform is near a boundary.
int differences(const WalkScript& script, const std::vector<std::uint8_t>& rows, const ShotRange& shots) {
  const auto bytes = static_cast<std::size_t>(row_bytes(script.num_bits));
  int wrong = 0;
  for (std::int64_t i = 0; i < shots.num_shots; ++i) {
    Shot shot(script, shots.seed, shots.first_shot + static_cast<std::uint64_t>(i));
    const bool is_clear = shot.run();
    std::vector<std::uint8_t> wanted(bytes);
    write_row(shot.row.data(), script.num_bits, wanted.data());
    if (is_clear && !std::equal(wanted.begin(), wanted.end(),
                                rows.begin() + static_cast<std::ptrdiff_t>(i) * static_cast<std::ptrdiff_t>(bytes)))
      ++wrong;
  }
  return wrong;
}

std::shared_ptr<const WalkScript> random_script(std::uint64_t seed, int length) {
  Builder builder(seed);
  builder.add_block(length, -1);
  builder.finish();
  return std::make_shared<const WalkScript>(std::move(builder.script));
}

}  // namespace

TEST(every_shot_of_a_walk_is_the_shot_simulated_alone) {
  for (Isa isa : isas()) {
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
      const auto script = random_script(seed, 12);
      const ShotRange shots{seed, 1000, 40, 0};
      const int wrong = differences(*script, rows_of(script, Precision::kComplex128, isa, shots, 1), shots);
      if (wrong != 0) std::printf("isa %d seed %d: %d\n", static_cast<int>(isa), static_cast<int>(seed), wrong);
      CHECK(wrong == 0);
    }
  }
}

TEST(rows_do_not_depend_on_threads_steps_or_neighbours) {
  for (Isa isa : isas()) {
    for (std::uint64_t seed = 200; seed < 230; ++seed) {
      const auto script = random_script(seed, 20);
      for (Precision precision : {Precision::kComplex64, Precision::kComplex128}) {
        const ShotRange shots{7, 0, 3000, 0};
        const auto rows = rows_of(script, precision, isa, shots, 1);
        CHECK(rows == rows_of(script, precision, isa, shots, 4));
        CHECK(rows == rows_of(script, precision, isa, shots, 2, std::chrono::steady_clock::time_point::min()));
        const auto bytes = static_cast<std::size_t>(row_bytes(script->num_bits));
        for (std::uint64_t shot : {0u, 17u, 2999u}) {
          const auto one = rows_of(script, precision, isa, {7, shot, 1, 0}, 1);
          CHECK(std::equal(one.begin(), one.end(), rows.begin() + static_cast<std::ptrdiff_t>(shot * bytes)));
        }
      }
    }
  }
}

TEST(counts_are_those_of_the_rows) {
  for (std::uint64_t seed = 300; seed < 340; ++seed) {
    const auto script = random_script(seed, 15);
    const ShotRange shots{seed, 5, 2000, 0};
    const auto rows = rows_of(script, Precision::kComplex128, default_isa(), shots, 1);
    Walk walk(plan_of(script), {}, nullptr, {2});
    walk.count(shots);
    while (!walk.step(kForever, nullptr)) continue;
    const Histogram found = walk.histogram();
    RowHistogram wanted(script->num_bits);
    const auto bytes = static_cast<std::size_t>(row_bytes(script->num_bits));
    for (std::int64_t i = 0; i < shots.num_shots; ++i) {
      std::vector<std::uint64_t> row(static_cast<std::size_t>(row_words(script->num_bits)));
      for (std::size_t b = 0; b < bytes; ++b) {
        row[b >> 3] |= std::uint64_t{rows[static_cast<std::size_t>(i) * bytes + b]} << (8 * (b & 7));
      }
      wanted.add(row.data(), 1);
    }
    const Histogram sorted = wanted.sorted();
    CHECK(found.rows == sorted.rows && found.counts == sorted.counts);
  }
}

TEST(weights_of_all_branches_sum_to_one) {
  for (std::uint64_t seed = 400; seed < 420; ++seed) {
    const auto script = random_script(seed, 3);
    Walk walk(plan_of(script), {}, nullptr, {});
    walk.visit_weighted_leaves();
    double sum = 0;
    while (!walk.step(kForever, nullptr)) {
      CHECK(walk.has_leaf());
      sum += walk.leaf().weight;
      std::vector<Complex> state(std::size_t{1} << walk.leaf().num_qubits);
      walk.copy_leaf_state(state.data());
      double norm = 0;
      for (Complex z : state) norm += std::norm(z);
      CHECK(std::abs(norm - 1) < 1e-10);
    }
    CHECK(std::abs(sum - 1) < 1e-10);
  }
}

TEST(a_cancelled_walk_stops) {
  const auto script = random_script(500, 20);
  CancelToken token;
  token.cancelled = true;
  Walk walk(plan_of(script), {}, nullptr, {});
  walk.count({1, 0, 100, 0});
  bool is_cancelled = false;
  try {
    walk.step(kForever, &token);
  } catch (const Error& error) {
    is_cancelled = error.kind() == ErrorKind::kCancelled;
  }
  CHECK(is_cancelled);
}
