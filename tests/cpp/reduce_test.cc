// Tests of the reduction kernels and of the workloads on them, for every ISA of this machine and both precisions,
// against plain loops that know nothing of blocks, strands or vectors.
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <vector>

#include "base/cpu_features.h"
#include "base/error.h"
#include "base/philox.h"
#include "check.h"
#include "run/expectation.h"
#include "run/probabilities.h"
#include "run/sampling.h"

using namespace qfast;

namespace {

template <class T>
struct State {
  std::vector<T> data;
  StateView view;

  explicit State(int num_qubits, std::uint64_t seed) : data(std::size_t{2} << num_qubits) {
    double norm = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = static_cast<T>(philox_uniform(seed, i, 7) - 0.5);
      norm += static_cast<double>(data[i]) * static_cast<double>(data[i]);
    }
    for (T& value : data) value = static_cast<T>(static_cast<double>(value) / std::sqrt(norm));
    view = {data.data(), num_qubits, sizeof(T) == 4 ? Precision::kComplex64 : Precision::kComplex128};
  }
  Complex operator[](std::size_t i) const {
    return {static_cast<double>(data[2 * i]), static_cast<double>(data[2 * i + 1])};
  }
  std::size_t size() const { return data.size() / 2; }
};

// body(state type's zero, isa) for every combination.
template <class Body>
void for_each_engine(const Body& body) {
  for (Isa isa : available_isas()) {
    body(float{}, isa);
    body(double{}, isa);
  }
}

constexpr double kTolerance = 1e-13;  // both precisions: the states are exact, the sums are in double
constexpr int kSizes[] = {0, 1, 2, 3, 4, 5, 8, 12, 13, 16};

bool close(double a, double b) { return std::abs(a - b) < kTolerance; }
bool close(Complex a, Complex b) { return std::abs(a - b) < kTolerance; }

TEST(norms_and_inner_products_agree_with_plain_sums) {
  for_each_engine([]<class T>(T, Isa isa) {
    for (int n : kSizes) {
      const State<T> a(n, 1), b(n, 2);
      double norm = 0;
      Complex product = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        norm += std::norm(a[i]);
        product += std::conj(a[i]) * b[i];
      }
      CHECK(close(norm_squared(a.view, isa, 2), norm));
      CHECK(close(inner_product(a.view, b.view, isa, 2), product));
      CHECK(norm_squared(a.view, isa, 1) == norm_squared(a.view, isa, 3));
      CHECK(inner_product(a.view, b.view, isa, 1) == inner_product(a.view, b.view, isa, 3));
    }
  });
}

TEST(marginals_agree_with_plain_sums_for_any_qubits_in_any_order) {
  for_each_engine([]<class T>(T, Isa isa) {
    for (int n : kSizes) {
      const State<T> state(n, 3);
      for (std::uint64_t trial = 0; trial < 12; ++trial) {
        std::vector<int> qubits;  // a random subset in random order
        for (int q = 0; q < n; ++q) {
          if (trial == 0 || (trial > 1 && philox_bits53(trial, static_cast<std::uint64_t>(q), 1) % 3 != 0)) {
            qubits.insert(
                qubits.begin() + static_cast<std::ptrdiff_t>(trial == 0 ? qubits.size() : trial % (qubits.size() + 1)),
                q);
          }
        }
        std::vector<double> expected(std::size_t{1} << qubits.size(), 0.0), got(expected.size(), -1), again(got);
        for (std::size_t i = 0; i < state.size(); ++i) expected[gather_bits(i, qubits)] += std::norm(state[i]);
        probabilities(state.view, qubits, got.data(), isa, 2);
        probabilities(state.view, qubits, again.data(), isa, 1);
        bool good = true;
        for (std::size_t j = 0; j < got.size(); ++j) good = good && close(got[j], expected[j]);
        CHECK(good);
        CHECK(got == again);
      }
    }
  });
}

template <class T>
Complex plain_term(const State<T>& state, std::uint64_t x, std::uint64_t z) {
  const Complex i_to_y[] = {1, {0, 1}, -1, {0, -1}};
  Complex sum = 0;
  for (std::size_t i = 0; i < state.size(); ++i) {
    sum += std::conj(state[i ^ x]) * state[i] * (parity(i & z) ? -1.0 : 1.0);
  }
  return sum * i_to_y[std::popcount(x & z) % 4];
}

