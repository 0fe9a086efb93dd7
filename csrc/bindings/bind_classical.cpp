// Classical code, one expression at a time: what compares the core's machine with the one in Python.
#include <pybind11/pybind11.h>

#include <vector>

#include "base/error.h"
#include "bindings/arrays.h"
#include "bindings/register.h"
#include "circuit/classical.h"

namespace py = pybind11;

namespace qfast {
namespace {

using Words = py::array_t<std::uint64_t, py::array::c_style>;

Words run(const Column<std::int32_t>& code, const Column<std::int64_t>& ends, const Column<std::uint64_t>& constants,
          std::int32_t stack_words, std::int32_t number, Words& bits, Words& variables) {
  if (number < 0 || number >= ends.size()) throw Error(ErrorKind::kInput, "there is no such expression");
  const classical::Code table{
      {reinterpret_cast<const classical::Instruction*>(code.data()), static_cast<std::size_t>(code.size()) / 4},
      span_of(ends),
      span_of(constants)};
  std::vector<std::uint64_t> stack(static_cast<std::size_t>(stack_words) + 1);
  classical::run(table, number, {bits.mutable_data(), variables.mutable_data()}, stack.data());
  return array_of(std::move(stack));
}

}  // namespace

void register_classical(py::module_& m) {
  m.def("run_classical", &run, py::arg("code"), py::arg("ends"), py::arg("constants"), py::arg("stack_words"),
        py::arg("number"), py::arg("bits").noconvert(), py::arg("variables").noconvert(),
        "Run expression `number` of a ClassicalCode on uint64 words, which assignments change; return the stack.");
}

}  // namespace qfast
