// Sampling and counting.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "bindings/arrays.h"
#include "bindings/gil.h"
#include "bindings/interruptible.h"
#include "bindings/register.h"
#include "bindings/state_array.h"
#include "run/histogram.h"
#include "run/sampling.h"

namespace py = pybind11;

namespace qfast {
namespace {

// A sampler and the array it reads.
struct BoundSampler {
  py::array state;
  int num_qubits;
  Sampler sampler;
};

BoundSampler make_sampler(const py::array& state, int threads, const IsaName& isa) {
  const StateView view = view_state(state);
  const Isa chosen = isa_or_default(isa);
  if (view.size() < kShortWork) return {state, view.num_qubits, Sampler(view, chosen, threads)};
  std::optional<Sampler> made;
  run_interruptibly(nullptr, [&](CancelToken*) { made.emplace(view, chosen, threads); });
  return {state, view.num_qubits, std::move(*made)};
}

py::array_t<std::int64_t> find(const BoundSampler& bound, const Column<double>& uniforms, int threads,
                               CancelToken* cancel) {
  for (double uniform : span_of(uniforms)) {
    if (!(uniform >= 0 && uniform < 1)) {
      throw Error(ErrorKind::kInput, "a uniform is " + std::to_string(uniform) + "; all must lie in [0, 1)");
    }
  }
  py::array_t<std::int64_t> indices(uniforms.size());
  std::int64_t* const to = indices.mutable_data();
  const std::span given = span_of(uniforms);
  run_interruptibly(cancel, [&](CancelToken* token) { bound.sampler.find(given, to, threads, token); });
  return indices;
}

ShotRange shot_range(std::uint64_t seed, std::uint64_t first_shot, std::int64_t shots, std::uint64_t site) {
  if (shots < 0) throw Error(ErrorKind::kInput, std::to_string(shots) + " shots were asked for; it must be 0 or more");
  return {seed, first_shot, shots, site};
}

py::array_t<std::int64_t> sample(const BoundSampler& bound, std::uint64_t seed, std::uint64_t first_shot,
                                 std::int64_t shots, std::uint64_t site, int threads, CancelToken* cancel) {
  const ShotRange range = shot_range(seed, first_shot, shots, site);
  py::array_t<std::int64_t> indices(shots);
  std::int64_t* const to = indices.mutable_data();
  run_interruptibly(cancel, [&](CancelToken* token) { bound.sampler.sample(range, to, threads, token); });
  return indices;
}

py::array_t<std::uint8_t> sample_packed(const BoundSampler& bound, std::uint64_t seed, std::uint64_t first_shot,
                                        std::int64_t shots, std::uint64_t site, const std::vector<int>& qubits,
                                        int threads, CancelToken* cancel) {
  const ShotRange range = shot_range(seed, first_shot, shots, site);
  const OutcomeBits bits(bound.num_qubits, qubits);
  py::array_t<std::uint8_t> rows(
      {static_cast<py::ssize_t>(shots), static_cast<py::ssize_t>(row_bytes(bits.num_bits()))});
  std::uint8_t* const to = rows.mutable_data();
  run_interruptibly(cancel, [&](CancelToken* token) { bound.sampler.sample_packed(range, bits, to, threads, token); });
  return rows;
}

// Packed outcomes, uint8 (k, bytes), and their counts, int64 (k,).
py::tuple as_arrays(Histogram&& histogram) {
  const auto bytes = static_cast<py::ssize_t>(row_bytes(histogram.num_bits));
  const auto size = static_cast<py::ssize_t>(histogram.size());
  return py::make_tuple(array_of(std::move(histogram.rows)).reshape({size, bytes}),
                        array_of(std::move(histogram.counts)));
}

py::tuple count(const BoundSampler& bound, std::uint64_t seed, std::uint64_t first_shot, std::int64_t shots,
                std::uint64_t site, const std::vector<int>& qubits, int threads, CancelToken* cancel) {
  const ShotRange range = shot_range(seed, first_shot, shots, site);
  const OutcomeBits bits(bound.num_qubits, qubits);
  Histogram histogram;
  run_interruptibly(cancel, [&](CancelToken* token) { histogram = bound.sampler.count(range, bits, threads, token); });
  return as_arrays(std::move(histogram));
}

// Packed rows, uint8 (m, bytes), of 1 to 64 bits.
std::span<const std::uint8_t> checked_rows(const Column<std::uint8_t>& rows, int num_bits) {
  if (num_bits < 1 || num_bits > 64 || rows.ndim() != 2 || rows.shape(1) != row_bytes(num_bits)) {
    throw Error(ErrorKind::kInput, "packed outcomes of " + std::to_string(num_bits) +
                                       " bits were given; they must have 1 to 64 bits and be an array of shape (m, "
                                       "ceil(bits / 8))");
  }
  return span_of(rows);
}

py::tuple count_packed(const Column<std::uint8_t>& rows, int num_bits) {
  const std::span packed = checked_rows(rows, num_bits);
  Histogram histogram;
  {
    const ReleaseGil unlocked(packed.size());
    histogram = count_rows(packed, num_bits);
  }
  return as_arrays(std::move(histogram));
}

// Writes the low num_bits bits of `outcome` as characters, bit 0 rightmost, eight at a time.
void write_bits(std::uint64_t outcome, int num_bits, char* text) {
  struct Table {
    char characters[256][8];
    Table() {
      for (int value = 0; value < 256; ++value) {
        for (int bit = 0; bit < 8; ++bit) characters[value][7 - bit] = (value >> bit & 1) != 0 ? '1' : '0';
      }
    }
  };
  static const Table table;
  int left = num_bits;
  for (; left >= 8; left -= 8, outcome >>= 8) std::memcpy(text + left - 8, table.characters[outcome & 255], 8);
  std::memcpy(text, table.characters[outcome & 255] + 8 - left, static_cast<std::size_t>(left));
}

// A new string of the row's bits, its hash computed.
PyObject* bitstring(const std::uint8_t* row, int num_bits) {
  PyObject* const text = PyUnicode_New(num_bits, '1');
  if (text == nullptr) throw py::error_already_set();
  std::uint64_t outcome = 0;
  for (int byte = 0; byte < row_bytes(num_bits); ++byte) outcome |= std::uint64_t{row[byte]} << (8 * byte);
  write_bits(outcome, num_bits, reinterpret_cast<char*>(PyUnicode_1BYTE_DATA(text)));
  PyObject_Hash(text);
  return text;
}

void add_counts(const py::dict& target, const Column<std::uint8_t>& rows, const Column<std::int64_t>& counts,
                int num_bits) {
  const std::span packed = checked_rows(rows, num_bits);
  const py::ssize_t size = rows.shape(0);
  if (counts.size() != size) {
    throw Error(ErrorKind::kInput, std::to_string(size) + " outcomes and " + std::to_string(counts.size()) +
                                       " counts were given; there must be as many of each");
  }
  // Making keys and inserting them takes turns: the insertions of one turn then wait for memory side by side.
  constexpr py::ssize_t kTurn = 256;
  for (py::ssize_t first = 0; first < size; first += kTurn) {
    const py::ssize_t last = std::min(first + kTurn, size);
    py::object keys[kTurn];
    for (py::ssize_t i = first; i < last; ++i) {
      keys[i - first] = py::reinterpret_steal<py::object>(bitstring(packed.data() + i * rows.shape(1), num_bits));
    }
    for (py::ssize_t i = first; i < last; ++i) {
      const auto value = py::reinterpret_steal<py::object>(PyLong_FromLongLong(counts.data()[i]));
      if (!value || PyDict_SetItem(target.ptr(), keys[i - first].ptr(), value.ptr()) != 0)
        throw py::error_already_set();
    }
  }
}

py::array_t<double> uniforms(std::uint64_t seed, std::uint64_t first_shot, std::int64_t count, std::uint64_t site) {
  if (count < 0)
    throw Error(ErrorKind::kInput, std::to_string(count) + " uniforms were asked for; it must be 0 or more");
  py::array_t<double> out(count);
  fill_uniforms({seed, first_shot, count, site}, {out.mutable_data(), static_cast<std::size_t>(count)}, default_isa(),
                1);
  return out;
}

}  // namespace

void register_sampling(py::module_& m) {
  m.def(
      "sample_indices",
      [](const py::array& state, const Column<double>& given, int threads, const IsaName& isa, CancelToken* cancel) {
        return find(make_sampler(state, threads, isa), given, threads, cancel);
      },
      py::arg("state"), py::arg("uniforms"), py::arg("threads"), py::arg("isa") = py::none(),
      py::arg("cancel") = py::none());
  m.def("uniforms", &uniforms, py::arg("seed"), py::arg("first_shot"), py::arg("count"), py::arg("site"));
  m.def("count_rows", &count_packed, py::arg("rows"), py::arg("num_bits"),
        "Distinct packed outcomes, ascending, uint8 (k, bytes), and how often each came, int64 (k,).");
  m.def("add_counts", &add_counts, py::arg("target"), py::arg("rows"), py::arg("counts"), py::arg("num_bits"),
        "Sets target[bitstring] = count for each packed outcome, bit 0 rightmost.");

  py::class_<BoundSampler>(m, "Sampler", "Draws basis states; reads the state once and holds on to it.")
      .def(py::init(&make_sampler), py::arg("state"), py::arg("threads"), py::arg("isa") = py::none())
      .def_property_readonly("norm_squared", [](const BoundSampler& bound) { return bound.sampler.norm_squared(); })
      .def("find", &find, py::arg("uniforms"), py::arg("threads"), py::arg("cancel") = py::none())
      .def("sample", &sample, py::arg("seed"), py::arg("first_shot"), py::arg("shots"), py::arg("site"),
           py::arg("threads"), py::arg("cancel") = py::none(), "Basis states of consecutive shots, int64 (shots,).")
      .def(
          "sample_packed", &sample_packed, py::arg("seed"), py::arg("first_shot"), py::arg("shots"), py::arg("site"),
          py::arg("qubits"), py::arg("threads"), py::arg("cancel") = py::none(),
          "Packed outcomes, uint8 (shots, bytes): bit b is qubit qubits[b] (negative: 0), in bit b % 8 of byte b // 8.")
      .def("count", &count, py::arg("seed"), py::arg("first_shot"), py::arg("shots"), py::arg("site"),
           py::arg("qubits"), py::arg("threads"), py::arg("cancel") = py::none(),
           "Distinct packed outcomes, ascending, uint8 (k, bytes), and how often each came, int64 (k,).");
}

}  // namespace qfast