// A few strings per X mask, many of them for one, masks in low, high and mixed places.
void make_strings(int n, std::vector<std::uint64_t>& x, std::vector<std::uint64_t>& z) {
  const std::uint64_t all = low_mask(n);
  for (std::uint64_t j = 0; j < 24; ++j) {
    x.push_back(philox_bits53(11, j, 0) & all);
    z.push_back(philox_bits53(12, j, 0) & all);
  }
  for (std::uint64_t j = 0; j < 20; ++j) {  // one group that is transformed, and the diagonal
    x.push_back(j % 2 ? 0 : (0x5a5aa5a5u & all));
    z.push_back(philox_bits53(13, j, 0) & all);
  }
  for (std::uint64_t j = 0; j < 8; ++j) {  // a transformed group whose Z masks agree on most bits
    x.push_back(0x2331u & all);
    z.push_back((0x42d0u | (j & 3) << 5 | (j >> 2) << 12) & all);
  }
  for (int q = 0; q < n; ++q) {
    x.push_back(1ull << q);
    z.push_back(q % 2 ? 1ull << q : 0);
  }
  x.push_back(0);
  z.push_back(0);
}

TEST(pauli_strings_agree_with_plain_sums) {
  for_each_engine([]<class T>(T, Isa isa) {
    for (int n : kSizes) {
      const State<T> state(n, 4);
      std::vector<std::uint64_t> x, z;
      make_strings(n, x, z);
      std::vector<Complex> coefficients;
      Complex expected = 0;
      for (std::size_t j = 0; j < x.size(); ++j) {
        coefficients.emplace_back(philox_uniform(5, j, 0), philox_uniform(6, j, 0));
        expected += coefficients[j] * plain_term(state, x[j], z[j]);
      }
      const PauliSum sum(n, x, z, coefficients);
      CHECK(std::abs(sum.expectation(state.view, isa, 2) - expected) < 1e-12);
      CHECK(sum.expectation(state.view, isa, 1) == sum.expectation(state.view, isa, 3));
      std::vector<double> values(x.size());
      sum.term_values(state.view, isa, 2, values.data());
      bool good = true;
      for (std::size_t j = 0; j < x.size(); ++j) good = good && close(values[j], plain_term(state, x[j], z[j]).real());
      CHECK(good);
    }
  });
}

TEST(overlaps_and_applied_sums_agree_with_plain_sums) {
  for_each_engine([]<class T>(T, Isa isa) {
    for (int n : kSizes) {
      const State<T> bra(n, 5), ket(n, 6);
      std::vector<std::uint64_t> x, z;
      make_strings(n, x, z);
      std::vector<Complex> coefficients;
      for (std::size_t k = 0; k < x.size(); ++k) {
        coefficients.emplace_back(philox_uniform(12, k, 0), k % 4 == 0 ? philox_uniform(12, k, 1) : 0.0);
      }
      const PauliSum sum(n, x, z, coefficients);
      std::vector<double> overlaps(x.size()), again(x.size());
      sum.imaginary_overlaps(bra.view, ket.view, isa, 2, overlaps.data());
      sum.imaginary_overlaps(bra.view, ket.view, isa, 1, again.data());
      CHECK(overlaps == again);
      std::vector<Complex> applied(ket.size(), 0.0);
      for (std::size_t j = 0; j < x.size(); ++j) {
        const Complex power =
            std::array<Complex, 4>{{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}}[std::popcount(x[j] & z[j]) & 3];
        Complex overlap = 0;
        for (std::size_t i = 0; i < ket.size(); ++i) {
          const Complex moved = power * (parity(i & z[j]) ? -ket[i] : ket[i]);  // P|i> lies at i ^ x
          overlap += std::conj(bra[i ^ x[j]]) * moved;
          applied[i ^ x[j]] += coefficients[j] * moved;
        }
        CHECK(close(overlaps[j], overlap.imag()));
      }
      State<T> out(n, 7), out_again(n, 8);
      sum.apply(ket.view, out.data.data(), isa, 2);
      sum.apply(ket.view, out_again.data.data(), isa, 1);
      CHECK(out.data == out_again.data);
      const double rounding = sizeof(T) == 4 ? 1e-6 : kTolerance;  // the result is in the state's precision
      for (std::size_t i = 0; i < ket.size(); ++i) CHECK(std::abs(out[i] - applied[i]) < rounding);
    }
  });
}

