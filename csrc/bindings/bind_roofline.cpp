#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "base/cpu_features.h"
#include "base/error.h"
#include "bindings/register.h"
#include "run/roofline.h"

namespace py = pybind11;

namespace qfast {
namespace {

Isa isa_or_default(const std::optional<std::string>& name) { return name ? isa_from_name(*name) : default_isa(); }

Precision precision_from_name(const std::string& name) {
  if (name == "complex64") return Precision::kComplex64;
  if (name == "complex128") return Precision::kComplex128;
  throw Error(ErrorKind::kInput, "precision is '" + name + "'; it may be 'complex64' or 'complex128'");
}

}  // namespace

void register_roofline(py::module_& m) {
  m.def(
      "measure_bandwidth",
      [](std::size_t bytes, int threads, int repeats, const std::optional<std::string>& isa) {
        const Isa chosen = isa_or_default(isa);
        const py::gil_scoped_release release;
        return measure_bandwidth(bytes, threads, repeats, chosen);
      },
      py::arg("bytes"), py::arg("threads"), py::arg("repeats") = 7, py::arg("isa") = py::none(),
      "Bytes a second read and written in place over a buffer of `bytes` bytes (2 * bytes per pass), best of "
      "`repeats`.");
  m.def(
      "measure_fma_peak",
      [](const std::string& precision, int threads, int repeats, const std::optional<std::string>& isa) {
        const Isa chosen = isa_or_default(isa);
        const Precision parsed = precision_from_name(precision);
        const py::gil_scoped_release release;
        return measure_fma_peak(parsed, threads, repeats, chosen);
      },
      py::arg("precision"), py::arg("threads"), py::arg("repeats") = 7, py::arg("isa") = py::none(),
      "Floating-point operations a second of fused multiply-adds in registers, best of `repeats`.");
}

}  // namespace qfast
