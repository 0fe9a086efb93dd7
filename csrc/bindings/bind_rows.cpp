// qfast._core.Rows, which a circuit appends to, and qfast._core.GateMethod, the circuit's methods that append one gate.
//
// A gate method is a descriptor with a vector call, made around the Python function of the same gate. It takes what
// most calls bring: as many operands as the gate has, integers in range and not twice, angles that are finite numbers
// or expressions. Everything else it hands to the function, which checks again, converts, broadcasts, or says what is
// wrong.
#include <pybind11/numpy.h>
#include <structmember.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bindings/register.h"
#include "bindings/rows.h"
#include "circuit/gates.h"

namespace py = pybind11;

namespace qfast {

PyTypeObject* rows_type = nullptr;

namespace {

constexpr int kMaxOperands = 8;
constexpr int kMaxParams = 4;

PyObject* raise_current() {
  try {
    throw;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

// --- operands -------------------------------------------------------------------------------------------------------

// Whether an object is an integer in [0, limit), of any kind but a truth value.
bool read_index(PyObject* object, std::int64_t limit, std::int32_t& out) {
  std::int64_t value = 0;
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow != 0) return false;
  } else {
    if (!PyIndex_Check(object) || PyBool_Check(object)) return false;
    value = PyNumber_AsSsize_t(object, PyExc_OverflowError);
    if (value == -1 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      return false;
    }
  }
  if (value < 0 || value >= limit) return false;
  out = static_cast<std::int32_t>(value);
  return true;
}

bool are_distinct(std::span<const std::int32_t> qubits) {
  for (std::size_t k = 1; k < qubits.size(); ++k) {
    for (std::size_t j = 0; j < k; ++j) {
      if (qubits[j] == qubits[k]) return false;
    }
  }
  return true;
}

// Whether an object is a finite number; Python's and NumPy's doubles and Python's integers are looked at.
bool read_number(PyObject* object, double& out) {
  if (PyFloat_Check(object)) {
    out = PyFloat_AS_DOUBLE(object);
  } else if (PyLong_CheckExact(object)) {
    out = PyLong_AsDouble(object);
    if (out == -1.0 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      return false;
    }
  } else {
    return false;
  }
  return std::isfinite(out);
}

// Appends parameters; those that are null are numbers, the others expressions. False with a Python error.
bool append_params(RowsObject& self, std::span<const double> numbers, std::span<PyObject* const> expressions) {
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    double number = numbers[k];
    if (expressions[k] != nullptr) {
      PyObject* const slot = PyLong_FromSize_t(self.rows.params.size());
      if (slot == nullptr) return false;
      const int failed = PyDict_SetItem(self.expressions, slot, expressions[k]);
      Py_DECREF(slot);
      if (failed != 0) return false;
      number = std::numeric_limits<double>::quiet_NaN();
    }
    self.rows.params.push_back(number);
  }
  return true;
}

// The entries of a list or tuple, or the object itself.
std::span<PyObject* const> items_of(PyObject* const& object) {
  if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) {
    return {PySequence_Fast_ITEMS(object), static_cast<std::size_t>(PySequence_Fast_GET_SIZE(object))};
  }
  return {&object, 1};
}

// A gate's arguments as they are stored.
struct PlainGate {
  std::array<double, kMaxParams> numbers{};
  std::array<PyObject*, kMaxParams> expressions{};
  std::array<std::int32_t, kMaxOperands> qubits{};
  std::size_t num_params = 0, num_qubits = 0;

  // Reads parameters, then operands. False where one is not plain: not for here.
  bool read(const RowsObject& rows, PyTypeObject* expression, PyObject* const* args, std::size_t params,
            std::size_t operands) {
    num_params = params;
    num_qubits = operands;
    for (std::size_t k = 0; k < params; ++k) {
      expressions[k] = nullptr;
      if (read_number(args[k], numbers[k])) continue;
      if (!PyObject_TypeCheck(args[k], expression)) return false;
      expressions[k] = args[k];
    }
    for (std::size_t k = 0; k < operands; ++k) {
      if (!read_index(args[params + k], rows.num_qubits, qubits[k])) return false;
    }
    return are_distinct({qubits.data(), operands});
  }

