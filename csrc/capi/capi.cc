// The C interface: handles, error codes, and a border that no exception crosses.
#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/cpu_features.h"
#include "base/error.h"
#include "base/memory_info.h"
#include "capi/checked_circuit.h"
#include "run/expectation.h"
#include "run/probabilities.h"
#include "run/sampling.h"

#define QFAST_C_API QFAST_API
#include "capi/qfast.h"

#ifndef QFAST_VERSION
#define QFAST_VERSION "0.0.0"
#endif
#ifndef QFAST_COMPILER
#define QFAST_COMPILER "unknown compiler"
#endif
#ifndef QFAST_BUILD_TYPE
#define QFAST_BUILD_TYPE "unknown build type"
#endif

struct qfast_circuit {
  qfast::CheckedCircuit circuit;
};

struct qfast_state {
  int num_qubits;
  qfast::Precision precision;
  qfast::StateBuffer buffer;

  qfast::StateView view() const { return {buffer.data(), num_qubits, precision}; }
};

namespace {

using namespace qfast;

static_assert(QFAST_ERROR_INPUT == static_cast<int>(ErrorKind::kInput));
static_assert(QFAST_ERROR_INTERNAL == static_cast<int>(ErrorKind::kInternal));

struct LastError {
  std::string message;
  int line = 0;
  int column = 0;
};
thread_local LastError last_error;

std::atomic<int> chosen_threads{0};  // 0: as many as the process may use

constexpr int kMostThreads = 1024;

// QFAST_NUM_THREADS, which the Python package reads as its setting `threads`; without it, or where it says "auto", as
// many as the process may use.
int threads_of_environment() {
  const char* text = std::getenv("QFAST_NUM_THREADS");
  if (text == nullptr || *text == '\0' || std::string_view(text) == "auto") return default_threads();
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  if (*end != '\0' || number < 1 || number > kMostThreads) {
    throw Error(ErrorKind::kInput, "environment variable QFAST_NUM_THREADS is '" + std::string(text) +
                                       "'; it may be 'auto' or a number from 1 to " + std::to_string(kMostThreads));
  }
  return static_cast<int>(number);
}

int threads_to_use() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  if (chosen > 0) return chosen;
  static const int all = threads_of_environment();
  return all;
}

qfast_status remember(qfast_status status, const char* message, int line = 0, int column = 0) noexcept {
  last_error.line = line;
  last_error.column = column;
  try {
    last_error.message = message;
  } catch (const std::bad_alloc&) {
    last_error.message.clear();
  }
  return status;
}

template <class Body>
qfast_status guarded(const Body& body) noexcept {
  try {
    body();
    return QFAST_OK;
  } catch (const Error& error) {
    return remember(static_cast<qfast_status>(error.kind()), error.what(), error.line(), error.column());
  } catch (const UnsupportedCircuit& error) {
    return remember(QFAST_ERROR_UNSUPPORTED, error.what());
  } catch (const std::bad_alloc&) {
    return remember(QFAST_ERROR_CAPACITY, "the system gave no more memory");
  } catch (const std::exception& error) {
    return remember(QFAST_ERROR_INTERNAL, error.what());
  } catch (...) {
    return remember(QFAST_ERROR_INTERNAL, "an exception of unknown type");
  }
}

template <class T>
T& given(T* pointer, const char* name) {
  if (pointer == nullptr) throw Error(ErrorKind::kInput, std::string(name) + " is null");
  return *pointer;
}

// An array argument: null only where it is empty.
template <class T>
std::span<T> array(T* data, std::int64_t size, const char* name) {
  if (size < 0) throw Error(ErrorKind::kInput, std::string(name) + " has a length of " + std::to_string(size));
  if (size > 0) given(data, name);
  return {data, static_cast<std::size_t>(size)};
}

