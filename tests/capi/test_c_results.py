"""Reading states through the C interface: probabilities, samples, Pauli sums; threads and processes."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest

from qfast import _core
from qfast.circuit import Circuit
from tests import oracle
from tests.capi.conftest import Failure, Library


@pytest.fixture
def prepared(library: Library) -> tuple[Any, np.ndarray]:
    """A state of 5 qubits without symmetries, and the oracle's copy of it."""
    circuit, expected = library.circuit(5), Circuit(5)
    for qubit in range(5):
        library.append(circuit, "u", [qubit], 0.3 + qubit, 0.7 * qubit, -0.2)
        expected.u(0.3 + qubit, 0.7 * qubit, -0.2, qubit)
    for qubit in range(4):
        library.append(circuit, "crx", [qubit, qubit + 1], 0.9)
        expected.crx(0.9, qubit, qubit + 1)
    state = library.state(5)
    library("state_run", state, circuit, [], 0)
    return state, oracle.statevector(expected)


def sample(library: Library, state: Any, qubits: Any, bits: int, first: int, shots: int) -> list[int]:
    outcomes = library.ffi.new("uint64_t[]", shots)
    library("state_sample", state, qubits, bits, 99, first, shots, outcomes)
    return list(outcomes)


@pytest.mark.parametrize("qubits", [[0], [3, 1], [4, 0, 2], [0, 1, 2, 3, 4], []])
def test_probabilities_of_any_qubits(library: Library, prepared: tuple[Any, np.ndarray], qubits: list[int]) -> None:
    state, expected = prepared
    out = library.ffi.new("double[]", 1 << len(qubits))
    library("state_probabilities", state, qubits, len(qubits), out)
    np.testing.assert_allclose(list(out), oracle.probabilities(expected, qubits), atol=1e-14)


def test_probabilities_refuse_a_qubit_twice_or_out_of_range(library: Library, prepared: tuple[Any, np.ndarray]) -> None:
    out = library.ffi.new("double[4]")
    for qubits in ([1, 1], [0, 5], [-1, 0]):
        with pytest.raises(Failure, match="is listed twice or not one of the state's 5 qubits"):
            library("state_probabilities", prepared[0], qubits, 2, out)


def test_an_expectation_value_takes_complex_coefficients(library: Library, prepared: tuple[Any, np.ndarray]) -> None:
    state, expected = prepared
    terms = [("XIYZI", 0.5 - 1j), ("ZZIII", 2.0), ("IIIII", 0.25j)]  # rightmost letter: qubit 0
    x = [sum(1 << q for q, p in enumerate(reversed(word)) if p in "XY") for word, _ in terms]
    z = [sum(1 << q for q, p in enumerate(reversed(word)) if p in "YZ") for word, _ in terms]
    coefficients = [part for _, c in terms for part in (complex(c).real, complex(c).imag)]
    result = library.ffi.new("double[2]")
    library("state_expectation", state, x, z, coefficients, 3, result)
    matrices = [oracle.kron(*(oracle.PAULIS[letter] for letter in reversed(word))) for word, _ in terms]
    value = sum(c * expected.conj() @ m @ expected for m, (_, c) in zip(matrices, terms, strict=True))
    assert complex(*result) == pytest.approx(value, abs=1e-13)


def test_a_pauli_string_beyond_the_state_is_refused(library: Library, prepared: tuple[Any, np.ndarray]) -> None:
    with pytest.raises(Failure, match="string 0 of the Pauli sum acts on qubit 5; the state has 5 qubits") as caught:
        library("state_expectation", prepared[0], [32], [0], [1.0, 0.0], 1, library.ffi.new("double[2]"))
    assert caught.value.status == library.lib.QFAST_ERROR_OBSERVABLE


def test_shots_depend_on_seed_and_number_alone(library: Library, prepared: tuple[Any, np.ndarray]) -> None:
    state, expected = prepared
    whole = sample(library, state, library.ffi.NULL, 5, 0, 1000)
    assert sample(library, state, library.ffi.NULL, 5, 400, 100) == whole[400:500]
    uniforms = _core.uniforms(99, 0, 1000, 0)
    np.testing.assert_array_equal(whole, np.searchsorted(np.cumsum(np.abs(expected) ** 2), uniforms, side="right"))
    some = sample(library, state, [4, -1, 0], 3, 0, 1000)
    assert some == [(index >> 4 & 1) | (index & 1) << 2 for index in whole]


def test_impossible_requests_for_shots_are_refused(library: Library, prepared: tuple[Any, np.ndarray]) -> None:
    outcomes = library.ffi.new("uint64_t[4]")
    null = library.ffi.NULL
    for arguments, message in [
        ((null, 4, 0, 0, 4), "all 5 of them are 5 bits"),
        (([5], 1, 0, 0, 4), "read from qubit 5; the state has 5 qubits"),
        (([0] * 65, 65, 0, 0, 4), "an outcome of 65 bits"),
        ((null, 5, 0, 0, -1), "outcomes has a length of -1"),
    ]:
        with pytest.raises(Failure, match=message):
            library("state_sample", prepared[0], *arguments, outcomes)


def test_threads_are_set_for_the_process_and_checked(library: Library) -> None:
    lib = library.lib
    default = lib.qfast_get_threads()
    assert default >= 1
    library("set_threads", 3)
    assert lib.qfast_get_threads() == 3
    with pytest.raises(Failure, match="-1 threads were asked for"):
        library("set_threads", -1)
    library("set_threads", 0)
    assert lib.qfast_get_threads() == default


def test_version_and_isa_are_those_of_the_package(library: Library) -> None:
    import qfast

    assert library.ffi.string(library.lib.qfast_version()).decode() == qfast.__version__
    name = library.ffi.new("const char **")
    library("isa", name)
    assert library.ffi.string(name[0]).decode() == _core.isa_default()


def test_every_thread_has_its_own_error_and_its_own_state(library: Library) -> None:
    circuit = library.circuit(12)
    for qubit in range(12):
        library.append(circuit, "ry", [qubit], 0.1 * qubit)
    states = [library.state(12) for _ in range(4)]
    problems: list[str] = []

    def work(number: int) -> None:
        if library.last_error():
            problems.append("a fresh thread has an error")
        norm = library.ffi.new("double *")
        for _ in range(20):
            library("state_run", states[number], circuit, [], 0)
            library("state_norm_squared", states[number], norm)
            if abs(norm[0] - 1) > 1e-12:
                problems.append(f"norm {norm[0]}")
        with pytest.raises(Failure):
            library.circuit(-number - 1)
        if f"{-number - 1} qubits" not in library.last_error():
            problems.append(library.last_error())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


# Python warns of every fork beside threads; that this one is safe is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_with_its_handles(library: Library) -> None:
    circuit, state = library.circuit(16), library.state(16)
    for qubit in range(16):
        library.append(circuit, "h", [qubit])
    library("set_threads", 2)
    library("state_run", state, circuit, [], 0)  # the parent's threads have started
    child = os.fork()
    if child == 0:
        norm = library.ffi.new("double *")
        library("state_run", state, circuit, [], 0)
        library("state_norm_squared", state, norm)
        os._exit(0 if abs(norm[0] - 1) < 1e-12 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    library("set_threads", 0)
