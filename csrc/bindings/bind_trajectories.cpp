// Noisy trajectories: errors drawn, rows of parameter values run and read.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <bit>
#include <string>

#include "base/cpu_features.h"
#include "base/error.h"
#include "bindings/interruptible.h"
#include "bindings/register.h"
#include "bindings/state_array.h"
#include "run/expectation.h"
#include "run/noise_sites.h"
#include "run/sampling.h"
#include "run/trajectories.h"

namespace py = pybind11;

namespace qfast {
namespace {

template <class T>
using Column = py::array_t<T, py::array::c_style>;

template <class T>
std::span<const T> view(const Column<T>& column) {
  return {column.data(), static_cast<std::size_t>(column.size())};
}

template <class T>
Column<T> to_array(const std::vector<T>& values) {
  return Column<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

// The arguments that every visit takes.
struct Run {
  ParameterRows rows;
  const void* initial;
  std::size_t kept_bytes;
  int threads;
};

Run run_of(const Trajectories& trajectories, const Column<double>& base, const Column<double>& change,
           const Column<std::uint8_t>& bits, const py::object& initial, std::size_t kept_bytes, int threads) {
  if (bits.ndim() != 2) throw Error(ErrorKind::kInput, "bits must have shape (rows, bytes)");
  const Program& program = trajectories.program();
  const void* amplitudes = nullptr;
  if (!initial.is_none()) {
    const auto array = py::cast<py::array>(initial);
    const char wanted = program.precision() == Precision::kComplex64 ? 'F' : 'D';
    if (amplitude_kind(array) != wanted || array.ndim() != 1 || !(array.flags() & py::array::c_style) ||
        array.shape(0) != py::ssize_t{1} << program.num_qubits()) {
      throw Error(ErrorKind::kInput,
                  "the initial state must be a C-contiguous "
                  "array of the program's size and dtype");
    }
    amplitudes = array.data();
  }
  return {{view(base), view(change), bits.data(), static_cast<std::size_t>(bits.shape(1)), bits.shape(0)},
          amplitudes,
          kept_bytes,
          std::max(threads, 1)};
}

void check_offsets(const Column<std::int64_t>& offsets, std::int64_t num_rows, std::int64_t num_items) {
  bool is_right = offsets.size() == num_rows + 1 && offsets.at(0) == 0 && offsets.at(num_rows) == num_items;
  for (std::int64_t r = 0; is_right && r < num_rows; ++r) is_right = offsets.at(r) <= offsets.at(r + 1);
  if (!is_right) {
    throw Error(ErrorKind::kInput, "offsets must ascend from 0 to " + std::to_string(num_items) + " in " +
                                       std::to_string(num_rows) + " steps");
  }
}

py::tuple sample(const Trajectories& trajectories, const Column<double>& base, const Column<double>& change,
                 const Column<std::uint8_t>& bits, const Column<double>& uniforms, const Column<std::int64_t>& offsets,
                 const py::object& initial, std::size_t kept_bytes, int threads, CancelToken* cancel) {
  const Run run = run_of(trajectories, base, change, bits, initial, kept_bytes, threads);
  check_offsets(offsets, run.rows.num_rows, uniforms.size());
  for (py::ssize_t k = 0; k < uniforms.size(); ++k) {
    if (!(uniforms.at(k) >= 0 && uniforms.at(k) < 1)) {
      throw Error(ErrorKind::kInput, "uniform " + std::to_string(k) + " is not in [0, 1)");
    }
  }
  Column<std::int64_t> out(uniforms.size());
  std::int64_t* to = out.mutable_data();
  const double* from = uniforms.data();
  const std::int64_t* ends = offsets.data();
  double work = 0;
  run_interruptibly(cancel, [&](CancelToken* token) {
    work = trajectories.visit(
        run.rows, run.initial, run.kept_bytes, {run.threads, token}, [&](std::int64_t row, const StateView& state) {
          const auto count = static_cast<std::size_t>(ends[row + 1] - ends[row]);
          if (count == 0) return;
          const int all = run.threads;
          Sampler(state, trajectories.program().isa(), all).find({from + ends[row], count}, to + ends[row], all);
        });
  });
  return py::make_tuple(out, work);
}

// A Pauli frame in front of a Pauli string changes its sign where they anticommute.
py::tuple pauli_means(const Trajectories& trajectories, const Column<double>& base, const Column<double>& change,
                      const Column<std::uint8_t>& bits, const Column<std::int64_t>& offsets,
                      const Column<std::uint64_t>& x_frames, const Column<std::uint64_t>& z_frames,
                      const Column<std::uint64_t>& x_masks, const Column<std::uint64_t>& z_masks,
                      const Column<Complex>& coefficients, const py::object& initial, std::size_t kept_bytes,
                      int threads, CancelToken* cancel) {
  const Run run = run_of(trajectories, base, change, bits, initial, kept_bytes, threads);
  check_offsets(offsets, run.rows.num_rows, x_frames.size());
  if (z_frames.size() != x_frames.size()) throw Error(ErrorKind::kInput, "as many Z frames as X frames are needed");
  const Program& program = trajectories.program();
  const PauliSum observable(program.num_qubits(), view(x_masks), view(z_masks), view(coefficients));
  Column<Complex> out(x_frames.size());
  Complex* to = out.mutable_data();
  const auto x = view(x_masks), z = view(z_masks), xf = view(x_frames), zf = view(z_frames);
  const auto c = view(coefficients);
  const std::int64_t* ends = offsets.data();
  double work = 0;
  run_interruptibly(cancel, [&](CancelToken* token) {
    work = trajectories.visit(
        run.rows, run.initial, run.kept_bytes, {run.threads, token}, [&](std::int64_t row, const StateView& state) {
          std::vector<double> values(observable.size());
          observable.term_values(state, program.isa(), run.threads, values.data());
          for (auto f = static_cast<std::size_t>(ends[row]); f < static_cast<std::size_t>(ends[row + 1]); ++f) {
            Complex sum = 0;
            for (std::size_t j = 0; j < values.size(); ++j) {
              const bool is_odd = (std::popcount((xf[f] & z[j]) ^ (zf[f] & x[j])) & 1) != 0;
              sum += c[j] * (is_odd ? -values[j] : values[j]);
            }
            to[f] = sum;
          }
        });
  });
  return py::make_tuple(out, work);
}

py::tuple draw(std::uint64_t seed, std::uint64_t first_shot, std::int64_t num_shots, std::uint64_t first_site,
               const Column<double>& thresholds, const Column<std::int64_t>& ends, int threads) {
  ErrorsDrawn drawn;
  run_interruptibly(nullptr, [&](CancelToken*) {
    drawn = draw_errors({seed, first_shot, num_shots, first_site}, view(thresholds), view(ends), default_isa(),
                        std::max(threads, 1));
  });
  return py::make_tuple(to_array(drawn.shots), to_array(drawn.errors));
}

}  // namespace

void register_trajectories(py::module_& m) {
  py::class_<Trajectories>(m, "Trajectories")
      .def(py::init<const Program&>(), py::arg("program"), py::keep_alive<1, 2>())
      .def_property_readonly(
          "order", [](const Trajectories& t) { return to_array(t.order()); },
          "The parameter of each column of the rows' bits: int32.")
      .def("sample", &sample, py::arg("base"), py::arg("change"), py::arg("bits"), py::arg("uniforms"),
           py::arg("offsets"), py::arg("initial").none(true), py::arg("kept_bytes"), py::arg("threads"),
           py::arg("cancel").none(true),
           "Basis indices (int64): row r is sampled with "
           "uniforms[offsets[r]:offsets[r + 1]]; and the work in runs of "
           "the whole program.")
      .def("pauli_means", &pauli_means, py::arg("base"), py::arg("change"), py::arg("bits"), py::arg("offsets"),
           py::arg("x_frames"), py::arg("z_frames"), py::arg("x_masks"), py::arg("z_masks"), py::arg("coefficients"),
           py::arg("initial").none(true), py::arg("kept_bytes"), py::arg("threads"), py::arg("cancel").none(true),
           "Expectation of a Pauli sum (complex128) in row r behind each of "
           "the Pauli frames offsets[r]:offsets[r + 1]; "
           "and the work in runs of the whole program.");
  m.def("draw_errors", &draw, py::arg("seed"), py::arg("first_shot"), py::arg("num_shots"), py::arg("first_site"),
        py::arg("thresholds"), py::arg("ends"), py::arg("threads"),
        "The errors that happen, as (shots from 0, numbers of errors), both "
        "int64. Site s has the cumulative "
        "probabilities thresholds[ends[s - 1]:ends[s]], from that of no error "
        "on; errors are numbered from site to "
        "site, that of no error left out.");
}

}  // namespace qfast