Precision checked(std::int32_t precision) {
  if (precision != QFAST_COMPLEX64 && precision != QFAST_COMPLEX128) {
    throw Error(ErrorKind::kInput, "precision is " + std::to_string(static_cast<int>(precision)) +
                                       "; it may be QFAST_COMPLEX64 (0) or QFAST_COMPLEX128 (1)");
  }
  return static_cast<Precision>(precision);
}

void set_to_zero_state(qfast_state& state) {
  CheckedCircuit nothing(state.num_qubits);
  nothing.program(state.precision).run(state.buffer.data(), Start::kZero, {}, {threads_to_use(), nullptr});
}

std::unique_ptr<qfast_state> allocate(int num_qubits, Precision precision) {
  if (num_qubits < 0)
    throw Error(ErrorKind::kInput, "a state of " + std::to_string(num_qubits) + " qubits was asked for");
  if (num_qubits > 58) {
    throw Error(ErrorKind::kCapacity,
                "a state of " + std::to_string(num_qubits) + " qubits was asked for; 58 can be addressed");
  }
  StateBuffer buffer = StateBufferPool::instance().allocate(amplitude_bytes(precision) << num_qubits);
  return std::unique_ptr<qfast_state>(new qfast_state{num_qubits, precision, std::move(buffer)});
}

void run(qfast_state& state, CheckedCircuit& circuit, std::span<const double> values, Start start) {
  if (circuit.num_qubits() != state.num_qubits) {
    throw Error(ErrorKind::kCircuit, "the circuit has " + std::to_string(circuit.num_qubits()) + " qubits, the state " +
                                         std::to_string(state.num_qubits) + "; they must be as many");
  }
  if (values.size() != circuit.parameters().size()) {
    throw Error(ErrorKind::kParameter, "the circuit has " + std::to_string(circuit.parameters().size()) +
                                           " parameters, got " + std::to_string(values.size()) + " values");
  }
  circuit.program(state.precision).run(state.buffer.data(), start, values, {threads_to_use(), nullptr});
}

}  // namespace

