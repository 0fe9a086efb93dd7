"""Small circuits run gate by gate, without a plan: on every instruction set, in both precisions, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast.engines.native import NativeEngine, isas
from tests import oracle

TOLERANCE = {"complex128": 1e-13, "complex64": 3e-6}
NO_VALUES = np.zeros(0)


def random_circuit(rng: np.random.Generator, num_qubits: int, num_gates: int) -> qfast.Circuit:
    circuit = qfast.Circuit(num_qubits)
    for _ in range(num_gates):
        a, b, c = (*rng.permutation(num_qubits).tolist(), 0, 0)[:3]
        angle = float(rng.normal())
        kinds = 6 if num_qubits == 1 else 15 if num_qubits == 2 else 18
        match int(rng.integers(kinds)):
            case 0:
                circuit.h(a)
            case 1:
                circuit.append(str(rng.choice(["x", "y", "z", "s", "sdg", "t", "sx"])), [a])
            case 2:
                circuit.append(str(rng.choice(["rx", "ry", "rz", "p"])), [a], [angle])
            case 3:
                circuit.u(angle, 0.3, -1.1, a)
            case 4:
                circuit.append("gphase", [], [angle])
            case 5:
                circuit.unitary(np.array([[0, 1], [-1, 0]]) if angle > 0 else np.eye(2), [a])
            case 6:
                circuit.cx(a, b)
            case 7:
                circuit.cp(angle, a, b)
            case 8:
                circuit.swap(a, b)
            case 9:
                circuit.append(str(rng.choice(["rzz", "rxx", "ryy", "rzx"])), [a, b], [angle])
            case 10:
                matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
                circuit.unitary(np.linalg.qr(matrix)[0], [a, b])
            case 11:
                circuit.unitary(np.linalg.qr(rng.normal(size=(4, 4)))[0], [a, b])
            case 12:
                circuit.append("cry", [a, b], [angle])
            case 13:
                circuit.append("h", [b], controls=[a], ctrl_state=int(angle > 0))
            case 14:
                circuit.diagonal(np.exp(1j * rng.normal(size=4)), [a, b])
            case 15:
                circuit.ccx(a, b, c)
            case 16:
                circuit.append("p", [c], [angle], controls=[a, b], ctrl_state=int(rng.integers(4)))
            case 17:
                circuit.append("sx", [c], controls=[a, b], ctrl_state=int(rng.integers(4)))
    return circuit


@pytest.fixture(params=[(isa, precision) for isa in isas() for precision in TOLERANCE], ids=lambda pair: "-".join(pair))
def where(request):
    return request.param


@pytest.mark.parametrize("num_qubits", range(1, 7))
def test_random_circuits_have_the_oracles_states(where, num_qubits) -> None:
    isa, precision = where
    rng = np.random.default_rng(num_qubits)
    engine = NativeEngine(isa)
    for num_gates in (0, 1, 2, 5, 40, 40, 40):
        circuit = random_circuit(rng, num_qubits, num_gates)
        prepared = engine.prepare(circuit, precision=precision)
        state = np.full(2**num_qubits, np.nan, dtype=precision)
        prepared.run(state, NO_VALUES, from_zero=True, threads=1, cancel=None)
        np.testing.assert_allclose(state, oracle.statevector(circuit), atol=TOLERANCE[precision])


def test_a_run_goes_on_from_a_given_state(where) -> None:
    isa, precision = where
    rng = np.random.default_rng(7)
    for num_qubits in range(1, 7):
        first, second = random_circuit(rng, num_qubits, 12), random_circuit(rng, num_qubits, 12)
        state = np.empty(2**num_qubits, dtype=precision)
        for circuit in (first, second):
            prepared = NativeEngine(isa).prepare(circuit, precision=precision)
            prepared.run(state, NO_VALUES, from_zero=circuit is first, threads=1, cancel=None)
        both = random_circuit(np.random.default_rng(0), num_qubits, 0).compose(first).compose(second)
        np.testing.assert_allclose(state, oracle.statevector(both), atol=TOLERANCE[precision])


def test_values_of_parameters_are_those_of_the_bound_circuit(where) -> None:
    isa, precision = where
    x, y = qfast.Parameter("x"), qfast.Parameter("y")
    circuit = qfast.Circuit(3).rx(x, 0).ry(2 * y, 1).cp(x * y, 0, 2).rzz(x - y, 1, 2).rz(y, 2).h(2)
    prepared = NativeEngine(isa).prepare(circuit, precision=precision)
    for values in ([0.3, -1.2], [np.pi, 0.0], [np.pi / 2, 7.0]):
        state = np.empty(8, dtype=precision)
        prepared.run(state, np.array(values), from_zero=True, threads=1, cancel=None)
        bound = circuit.bind(dict(zip((x, y), values, strict=True)))
        np.testing.assert_allclose(state, oracle.statevector(bound), atol=TOLERANCE[precision])
        again = np.empty(8, dtype=precision)
        NativeEngine(isa).prepare(bound, precision=precision).run(
            again, NO_VALUES, from_zero=True, threads=1, cancel=None
        )
        assert np.array_equal(state, again)


def test_many_rotations_keep_the_norm(where) -> None:
    isa, precision = where
    circuit = qfast.Circuit(2)
    for k in range(100):
        circuit.rx(0.7 + k, 0).ry(0.3, 1).cx(0, 1).rz(k, 1).cx(1, 0)
    state = np.empty(4, dtype=precision)
    NativeEngine(isa).prepare(circuit, precision=precision).run(
        state, NO_VALUES, from_zero=True, threads=1, cancel=None
    )
    assert abs(np.linalg.norm(state) - 1) < TOLERANCE[precision]


def test_small_circuits_have_no_plan_and_larger_ones_do() -> None:
    engine = NativeEngine()
    small = engine.prepare(qfast.Circuit(6).h(0).cx(0, 5), precision="complex128").explain()
    large = engine.prepare(qfast.Circuit(7).h(0).cx(0, 6), precision="complex128").explain()
    assert small["cost_table"] is None
    assert (small["passes"], small["sweeps"][0]["steps"]["two_qubit"]) == (1, 0)
    assert large["cost_table"] is not None
