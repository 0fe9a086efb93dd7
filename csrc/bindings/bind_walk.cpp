// Scripts, and the walk over their branches.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include "base/cpu_features.h"
#include "base/error.h"
#include "bindings/arrays.h"
#include "bindings/flat_columns.h"
#include "bindings/register.h"
#include "bindings/state_array.h"
#include "walk/walk.h"

namespace py = pybind11;

namespace qfast {
namespace {

// How long a walk goes on before it comes back to look for signals.
constexpr std::chrono::milliseconds kStepTime{20};

using Rows = py::array_t<std::uint8_t, py::array::c_style>;

// --- scripts: ScriptCode of qfast/simulation/script_code.py
// ------------------------------------------------------------

template <class T>
std::vector<T> column(const py::object& code, const char* name) {
  return copy_column<T>(code.attr(name));
}

// Columns of a row of steps, by kind.
WalkStep step_of(const std::int32_t* row, WalkScript& script, const std::vector<std::int32_t>& noise_qubits) {
  WalkStep step;
  step.kind = static_cast<WalkStepKind>(row[0]);
  const std::int32_t* operand = row + 1;
  step.operand = operand[0];
  switch (step.kind) {
    case WalkStepKind::kMeasure:
      step.bit = operand[1];
      step.number = operand[2];
      step.loop = operand[3];
      step.is_read = operand[4] != 0;
      break;
    case WalkStepKind::kReset:
    case WalkStepKind::kFree:
      step.number = operand[1];
      step.loop = operand[2];
      break;
    case WalkStepKind::kNoise: {
      const auto first = noise_qubits.begin() + operand[1];
      step.operand = static_cast<std::int32_t>(script.places.size());
      script.places.push_back({operand[0], {first, first + operand[2]}});
      step.number = operand[3];
      step.loop = operand[4];
      break;
    }
    case WalkStepKind::kMisread:
      step.bit = operand[0];
      step.operand = operand[1];
      step.number = operand[2];
      step.loop = operand[3];
      step.is_read = operand[4] != 0;
      break;
    case WalkStepKind::kStore:
      step.first = operand[1];
      step.count = operand[2];
      break;
    case WalkStepKind::kJump:
      step.target = operand[0];
      break;
    case WalkStepKind::kUnless:
      step.target = operand[1];
      step.loop = operand[2];
      break;
    case WalkStepKind::kChoose:
      step.first = operand[1];
      step.count = operand[2];
      step.target = operand[3];
      break;
    case WalkStepKind::kEnter:
      step.loop = operand[0];
      break;
    case WalkStepKind::kNextValue:
      step.loop = operand[0];
      step.first = operand[1];
      step.count = operand[2];
      step.bit = operand[3];
      step.target = operand[4];
      break;
    case WalkStepKind::kGates:
    case WalkStepKind::kAlloc:
      break;
  }
  return step;
}

void add_channels(const py::object& code, WalkScript& script) {
  const auto kinds = column<std::int32_t>(code, "channel_kinds"), qubits = column<std::int32_t>(code, "channel_qubits");
  const auto outcomes = column<std::int32_t>(code, "num_outcomes");
  const auto weight_at = column<std::int64_t>(code, "weight_at"),
             operator_at = column<std::int64_t>(code, "operator_at");
  const auto weights = column<double>(code, "channel_weights");
  const auto is_identity = column<std::uint8_t>(code, "is_identity");
  const auto operators = column<Complex>(code, "operators");
  for (std::size_t c = 0; c < kinds.size(); ++c) {
    WalkChannel& channel = script.channels.emplace_back();
    channel.num_qubits = qubits[c];
    const auto count = static_cast<std::ptrdiff_t>(outcomes[c]), size = std::ptrdiff_t{1} << (2 * qubits[c]);
    if (kinds[c] == 0)
      channel.probabilities.assign(weights.begin() + weight_at[c], weights.begin() + weight_at[c] + count);
    channel.is_identity.assign(is_identity.begin() + weight_at[c], is_identity.begin() + weight_at[c] + count);
    for (std::ptrdiff_t k = 0; k < count; ++k) {
      const auto first = operators.begin() + operator_at[c] + k * size;
      channel.operators.emplace_back(first, first + size);
    }
  }
}

// final_readouts: pairs of bits and rows of probabilities.
WalkScript make_script(const py::object& code, const std::vector<py::tuple>& segments,
                       const Column<std::int32_t>& sources, const py::list& final_readouts,
                       std::vector<std::string> variable_names, bool is_density) {
  WalkScript script;
  script.is_density = is_density;
  script.num_qubits = py::cast<std::int32_t>(code.attr("num_qubits")) / (is_density ? 2 : 1);  // of the ket
  script.num_bits = py::cast<std::int32_t>(code.attr("num_bits"));
  script.num_variables = py::cast<std::int32_t>(code.attr("num_variables"));
  script.num_loops = py::cast<std::int32_t>(code.attr("num_loops"));
  const auto steps = py::cast<Column<std::int32_t>>(code.attr("steps"));
  const auto noise_qubits = column<std::int32_t>(code, "noise_qubits");
  for (py::ssize_t s = 0; s < steps.shape(0); ++s) {
    script.steps.push_back(step_of(steps.data(s, 0), script, noise_qubits));
  }
  for (const py::tuple& columns : segments) script.segments.push_back(flat_circuit_of(columns));
  const auto angle_ends = column<std::int64_t>(code, "angle_ends");
  const auto angle_sources = column<std::int32_t>(code, "angle_sources");
  for (std::size_t g = 0; g < angle_ends.size(); ++g) {
    script.angles.emplace_back(angle_sources.begin() + (g == 0 ? 0 : angle_ends[g - 1]),
                               angle_sources.begin() + angle_ends[g]);
  }
  add_channels(code, script);
  const auto errors = column<double>(code, "read_errors");
  for (std::size_t e = 0; e < errors.size(); e += 4) {
    script.read_errors.push_back({errors[e], errors[e + 1], errors[e + 2], errors[e + 3]});
  }
  for (const py::handle& readout : final_readouts) {
    const auto pair = py::cast<py::tuple>(readout);
    script.final_readouts.push_back({py::cast<std::vector<std::int32_t>>(pair[0]), copy_column<double>(pair[1])});
  }
  script.labels = column<std::uint64_t>(code, "labels");
  script.label_targets = column<std::int32_t>(code, "label_targets");
  script.loop_values = column<std::uint64_t>(code, "loop_values");
  for (std::int32_t kind : column<std::int32_t>(code, "variable_kinds")) {
    script.variable_kinds.push_back(static_cast<classical::Kind>(kind));
  }
  script.variable_names = std::move(variable_names);
  const py::object classical = code.attr("classical");
  const auto rows = py::cast<Column<std::int32_t>>(classical.attr("code"));
  const auto* instructions = reinterpret_cast<const classical::Instruction*>(rows.data());
  script.classical.code.assign(instructions, instructions + rows.size() / 4);
  script.classical.ends = column<std::int64_t>(classical, "ends");
  script.classical.constants = column<std::uint64_t>(classical, "constants");
  script.classical.stack_words = py::cast<std::size_t>(classical.attr("stack_words"));
  script.sources.assign(sources.data(), sources.data() + sources.size());
  script.live = {column<std::int32_t>(code, "live"), column<std::uint64_t>(code, "live_bits"),
                 column<std::uint64_t>(code, "live_variables"), column<std::uint64_t>(code, "live_passes"),
                 column<std::uint64_t>(code, "live_visits")};
  return script;
}

// --- walks -----------------------------------------------------------------------------------------------------------

class PyWalk {
 public:
  PyWalk(std::shared_ptr<const WalkPlan> plan, const Column<double>& values, const py::object& initial, int threads,
         std::int64_t max_loop_passes, double cutoff)
      : plan_(std::move(plan)), script_(plan_->script()) {
    const void* amplitudes = nullptr;
    py::array array;
    if (!initial.is_none()) {
      array = py::cast<py::array>(initial);
      const StateView view = view_state(array);
      if (view.precision != plan_->precision() ||
          view.num_qubits != (script_.is_density ? 2 : 1) * script_.num_qubits) {
        throw Error(ErrorKind::kInput, "the initial state must have the script's size and dtype");
      }
      amplitudes = view.amplitudes;
    }
    walk_ = std::make_unique<Walk>(plan_, span_of(values), amplitudes,
                                   WalkOptions{std::max(threads, 1), max_loop_passes, cutoff});
  }

