// The expectation value of one row of values, without pybind11's argument casters, which cost as much as four qubits.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "bindings/gil.h"
#include "bindings/register.h"
#include "run/expectation.h"
#include "run/program.h"

namespace py = pybind11;

namespace qfast {
namespace {

constexpr const char* kCapsule = "qfast.quick_expectation";

struct Quick {
  py::object program_owner, observable_owner;
  const Program& program;
  const PauliSum& observable;
  bool is_real;
  int threads;
};

// None for whatever is not a contiguous float64 array (p,), and for values that raise: the caller then goes the long
// way, which says what is wrong.
PyObject* expectation_or_none(PyObject* self, PyObject* values) {
  const auto& quick = *static_cast<const Quick*>(PyCapsule_GetPointer(self, kCapsule));
  Py_buffer view;
  if (PyObject_GetBuffer(values, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    Py_RETURN_NONE;
  }
  Complex found;
  bool is_found = false;
  if (view.ndim == 1 && view.format && std::strcmp(view.format, "d") == 0 &&
      view.shape[0] == quick.program.num_parameters()) {
    const std::span<const double> row{static_cast<const double*>(view.buf), static_cast<std::size_t>(view.shape[0])};
    const ReleaseGil unlocked((quick.program.num_operations() + 1) << quick.program.num_qubits());
    try {
      quick.program.expectation_many(row, 1, quick.observable, {quick.threads, nullptr}, &found);
      is_found = true;
    } catch (...) {
      is_found = false;
    }
  }
  PyBuffer_Release(&view);
  if (!is_found) Py_RETURN_NONE;
  return quick.is_real ? PyFloat_FromDouble(found.real()) : PyComplex_FromDoubles(found.real(), found.imag());
}

py::object quick_expectation(const py::object& program, const py::object& observable, bool is_real, int threads) {
  static PyMethodDef method{"quick_expectation", &expectation_or_none, METH_O, nullptr};
  auto quick = std::make_unique<Quick>(Quick{program, observable, program.cast<const Program&>(),
                                             observable.cast<const PauliSum&>(), is_real, std::max(threads, 1)});
  const py::capsule capsule(quick.release(), kCapsule,
                            [](PyObject* self) { delete static_cast<Quick*>(PyCapsule_GetPointer(self, kCapsule)); });
  return py::reinterpret_steal<py::object>(PyCFunction_NewEx(&method, capsule.ptr(), nullptr));
}

}  // namespace

void register_quick(py::module_& m) {
  m.def("quick_expectation", &quick_expectation, py::arg("program"), py::arg("observable"), py::arg("is_real"),
        py::arg("threads"),
        "A function of one row of values: the expectation value, or None for what is no contiguous float64 array (p,) "
        "or has none.");
}

}  // namespace qfast
