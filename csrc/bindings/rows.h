// The types behind a circuit's rows, made by hand: their calls are short enough for pybind11's dispatcher to show.
#pragma once

#include <pybind11/pybind11.h>

#include "circuit/flat.h"

namespace qfast {

// qfast._core.Rows: what a circuit appends to.
struct RowsObject {
  PyObject_HEAD FlatRows rows;
  PyObject* expressions;    // dict: slot of params to expression
  std::int32_t num_qubits;  // that rows may name
  std::int32_t num_clbits;
};

// qfast._core.Columns: the rows at one moment; they never change.
struct ColumnsObject {
  PyObject_HEAD FlatRows rows;
  PyObject* views[8];  // memoryviews, made when first asked for
};

extern PyTypeObject* rows_type;
extern PyTypeObject* columns_type;

// A new Columns; throws error_already_set.
pybind11::object make_columns(const FlatRows& rows);

// The rows of a Columns. Throws type_error for anything else.
const FlatRows& columns_of(pybind11::handle object);

}  // namespace qfast