  // False with a Python error.
  bool append_to(RowsObject& rows, const FlatRow& row) const {
    try {
      for (std::size_t k = 0; k < num_qubits; ++k) rows.rows.qubits.push_back(qubits[k]);
      if (!append_params(rows, {numbers.data(), num_params}, {expressions.data(), num_params})) return false;
      rows.rows.end_row(row);
    } catch (...) {
      raise_current();
      return false;
    }
    return true;
  }
};

// --- Rows -----------------------------------------------------------------------------------------------------------

RowsObject& rows_object(PyObject* object) { return *reinterpret_cast<RowsObject*>(object); }

PyObject* new_rows(std::int32_t num_qubits, std::int32_t num_clbits) {
  PyObject* const object = rows_type->tp_alloc(rows_type, 0);
  if (object == nullptr) return nullptr;
  RowsObject& self = rows_object(object);
  std::construct_at(&self.rows);
  self.num_qubits = num_qubits;
  self.num_clbits = num_clbits;
  self.expressions = PyDict_New();
  if (self.expressions == nullptr) {
    Py_DECREF(object);
    return nullptr;
  }
  return object;
}

PyObject* rows_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"num_qubits", "num_clbits", nullptr};
  int num_qubits = 0, num_clbits = 0;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "|ii", const_cast<char**>(names), &num_qubits, &num_clbits) == 0) {
    return nullptr;
  }
  return new_rows(num_qubits, num_clbits);
}

void rows_free(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  Py_XDECREF(rows_object(object).expressions);
  std::destroy_at(&rows_object(object).rows);
  type->tp_free(object);
  Py_DECREF(type);
}

Py_ssize_t rows_length(PyObject* object) { return rows_object(object).rows.size(); }

// append(opcode, num_controls, ctrl_state, data, qubits, params): one row, which the caller has checked.
PyObject* rows_append(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count != 6) return PyErr_Format(PyExc_TypeError, "append() takes 6 arguments, %zd given", count);
  RowsObject& self = rows_object(object);
  try {
    const auto opcode = py::handle(args[0]).cast<std::uint16_t>();
    const auto num_controls = py::handle(args[1]).cast<std::uint16_t>();
    const auto state = py::handle(args[2]).cast<std::uint64_t>();
    const auto data = py::handle(args[3]).cast<std::int32_t>();
    const auto qubits = py::reinterpret_steal<py::object>(PySequence_Fast(args[4], "qubits must be a sequence"));
    const auto params = py::reinterpret_steal<py::object>(PySequence_Fast(args[5], "params must be a sequence"));
    if (!qubits || !params) return nullptr;
    const auto num_qubits = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(qubits.ptr()));
    const auto num_params = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(params.ptr()));
    std::vector<std::int32_t> operands(num_qubits);
    for (std::size_t k = 0; k < num_qubits; ++k) {
      PyObject* const operand = PySequence_Fast_GET_ITEM(qubits.ptr(), static_cast<Py_ssize_t>(k));
      if (!read_index(operand, self.num_qubits, operands[k])) {
        return PyErr_Format(PyExc_ValueError, "append(): %R is no qubit", operand);
      }
    }
    std::vector<double> numbers(num_params);
    std::vector<PyObject*> expressions(num_params);
    for (std::size_t k = 0; k < num_params; ++k) {
      PyObject* const value = PySequence_Fast_GET_ITEM(params.ptr(), static_cast<Py_ssize_t>(k));
      if (!read_number(value, numbers[k])) expressions[k] = value;
    }
    self.rows.qubits.append(operands);
    if (!append_params(self, numbers, expressions)) return nullptr;
    self.rows.end_row({opcode, num_controls, state, data});
  } catch (...) {
    return raise_current();
  }
  Py_RETURN_NONE;
}

