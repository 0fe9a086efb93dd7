// qfast::Error becomes the Python error of the same family.
#include <exception>
#include <new>

#include "base/error.h"
#include "bindings/register.h"

namespace py = pybind11;

namespace qfast {
namespace {

const char* class_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInput:
      return "InputError";
    case ErrorKind::kCircuit:
      return "CircuitError";
    case ErrorKind::kGate:
      return "GateError";
    case ErrorKind::kParameter:
      return "ParameterError";
    case ErrorKind::kObservable:
      return "ObservableError";
    case ErrorKind::kQasm:
      return "QasmError";
    case ErrorKind::kCapacity:
      return "CapacityError";
    case ErrorKind::kCancelled:
      return "CancelledRunError";
    case ErrorKind::kEngine:
    case ErrorKind::kInternal:
      return "EngineError";
  }
  return "EngineError";
}

void raise(const Error& e) {
  const py::object type = py::module_::import("qfast.errors").attr(class_name(e.kind()));
  const py::object error = e.kind() == ErrorKind::kQasm ? type(e.what(), e.line(), e.column()) : type(e.what());
  PyErr_SetObject(type.ptr(), error.ptr());
}

}  // namespace

void register_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const Error& e) {
      raise(e);
    } catch (const std::bad_alloc&) {
      raise(Error(ErrorKind::kCapacity,
                  "the system gave no more memory for the tables and tiles of a run; free some, or use fewer threads"));
    }
  });
}

}  // namespace qfast
