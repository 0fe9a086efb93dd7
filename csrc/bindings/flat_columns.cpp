#include "bindings/flat_columns.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "bindings/rows.h"
#include "circuit/gates.h"
#include "circuit/qasm_circuit.h"

namespace py = pybind11;

namespace qfast {
namespace {

// The numbers of a data item, which its gate has as many of as `kind` says for its own qubits.
template <class T>
std::vector<T> item_numbers(py::handle item, DataKind kind, std::int64_t num_qubits) {
  const auto array = py::array_t<T, py::array::c_style | py::array::forcecast>::ensure(item);
  if (!array) throw py::error_already_set();
  const std::int64_t size = kind == DataKind::kPauli    ? num_qubits
                            : kind == DataKind::kMatrix ? std::int64_t{1} << 2 * num_qubits
                                                        : std::int64_t{1} << num_qubits;
  if (array.size() != size) throw Error(ErrorKind::kCircuit, "a data item has another size than its gate needs");
  return {array.data(), array.data() + array.size()};
}

// Gates without barriers, which no plan sees. Throws Error(kCircuit) at any other row that is no gate.
FlatRows gates_only(const FlatRows& all) {
  FlatRows gates;
  for (std::size_t i = 0; i < all.opcodes.size(); ++i) {
    if (all.opcodes[i] == k_barrier) continue;
    if (all.opcodes[i] >= kNumGates) {
      throw Error(ErrorKind::kCircuit, "instruction " + std::to_string(i) + " is no gate: an engine runs gates only");
    }
    const auto begin = static_cast<std::size_t>(i > 0 ? all.qubit_end[i - 1] : 0);
    const auto slot = static_cast<std::size_t>(i > 0 ? all.param_end[i - 1] : 0);
    gates.qubits.append({all.qubits.data() + begin, static_cast<std::size_t>(all.qubit_end[i]) - begin});
    gates.params.append({all.params.data() + slot, static_cast<std::size_t>(all.param_end[i]) - slot});
    gates.end_row({all.opcodes[i], all.num_controls[i], all.ctrl_states[i], all.data[i]});
  }
  return gates;
}

// The columns of a circuit, shared with it where they can be, and copies of the data items that its gates name.
FlatCircuit circuit_of(std::int32_t num_qubits, const FlatRows& rows, const py::sequence& items) {
  FlatCircuit c;
  c.num_qubits = num_qubits;
  const auto is_gate = [](std::uint16_t opcode) { return opcode < kNumGates; };
  static_cast<FlatRows&>(c) = std::all_of(rows.opcodes.begin(), rows.opcodes.end(), is_gate) ? rows : gates_only(rows);
  if (py::len(items) == 0) return c;
  SharedColumn<std::int32_t> data;
  std::unordered_map<std::int64_t, std::int32_t> places;  // instructions may share an item
  for (std::size_t i = 0; i < c.opcodes.size(); ++i) {
    const DataKind kind = gate_table()[c.opcodes[i]].data;
    if (kind == DataKind::kNone) {
      data.push_back(-1);
      continue;
    }
    const bool is_complex = kind == DataKind::kMatrix || kind == DataKind::kDiagonal;
    const auto next = static_cast<std::int32_t>(is_complex ? c.complex_data.size() : c.integer_data.size());
    const auto [place, is_new] = places.try_emplace(std::int64_t{c.data[i]} << 16 | c.opcodes[i], next);
    data.push_back(place->second);
    if (!is_new) continue;
    const py::object item = items[static_cast<std::size_t>(c.data[i])];
    const std::int64_t own = c.qubit_end[i] - (i > 0 ? c.qubit_end[i - 1] : 0) - c.num_controls[i];
    if (is_complex) {
      c.complex_data.push_back(item_numbers<Complex>(item, kind, own));
    } else {
      c.integer_data.push_back(item_numbers<std::int64_t>(item, kind, own));
    }
  }
  c.data = std::move(data);
  return c;
}

}  // namespace

FlatCircuit flat_circuit_of(const py::tuple& parts) {
  FlatCircuit c = circuit_of(py::cast<std::int32_t>(parts[0]), columns_of(parts[1]), py::sequence(parts[2]));
  c.expressions.slots = copy_column<std::int64_t>(parts[3]);
  c.expressions.code_end = copy_column<std::int64_t>(parts[4]);
  c.expressions.code = copy_column<std::int32_t>(parts[5]);
  c.expressions.constants = copy_column<double>(parts[6]);
  c.expressions.num_parameters = py::cast<std::int64_t>(parts[7]);
  return c;
}

}  // namespace qfast