// append_each(opcode, rows, num_params, expression_type): one gate for each tuple of parameters and operands, if all
// are plain. False, with nothing appended, if one is not.
PyObject* rows_append_each(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count != 4 || !PyList_CheckExact(args[1]) || !PyType_Check(args[3])) {
    return PyErr_Format(PyExc_TypeError, "append_each() takes an opcode, a list of rows, a number and a type");
  }
  RowsObject& self = rows_object(object);
  const long opcode = PyLong_AsLong(args[0]), num_params = PyLong_AsLong(args[2]);
  if (PyErr_Occurred() != nullptr) return nullptr;
  auto* const expression = reinterpret_cast<PyTypeObject*>(args[3]);
  const auto params = static_cast<std::size_t>(num_params);
  std::vector<PlainGate> gates(static_cast<std::size_t>(PyList_GET_SIZE(args[1])));
  for (std::size_t k = 0; k < gates.size(); ++k) {
    PyObject* const row = PyList_GET_ITEM(args[1], static_cast<Py_ssize_t>(k));
    const std::span<PyObject* const> given = items_of(row);
    if (!PyTuple_CheckExact(row) || given.size() < params || params > kMaxParams ||
        given.size() - params > kMaxOperands ||
        !gates[k].read(self, expression, given.data(), params, given.size() - params)) {
      Py_RETURN_FALSE;
    }
  }
  for (const PlainGate& gate : gates) {
    if (!gate.append_to(self, {.opcode = static_cast<std::uint16_t>(opcode)})) return nullptr;
  }
  Py_RETURN_TRUE;
}

template <class T>
using Given = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T>
std::span<const T> entries(const Given<T>& given) {
  return {given.data(), static_cast<std::size_t>(given.size())};
}

// extend(the eight columns): many rows, whose ends count from 0.
PyObject* rows_extend(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count != 8) return PyErr_Format(PyExc_TypeError, "extend() takes 8 columns, %zd given", count);
  FlatRows& rows = rows_object(object).rows;
  try {
    const auto opcodes = Given<std::uint16_t>(py::reinterpret_borrow<py::object>(args[0]));
    const auto num_controls = Given<std::uint16_t>(py::reinterpret_borrow<py::object>(args[1]));
    const auto ctrl_states = Given<std::uint64_t>(py::reinterpret_borrow<py::object>(args[2]));
    const auto data = Given<std::int32_t>(py::reinterpret_borrow<py::object>(args[3]));
    const auto qubit_end = Given<std::int64_t>(py::reinterpret_borrow<py::object>(args[4]));
    const auto qubits = Given<std::int32_t>(py::reinterpret_borrow<py::object>(args[5]));
    const auto param_end = Given<std::int64_t>(py::reinterpret_borrow<py::object>(args[6]));
    const auto params = Given<double>(py::reinterpret_borrow<py::object>(args[7]));
    for (const py::ssize_t size :
         {num_controls.size(), ctrl_states.size(), data.size(), qubit_end.size(), param_end.size()}) {
      if (size != opcodes.size()) throw py::value_error("extend(): columns differ in length");
    }
    const auto shifted = [](SharedColumn<std::int64_t>& ends, std::span<const std::int64_t> from, std::size_t by) {
      std::int64_t* to = ends.extend(from.size());
      for (const std::int64_t end : from) *to++ = end + static_cast<std::int64_t>(by);
    };
    shifted(rows.qubit_end, entries(qubit_end), rows.qubits.size());
    shifted(rows.param_end, entries(param_end), rows.params.size());
    rows.qubits.append(entries(qubits));
    rows.params.append(entries(params));
    rows.num_controls.append(entries(num_controls));
    rows.ctrl_states.append(entries(ctrl_states));
    rows.data.append(entries(data));
    rows.opcodes.append(entries(opcodes));
  } catch (...) {
    return raise_current();
  }
  Py_RETURN_NONE;
}

PyObject* rows_columns(PyObject* object, PyObject*) {
  try {
    return make_columns(rows_object(object).rows).release().ptr();
  } catch (...) {
    return raise_current();
  }
}

PyObject* rows_of_columns(PyObject*, PyObject* args) {
  PyObject* columns = nullptr;
  int num_qubits = 0, num_clbits = 0;
  if (PyArg_ParseTuple(args, "Oii", &columns, &num_qubits, &num_clbits) == 0) return nullptr;
  try {
    const FlatRows& given = columns_of(columns);
    PyObject* const object = new_rows(num_qubits, num_clbits);
    if (object != nullptr) rows_object(object).rows = given;
    return object;
  } catch (...) {
    return raise_current();
  }
}

