// qfast._core.Columns: read-only views of a circuit's columns.
#include <array>
#include <cstddef>
#include <memory>
#include <new>

#include "bindings/register.h"
#include "bindings/rows.h"

namespace py = pybind11;

namespace qfast {

PyTypeObject* columns_type = nullptr;

namespace {

PyTypeObject* buffer_type = nullptr;

struct BufferObject {
  PyObject_HEAD std::shared_ptr<const void> owner;
  const void* data;
  const char* format;
  Py_ssize_t item_size;
  Py_ssize_t shape;
};

void free_buffer(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  std::destroy_at(&reinterpret_cast<BufferObject*>(self)->owner);
  type->tp_free(self);
  Py_DECREF(type);
}

int get_buffer(PyObject* object, Py_buffer* view, int flags) {
  if ((flags & PyBUF_WRITABLE) != 0) {
    PyErr_SetString(PyExc_BufferError, "the columns of a circuit are read-only");
    view->obj = nullptr;
    return -1;
  }
  auto* const self = reinterpret_cast<BufferObject*>(object);
  static const double nothing = 0;
  view->buf = const_cast<void*>(self->shape > 0 ? self->data : &nothing);
  view->obj = Py_NewRef(object);
  view->len = self->shape * self->item_size;
  view->itemsize = self->item_size;
  view->readonly = 1;
  view->ndim = 1;
  view->format = (flags & PyBUF_FORMAT) != 0 ? const_cast<char*>(self->format) : nullptr;
  view->shape = (flags & PyBUF_ND) != 0 ? &self->shape : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &self->item_size : nullptr;
  view->suboffsets = nullptr;
  view->internal = nullptr;
  return 0;
}

template <class T>
PyObject* view_of(const SharedColumn<T>& column, const char* format) {
  PyObject* const object = buffer_type->tp_alloc(buffer_type, 0);
  if (object == nullptr) return nullptr;
  auto* const buffer = reinterpret_cast<BufferObject*>(object);
  std::construct_at(&buffer->owner, column.owner());
  buffer->data = column.data();
  buffer->format = format;
  buffer->item_size = sizeof(T);
  buffer->shape = static_cast<Py_ssize_t>(column.size());
  PyObject* const view = PyMemoryView_FromObject(object);
  Py_DECREF(object);
  return view;
}

PyObject* make_view(const FlatRows& rows, std::size_t index) {
  switch (index) {
    case 0:
      return view_of(rows.opcodes, "H");
    case 1:
      return view_of(rows.num_controls, "H");
    case 2:
      return view_of(rows.ctrl_states, "Q");
    case 3:
      return view_of(rows.data, "i");
    case 4:
      return view_of(rows.qubit_end, "q");
    case 5:
      return view_of(rows.qubits, "i");
    case 6:
      return view_of(rows.param_end, "q");
    default:
      return view_of(rows.params, "d");
  }
}

constexpr std::array<const char*, 8> kNames{"opcodes",   "num_controls", "ctrl_states", "data",
                                            "qubit_end", "qubits",       "param_end",   "params"};

PyObject* get_view(PyObject* object, void* closure) {
  auto* const self = reinterpret_cast<ColumnsObject*>(object);
  const auto index = reinterpret_cast<std::size_t>(closure);
  if (self->views[index] == nullptr) self->views[index] = make_view(self->rows, index);
  return Py_XNewRef(self->views[index]);
}

void free_columns(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  auto* const self = reinterpret_cast<ColumnsObject*>(object);
  for (PyObject* const view : self->views) Py_XDECREF(view);
  std::destroy_at(&self->rows);
  type->tp_free(object);
  Py_DECREF(type);
}

Py_ssize_t count_rows(PyObject* self) { return reinterpret_cast<ColumnsObject*>(self)->rows.size(); }

PyTypeObject* make_type(py::module_& m, PyType_Spec& spec, const char* name) {
  PyObject* const type = PyType_FromSpec(&spec);
  if (type == nullptr) throw py::error_already_set();
  if (name != nullptr) m.attr(name) = py::handle(type);
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

py::object make_columns(const FlatRows& rows) {
  PyObject* const object = columns_type->tp_alloc(columns_type, 0);
  if (object == nullptr) throw py::error_already_set();
  std::construct_at(&reinterpret_cast<ColumnsObject*>(object)->rows, rows);
  return py::reinterpret_steal<py::object>(object);
}

const FlatRows& columns_of(py::handle object) {
  if (Py_TYPE(object.ptr()) != columns_type) {
    throw py::type_error("qfast._core.Columns is needed, " + std::string(Py_TYPE(object.ptr())->tp_name) + " given");
  }
  return reinterpret_cast<const ColumnsObject*>(object.ptr())->rows;
}

void register_columns(py::module_& m) {
  static PyType_Slot buffer_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&free_buffer)},
                                       {Py_bf_getbuffer, reinterpret_cast<void*>(&get_buffer)},
                                       {0, nullptr}};
  static PyType_Spec buffer_spec{"qfast._core.ColumnBuffer", sizeof(BufferObject), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, buffer_slots};
  buffer_type = make_type(m, buffer_spec, nullptr);

  static std::array<PyGetSetDef, kNames.size() + 1> getters{};
  for (std::size_t k = 0; k < kNames.size(); ++k) {
    getters[k] = {kNames[k], &get_view, nullptr, nullptr, reinterpret_cast<void*>(k)};
  }
  static char doc[] = "The columns of a circuit at one moment, as read-only memoryviews.";
  static PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&free_columns)},
                                {Py_tp_getset, getters.data()},
                                {Py_sq_length, reinterpret_cast<void*>(&count_rows)},
                                {Py_tp_doc, doc},
                                {0, nullptr}};
  static PyType_Spec spec{"qfast._core.Columns", sizeof(ColumnsObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  columns_type = make_type(m, spec, "Columns");
}

}  // namespace qfast
