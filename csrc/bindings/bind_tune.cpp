// Cost tables, and the measurements that one is made of.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/cpu_features.h"
#include "base/error.h"
#include "bindings/register.h"
#include "plan/cost_table.h"
#include "run/tune.h"

namespace py = pybind11;

namespace qfast {
namespace {

// One name for each price, in Python and in a saved table.
constexpr std::pair<const char*, double StepCosts::*> kSteps[] = {
    {"one", &StepCosts::one},           {"controlled", &StepCosts::controlled}, {"exchange", &StepCosts::exchange},
    {"diagonal", &StepCosts::diagonal}, {"pairs", &StepCosts::pairs},           {"dense_pair", &StepCosts::dense_pair},
};

py::dict to_dict(const PlanCosts& costs) {
  py::dict steps;
  for (const auto& [name, member] : kSteps) steps[name] = costs.steps.*member;
  py::dict out;
  out["tile_bits"] = costs.tile_bits;
  out["pass"] = std::vector<double>(costs.pass.begin(), costs.pass.end());
  out["steps"] = steps;
  return out;
}

py::dict to_dict(const CostTable& table) {
  py::dict out;
  out["complex128"] = to_dict(table.complex128);
  out["complex64"] = to_dict(table.complex64);
  return out;
}

template <class T>
T entry(const py::dict& from, const char* key, const std::string& place) {
  if (!from.contains(key)) throw Error(ErrorKind::kInput, place + " has no entry '" + key + "'");
  const py::object value = from[key];
  try {
    // A cast would build a dictionary from whatever it can.
    if (!std::is_same_v<T, py::dict> || py::isinstance<py::dict>(value)) return value.cast<T>();
  } catch (const py::cast_error&) {  // told of below
  }
  throw Error(ErrorKind::kInput,
              place + ": '" + key + "' is " + std::string(py::repr(value)) + ", which is not of the right type");
}

PlanCosts plan_costs(const py::dict& costs, const char* precision, const std::string& table) {
  const std::string place = table + ", " + precision;
  const auto from = entry<py::dict>(costs, precision, table);
  PlanCosts out;
  out.tile_bits = entry<int>(from, "tile_bits", place);
  const auto pass = entry<std::vector<double>>(from, "pass", place);
  if (pass.size() != out.pass.size()) {
    throw Error(ErrorKind::kInput, place + ": 'pass' has " + std::to_string(pass.size()) + " prices; it needs " +
                                       std::to_string(out.pass.size()));
  }
  std::ranges::copy(pass, out.pass.begin());
  const auto steps = entry<py::dict>(from, "steps", place);
  for (const auto& [name, member] : kSteps) out.steps.*member = entry<double>(steps, name, place + ": 'steps'");
  return out;
}

CostTable cost_table(const std::string& name, const py::dict& costs) {
  const std::string place = "cost table '" + name + "'";
  CostTable table{name, plan_costs(costs, "complex128", place), plan_costs(costs, "complex64", place)};
  check_cost_table(table);
  return table;
}

Precision precision_of(const std::string& name) {
  return name == "complex64" ? Precision::kComplex64 : Precision::kComplex128;
}

}  // namespace

void register_tune(py::module_& m) {
  py::class_<CostTable>(m, "CostTable", "Prices that the planner compares; csrc/plan/cost_table.h says which.")
      .def(py::init<>(), "The built-in table.")
      .def(py::init(&cost_table), py::arg("name"), py::arg("costs"),
           "`costs` as `to_dict` gives them. Raises InputError that names the entry which is not right.")
      .def_readonly("name", &CostTable::name)
      .def(
          "to_dict", [](const CostTable& table) { return to_dict(table); },
          "{precision: {'tile_bits': int, 'pass': [9 prices], 'steps': {kind: price}}}.");
  m.def(
      "measure_sweep",
      [](int num_qubits, const std::vector<std::int32_t>& tile_bits, int num_steps, const std::string& precision,
         const std::string& isa, int threads, int repeats) {
        const Isa chosen = isa_from_name(isa);
        const py::gil_scoped_release unlocked;
        return measure_sweep(num_qubits, tile_bits, num_steps, precision_of(precision), chosen, threads, repeats);
      },
      py::arg("num_qubits"), py::arg("tile_bits"), py::arg("num_steps"), py::arg("precision"), py::arg("isa"),
      py::arg("threads"), py::arg("repeats"),
      "Seconds of one sweep over 2**num_qubits amplitudes in tiles of the given memory bits, with num_steps dense "
      "pairs.");
  m.def(
      "measure_step",
      [](const std::string& kind, int tile_bits, const std::string& precision, const std::string& isa, int threads,
         int repeats) {
        const Isa chosen = isa_from_name(isa);
        const py::gil_scoped_release unlocked;
        return measure_step(kind, tile_bits, precision_of(precision), chosen, threads, repeats);
      },
      py::arg("kind"), py::arg("tile_bits"), py::arg("precision"), py::arg("isa"), py::arg("threads"),
      py::arg("repeats"), "Seconds that one more step takes an amplitude, on tiles that stay in cache.");
}

}  // namespace qfast