TEST(a_pauli_sum_refuses_masks_beyond_the_state_and_uneven_columns) {
  const std::vector<std::uint64_t> one{1}, far{4}, none;
  const std::vector<Complex> c{1};
  for (const auto& [x, z] : {std::pair(far, one), std::pair(one, far), std::pair(one, none)}) {
    try {
      PauliSum(2, x, z, c);
      CHECK(!"accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kObservable);
    }
  }
  const State<double> state(2, 1);
  CHECK(PauliSum(2, none, none, {}).expectation(state.view, Isa::kBaseline, 1) == Complex(0));
}

TEST(vector_uniforms_are_those_of_philox_h) {
  for (Isa isa : available_isas()) {
    for (std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{65}}) {
      for (std::uint64_t first : {std::uint64_t{0}, (std::uint64_t{1} << 32) - 5, ~std::uint64_t{0} - 200}) {
        std::vector<double> uniforms(count + 1, 2.0);
        kernels_for(isa).real.philox_uniforms(0x123456789abcdef0, first, 0xfedcba9876543210, count, uniforms.data());
        bool good = uniforms[count] == 2.0;
        for (std::size_t i = 0; i < count; ++i) {
          good = good && uniforms[i] == philox_uniform(0x123456789abcdef0, first + i, 0xfedcba9876543210);
        }
        CHECK(good);
      }
    }
  }
}

TEST(folds_and_unfolds_agree_with_their_definitions) {
  for (Isa isa : available_isas()) {
    const RealKernels& real = kernels_for(isa).real;
    for (int n = kLeastFoldedBit + 1; n <= 10; ++n) {
      for (int bit = kLeastFoldedBit; bit < n; ++bit) {
        const std::size_t size = std::size_t{1} << n, half = std::size_t{1} << bit;
        std::vector<double> values(size), folded(size / 2), again(size);
        for (std::size_t i = 0; i < size; ++i) values[i] = philox_uniform(9, i, 0);
        for (bool minus : {false, true}) {
          std::vector<double> changed = values;
          real.fold(changed.data(), n, bit, minus);
          for (std::size_t i = 0; i < size / 2; ++i) {
            const std::size_t low = (i / half) * 2 * half + i % half;
            folded[i] = minus ? values[low] - values[low + half] : values[low] + values[low + half];
            again[low] = folded[i];
            again[low + half] = minus ? -folded[i] : folded[i];
          }
          CHECK(std::equal(folded.begin(), folded.end(), changed.begin()));
          real.unfold(changed.data(), n - 1, bit, minus);
          CHECK(changed == again);
        }
      }
    }
  }
}

TEST(walsh_hadamard_agrees_with_its_definition) {
  for (Isa isa : available_isas()) {
    for (int n = 0; n <= 10; ++n) {
      std::vector<double> values(std::size_t{1} << n), expected(values.size(), 0.0);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = philox_uniform(8, i, 0);
      for (std::size_t z = 0; z < values.size(); ++z) {
        for (std::size_t i = 0; i < values.size(); ++i) expected[z] += parity(i & z) ? -values[i] : values[i];
      }
      kernels_for(isa).real.walsh_hadamard(values.data(), n);
      bool good = true;
      for (std::size_t z = 0; z < values.size(); ++z) good = good && std::abs(values[z] - expected[z]) < 1e-11;
      CHECK(good);
    }
  }
}

TEST(sampling_inverts_the_cumulative_distribution_in_index_order) {
  for_each_engine([]<class T>(T, Isa isa) {
    for (int n : kSizes) {
      State<T> state(n, 9);
      for (std::size_t i = 0; i < state.size(); ++i) {  // holes: every third amplitude, and a whole block
        if ((i % 3 == 0 && i != 0) || i >> 12 == 1) state.data[2 * i] = state.data[2 * i + 1] = 0;
      }
      std::vector<double> cumulative(state.size());
      double sum = 0;
      for (std::size_t i = 0; i < state.size(); ++i) cumulative[i] = sum += std::norm(state[i]);
      std::vector<double> uniforms{0.0, std::nextafter(1.0, 0.0)};
      for (std::uint64_t shot = 0; shot < 20000; ++shot) uniforms.push_back(philox_uniform(10, shot, 0));
      const Sampler sampler(state.view, isa, 2);
      CHECK(close(sampler.norm_squared(), sum));
      std::vector<std::int64_t> indices(uniforms.size());
      sampler.find(uniforms, indices.data(), 2);
      bool good = true;
      for (std::size_t s = 0; s < uniforms.size(); ++s) {
        const auto i = static_cast<std::size_t>(indices[s]);
        const double value = uniforms[s] * sum, before = i == 0 ? 0.0 : cumulative[i - 1];
        good = good && std::norm(state[i]) > 0 && value > before - kTolerance && value < cumulative[i] + kTolerance;
      }
      CHECK(good);
      std::vector<std::int64_t> again(uniforms.size());
      sampler.find(uniforms, again.data(), 1);
      CHECK(indices == again);
    }
  });
}