extern "C" {

const char* qfast_version(void) { return QFAST_VERSION; }

const char* qfast_build_info(void) { return "qfast " QFAST_VERSION ", " QFAST_COMPILER ", " QFAST_BUILD_TYPE; }

const char* qfast_last_error(void) { return last_error.message.c_str(); }
int32_t qfast_last_error_line(void) { return last_error.line; }
int32_t qfast_last_error_column(void) { return last_error.column; }

qfast_status qfast_set_threads(int32_t threads) {
  return guarded([&] {
    if (threads < 0 || threads > kMostThreads) {
      throw Error(ErrorKind::kInput, std::to_string(threads) + " threads were asked for; it may be 0 (all) to " +
                                         std::to_string(kMostThreads));
    }
    chosen_threads = threads;
  });
}

int32_t qfast_get_threads(void) {
  int32_t threads = 0;
  guarded([&] { threads = threads_to_use(); });
  return threads;
}

qfast_status qfast_isa(const char** name) {
  return guarded([&] { given(name, "name") = isa_name(default_isa()).data(); });
}

qfast_status qfast_circuit_create(int32_t num_qubits, qfast_circuit** circuit) {
  return guarded([&] { given(circuit, "circuit") = new qfast_circuit{CheckedCircuit(num_qubits)}; });
}

qfast_status qfast_circuit_from_qasm(const char* text, qfast_circuit** circuit) {
  return guarded([&] {
    given(circuit, "circuit");
    *circuit = new qfast_circuit{CheckedCircuit::from_qasm(&given(text, "text"))};
  });
}

void qfast_circuit_free(qfast_circuit* circuit) { delete circuit; }

int32_t qfast_circuit_num_qubits(const qfast_circuit* circuit) {
  return circuit == nullptr ? -1 : circuit->circuit.num_qubits();
}

int32_t qfast_circuit_num_clbits(const qfast_circuit* circuit) {
  return circuit == nullptr ? -1 : static_cast<int32_t>(circuit->circuit.measured_qubits().size());
}

int64_t qfast_circuit_num_gates(const qfast_circuit* circuit) {
  return circuit == nullptr ? -1 : circuit->circuit.num_gates();
}

int32_t qfast_circuit_num_parameters(const qfast_circuit* circuit) {
  return circuit == nullptr ? -1 : static_cast<int32_t>(circuit->circuit.parameters().size());
}

const char* qfast_circuit_parameter_name(const qfast_circuit* circuit, int32_t parameter) {
  if (parameter < 0 || parameter >= qfast_circuit_num_parameters(circuit)) return nullptr;
  return circuit->circuit.parameters()[static_cast<std::size_t>(parameter)].c_str();
}

qfast_status qfast_circuit_append(qfast_circuit* circuit, const char* gate, const int32_t* qubits, int32_t num_qubits,
                                  const double* parameters, int32_t num_parameters) {
  return qfast_circuit_append_controlled(circuit, gate, 0, 0, qubits, num_qubits, parameters, num_parameters);
}

qfast_status qfast_circuit_append_controlled(qfast_circuit* circuit, const char* gate, int32_t num_controls,
                                             uint64_t control_state, const int32_t* qubits, int32_t num_qubits,
                                             const double* parameters, int32_t num_parameters) {
  return guarded([&] {
    given(circuit, "circuit")
        .circuit.append(&given(gate, "gate"), num_controls, control_state, array(qubits, num_qubits, "qubits"),
                        array(parameters, num_parameters, "parameters"));
  });
}

qfast_status qfast_circuit_append_matrix(qfast_circuit* circuit, const int32_t* qubits, int32_t num_qubits,
                                         const double* matrix) {
  return guarded([&] {
    given(circuit, "circuit").circuit.append_matrix(array(qubits, num_qubits, "qubits"), &given(matrix, "matrix"));
  });
}

qfast_status qfast_circuit_measured_qubits(const qfast_circuit* circuit, int32_t* qubits) {
  return guarded([&] {
    const std::vector<std::int32_t>& measured = given(circuit, "circuit").circuit.measured_qubits();
    if (!measured.empty()) std::copy(measured.begin(), measured.end(), &given(qubits, "qubits"));
  });
}

qfast_status qfast_state_create(int32_t num_qubits, std::int32_t precision, qfast_state** state) {
  return guarded([&] {
    given(state, "state");
    std::unique_ptr<qfast_state> made = allocate(num_qubits, checked(precision));
    set_to_zero_state(*made);
    *state = made.release();
  });
}

void qfast_state_free(qfast_state* state) { delete state; }

qfast_status qfast_run_qasm(const char* text, std::int32_t precision, qfast_state** state) {
  return guarded([&] {
    given(state, "state");
    CheckedCircuit circuit = CheckedCircuit::from_qasm(&given(text, "text"));
    std::unique_ptr<qfast_state> made = allocate(circuit.num_qubits(), checked(precision));
    run(*made, circuit, {}, Start::kZero);
    *state = made.release();
  });
}

qfast_status qfast_state_reset(qfast_state* state) {
  return guarded([&] { set_to_zero_state(given(state, "state")); });
}

int32_t qfast_state_num_qubits(const qfast_state* state) { return state == nullptr ? -1 : state->num_qubits; }

qfast_status qfast_state_amplitudes(qfast_state* state, void** amplitudes) {
  return guarded([&] {
    given(amplitudes, "amplitudes");
    *amplitudes = given(state, "state").buffer.data();
  });
}

qfast_status qfast_state_run(qfast_state* state, qfast_circuit* circuit, const double* values, int32_t num_values) {
  return guarded([&] {
    run(given(state, "state"), given(circuit, "circuit").circuit, array(values, num_values, "values"), Start::kGiven);
  });
}

qfast_status qfast_state_apply(qfast_state* state, const char* gate, const int32_t* qubits, int32_t num_qubits,
                               const double* parameters, int32_t num_parameters) {
  return guarded([&] {
    CheckedCircuit circuit(given(state, "state").num_qubits);
    circuit.append(&given(gate, "gate"), 0, 0, array(qubits, num_qubits, "qubits"),
                   array(parameters, num_parameters, "parameters"));
    run(*state, circuit, {}, Start::kGiven);
  });
}

qfast_status qfast_state_apply_matrix(qfast_state* state, const int32_t* qubits, int32_t num_qubits,
                                      const double* matrix) {
  return guarded([&] {
    CheckedCircuit circuit(given(state, "state").num_qubits);
    circuit.append_matrix(array(qubits, num_qubits, "qubits"), &given(matrix, "matrix"));
    run(*state, circuit, {}, Start::kGiven);
  });
}

qfast_status qfast_state_norm_squared(const qfast_state* state, double* result) {
  return guarded([&] {
    given(result, "norm_squared");
    *result = norm_squared(given(state, "state").view(), default_isa(), threads_to_use());
  });
}

qfast_status qfast_state_probabilities(const qfast_state* state, const int32_t* qubits, int32_t num_qubits,
                                       double* result) {
  return guarded([&] {
    const StateView view = given(state, "state").view();
    given(result, "probabilities");
    const std::span asked = array(qubits, num_qubits, "qubits");
    std::uint64_t seen = 0;
    for (std::int32_t qubit : asked) {
      if (qubit < 0 || qubit >= view.num_qubits || ((seen >> qubit) & 1) != 0) {
        throw Error(ErrorKind::kInput, "qubit " + std::to_string(qubit) +
                                           " is listed twice or not one of the state's " +
                                           std::to_string(view.num_qubits) + " qubits");
      }
      seen |= 1ull << qubit;
    }
    probabilities(view, asked, result, default_isa(), threads_to_use());
  });
}

qfast_status qfast_state_sample(const qfast_state* state, const int32_t* qubits, int32_t num_bits, uint64_t seed,
                                uint64_t first_shot, int64_t num_shots, uint64_t* outcomes) {
  return guarded([&] {
    const StateView view = given(state, "state").view();
    const std::span to = array(outcomes, num_shots, "outcomes");
    std::vector<std::int32_t> asked;
    if (qubits != nullptr) {
      const std::span list = array(qubits, num_bits, "qubits");
      asked.assign(list.begin(), list.end());
    } else if (num_bits != view.num_qubits) {
      throw Error(ErrorKind::kInput, "num_bits is " + std::to_string(num_bits) + " without a list of qubits; all " +
                                         std::to_string(view.num_qubits) + " of them are " +
                                         std::to_string(view.num_qubits) + " bits");
    } else {
      for (int qubit = 0; qubit < view.num_qubits; ++qubit) asked.push_back(qubit);
    }
    const OutcomeBits bits(view.num_qubits, asked);
    const Sampler sampler(view, default_isa(), threads_to_use());
    sampler.sample({seed, first_shot, num_shots, 0}, bits, to.data(), threads_to_use());
  });
}

qfast_status qfast_state_expectation(const qfast_state* state, const uint64_t* x_masks, const uint64_t* z_masks,
                                     const double* coefficients, int64_t num_terms, double* result) {
  return guarded([&] {
    const StateView view = given(state, "state").view();
    given(result, "result");
    const std::span pairs = array(coefficients, 2 * num_terms, "coefficients");
    std::vector<Complex> factors(pairs.size() / 2);
    for (std::size_t j = 0; j < factors.size(); ++j) factors[j] = {pairs[2 * j], pairs[2 * j + 1]};
    const PauliSum sum(view.num_qubits, array(x_masks, num_terms, "x_masks"), array(z_masks, num_terms, "z_masks"),
                       factors);
    const Complex value = sum.expectation(view, default_isa(), threads_to_use());
    result[0] = value.real();
    result[1] = value.imag();
  });
}

}  // extern "C"
