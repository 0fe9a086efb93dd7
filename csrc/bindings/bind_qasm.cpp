// The OpenQASM reader: its columns as numpy arrays, the rest as small tuples.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cmath>
#include <utility>

#include "bindings/register.h"
#include "bindings/rows.h"
#include "circuit/qasm_circuit.h"

namespace py = pybind11;

namespace qfast {
namespace {

// A numpy array that owns the vector's memory: nothing is copied.
template <class T>
py::array_t<T> to_array(std::vector<T>&& values) {
  auto* const owned = new std::vector<T>(std::move(values));
  const py::capsule owner(owned, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return py::array_t<T>(static_cast<py::ssize_t>(owned->size()), owned->data(), owner);
}

// An integer of any size, as Python or OpenQASM writes it.
py::object wide_integer(const std::string& text) {
  const bool is_decimal = text.size() < 2 || text[0] != '0' || (text[1] >= '0' && text[1] <= '9');
  PyObject* const found = PyLong_FromString(text.c_str(), nullptr, is_decimal ? 10 : 0);
  if (found == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(found);
}

py::tuple node_tuple(const ClassicalNode& n, const std::vector<std::string>& wide_integers) {
  using Kind = ClassicalNode::Kind;
  const py::str op(n.op.data(), n.op.size());
  switch (n.kind) {
    case Kind::kBit:
      return py::make_tuple("bit", n.left);
    case Kind::kBits:
      return py::make_tuple("bits", n.left, n.right);
    case Kind::kVariable:
      return py::make_tuple("variable", n.left);
    case Kind::kInt:
      if (n.is_unsigned) return py::make_tuple("literal", static_cast<std::uint64_t>(n.integer));
      return py::make_tuple("literal", n.integer);
    case Kind::kWideInt:
      return py::make_tuple("literal", wide_integer(wide_integers[static_cast<std::size_t>(n.left)]));
    case Kind::kReal:
      return py::make_tuple("literal", n.real);
    case Kind::kBool:
      return py::make_tuple("literal", n.integer != 0);
    case Kind::kUnary:
      return py::make_tuple("unary", op, n.left);
    case Kind::kBinary:
      return py::make_tuple("binary", op, n.left, n.right);
    case Kind::kIndex:
      return py::make_tuple("index", n.left, n.right);
    case Kind::kCast: {
      const py::object width = n.right > 0 ? py::object(py::int_(n.right)) : py::object(py::none());
      return py::make_tuple("cast", op, width, n.left);
    }
    case Kind::kCall:
      break;
  }
  if (n.right < 0) return py::make_tuple("call", op, n.left);
  return py::make_tuple("call", op, n.left, n.right);
}

// The matrices and diagonals of a block, read-only; a matrix is square.
py::list data_items(FlatCircuit& rows) {
  std::vector<bool> is_square(rows.complex_data.size(), false);
  for (std::size_t i = 0; i < rows.opcodes.size() && !is_square.empty(); ++i) {
    if (rows.opcodes[i] == k_unitary) is_square[static_cast<std::size_t>(rows.data[i])] = true;
  }
  py::list items;
  for (std::size_t k = 0; k < is_square.size(); ++k) {
    py::array_t<Complex> item = to_array(std::move(rows.complex_data[k]));
    const auto side = static_cast<py::ssize_t>(std::lround(std::sqrt(static_cast<double>(item.size()))));
    if (is_square[k]) item = item.reshape({side, side});
    item.attr("flags").attr("writeable") = false;
    items.append(std::move(item));
  }
  return items;
}

// The rows, in which data of control flow counts on from the matrices.
FlatRows rows_of(const QasmBlock& block) {
  FlatRows rows = block.rows;
  if (block.flows.empty()) return rows;
  const auto first = static_cast<std::int32_t>(block.rows.complex_data.size());
  SharedColumn<std::int32_t> data;
  for (std::size_t i = 0; i < rows.opcodes.size(); ++i) {
    const std::uint16_t opcode = rows.opcodes[i];
    const bool is_flow = (opcode >= k_if_else && opcode <= k_switch_case) || opcode == k_assign;
    data.push_back(rows.data[i] + (is_flow ? first : 0));
  }
  rows.data = std::move(data);
  return rows;
}

py::dict block_dict(QasmBlock&& block) {
  py::list flows;
  for (const QasmFlow& flow : block.flows) {
    flows.append(py::make_tuple(flow.opcode, flow.expression, flow.target, flow.blocks, flow.values, flow.is_range,
                                flow.is_unsigned));
  }
  py::dict d;
  d["columns"] = make_columns(rows_of(block));
  d["slots"] = std::move(block.rows.expressions.slots);
  d["code_end"] = std::move(block.rows.expressions.code_end);
  d["code"] = std::move(block.rows.expressions.code);
  d["constants"] = std::move(block.rows.expressions.constants);
  d["matrices"] = data_items(block.rows);
  d["flows"] = std::move(flows);
  return d;
}

py::dict read(const std::string_view text, const std::string& filename, const std::string& folder) {
  QasmCircuit circuit = [&] {
    const py::gil_scoped_release unlocked;  // the caller holds the string
    return read_qasm(text, filename, folder);
  }();
  const auto registers = [](const std::vector<QasmRegister>& list) {
    py::list result;
    for (const QasmRegister& reg : list) result.append(py::make_tuple(reg.name, reg.size));
    return result;
  };
  static constexpr const char* kKinds[] = {"int", "uint", "bool", "float"};
  py::list variables, nodes, blocks;
  for (const QasmVariable& v : circuit.variables) {
    const py::object width = v.width > 0 ? py::object(py::int_(v.width)) : py::object(py::none());
    variables.append(py::make_tuple(v.name, kKinds[static_cast<std::size_t>(v.kind)], width));
  }
  for (const ClassicalNode& node : circuit.nodes) nodes.append(node_tuple(node, circuit.wide_integers));
  for (QasmBlock& block : circuit.blocks) blocks.append(block_dict(std::move(block)));
  py::dict d;
  d["num_qubits"] = circuit.num_qubits;
  d["num_clbits"] = circuit.num_clbits;
  d["qubit_registers"] = registers(circuit.qubit_registers);
  d["classical_registers"] = registers(circuit.classical_registers);
  d["parameters"] = circuit.parameters;
  d["variables"] = std::move(variables);
  d["nodes"] = std::move(nodes);
  d["blocks"] = std::move(blocks);
  return d;
}

}  // namespace

void register_qasm(py::module_& m) {
  m.def("read_qasm", &read, py::arg("text"), py::arg("filename") = "", py::arg("folder") = "",
        "Read OpenQASM 2 or 3 into columns and tuples, which qfast.circuit.qasm turns into a circuit.\n\n"
        "`filename` is named in errors; includes are looked up in `folder` (none without one).");
}

}  // namespace qfast
