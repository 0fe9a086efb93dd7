// The machine, memory for states, and the token that stops a run.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "base/aligned_buffer.h"
#include "base/cancel.h"
#include "base/cpu_features.h"
#include "base/error.h"
#include "base/memory_info.h"
#include "bindings/register.h"
#include "capi/qfast.h"

namespace py = pybind11;

namespace qfast {
namespace {

py::dict cpu_info_dict() {
  const CpuInfo& info = cpu_info();
  py::dict dict;
  dict["model"] = info.model;
  dict["architecture"] = info.architecture;
  dict["l1_bytes"] = info.l1_bytes;
  dict["l2_bytes"] = info.l2_bytes;
  dict["l3_bytes"] = info.l3_bytes;
  dict["cache_line_bytes"] = info.cache_line_bytes;
  return dict;
}

py::list isa_names() {
  py::list names;
  for (Isa isa : available_isas()) names.append(std::string(isa_name(isa)));
  return names;
}

// The array keeps its buffer alive; with the last view of it the buffer goes back to the pool.
py::array allocate_state(int num_qubits, const std::string& type) {
  if (type != "F" && type != "D") {
    throw Error(ErrorKind::kInput, "a state of type '" + type + "' was asked for; it may be 'F' (complex64) or 'D'");
  }
  const std::size_t amplitude = type == "F" ? 8 : 16;
  if (num_qubits < 0 || num_qubits > 58) {
    throw Error(num_qubits < 0 ? ErrorKind::kInput : ErrorKind::kCapacity,
                "a state of " + std::to_string(num_qubits) + " qubits was asked for; 0 to 58 can be addressed");
  }
  auto* buffer = new StateBuffer;
  const py::capsule owner(buffer, [](void* p) { delete static_cast<StateBuffer*>(p); });
  *buffer = StateBufferPool::instance().allocate(amplitude << num_qubits);
  return {py::dtype(type), {py::ssize_t{1} << num_qubits}, {}, buffer->data(), owner};
}

py::dict buffer_stats() {
  const BufferStats stats = StateBufferPool::instance().stats();
  py::dict dict;
  dict["live_bytes"] = stats.live_bytes;
  dict["live_buffers"] = stats.live_buffers;
  dict["peak_live_bytes"] = stats.peak_live_bytes;
  dict["kept_bytes"] = stats.kept_bytes;
  dict["kept_buffers"] = stats.kept_buffers;
  dict["allocations"] = stats.allocations;
  dict["reuses"] = stats.reuses;
  dict["budget_bytes"] = stats.budget_bytes;
  return dict;
}

}  // namespace

void register_system(py::module_& m) {
  m.def("cpu_info", &cpu_info_dict, "Name, architecture and caches of the processor.");
  m.def("build_info", [] { return std::string(qfast_build_info()); }, "Version, compiler and build type, in words.");
  m.def("isa_available", &isa_names, "Names of the instruction sets that this machine can run, best last.");
  m.def(
      "isa_default", [] { return std::string(isa_name(default_isa())); },
      "QFAST_ISA, else the best available one; decided at the first call.");
  m.def(
      "memory_limit",
      [] {
        const MemoryInfo info = memory_info();
        return py::make_tuple(info.limit_bytes, info.available_bytes);
      },
      "(limit, available) in bytes under the cgroups of this process and ulimit -v; (0, 0) where the system does not "
      "tell.");
  m.def("default_threads", &default_threads, "Threads where nobody asks for a number: csrc/base/memory_info.h.");
  m.def("allocate_state", &allocate_state, py::arg("num_qubits"), py::arg("type"),
        "An uninitialised state, type 'F' or 'D', of memory that is recycled when the array dies.");
  m.def("buffer_stats", &buffer_stats);
  m.def(
      "trim_buffers", [](std::size_t keep_bytes) { StateBufferPool::instance().trim(keep_bytes); },
      py::arg("keep_bytes") = 0, "Gives kept buffers back to the system until at most keep_bytes are kept.");
  m.def(
      "set_buffer_budget", [](std::size_t bytes) { StateBufferPool::instance().set_budget(bytes); }, py::arg("bytes"),
      "Most bytes of dead states to keep for the next ones.");

  py::class_<CancelToken>(m, "CancelToken")
      .def(py::init<>())
      .def("cancel", [](CancelToken& token) { token.cancelled = true; })
      .def_property_readonly("cancelled", [](const CancelToken& token) { return token.cancelled.load(); })
      .def(
          "progress",
          [](const CancelToken& token) { return py::make_tuple(token.work_done.load(), token.work_total.load()); },
          "(done, total) in units of the plan; (0, 0) before the run has begun.");
}

}  // namespace qfast