PyObject* rows_num_params(PyObject* object, void*) { return PyLong_FromSize_t(rows_object(object).rows.params.size()); }

// --- GateMethod -----------------------------------------------------------------------------------------------------

struct GateMethodObject {
  PyObject_HEAD vectorcallfunc call;
  PyObject* function;        // the same gate in Python
  PyTypeObject* owner;       // circuits, whose slot at `offset` holds their Rows
  PyTypeObject* expression;  // parameter expressions
  PyObject* opcodes;         // dict: name to opcode, of `append`; null in others
  Py_ssize_t offset;
  std::uint16_t opcode;
  int num_params;
  int num_qubits;
};

// The rows of a circuit; null for anything else.
RowsObject* rows_of(const GateMethodObject& method, PyObject* circuit) {
  if (!PyObject_TypeCheck(circuit, method.owner)) return nullptr;
  PyObject* const rows = *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(circuit) + method.offset);
  return rows != nullptr && Py_TYPE(rows) == rows_type ? &rows_object(rows) : nullptr;
}

// circuit.gate(params..., qubits...)
PyObject* gate_method_call(PyObject* object, PyObject* const* args, std::size_t flags, PyObject* names) {
  const auto& method = *reinterpret_cast<const GateMethodObject*>(object);
  if (names == nullptr && PyVectorcall_NARGS(flags) == 1 + method.num_params + method.num_qubits) {
    RowsObject* const rows = rows_of(method, args[0]);
    PlainGate gate;
    if (rows != nullptr && gate.read(*rows, method.expression, args + 1, static_cast<std::size_t>(method.num_params),
                                     static_cast<std::size_t>(method.num_qubits))) {
      return gate.append_to(*rows, {.opcode = method.opcode}) ? Py_NewRef(args[0]) : nullptr;
    }
  }
  return PyObject_Vectorcall(method.function, args, flags, names);
}

// circuit.measure(qubit, clbit)
PyObject* measure_call(PyObject* object, PyObject* const* args, std::size_t flags, PyObject* names) {
  const auto& method = *reinterpret_cast<const GateMethodObject*>(object);
  if (names == nullptr && PyVectorcall_NARGS(flags) == 3) {
    RowsObject* const self = rows_of(method, args[0]);
    std::int32_t qubit = 0, clbit = 0;
    if (self != nullptr && read_index(args[1], self->num_qubits, qubit) &&
        read_index(args[2], self->num_clbits, clbit)) {
      try {
        self->rows.qubits.push_back(qubit);
        self->rows.end_row({.opcode = method.opcode, .data = clbit});
      } catch (...) {
        return raise_current();
      }
      return Py_NewRef(args[0]);
    }
  }
  return PyObject_Vectorcall(method.function, args, flags, names);
}

// What circuit.append is given, in the forms that are taken here.
struct GivenGate {
  std::uint16_t opcode = 0;
  std::span<PyObject* const> controls, qubits, params;

  // False: not for here.
  bool read(const GateMethodObject& method, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (count < 3 || count > 4 || !PyUnicode_CheckExact(args[1])) return false;
    if (names != nullptr) {
      if (PyTuple_GET_SIZE(names) != 1 ||
          PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "controls") != 0) {
        return false;
      }
      controls = items_of(args[count]);
    }
    PyObject* const found = PyDict_GetItem(method.opcodes, args[1]);
    if (found == nullptr) return false;
    const long number = PyLong_AsLong(found);
    if (number < 0 || number >= kNumGates) return false;
    opcode = static_cast<std::uint16_t>(number);
    const GateRow& row = gate_table()[opcode];
    qubits = items_of(args[2]);
    if (count == 4) params = items_of(args[3]);
    return row.data == DataKind::kNone &&
           qubits.size() == static_cast<std::size_t>(row.own_controls + row.num_targets) &&
           params.size() == static_cast<std::size_t>(row.num_params) &&
           controls.size() + qubits.size() <= kMaxOperands && params.size() <= kMaxParams;
  }
};

