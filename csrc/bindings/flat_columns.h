// Circuits of gates as Python hands them over: a tuple of columns (qfast/engines/native.py makes it).
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <vector>

#include "circuit/flat.h"

namespace qfast {

template <class T>
std::vector<T> copy_column(const pybind11::handle& column) {
  const auto array = pybind11::cast<pybind11::array_t<T, pybind11::array::c_style>>(column);
  return {array.data(), array.data() + array.size()};
}

// Number of qubits, opcodes, controls, control states, data, ends of qubits, qubits, ends of parameters, parameters,
// complex data, integer data; of expressions: slots, ends of code, code, constants, number of parameters.
inline FlatCircuit flat_circuit_of(const pybind11::tuple& columns) {
  FlatCircuit c;
  c.num_qubits = pybind11::cast<std::int32_t>(columns[0]);
  c.opcodes = copy_column<std::uint16_t>(columns[1]);
  c.num_controls = copy_column<std::uint16_t>(columns[2]);
  c.ctrl_states = copy_column<std::uint64_t>(columns[3]);
  c.data = copy_column<std::int32_t>(columns[4]);
  c.qubit_end = copy_column<std::int64_t>(columns[5]);
  c.qubits = copy_column<std::int32_t>(columns[6]);
  c.param_end = copy_column<std::int64_t>(columns[7]);
  c.params = copy_column<double>(columns[8]);
  for (const pybind11::handle& item : pybind11::list(columns[9])) c.complex_data.push_back(copy_column<Complex>(item));
  for (const pybind11::handle& item : pybind11::list(columns[10])) {
    c.integer_data.push_back(copy_column<std::int64_t>(item));
  }
  c.expressions.slots = copy_column<std::int64_t>(columns[11]);
  c.expressions.code_end = copy_column<std::int64_t>(columns[12]);
  c.expressions.code = copy_column<std::int32_t>(columns[13]);
  c.expressions.constants = copy_column<double>(columns[14]);
  c.expressions.num_parameters = pybind11::cast<std::int64_t>(columns[15]);
  return c;
}

}  // namespace qfast
