// Norms, marginals and Pauli sums.
#include <pybind11/complex.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <span>

#include "base/error.h"
#include "bindings/arrays.h"
#include "bindings/interruptible.h"
#include "bindings/register.h"
#include "bindings/state_array.h"
#include "run/expectation.h"
#include "run/probabilities.h"

namespace py = pybind11;

namespace qfast {
namespace {

py::array_t<double> probabilities_of(const py::array& state, const Column<std::int32_t>& qubits, int threads,
                                     const IsaName& isa) {
  const StateView view = view_state(state);
  const Isa chosen = isa_or_default(isa);
  const std::vector<int> asked(qubits.data(), qubits.data() + qubits.size());
  std::uint64_t seen = 0;
  for (int qubit : asked) {
    if (qubit < 0 || qubit >= view.num_qubits || (seen >> qubit & 1) != 0) {
      throw Error(ErrorKind::kInput, "qubit " + std::to_string(qubit) + " is listed twice or not one of the state's " +
                                         std::to_string(view.num_qubits) + " qubits");
    }
    seen |= 1ull << qubit;
  }
  py::array_t<double> out(py::ssize_t{1} << asked.size());
  double* const to = out.mutable_data();
  run_interruptibly(nullptr, [&](CancelToken*) { probabilities(view, asked, to, chosen, threads); });
  return out;
}

Complex inner_product_of(const py::array& bra, const py::array& ket, int threads, const IsaName& isa) {
  const StateView left = view_state(bra), right = view_state(ket);
  if (left.num_qubits != right.num_qubits || left.precision != right.precision) {
    throw Error(ErrorKind::kInput, "the inner product needs two states of one size and precision; they have " +
                                       std::to_string(left.num_qubits) + " and " + std::to_string(right.num_qubits) +
                                       " qubits, dtypes " + std::string(py::str(py::object(bra.dtype()))) + " and " +
                                       std::string(py::str(py::object(ket.dtype()))));
  }
  const Isa chosen = isa_or_default(isa);
  Complex found;
  run_interruptibly(nullptr, [&](CancelToken*) { found = inner_product(left, right, chosen, threads); });
  return found;
}

PauliSum make_pauli_sum(int num_qubits, const Column<std::uint64_t>& x_masks, const Column<std::uint64_t>& z_masks,
                        const Column<Complex>& coefficients) {
  return {num_qubits, span_of(x_masks), span_of(z_masks), span_of(coefficients)};
}

StateView view_for(const PauliSum& sum, const py::array& state) {
  const StateView view = view_state(state);
  if (view.num_qubits != sum.num_qubits()) {
    throw Error(ErrorKind::kObservable, "the Pauli sum was prepared for " + std::to_string(sum.num_qubits()) +
                                            " qubits; the state has " + std::to_string(view.num_qubits));
  }
  return view;
}

Complex expectation(const PauliSum& sum, const py::array& state, int threads, const IsaName& isa, CancelToken* cancel) {
  const StateView view = view_for(sum, state);
  const Isa chosen = isa_or_default(isa);
  Complex found;
  run_interruptibly(cancel, [&](CancelToken* token) { found = sum.expectation(view, chosen, threads, token); });
  return found;
}

py::array_t<double> term_values(const PauliSum& sum, const py::array& state, int threads, const IsaName& isa,
                                CancelToken* cancel) {
  const StateView view = view_for(sum, state);
  const Isa chosen = isa_or_default(isa);
  py::array_t<double> values(static_cast<py::ssize_t>(sum.size()));
  double* const to = values.mutable_data();
  run_interruptibly(cancel, [&](CancelToken* token) { sum.term_values(view, chosen, threads, to, token); });
  return values;
}

py::array_t<double> imaginary_overlaps(const PauliSum& sum, const py::array& bra, const py::array& ket, int threads,
                                       const IsaName& isa, CancelToken* cancel) {
  const StateView left = view_for(sum, bra), right = view_for(sum, ket);
  if (left.precision != right.precision) {
    throw Error(ErrorKind::kInput, "overlaps need two states of one precision; their dtypes are " +
                                       std::string(py::str(py::object(bra.dtype()))) + " and " +
                                       std::string(py::str(py::object(ket.dtype()))));
  }
  const Isa chosen = isa_or_default(isa);
  py::array_t<double> values(static_cast<py::ssize_t>(sum.size()));
  double* const to = values.mutable_data();
  run_interruptibly(cancel,
                    [&](CancelToken* token) { sum.imaginary_overlaps(left, right, chosen, threads, to, token); });
  return values;
}

void apply(const PauliSum& sum, const py::array& state, const py::array& out, int threads, const IsaName& isa,
           CancelToken* cancel) {
  const StateView from = view_for(sum, state), to = view_for(sum, out);
  const auto* const begin = static_cast<const char*>(from.amplitudes);
  const auto* const target = static_cast<const char*>(to.amplitudes);
  const std::size_t bytes = from.size() * amplitude_bytes(from.precision);
  if (from.precision != to.precision || !out.writeable() || (target < begin + bytes && begin < target + bytes)) {
    throw Error(ErrorKind::kInput, "out must be a writable array of dtype " +
                                       std::string(py::str(py::object(state.dtype()))) +
                                       " that does not overlap the state");
  }
  const Isa chosen = isa_or_default(isa);
  void* const amplitudes = const_cast<void*>(to.amplitudes);
  run_interruptibly(cancel, [&](CancelToken* token) { sum.apply(from, amplitudes, chosen, threads, token); });
}

}  // namespace

void register_reduce(py::module_& m) {
  m.def(
      "norm_squared",
      [](const py::array& state, int threads, const IsaName& isa) {
        const StateView view = view_state(state);
        const Isa chosen = isa_or_default(isa);
        double found = 0;
        run_interruptibly(nullptr, [&](CancelToken*) { found = norm_squared(view, chosen, threads); });
        return found;
      },
      py::arg("state"), py::arg("threads"), py::arg("isa") = py::none());
  m.def("inner_product", &inner_product_of, py::arg("bra"), py::arg("ket"), py::arg("threads"),
        py::arg("isa") = py::none());
  m.def("probabilities", &probabilities_of, py::arg("state"), py::arg("qubits"), py::arg("threads"),
        py::arg("isa") = py::none());
  m.def(
      "expectation_pauli",
      [](const py::array& state, const Column<std::uint64_t>& x_masks, const Column<std::uint64_t>& z_masks,
         const Column<Complex>& coefficients, int threads, const IsaName& isa, CancelToken* cancel) {
        return expectation(make_pauli_sum(view_state(state).num_qubits, x_masks, z_masks, coefficients), state, threads,
                           isa, cancel);
      },
      py::arg("state"), py::arg("x_masks"), py::arg("z_masks"), py::arg("coefficients"), py::arg("threads"),
      py::arg("isa") = py::none(), py::arg("cancel") = py::none());

  py::class_<PauliSum>(m, "PauliSum", "Pauli strings, prepared once for any number of states.")
      .def(py::init(&make_pauli_sum), py::arg("num_qubits"), py::arg("x_masks"), py::arg("z_masks"),
           py::arg("coefficients"))
      .def_property_readonly("num_qubits", &PauliSum::num_qubits)
      .def("__len__", &PauliSum::size)
      .def("expectation", &expectation, py::arg("state"), py::arg("threads"), py::arg("isa") = py::none(),
           py::arg("cancel") = py::none())
      .def("term_values", &term_values, py::arg("state"), py::arg("threads"), py::arg("isa") = py::none(),
           py::arg("cancel") = py::none(), "The expectation value of each string without its coefficient.")
      .def("imaginary_overlaps", &imaginary_overlaps, py::arg("bra"), py::arg("ket"), py::arg("threads"),
           py::arg("isa") = py::none(), py::arg("cancel") = py::none(),
           "Im <bra|P|ket> of each string without its coefficient.")
      .def("apply", &apply, py::arg("state"), py::arg("out").noconvert(), py::arg("threads"),
           py::arg("isa") = py::none(), py::arg("cancel") = py::none(),
           "Writes the sum applied to the state into out.");
}

}  // namespace qfast
