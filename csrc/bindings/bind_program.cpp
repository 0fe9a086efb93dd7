// Program and the gate table.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/cpu_features.h"
#include "base/error.h"
#include "bindings/flat_columns.h"
#include "bindings/gil.h"
#include "bindings/interruptible.h"
#include "bindings/register.h"
#include "bindings/state_array.h"
#include "circuit/gates.h"
#include "plan/matrices.h"
#include "run/expectation.h"
#include "run/plan_cache.h"
#include "run/program.h"
#include "run/sampling.h"

namespace py = pybind11;

namespace qfast {
namespace {

template <class T>
using Column = py::array_t<T, py::array::c_style>;

Program make_program(const py::tuple& columns, const std::string& precision, const std::string& isa, int tile_qubits,
                     const CostTable* cost_table) {
  FlatCircuit c = flat_circuit_of(columns);
  const Isa chosen = isa_from_name(isa);
  std::optional<Program> made;
  run_interruptibly(nullptr, [&](CancelToken*) {
    made.emplace(std::move(c), precision == "complex64" ? Precision::kComplex64 : Precision::kComplex128, chosen,
                 PlanOptions{tile_qubits, cost_table ? *cost_table : CostTable{}});
  });
  return std::move(*made);
}

void run(const Program& program, const py::array& state, bool from_zero, const Column<double>& values, int threads,
         CancelToken* cancel) {
  const char wanted = program.precision() == Precision::kComplex64 ? 'F' : 'D';
  const auto size = static_cast<py::ssize_t>(std::int64_t{1} << program.num_qubits());
  if (amplitude_kind(state) != wanted || state.ndim() != 1 || state.shape(0) != size ||
      !(state.flags() & py::array::c_style) || !state.writeable()) {
    throw Error(ErrorKind::kInput, "state must be a writable C-contiguous array of shape (" + std::to_string(size) +
                                       ",) and dtype " + (wanted == 'F' ? "complex64" : "complex128"));
  }
  void* amplitudes = const_cast<void*>(state.data());
  const std::span<const double> given{values.data(), static_cast<std::size_t>(values.size())};
  const auto work = [&](CancelToken* token) {
    program.run(amplitudes, from_zero ? Start::kZero : Start::kGiven, given, {std::max(threads, 1), token});
  };
  if (((program.num_operations() + 1) << program.num_qubits()) < kShortWork) return work(cancel);
  run_interruptibly(cancel, work);
}

// (m, p) values as rows; m is taken from the shape, as p may be 0.
struct Rows {
  std::span<const double> values;
  std::int64_t count;
};

Rows rows_of(const Column<double>& values) {
  if (values.ndim() != 2) throw Error(ErrorKind::kInput, "values must have shape (sets, parameters)");
  return {{values.data(), static_cast<std::size_t>(values.size())}, values.shape(0)};
}

py::array_t<Complex> expectation_many(const Program& program, const Column<double>& values, const PauliSum& observable,
                                      int threads, CancelToken* cancel) {
  if (observable.num_qubits() != program.num_qubits()) {
    throw Error(ErrorKind::kObservable, "the observable is for " + std::to_string(observable.num_qubits()) +
                                            " qubits, the program has " + std::to_string(program.num_qubits()));
  }
  const Rows rows = rows_of(values);
  py::array_t<Complex> out(rows.count);
  Complex* to = out.mutable_data();
  run_interruptibly(cancel, [&](CancelToken* token) {
    program.expectation_many(rows.values, rows.count, observable, {std::max(threads, 1), token}, to);
  });
  return out;
}

py::array_t<std::int64_t> sample_many(const Program& program, const Column<double>& values,
                                      const Column<double>& uniforms, const Column<std::int64_t>& offsets, int threads,
                                      CancelToken* cancel) {
  const Rows rows = rows_of(values);
  if (offsets.size() != rows.count + 1 || offsets.at(0) != 0 || offsets.at(rows.count) != uniforms.size()) {
    throw Error(ErrorKind::kInput, "offsets must run from 0 to the number of uniforms, one more than there are sets");
  }
  for (py::ssize_t k = 0; k < uniforms.size(); ++k) {
    if (!(uniforms.at(k) >= 0 && uniforms.at(k) < 1)) {
      throw Error(ErrorKind::kInput, "uniform " + std::to_string(k) + " is not in [0, 1)");
    }
  }
  for (std::int64_t set = 0; set < rows.count; ++set) {
    if (offsets.at(set) > offsets.at(set + 1)) throw Error(ErrorKind::kInput, "offsets must ascend");
  }
  py::array_t<std::int64_t> out(uniforms.size());
  std::int64_t* to = out.mutable_data();
  const double* from = uniforms.data();
  const std::int64_t* ends = offsets.data();
  const int all = std::max(threads, 1);
  run_interruptibly(cancel, [&](CancelToken* token) {
    program.run_many(rows.values, rows.count, {all, token}, [&](std::int64_t set, const StateView& state) {
      const auto count = static_cast<std::size_t>(ends[set + 1] - ends[set]);
      if (count > 0) Sampler(state, program.isa(), all).find({from + ends[set], count}, to + ends[set], all);
    });
  });
  return out;
}

void states_many(const Program& program, const Column<double>& values, const py::array& out, int threads,
                 CancelToken* cancel) {
  const Rows rows = rows_of(values);
  const char wanted = program.precision() == Precision::kComplex64 ? 'F' : 'D';
  const py::ssize_t size = py::ssize_t{1} << program.num_qubits();
  if (amplitude_kind(out) != wanted || out.ndim() != 2 || out.shape(0) != rows.count || out.shape(1) != size ||
      !(out.flags() & py::array::c_style) || !out.writeable()) {
    throw Error(ErrorKind::kInput, "out must be a writable C-contiguous array of shape (" + std::to_string(rows.count) +
                                       ", " + std::to_string(size) + ") and dtype " +
                                       (wanted == 'F' ? "complex64" : "complex128"));
  }
  auto* to = static_cast<char*>(const_cast<void*>(out.data()));
  const std::size_t bytes = amplitude_bytes(program.precision()) << program.num_qubits();
  run_interruptibly(cancel, [&](CancelToken* token) {
    program.run_many(rows.values, rows.count, {std::max(threads, 1), token},
                     [&](std::int64_t set, const StateView& state) {
                       std::memcpy(to + static_cast<std::size_t>(set) * bytes, state.amplitudes, bytes);
                     });
  });
}

py::array_t<Complex> gate_matrix(int opcode, const std::vector<double>& params) {
  if (opcode < 0 || opcode >= kNumGates || gate_table()[static_cast<std::size_t>(opcode)].matrix == nullptr) {
    throw Error(ErrorKind::kGate, "opcode " + std::to_string(opcode) + " has no fixed matrix");
  }
  const GateRow& row = gate_table()[static_cast<std::size_t>(opcode)];
  if (static_cast<int>(params.size()) != row.num_params) {
    throw Error(ErrorKind::kGate, "gate '" + std::string(row.name) + "' takes " + std::to_string(row.num_params) +
                                      " parameters, got " + std::to_string(params.size()));
  }
  const py::ssize_t dim = py::ssize_t{1} << row.num_targets;
  py::array_t<Complex> out({dim, dim});
  row.matrix(params.data(), out.mutable_data());
  return out;
}

}  // namespace

void register_program(py::module_& m) {
  py::class_<Program>(m, "Program")
      .def(py::init(&make_program), py::arg("columns"), py::arg("precision"), py::arg("isa"), py::arg("tile_qubits"),
           py::arg("cost_table").none(true) = nullptr)
      .def_property_readonly("num_qubits", &Program::num_qubits)
      .def_property_readonly("workspace_bytes", &Program::workspace_bytes)
      .def("run", &run, py::arg("state").noconvert(), py::arg("from_zero"), py::arg("values"), py::arg("threads"),
           py::arg("cancel").none(true))
      .def("expectation_many", &expectation_many, py::arg("values"), py::arg("observable"), py::arg("threads"),
           py::arg("cancel").none(true) = nullptr,
           "Expectation of a PauliSum for every row of values (m, p): complex128 (m,).")
      .def("run_many", &sample_many, py::arg("values"), py::arg("uniforms"), py::arg("offsets"), py::arg("threads"),
           py::arg("cancel").none(true) = nullptr,
           "Basis indices: set s of values (m, p) is sampled with uniforms[offsets[s]:offsets[s + 1]]. int64.")
      .def("states_many", &states_many, py::arg("values"), py::arg("out").noconvert(), py::arg("threads"),
           py::arg("cancel").none(true) = nullptr, "The final states of all rows of values (m, p) into out (m, 2**n).")
      .def("explain", &Program::explain);

  m.def("gate_table", [] {
    py::list rows;
    for (const GateRow& row : gate_table()) {
      rows.append(py::make_tuple(std::string(row.name), static_cast<int>(row.own_controls),
                                 static_cast<int>(row.num_targets), static_cast<int>(row.num_params)));
    }
    return rows;
  });
  m.def(
      "plan_cache_stats",
      [] {
        const PlanCacheStats s = plan_cache_stats();
        py::dict out;
        out["hits"] = s.hits;
        out["misses"] = s.misses;
        out["plans"] = s.plans;
        out["operations"] = s.operations;
        return out;
      },
      "Plans kept by circuit structure: hits, misses, plans, operations.");
  m.def("clear_plan_cache", &clear_plan_cache);
  m.def("gate_matrix", &gate_matrix, py::arg("opcode"), py::arg("params"));
}

}  // namespace qfast