// circuit.append(name, qubits[, params][, controls=...])
PyObject* append_call(PyObject* object, PyObject* const* args, std::size_t flags, PyObject* names) {
  const auto& method = *reinterpret_cast<const GateMethodObject*>(object);
  GivenGate gate;
  RowsObject* const self = PyVectorcall_NARGS(flags) > 0 ? rows_of(method, args[0]) : nullptr;
  if (self != nullptr && gate.read(method, args, PyVectorcall_NARGS(flags), names)) {
    // In the order of a gate method's arguments: parameters, then all operands.
    std::array<PyObject*, kMaxParams + kMaxOperands> plain{};
    auto next = std::copy(gate.params.begin(), gate.params.end(), plain.begin());
    next = std::copy(gate.controls.begin(), gate.controls.end(), next);
    std::copy(gate.qubits.begin(), gate.qubits.end(), next);
    PlainGate read;
    const auto num_controls = static_cast<std::uint16_t>(gate.controls.size());
    if (read.read(*self, method.expression, plain.data(), gate.params.size(), num_controls + gate.qubits.size())) {
      const FlatRow row{gate.opcode, num_controls, (std::uint64_t{1} << num_controls) - 1, -1};
      return read.append_to(*self, row) ? Py_NewRef(args[0]) : nullptr;
    }
  }
  return PyObject_Vectorcall(method.function, args, flags, names);
}

PyObject* gate_method_get(PyObject* self, PyObject* instance, PyObject*) {
  return instance == nullptr || instance == Py_None ? Py_NewRef(self) : PyMethod_New(self, instance);
}

// Name, documentation, signature and all else that is asked of a function is the function's.
PyObject* gate_method_attribute(PyObject* object, PyObject* name) {
  return PyObject_GetAttr(reinterpret_cast<GateMethodObject*>(object)->function, name);
}

PyObject* gate_method_repr(PyObject* object) {
  return PyObject_Repr(reinterpret_cast<GateMethodObject*>(object)->function);
}

int gate_method_traverse(PyObject* object, visitproc visit, void* arg) {
  auto* const self = reinterpret_cast<GateMethodObject*>(object);
  Py_VISIT(self->function);
  Py_VISIT(self->owner);
  Py_VISIT(self->expression);
  Py_VISIT(self->opcodes);
  Py_VISIT(Py_TYPE(object));
  return 0;
}

int gate_method_clear(PyObject* object) {
  auto* const self = reinterpret_cast<GateMethodObject*>(object);
  Py_CLEAR(self->function);
  Py_CLEAR(self->owner);
  Py_CLEAR(self->expression);
  Py_CLEAR(self->opcodes);
  return 0;
}

void gate_method_free(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  gate_method_clear(object);
  type->tp_free(object);
  Py_DECREF(type);
}

// GateMethod(function, slot, expression_type, opcode, num_params, num_qubits) appends one gate;
// GateMethod(function, slot, expression_type, opcode) is `measure`, with a dict of opcodes by name `append`.
PyObject* gate_method_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *function = nullptr, *slot = nullptr, *expression = nullptr, *chosen = nullptr;
  int num_params = -1, num_qubits = -1;
  if (PyArg_ParseTuple(args, "OO!O!O|ii", &function, &PyMemberDescr_Type, &slot, &PyType_Type, &expression, &chosen,
                       &num_params, &num_qubits) == 0) {
    return nullptr;
  }
  const PyMemberDef& member = *reinterpret_cast<PyMemberDescrObject*>(slot)->d_member;
  const bool is_append = PyDict_Check(chosen), is_gate = num_params >= 0;
  if (member.type != T_OBJECT_EX || num_params > kMaxParams || num_qubits > kMaxOperands ||
      PyCallable_Check(function) == 0) {
    PyErr_SetString(PyExc_ValueError, "GateMethod: a function, a slot, at most 4 parameters and 8 qubits are needed");
    return nullptr;
  }
  const long opcode = is_append ? 0 : PyLong_AsLong(chosen);
  if (opcode == -1 && PyErr_Occurred() != nullptr) return nullptr;
  PyObject* const object = type->tp_alloc(type, 0);
  if (object == nullptr) return nullptr;
  auto* const self = reinterpret_cast<GateMethodObject*>(object);
  self->call = is_append ? &append_call : is_gate ? &gate_method_call : &measure_call;
  self->function = Py_NewRef(function);
  self->owner = reinterpret_cast<PyTypeObject*>(Py_NewRef(reinterpret_cast<PyDescrObject*>(slot)->d_type));
  self->expression = reinterpret_cast<PyTypeObject*>(Py_NewRef(expression));
  self->opcodes = is_append ? Py_NewRef(chosen) : nullptr;
  self->offset = member.offset;
  self->opcode = static_cast<std::uint16_t>(opcode);
  self->num_params = num_params;
  self->num_qubits = num_qubits;
  return object;
}

