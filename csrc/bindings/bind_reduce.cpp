// Norms, marginals, Pauli sums and sampling.
#include <pybind11/complex.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>
#include <span>

#include "base/error.h"
#include "bindings/gil.h"
#include "bindings/register.h"
#include "bindings/state_array.h"
#include "run/expectation.h"
#include "run/probabilities.h"
#include "run/sampling.h"

namespace py = pybind11;

namespace qfast {
namespace {

using IsaName = std::optional<std::string>;
template <class T>
using Column = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T>
std::span<const T> span_of(const Column<T>& column) {
  return {column.data(), static_cast<std::size_t>(column.size())};
}

// A numpy array that owns the vector's memory.
template <class T>
py::array_t<T> array_of(std::vector<T>&& values) {
  auto* owned = new std::vector<T>(std::move(values));
  const py::capsule owner(owned, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return py::array_t<T>(static_cast<py::ssize_t>(owned->size()), owned->data(), owner);
}

py::array_t<double> probabilities_of(const py::array& state, const Column<std::int32_t>& qubits, int threads,
                                     const IsaName& isa) {
  const StateView view = view_state(state);
  const Isa chosen = isa_or_default(isa);
  const std::vector<int> asked(qubits.data(), qubits.data() + qubits.size());
  std::uint64_t seen = 0;
  for (int qubit : asked) {
    if (qubit < 0 || qubit >= view.num_qubits || (seen >> qubit & 1) != 0) {
      throw Error(ErrorKind::kInput, "qubit " + std::to_string(qubit) + " is listed twice or not one of the state's " +
                                         std::to_string(view.num_qubits) + " qubits");
    }
    seen |= 1ull << qubit;
  }
  py::array_t<double> out(py::ssize_t{1} << asked.size());
  double* const to = out.mutable_data();
  const py::gil_scoped_release unlocked;
  probabilities(view, asked, to, chosen, threads);
  return out;
}

Complex inner_product_of(const py::array& bra, const py::array& ket, int threads, const IsaName& isa) {
  const StateView left = view_state(bra), right = view_state(ket);
  if (left.num_qubits != right.num_qubits || left.precision != right.precision) {
    throw Error(ErrorKind::kInput, "the inner product needs two states of one size and precision; they have " +
                                       std::to_string(left.num_qubits) + " and " + std::to_string(right.num_qubits) +
                                       " qubits, dtypes " + std::string(py::str(py::object(bra.dtype()))) + " and " +
                                       std::string(py::str(py::object(ket.dtype()))));
  }
  const Isa chosen = isa_or_default(isa);
  const py::gil_scoped_release unlocked;
  return inner_product(left, right, chosen, threads);
}

PauliSum make_pauli_sum(int num_qubits, const Column<std::uint64_t>& x_masks, const Column<std::uint64_t>& z_masks,
                        const Column<Complex>& coefficients) {
  return {num_qubits, span_of(x_masks), span_of(z_masks), span_of(coefficients)};
}

StateView view_for(const PauliSum& sum, const py::array& state) {
  const StateView view = view_state(state);
  if (view.num_qubits != sum.num_qubits()) {
    throw Error(ErrorKind::kObservable, "the Pauli sum was prepared for " + std::to_string(sum.num_qubits()) +
                                            " qubits; the state has " + std::to_string(view.num_qubits));
  }
  return view;
}

Complex expectation(const PauliSum& sum, const py::array& state, int threads, const IsaName& isa, CancelToken* cancel) {
  const StateView view = view_for(sum, state);
  const Isa chosen = isa_or_default(isa);
  const py::gil_scoped_release unlocked;
  return sum.expectation(view, chosen, threads, cancel);
}

py::array_t<double> term_values(const PauliSum& sum, const py::array& state, int threads, const IsaName& isa,
                                CancelToken* cancel) {
  const StateView view = view_for(sum, state);
  const Isa chosen = isa_or_default(isa);
  py::array_t<double> values(static_cast<py::ssize_t>(sum.size()));
  double* const to = values.mutable_data();
  const py::gil_scoped_release unlocked;
  sum.term_values(view, chosen, threads, to, cancel);
  return values;
}

py::array_t<double> imaginary_overlaps(const PauliSum& sum, const py::array& bra, const py::array& ket, int threads,
                                       const IsaName& isa, CancelToken* cancel) {
  const StateView left = view_for(sum, bra), right = view_for(sum, ket);
  if (left.precision != right.precision) {
    throw Error(ErrorKind::kInput, "overlaps need two states of one precision; their dtypes are " +
                                       std::string(py::str(py::object(bra.dtype()))) + " and " +
                                       std::string(py::str(py::object(ket.dtype()))));
  }
  const Isa chosen = isa_or_default(isa);
  py::array_t<double> values(static_cast<py::ssize_t>(sum.size()));
  double* const to = values.mutable_data();
  const py::gil_scoped_release unlocked;
  sum.imaginary_overlaps(left, right, chosen, threads, to, cancel);
  return values;
}

void apply(const PauliSum& sum, const py::array& state, const py::array& out, int threads, const IsaName& isa,
           CancelToken* cancel) {
  const StateView from = view_for(sum, state), to = view_for(sum, out);
  const auto* const begin = static_cast<const char*>(from.amplitudes);
  const auto* const target = static_cast<const char*>(to.amplitudes);
  const std::size_t bytes = from.size() * amplitude_bytes(from.precision);
  if (from.precision != to.precision || !out.writeable() || (target < begin + bytes && begin < target + bytes)) {
    throw Error(ErrorKind::kInput, "out must be a writable array of dtype " +
                                       std::string(py::str(py::object(state.dtype()))) +
                                       " that does not overlap the state");
  }
  const Isa chosen = isa_or_default(isa);
  const py::gil_scoped_release unlocked;
  sum.apply(from, const_cast<void*>(to.amplitudes), chosen, threads, cancel);
}

// A sampler and the array it reads.
struct BoundSampler {
  py::array state;
  int num_qubits;
  Sampler sampler;
};

BoundSampler make_sampler(const py::array& state, int threads, const IsaName& isa) {
  const StateView view = view_state(state);
  const Isa chosen = isa_or_default(isa);
  const auto make = [&] {
    const ReleaseGil unlocked(std::uint64_t{1} << view.num_qubits);
    return Sampler(view, chosen, threads);
  };
  return {state, view.num_qubits, make()};
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
  const py::gil_scoped_release unlocked;
  bound.sampler.find(span_of(uniforms), to, threads, cancel);
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
  const py::gil_scoped_release unlocked;
  bound.sampler.sample(range, to, threads, cancel);
  return indices;
}

py::array_t<std::uint8_t> sample_packed(const BoundSampler& bound, std::uint64_t seed, std::uint64_t first_shot,
                                        std::int64_t shots, std::uint64_t site, const std::vector<int>& qubits,
                                        int threads, CancelToken* cancel) {
  const ShotRange range = shot_range(seed, first_shot, shots, site);
  const OutcomeBits bits(bound.num_qubits, qubits);
  py::array_t<std::uint8_t> rows({static_cast<py::ssize_t>(shots), static_cast<py::ssize_t>((qubits.size() + 7) / 8)});
  std::uint8_t* const to = rows.mutable_data();
  const ReleaseGil unlocked((std::uint64_t{1} << bound.num_qubits) + 8 * static_cast<std::uint64_t>(shots));
  bound.sampler.sample_packed(range, bits, to, threads, cancel);
  return rows;
}

py::tuple count(const BoundSampler& bound, std::uint64_t seed, std::uint64_t first_shot, std::int64_t shots,
                std::uint64_t site, const std::vector<int>& qubits, int threads, CancelToken* cancel) {
  const ShotRange range = shot_range(seed, first_shot, shots, site);
  const OutcomeBits bits(bound.num_qubits, qubits);
  Histogram histogram;
  {
    const py::gil_scoped_release unlocked;
    histogram = bound.sampler.count(range, bits, threads, cancel);
  }
  return py::make_tuple(array_of(std::move(histogram.outcomes)), array_of(std::move(histogram.counts)));
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

void add_counts(const py::dict& target, const Column<std::uint64_t>& outcomes, const Column<std::int64_t>& counts,
                int num_bits) {
  if (outcomes.size() != counts.size() || num_bits < 0 || num_bits > 64) {
    throw Error(ErrorKind::kInput, std::to_string(outcomes.size()) + " outcomes, " + std::to_string(counts.size()) +
                                       " counts and " + std::to_string(num_bits) +
                                       " bits; there must be as many counts as outcomes, and 0 to 64 bits");
  }
  for (py::ssize_t i = 0; i < outcomes.size(); ++i) {
    const auto key = py::reinterpret_steal<py::object>(PyUnicode_New(num_bits, '1'));
    const auto value = py::reinterpret_steal<py::object>(PyLong_FromLongLong(counts.data()[i]));
    if (!key || !value) throw py::error_already_set();
    if (num_bits > 0) {
      write_bits(outcomes.data()[i], num_bits, reinterpret_cast<char*>(PyUnicode_1BYTE_DATA(key.ptr())));
    }
    if (PyDict_SetItem(target.ptr(), key.ptr(), value.ptr()) != 0) throw py::error_already_set();
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

void register_reduce(py::module_& m) {
  m.def(
      "norm_squared",
      [](const py::array& state, int threads, const IsaName& isa) {
        const StateView view = view_state(state);
        const Isa chosen = isa_or_default(isa);
        const py::gil_scoped_release unlocked;
        return norm_squared(view, chosen, threads);
      },
      py::arg("state"), py::arg("threads"), py::arg("isa") = py::none());
  m.def("inner_product", &inner_product_of, py::arg("bra"), py::arg("ket"), py::arg("threads"),
        py::arg("isa") = py::none());
  m.def("probabilities", &probabilities_of, py::arg("state"), py::arg("qubits"), py::arg("threads"),
        py::arg("isa") = py::none());
  m.def(
      "expectation_pauli",
      [](const py::array& state, const Column<std::uint64_t>& x_masks, const Column<std::uint64_t>& z_masks,
         const Column<Complex>& coefficients, int threads, const IsaName& isa, CancelToken* cancel) {
        return expectation(make_pauli_sum(view_state(state).num_qubits, x_masks, z_masks, coefficients), state, threads,
                           isa, cancel);
      },
      py::arg("state"), py::arg("x_masks"), py::arg("z_masks"), py::arg("coefficients"), py::arg("threads"),
      py::arg("isa") = py::none(), py::arg("cancel") = py::none());
  m.def(
      "sample_indices",
      [](const py::array& state, const Column<double>& given, int threads, const IsaName& isa, CancelToken* cancel) {
        return find(make_sampler(state, threads, isa), given, threads, cancel);
      },
      py::arg("state"), py::arg("uniforms"), py::arg("threads"), py::arg("isa") = py::none(),
      py::arg("cancel") = py::none());
  m.def("uniforms", &uniforms, py::arg("seed"), py::arg("first_shot"), py::arg("count"), py::arg("site"));
  m.def("add_counts", &add_counts, py::arg("target"), py::arg("outcomes"), py::arg("counts"), py::arg("num_bits"),
        "Sets target[bitstring] = count for each outcome, bit 0 rightmost.");

  py::class_<PauliSum>(m, "PauliSum", "Pauli strings, prepared once for any number of states.")
      .def(py::init(&make_pauli_sum), py::arg("num_qubits"), py::arg("x_masks"), py::arg("z_masks"),
           py::arg("coefficients"))
      .def_property_readonly("num_qubits", &PauliSum::num_qubits)
      .def("__len__", &PauliSum::size)
      .def("expectation", &expectation, py::arg("state"), py::arg("threads"), py::arg("isa") = py::none(),
           py::arg("cancel") = py::none())
      .def("term_values", &term_values, py::arg("state"), py::arg("threads"), py::arg("isa") = py::none(),
           py::arg("cancel") = py::none(), "The expectation value of each string without its coefficient.")
      .def("imaginary_overlaps", &imaginary_overlaps, py::arg("bra"), py::arg("ket"), py::arg("threads"),
           py::arg("isa") = py::none(), py::arg("cancel") = py::none(),
           "Im <bra|P|ket> of each string without its coefficient.")
      .def("apply", &apply, py::arg("state"), py::arg("out").noconvert(), py::arg("threads"),
           py::arg("isa") = py::none(), py::arg("cancel") = py::none(),
           "Writes the sum applied to the state into out.");

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
           "Distinct outcomes, ascending, uint64 (k,), and how often each came, int64 (k,).");
}

}  // namespace qfast
