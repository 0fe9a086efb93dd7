#include "run/explain.h"

#include <array>
#include <sstream>

#include "base/cpu_features.h"
#include "kernels/kernel_table.h"
#include "run/direct.h"

namespace qfast {
namespace {

constexpr std::array<const char*, 6> kNodeNames = {"one_qubit", "two_qubit", "diagonal",
                                                   "parity",    "matrix",    "permutation"};
constexpr std::array<const char*, 5> kStepNames = {"one_qubit", "two_qubit", "diagonal", "lane_swap", "exchange"};

// Real operations per amplitude of one planned step, as the kernels do them.
double step_flops(const Plan& plan, const PlanStep& step) {
  switch (step.kind) {
    case PlanStep::Kind::kOne:
    case PlanStep::Kind::kTwo:
      return 2 * node_cost(plan.lowered.nodes[static_cast<std::size_t>(step.index)], StepCosts{});
    case PlanStep::Kind::kDiagonal:
      return 6;
    case PlanStep::Kind::kSwapLane:
    case PlanStep::Kind::kFlip:
      return 0;
  }
  return 0;
}

template <std::size_t N>
void write_counts(std::ostream& out, const std::array<const char*, N>& names, const std::array<int, N>& counts) {
  out << '{';
  for (std::size_t k = 0; k < N; ++k) out << (k ? ", " : "") << '"' << names[k] << "\": " << counts[k];
  out << '}';
}

template <class T>
std::string explain_steps(const FlatCircuit& circuit, Precision precision, Isa isa) {
  DirectSteps<T> steps(tile_kernels_of<T>(kernels_for(isa)));
  const std::vector<double> values(static_cast<std::size_t>(circuit.expressions.num_parameters), 0.7390851);  // any
  steps.bind(circuit, values.data());
  const auto summary = steps.summary();
  std::ostringstream out;
  out << "{\"num_qubits\": " << circuit.num_qubits << ", \"tile_qubits\": " << circuit.num_qubits
      << ", \"cost_table\": null, \"isa\": \"" << isa_name(isa) << "\", \"precision\": \""
      << (precision == Precision::kComplex64 ? "complex64" : "complex128") << "\", \"nodes\": {}, \"sweeps\": [";
  out << "{\"tile_bits\": [";
  for (int k = 0; k < circuit.num_qubits; ++k) out << (k ? ", " : "") << k;
  out << "], \"blocks\": " << summary.passes << ", \"matrices\": 0, \"steps\": ";
  write_counts(out, kStepNames, summary.steps);
  out << ", \"flops_per_amplitude\": " << summary.flops_per_amplitude
      << ", \"moves\": false}], \"passes\": 1, \"flops_per_amplitude\": " << summary.flops_per_amplitude << '}';
  return out.str();
}

}  // namespace

std::string explain_direct(const FlatCircuit& circuit, Precision precision, Isa isa) {
  return precision == Precision::kComplex64 ? explain_steps<float>(circuit, precision, isa)
                                            : explain_steps<double>(circuit, precision, isa);
}

std::string explain_plan(const Plan& plan, Precision precision, Isa isa, const std::string& cost_table) {
  std::ostringstream out;
  out << "{\"num_qubits\": " << plan.num_qubits << ", \"tile_qubits\": " << plan.tile_bits << ", \"cost_table\": \""
      << cost_table << "\", \"isa\": \"" << isa_name(isa) << "\", \"precision\": \""
      << (precision == Precision::kComplex64 ? "complex64" : "complex128") << "\", \"nodes\": ";
  std::array<int, 6> nodes{};
  for (const Node& n : plan.lowered.nodes) ++nodes[static_cast<std::size_t>(n.kind)];
  write_counts(out, kNodeNames, nodes);
  out << ", \"sweeps\": [";
  double flops = 0;
  for (std::size_t s = 0; s < plan.sweeps.size(); ++s) {
    const Sweep& sweep = plan.sweeps[s];
    std::array<int, 5> steps{};
    int blocks = 0, matrices = 0;
    double sweep_flops = 0;
    for (const TileOp& op : sweep.ops) {
      if (op.kind == TileOp::Kind::kPermutation) continue;
      if (op.kind == TileOp::Kind::kMatrix) {
        ++matrices;
        sweep_flops += 2 * node_cost(plan.lowered.nodes[static_cast<std::size_t>(op.node)], StepCosts{});
      } else {
        ++blocks;
      }
      for (const PlanStep& step : op.steps) {
        ++steps[static_cast<std::size_t>(step.kind)];
        sweep_flops += step_flops(plan, step);
      }
    }
    flops += sweep_flops;
    out << (s ? ", " : "") << "{\"tile_bits\": [";
    const std::vector<std::int32_t>& bits = is_permutation(sweep) ? sweep.store_bits : sweep.tile_bits;
    for (std::size_t k = 0; k < bits.size(); ++k) out << (k ? ", " : "") << bits[k];
    out << "], \"blocks\": " << blocks << ", \"matrices\": " << matrices << ", \"steps\": ";
    write_counts(out, kStepNames, steps);
    out << ", \"flops_per_amplitude\": " << sweep_flops
        << ", \"moves\": " << (is_permutation(sweep) || sweep.tile_bits != sweep.store_bits ? "true" : "false") << '}';
  }
  out << "], \"passes\": " << plan.sweeps.size() << ", \"flops_per_amplitude\": " << flops << '}';
  return out.str();
}

}  // namespace qfast