  Rows rows(std::uint64_t seed, std::uint64_t first_shot, std::int64_t shots, CancelToken* cancel) {
    Rows found({shots, static_cast<std::int64_t>(row_bytes(script_.num_bits))});
    walk_->fill_rows({seed, first_shot, shots, 0}, found.mutable_data());
    run(cancel);
    return found;
  }

  py::tuple count(std::uint64_t seed, std::uint64_t first_shot, std::int64_t shots, CancelToken* cancel) {
    walk_->count({seed, first_shot, shots, 0});
    run(cancel);
    Histogram found = walk_->histogram();
    const auto size = static_cast<py::ssize_t>(found.size());
    const auto rows = array_of(std::move(found.rows)).reshape({size, py::ssize_t{row_bytes(script_.num_bits)}});
    return py::make_tuple(rows, array_of(std::move(found.counts)));
  }

  void begin_leaves(std::uint64_t seed, std::uint64_t first_shot, std::int64_t shots) {
    walk_->visit_leaves({seed, first_shot, shots, 0});
  }
  void begin_weighted_leaves() { walk_->visit_weighted_leaves(); }

  // (shots, counted from the first; weight; rows of classical bits; amplitudes), or None at the end.
  py::object next_leaf(CancelToken* cancel) {
    if (run(cancel)) return py::none();
    const WalkLeaf leaf = walk_->leaf();
    py::array_t<std::int64_t> shots(static_cast<py::ssize_t>(leaf.shots.size()));
    std::copy(leaf.shots.begin(), leaf.shots.end(), shots.mutable_data());
    const auto num_rows = static_cast<std::int64_t>(std::max<std::size_t>(leaf.shots.size(), 1));
    Rows rows({num_rows, static_cast<std::int64_t>(row_bytes(script_.num_bits))});
    walk_->copy_leaf_rows(rows.mutable_data());
    const py::ssize_t size = py::ssize_t{1} << leaf.num_qubits;
    py::array state = plan_->precision() == Precision::kComplex64 ? py::array(py::array_t<std::complex<float>>(size))
                                                                  : py::array(py::array_t<Complex>(size));
    walk_->copy_leaf_state(state.mutable_data());
    return py::make_tuple(shots, leaf.weight, rows, state);
  }