template <class F>
PyCFunction as_function(F* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

template <class F>
void* as_slot(F* function) {
  return reinterpret_cast<void*>(function);
}

PyTypeObject* make_type(py::module_& m, PyType_Spec& spec, const char* name) {
  PyObject* const type = PyType_FromSpec(&spec);
  if (type == nullptr) throw py::error_already_set();
  m.attr(name) = py::handle(type);
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

void register_rows(py::module_& m) {
  static PyMethodDef methods[] = {
      {"append", as_function(&rows_append), METH_FASTCALL, "Append one checked row."},
      {"append_each", as_function(&rows_append_each), METH_FASTCALL, "Append one gate for each row, if all are plain."},
      {"extend", as_function(&rows_extend), METH_FASTCALL, "Append many checked rows; their ends count from 0."},
      {"columns", &rows_columns, METH_NOARGS, "Return what has been appended so far."},
      {"of", as_function(&rows_of_columns), METH_VARARGS | METH_STATIC, "Return rows that begin with given columns."},
      {nullptr, nullptr, 0, nullptr}};
  static PyMemberDef members[] = {{"num_qubits", T_INT, offsetof(RowsObject, num_qubits), 0, nullptr},
                                  {"num_clbits", T_INT, offsetof(RowsObject, num_clbits), 0, nullptr},
                                  {"expressions", T_OBJECT, offsetof(RowsObject, expressions), READONLY, nullptr},
                                  {nullptr, 0, 0, 0, nullptr}};
  static PyGetSetDef getters[] = {{"num_params", &rows_num_params, nullptr, nullptr, nullptr},
                                  {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static char doc[] = "The columns that a circuit appends to.";
  static PyType_Slot slots[] = {{Py_tp_new, as_slot(&rows_new)},
                                {Py_tp_dealloc, as_slot(&rows_free)},
                                {Py_sq_length, as_slot(&rows_length)},
                                {Py_tp_methods, methods},
                                {Py_tp_members, members},
                                {Py_tp_getset, getters},
                                {Py_tp_doc, doc},
                                {0, nullptr}};
  static PyType_Spec spec{"qfast._core.Rows", sizeof(RowsObject), 0, Py_TPFLAGS_DEFAULT, slots};
  rows_type = make_type(m, spec, "Rows");

  static PyMemberDef method_members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(GateMethodObject, call), READONLY, nullptr},
      {"__wrapped__", T_OBJECT, offsetof(GateMethodObject, function), READONLY, nullptr},
      {"__func__", T_OBJECT, offsetof(GateMethodObject, function), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot method_slots[] = {{Py_tp_new, as_slot(&gate_method_new)},
                                       {Py_tp_dealloc, as_slot(&gate_method_free)},
                                       {Py_tp_traverse, as_slot(&gate_method_traverse)},
                                       {Py_tp_clear, as_slot(&gate_method_clear)},
                                       {Py_tp_call, as_slot(&PyVectorcall_Call)},
                                       {Py_tp_descr_get, as_slot(&gate_method_get)},
                                       {Py_tp_getattro, as_slot(&gate_method_attribute)},
                                       {Py_tp_repr, as_slot(&gate_method_repr)},
                                       {Py_tp_members, method_members},
                                       {0, nullptr}};
  static PyType_Spec method_spec{
      "qfast._core.GateMethod", sizeof(GateMethodObject), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
      method_slots};
  make_type(m, method_spec, "GateMethod");
}

}  // namespace qfast
