// Circuits of gates as Python hands them over (qfast/engines/native.py).
#pragma once

#include <pybind11/numpy.h>

#include <vector>

#include "circuit/flat.h"

namespace qfast {

template <class T>
std::vector<T> copy_column(const pybind11::handle& column) {
  const auto array = pybind11::cast<pybind11::array_t<T, pybind11::array::c_style>>(column);
  return {array.data(), array.data() + array.size()};
}

// From a tuple: number of qubits, Columns, data items; of expressions: slots, ends of code, code, constants, number of
// parameters. Columns are shared with the circuit; barriers are left out. Throws Error(kCircuit) at any other row that
// is no gate, and at a data item of another size than its gate needs.
FlatCircuit flat_circuit_of(const pybind11::tuple& parts);

}  // namespace qfast
