"""Circuits and states through the C interface, against the dense oracle."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from qfast.circuit import Circuit
from tests import oracle
from tests.capi.conftest import Failure, Library

TOLERANCE = {"complex64": 1e-6, "complex128": 1e-13}


def amplitudes(library: Library, state: Any, precision: str = "complex128") -> np.ndarray:
    pointer = library.ffi.new("void **")
    library("state_amplitudes", state, pointer)
    size = 1 << library.lib.qfast_state_num_qubits(state)
    itemsize = np.dtype(precision).itemsize
    return np.frombuffer(library.ffi.buffer(pointer[0], size * itemsize), dtype=precision)


@pytest.mark.parametrize("precision", ["complex64", "complex128"])
def test_a_circuit_runs_to_the_state_of_the_oracle(library: Library, precision: str) -> None:
    steps: list[tuple[str, list[int], list[float]]] = [
        ("h", [0], []), ("u", [2], [0.3, 1.2, -0.7]), ("cx", [0, 3], []), ("rzz", [1, 2], [0.9]),
        ("ccx", [0, 2, 1], []), ("swap", [3, 1], []), ("fsim", [2, 0], [0.4, 0.2]),
        ("cu", [1, 3], [0.1, 0.2, 0.3, 0.4]),
    ]  # fmt: skip
    circuit, state, expected = library.circuit(4), library.state(4, precision), Circuit(4)
    for gate, qubits, parameters in steps:
        library.append(circuit, gate, qubits, *parameters)
        expected.append(gate, qubits, parameters)
    library("state_run", state, circuit, [], 0)
    got = amplitudes(library, state, precision)
    np.testing.assert_allclose(got, oracle.statevector(expected), atol=TOLERANCE[precision], rtol=0)


def test_gates_applied_one_by_one_give_the_state_of_the_circuit(library: Library) -> None:
    state = library.state(2)
    library("state_apply", state, b"ry", [1], 1, [0.7], 1)
    library("state_apply", state, b"cx", [1, 0], 2, [], 0)
    expected = oracle.statevector(Circuit(2).ry(0.7, 1).cx(1, 0))
    np.testing.assert_allclose(amplitudes(library, state), expected, atol=1e-14)


def test_further_controls_act_at_their_control_state(library: Library) -> None:
    circuit, state = library.circuit(3), library.state(3)
    library.append(circuit, "x", [0])
    # Qubit 2 must be 0 and qubit 0 must be 1: so the X on qubit 1 acts.
    library("circuit_append_controlled", circuit, b"x", 2, 0b10, [2, 0, 1], 3, [], 0)
    library("state_run", state, circuit, [], 0)
    np.testing.assert_array_equal(np.flatnonzero(amplitudes(library, state)), [0b011])


def test_a_matrix_takes_its_first_qubit_as_the_least_significant(library: Library) -> None:
    rng = np.random.default_rng(3)
    matrix = np.linalg.qr(rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8)))[0]
    state = library.state(4)
    library("state_apply", state, b"h", [3], 1, [], 0)
    data = library.ffi.from_buffer("double[]", matrix)
    library("state_apply_matrix", state, [2, 0, 3], 3, data)
    start = oracle.statevector(Circuit(4).h(3))
    expected = oracle.apply_matrix(start, matrix, [2, 0, 3])
    np.testing.assert_allclose(amplitudes(library, state), expected, atol=1e-14)


def test_a_run_continues_the_state_and_reset_starts_again(library: Library) -> None:
    circuit, state = library.circuit(1), library.state(1)
    library.append(circuit, "x", [0])
    for expected in (1, 0, 1):
        library("state_run", state, circuit, [], 0)
        assert amplitudes(library, state)[expected] == 1
    library("state_reset", state)
    assert amplitudes(library, state).tolist() == [1, 0]


def test_amplitudes_may_be_written(library: Library) -> None:
    state = library.state(1)
    pointer = library.ffi.new("void **")
    library("state_amplitudes", state, pointer)
    numbers = library.ffi.cast("double *", pointer[0])
    numbers[0], numbers[2] = 0.6, 0.8
    norm = library.ffi.new("double *")
    library("state_norm_squared", state, norm)
    assert norm[0] == pytest.approx(1.0, abs=1e-15)
    assert int(library.ffi.cast("intptr_t", pointer[0])) % 64 == 0


def test_qasm_with_an_input_is_planned_once_and_run_for_every_value(library: Library) -> None:
    text = 'OPENQASM 3.0; include "stdgates.inc"; input float a; input angle b; qubit[2] q; ry(a) q[0]; rz(2*b) q[1];'
    circuit, state = library.circuit_from_qasm(text), library.state(2)
    lib = library.lib
    names = [library.ffi.string(lib.qfast_circuit_parameter_name(circuit, i)).decode() for i in range(2)]
    assert lib.qfast_circuit_num_parameters(circuit) == 2
    assert names == ["a", "b"]
    assert lib.qfast_circuit_parameter_name(circuit, 2) == library.ffi.NULL
    for a, b in ((0.1, 0.2), (1.5, -0.4)):
        library("state_reset", state)
        library("state_run", state, circuit, [a, b], 2)
        expected = oracle.statevector(Circuit(2).ry(a, 0).rz(2 * b, 1))
        np.testing.assert_allclose(amplitudes(library, state), expected, atol=1e-14)


def test_final_measurements_say_which_qubit_each_classical_bit_is(library: Library) -> None:
    text = """OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[4];
    reset q[0]; x q[1]; barrier q; measure q[1] -> c[3]; measure q[2] -> c[0]; measure q[1] -> c[0];"""
    circuit, state = library.circuit_from_qasm(text), library.state(3)
    measured = library.ffi.new("int32_t[4]")
    library("circuit_measured_qubits", circuit, measured)
    assert library.lib.qfast_circuit_num_clbits(circuit) == 4
    assert library.lib.qfast_circuit_num_gates(circuit) == 1
    assert list(measured) == [1, -1, -1, 1]
    library("state_run", state, circuit, [], 0)
    outcomes = library.ffi.new("uint64_t[5]")
    library("state_sample", state, measured, 4, 1, 0, 5, outcomes)
    assert set(outcomes) == {0b1001}


def test_run_qasm_makes_and_runs_in_one_call(library: Library) -> None:
    handle = library.ffi.new("qfast_state **")
    library("run_qasm", b'include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];', 1, handle)
    np.testing.assert_allclose(amplitudes(library, handle[0]), [0.5**0.5, 0, 0, 0.5**0.5], atol=1e-15)
    library.lib.qfast_state_free(handle[0])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("OPENQASM 3; qubit q; bit c; c = measure q; U(1,0,0) q;", "acts on qubit 0 after its measurement"),
        ("OPENQASM 3; qubit q; U(1,0,0) q; reset q;", "resets qubit 0 after its first use"),
        ("OPENQASM 3; qubit q; bit c; c = measure q; if (c) { U(1,0,0) q; }", "is control flow"),
    ],
)
def test_what_needs_more_than_one_run_of_gates_has_a_code_of_its_own(library: Library, text: str, what: str) -> None:
    with pytest.raises(Failure, match=what) as caught:
        library.circuit_from_qasm(text)
    assert caught.value.status == library.lib.QFAST_ERROR_UNSUPPORTED


@pytest.mark.parametrize(
    ("gate", "qubits", "parameters", "code", "message"),
    [
        ("foo", [0], [], "GATE", r"gate 'foo' at instruction 1 is not known; known are: gphase id x y z"),
        ("unitary", [0], [], "GATE", "is not known"),
        ("cx", [0], [], "CIRCUIT", "gate 'cx' at instruction 1 acts on 2 qubits, got 1"),
        ("cx", [1, 1], [], "CIRCUIT", "gate 'cx' at instruction 1: qubit 1 is listed twice"),
        ("cx", [0, 2], [], "CIRCUIT", "gate 'cx' at instruction 1: qubit 2 is out of range; the circuit has 2 qubits"),
        ("x", [-1], [], "CIRCUIT", "qubit -1 is out of range"),
        ("rx", [0], [], "GATE", "gate 'rx' at instruction 1 takes 1 parameters, got 0"),
        ("rx", [0], [float("nan")], "PARAMETER", "parameter 0 is nan; it must be finite"),
    ],
)
def test_a_wrong_instruction_is_refused_with_its_place_and_changes_nothing(
    library: Library, gate: str, qubits: list[int], parameters: list[float], code: str, message: str
) -> None:
    circuit = library.circuit(2)
    library.append(circuit, "h", [0])
    with pytest.raises(Failure, match=message) as caught:
        library.append(circuit, gate, qubits, *parameters)
    assert caught.value.status == getattr(library.lib, f"QFAST_ERROR_{code}")
    assert library.lib.qfast_circuit_num_gates(circuit) == 1


def test_a_matrix_that_is_not_unitary_is_refused(library: Library) -> None:
    circuit = library.circuit(1)
    for matrix in ([1.0, 0, 1, 0, 0, 0, 1, 0], [float("nan")] * 8):
        with pytest.raises(Failure, match="the matrix is not unitary") as caught:
            library("circuit_append_matrix", circuit, [0], 1, matrix)
        assert caught.value.status == library.lib.QFAST_ERROR_GATE


def test_errors_of_qasm_carry_line_and_column(library: Library) -> None:
    with pytest.raises(Failure) as caught:
        library.circuit_from_qasm("OPENQASM 2.0;\nqreg q[2];\n  foo q[0];\n")
    assert caught.value.status == library.lib.QFAST_ERROR_QASM
    assert (library.lib.qfast_last_error_line(), library.lib.qfast_last_error_column()) == (3, 3)
    with pytest.raises(Failure):
        library.circuit(-1)
    assert library.lib.qfast_last_error_line() == 0


def test_a_circuit_of_other_size_or_without_its_values_is_not_run(library: Library) -> None:
    state, circuit = library.state(2), library.circuit(3)
    with pytest.raises(Failure, match="the circuit has 3 qubits, the state 2") as caught:
        library("state_run", state, circuit, [], 0)
    assert caught.value.status == library.lib.QFAST_ERROR_CIRCUIT
    with pytest.raises(Failure, match="the circuit has 0 parameters, got 1 values"):
        library("state_run", library.state(3), circuit, [0.5], 1)
    assert amplitudes(library, state)[0] == 1


def test_too_many_qubits_are_refused_with_the_bytes(library: Library) -> None:
    with pytest.raises(Failure, match=re.escape("70368744177664 bytes (64.00 TiB)")) as caught:
        library.state(42)
    assert caught.value.status == library.lib.QFAST_ERROR_CAPACITY
    for impossible in (59, 2**31 - 1):
        with pytest.raises(Failure, match="58 can be addressed"):
            library.state(impossible)


def test_null_is_refused_where_something_must_be_given(library: Library) -> None:
    null, lib = library.ffi.NULL, library.lib
    circuit, state = library.circuit(1), library.state(1)
    calls = [
        ("circuit_create", 1, null),
        ("circuit_from_qasm", null, library.ffi.new("qfast_circuit **")),
        ("circuit_append", null, b"x", [0], 1, [], 0),
        ("circuit_append", circuit, null, [0], 1, [], 0),
        ("circuit_append", circuit, b"x", null, 1, [], 0),
        ("circuit_append_matrix", circuit, [0], 1, null),
        ("state_create", 1, 1, null),
        ("state_run", null, circuit, [], 0),
        ("state_run", state, null, [], 0),
        ("state_amplitudes", state, null),
        ("state_sample", state, null, 1, 0, 0, 1, null),
    ]
    for function, *arguments in calls:
        with pytest.raises(Failure, match="is null") as caught:
            library(function, *arguments)
        assert caught.value.status == lib.QFAST_ERROR_INPUT
    lib.qfast_circuit_free(null)
    lib.qfast_state_free(null)
    assert lib.qfast_circuit_num_qubits(null) == lib.qfast_state_num_qubits(null) == -1


def test_an_unknown_precision_is_refused(library: Library) -> None:
    with pytest.raises(Failure, match="precision is 7"):
        library("state_create", 1, 7, library.ffi.new("qfast_state **"))