TEST(shots_are_functions_of_seed_and_number_and_counts_agree_with_them) {
  for (int n : {3, 14, 18}) {
    const State<double> state(n, 20);
    const Isa isa = available_isas().back();
    const Sampler sampler(state.view, isa, 2);
    constexpr std::int64_t kShots = 50000;
    std::vector<std::int64_t> whole(kShots), tail(1000);
    sampler.sample({42, 5, kShots, 3}, whole.data(), 2);
    sampler.sample({42, 5 + kShots - 1000, 1000, 3}, tail.data(), 1);
    CHECK(std::equal(tail.begin(), tail.end(), whole.end() - 1000));

    std::vector<int> all, some;
    for (int q = 0; q < n; ++q) all.push_back(q);
    for (int q = n - 1; q >= 0; q -= 2) some.push_back(q);
    for (const auto& qubits : {all, some, std::vector<int>{1, 1, 0}, std::vector<int>{}}) {
      const Histogram histogram = sampler.count({42, 5, kShots, 3}, OutcomeBits(n, qubits), 2);
      const std::size_t row_bytes = (qubits.size() + 7) / 8;
      std::vector<std::uint8_t> rows(row_bytes * kShots);
      sampler.sample_packed({42, 5, kShots, 3}, OutcomeBits(n, qubits), rows.data(), 2);
      bool good = true;
      for (std::size_t s = 0; s < kShots; ++s) {
        std::uint64_t row = 0;
        for (std::size_t byte = 0; byte < row_bytes; ++byte)
          row |= std::uint64_t{rows[s * row_bytes + byte]} << (8 * byte);
        good = good && row == gather_bits(static_cast<std::uint64_t>(whole[s]), qubits);
      }
      CHECK(good);
      std::vector<std::int64_t> expected(std::size_t{1} << qubits.size(), 0), got(expected);
      for (std::int64_t index : whole) ++expected[gather_bits(static_cast<std::uint64_t>(index), qubits)];
      bool ascends = true;
      for (std::size_t i = 0; i < histogram.size(); ++i) {
        got[histogram.outcome(i)] = histogram.counts[i];
        ascends = ascends && (i == 0 || histogram.outcome(i - 1) < histogram.outcome(i));
      }
      CHECK(got == expected);
      CHECK(ascends);
      CHECK(std::count(histogram.counts.begin(), histogram.counts.end(), 0) == 0);
    }
  }
}

TEST(a_bit_that_nothing_is_measured_into_is_zero_and_a_missing_qubit_is_refused) {
  const OutcomeBits bits(3, std::array{-1, 2, -1, 0});
  CHECK(bits(0b101) == 0b1010 && bits(0b010) == 0 && bits.num_bits() == 4);
  for (const std::vector<int>& qubits : {std::vector<int>{3}, std::vector<int>(65, 0)}) {
    try {
      OutcomeBits(3, qubits);
      CHECK(!"accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInput);
    }
  }
}

TEST(few_shots_of_many_bits_are_counted_in_a_list) {
  const State<float> state(18, 21);
  const Sampler sampler(state.view, Isa::kBaseline, 2);
  std::vector<int> all;
  for (int q = 17; q >= 0; --q) all.push_back(q);
  std::vector<std::int64_t> indices(3000);
  sampler.sample({7, 0, 3000, 0}, indices.data(), 2);
  std::vector<std::uint64_t> outcomes;
  for (std::int64_t index : indices) outcomes.push_back(gather_bits(static_cast<std::uint64_t>(index), all));
  std::sort(outcomes.begin(), outcomes.end());
  const Histogram histogram = sampler.count({7, 0, 3000, 0}, OutcomeBits(18, all), 2);
  std::vector<std::uint64_t> expanded;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    expanded.insert(expanded.end(), static_cast<std::size_t>(histogram.counts[i]), histogram.outcome(i));
  }
  CHECK(expanded == outcomes);
}

TEST(a_state_without_norm_cannot_be_sampled_and_a_token_stops_the_work) {
  std::vector<double> zeros(16, 0.0);
  try {
    Sampler({zeros.data(), 3, Precision::kComplex128}, Isa::kBaseline, 1);
    CHECK(!"accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInput);
  }
  const State<double> state(3, 1);
  CancelToken token;
  token.cancelled = true;
  std::int64_t index;
  for (int what = 0; what < 2; ++what) {
    try {
      if (what == 0) Sampler(state.view, Isa::kBaseline, 1).sample({1, 0, 1, 0}, &index, 1, &token);
      const std::vector<std::uint64_t> x{1}, z{0};
      const std::vector<Complex> c{1};
      if (what == 1) PauliSum(3, x, z, c).expectation(state.view, Isa::kBaseline, 1, &token);
      CHECK(!"not cancelled");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kCancelled);
    }
  }
}

}  // namespace