  // (branches, merges, gates, bytes)
  py::tuple figures() const {
    const WalkFigures figures = walk_->figures();
    return py::make_tuple(figures.branches, figures.merges, figures.gates, figures.size_bytes);
  }

 private:
  // Walks to the end (true) or to a leaf; listens for signals meanwhile.
  bool run(CancelToken* cancel) {
    for (;;) {
      bool is_done = false;
      {
        const py::gil_scoped_release unlocked;
        is_done = walk_->step(std::chrono::steady_clock::now() + kStepTime, cancel);
      }
      if (is_done || walk_->has_leaf()) return is_done;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    }
  }

  std::shared_ptr<const WalkPlan> plan_;
  const WalkScript& script_;
  std::unique_ptr<Walk> walk_;
};

}  // namespace

void register_walk(py::module_& m) {
  py::class_<WalkPlan, std::shared_ptr<WalkPlan>>(m, "WalkPlan", "A script, ready for walks.")
      .def(py::init([](const py::object& code, const std::vector<py::tuple>& segments,
                       const Column<std::int32_t>& sources, const py::list& final_readouts,
                       std::vector<std::string> variable_names, bool is_density, const std::string& precision,
                       const std::string& isa) {
             return std::make_shared<WalkPlan>(
                 make_script(code, segments, sources, final_readouts, std::move(variable_names), is_density),
                 precision == "complex64" ? Precision::kComplex64 : Precision::kComplex128, isa_from_name(isa));
           }),
           py::arg("code"), py::arg("segments"), py::arg("sources"), py::arg("final_readouts"),
           py::arg("variable_names"), py::arg("is_density"), py::arg("precision"), py::arg("isa"))
      .def_property_readonly_static("max_qubits", [](const py::object&) { return kMaxWalkQubits; });
  py::class_<PyWalk>(m, "Walk", "One run of a script: all branches of all shots.")
      .def(py::init<std::shared_ptr<WalkPlan>, const Column<double>&, const py::object&, int, std::int64_t, double>(),
           py::arg("plan"), py::arg("values"), py::arg("initial").none(true), py::arg("threads"),
           py::arg("max_loop_passes"), py::arg("cutoff"))
      .def("rows", &PyWalk::rows, py::arg("seed"), py::arg("first_shot"), py::arg("shots"),
           py::arg("cancel").none(true))
      .def("count", &PyWalk::count, py::arg("seed"), py::arg("first_shot"), py::arg("shots"),
           py::arg("cancel").none(true))
      .def("begin_leaves", &PyWalk::begin_leaves, py::arg("seed"), py::arg("first_shot"), py::arg("shots"))
      .def("begin_weighted_leaves", &PyWalk::begin_weighted_leaves)
      .def("next_leaf", &PyWalk::next_leaf, py::arg("cancel").none(true))
      .def("figures", &PyWalk::figures);
}

}  // namespace qfast
