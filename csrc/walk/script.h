// A circuit with its noise as a flat script, as qfast/simulation/script.py makes it: stretches of gates, and between
// them measurements, resets, channels, qubits that come and go, classical code and jumps. Everything is numbered: a
// branch's place is the number of its next step. Comes checked from the border.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "circuit/classical.h"
#include "circuit/flat.h"

namespace qfast {

// States of more qubits do not stand side by side. A lone branch of 12 qubits takes some 10 us a gate in its lane of a
// 512 KiB pack: more than a tile plan, but far less than a walk that plans.
constexpr int kMaxWalkQubits = 12;

enum class WalkStepKind : std::uint8_t {
  kGates,      // operand: stretch
  kMeasure,    // operand: qubit, bit
  kReset,      // operand: qubit
  kAlloc,      // a qubit in |0> above all others
  kFree,       // operand: qubit; measured, forgotten, dropped
  kNoise,      // operand: place
  kMisread,    // operand: error, bit
  kStore,      // operand: code; may change bits [first, first + count)
  kJump,       // to target
  kUnless,     // operand: code; to target if it is zero, else begins a pass of `loop`, if that is not -1
  kChoose,     // operand: code; labels [first, first + count); target: where none fits
  kEnter,      // loop
  kNextValue,  // loop; values [first, first + count); bit: the variable or -1; to target when there is none left
};

// One step, with the names of qfast/simulation/script_code.py.
struct WalkStep {
  WalkStepKind kind = WalkStepKind::kJump;
  bool is_read = false;  // kMeasure, kMisread: the branch itself reads the bit later
  std::int32_t operand = -1;
  std::int32_t bit = -1;
  std::int32_t number = -1;  // of its site; a channel of number -1 draws nothing
  std::int32_t loop = -1;    // innermost around it, whose passes count its visits; -1: outside of loops
  std::int32_t target = -1;
  std::int32_t first = 0, count = 0;
};

// A mixture of unitaries with given probabilities, or Kraus operators.
struct WalkChannel {
  std::int32_t num_qubits = 0;
  std::vector<double> probabilities;  // empty: they depend on the state
  std::vector<std::vector<Complex>> operators;
  std::vector<std::uint8_t> is_identity;  // by operator
};

struct WalkPlace {
  std::int32_t channel = 0;
  std::vector<std::int32_t> qubits;
};

// What is read instead of what is true, at the end: row = true value, 2^k probabilities.
struct WalkReadout {
  std::vector<std::int32_t> bits;
  std::vector<double> probabilities;
};

// What is read from some step on, before it is written: masks of classical bits, variables and loops, of which the
// passes since it was entered and those in all. `row` has an entry a step and one for the end.
struct WalkLiveness {
  std::vector<std::int32_t> row;
  std::vector<std::uint64_t> bits, variables, passes, visits;
};

// Expressions and assignments; see circuit/classical.h.
struct WalkCode {
  std::vector<classical::Instruction> code;
  std::vector<std::int64_t> ends;
  std::vector<std::uint64_t> constants;
  std::size_t stack_words = 0;

  classical::Code view() const { return {code, ends, constants}; }
};

struct WalkScript {
  std::int32_t num_qubits = 0;  // in the beginning
  // The states are density matrices: qubit q of the ket is bit q, that of the bra bit num_qubits + q. Stretches of
  // gates act on both; channels and resets do not divide. There are no qubits that come and go.
  bool is_density = false;
  std::int32_t num_bits = 0;  // of a shot's row
  std::int32_t num_variables = 0;
  std::int32_t num_loops = 0;
  std::vector<WalkStep> steps;
  std::vector<FlatCircuit> segments;
  std::vector<std::vector<std::int32_t>> angles;  // of each stretch: parameter p >= 0 of the circuit, or variable ~p
  std::vector<WalkChannel> channels;
  std::vector<WalkPlace> places;
  std::vector<std::array<double, 4>> read_errors;  // probability of reading r for t at 2 t + r
  std::vector<WalkReadout> final_readouts;         // in order
  std::vector<std::uint64_t> labels;               // of a choice: ascending
  std::vector<std::int32_t> label_targets;
  std::vector<std::uint64_t> loop_values;
  std::vector<classical::Kind> variable_kinds;
  std::vector<std::string> variable_names;
  WalkCode classical;
  std::vector<std::int32_t> sources;  // by bit: the qubit measured into it at the end, or -1
  WalkLiveness live;
};

// Where random numbers are drawn; see qfast/simulation/sites.py.
enum class SiteDomain : std::uint64_t { kOutcome = 0, kChannel = 1, kReading = 2, kFinalReading = 3 };
constexpr std::uint64_t site_of(SiteDomain domain, std::uint64_t number, std::uint64_t visit) {
  return (static_cast<std::uint64_t>(domain) << 62) | (visit << 32) | number;
}
constexpr std::uint64_t kFinalSampling = 0;
constexpr std::uint64_t kMaxVisit = (std::uint64_t{1} << 30) - 1;

}  // namespace qfast
