"""Circuits that go to the planner's limits, on every ISA, with tiles of every size it can be forced to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qfast._typing import AnyArray, Precision
from qfast.circuit import Circuit
from qfast.engines.native import NativeEngine, isas
from tests import oracle
from tests.circuit.strategies import random_unitary
from tests.conftest import TOLERANCE
from tests.engines.states import NO_VALUES, random_state

SPECIAL = [0.0, math.pi, 2 * math.pi, -math.pi, math.pi / 2, -math.pi / 2, 1e-9, 1e-16]
TILES = (0, 1, 7)  # 0: the planner's choice; 1: the smallest that the instruction set allows


@pytest.fixture(params=isas())
def native(request: pytest.FixtureRequest) -> NativeEngine:
    """The native engine on every ISA."""
    return NativeEngine(request.param)


def run(
    engine: NativeEngine, circuit: Circuit, precision: Precision, tile_qubits: int, start: AnyArray | None = None
) -> AnyArray:
    """The state after a circuit; memory that the caller did not fill holds garbage before."""
    state = np.full(1 << circuit.num_qubits, 7 + 7j, dtype=precision)
    if start is not None:
        state[:] = start
    prepared = engine.prepare(circuit, precision=precision, tile_qubits=tile_qubits)
    prepared.run(state, NO_VALUES, from_zero=start is None, threads=2, cancel=None)
    return state


def spread(num_qubits: int) -> tuple[Circuit, AnyArray]:
    """A circuit that gives every amplitude the same size, and its state, as a product."""
    circuit, state = Circuit(num_qubits), np.ones(1)
    for q in range(num_qubits):
        circuit.h(q).p(0.1 * q, q)
        state = np.kron([1, np.exp(0.1j * q)], state) / math.sqrt(2)
    return circuit, state


def gathered(num_qubits: int, qubits: AnyArray) -> AnyArray:
    """The bits of every basis index at some qubits, the first least significant."""
    index = np.arange(1 << num_qubits)
    return np.sum([(index >> q & 1) << place for place, q in enumerate(qubits)], axis=0)


def angle(rng: np.random.Generator) -> float:
    return float(rng.choice(SPECIAL)) if rng.random() < 0.4 else float(rng.normal())


def swapping(rng: np.random.Generator, n: int) -> Circuit:
    circuit = Circuit(n)
    for _ in range(60):
        a, b = rng.choice(n, 2, replace=False).tolist()
        kind = rng.integers(5)
        if kind == 0:
            circuit.swap(a, b)
        elif kind == 1:
            circuit.iswap(a, b)
        elif kind == 2:
            circuit.fsim(float(rng.choice(SPECIAL[:6])), angle(rng), a, b)
        elif kind == 3:
            circuit.h(a).rz(angle(rng), b)
        else:
            circuit.cx(a, b)
    return circuit


def dense(rng: np.random.Generator, n: int) -> Circuit:
    circuit = Circuit(n)
    for _ in range(5):
        order = rng.permutation(n).tolist()
        for a, b in zip(order[::2], order[1::2], strict=False):
            kind = rng.integers(3)  # any; local, whose Cartan decomposition is degenerate; hardly off the identity
            if kind == 0:
                circuit.unitary(random_unitary(rng, 4), [a, b])
            elif kind == 1:
                circuit.unitary(np.kron(random_unitary(rng, 2), random_unitary(rng, 2)), [a, b])
            else:
                noise = rng.normal(size=(4, 4)) * 10.0 ** -rng.integers(3, 16)
                circuit.unitary(np.linalg.qr(np.eye(4) + 1j * (noise + noise.T))[0], [a, b])
    return circuit


def controlled(rng: np.random.Generator, n: int) -> Circuit:
    circuit = Circuit(n)
    for _ in range(30):
        order = rng.permutation(n).tolist()
        name, params = [("rx", 1), ("u", 3), ("p", 1), ("gphase", 1), ("x", 0)][rng.integers(5)]
        targets = 0 if name == "gphase" else 1
        extra = int(rng.integers(1, n - targets + 1))
        circuit.append(
            name, order[extra : extra + targets], [angle(rng) for _ in range(params)],
            controls=order[:extra], ctrl_state=int(rng.integers(1 << extra)),
        ).h(order[0])  # fmt: skip
    return circuit


@pytest.mark.parametrize("family", [swapping, dense, controlled])
@pytest.mark.parametrize("num_qubits", [2, 3, 5, 8, 9])
def test_circuits_rich_in_one_kind_agree_with_the_oracle(native, precision, rng, family, num_qubits) -> None:
    circuit, start = family(rng, num_qubits), random_state(rng, num_qubits)
    for given in (None, start):
        wanted = oracle.statevector(circuit, initial=given)
        for tile_qubits in TILES:
            found = run(native, circuit, precision, tile_qubits, given)
            assert np.abs(found - wanted).max() < TOLERANCE[precision], (tile_qubits, list(circuit))


@pytest.mark.parametrize("tile_qubits", TILES)
@pytest.mark.parametrize("num_qubits", [17, 18])
def test_a_diagonal_may_lie_on_every_qubit_of_a_large_circuit(native, rng, num_qubits, tile_qubits) -> None:
    circuit, state = spread(num_qubits)
    qubits, angles = rng.permutation(num_qubits), rng.normal(size=1 << num_qubits)
    circuit.diagonal(np.exp(1j * angles), qubits.tolist())
    wanted = state * np.exp(1j * angles[gathered(num_qubits, qubits)])
    assert np.abs(run(native, circuit, "complex128", tile_qubits) - wanted).max() < 1e-15


@pytest.mark.parametrize("tile_qubits", TILES)
@pytest.mark.parametrize("num_controls", [10, 11, 14, 18])
def test_a_global_phase_may_have_any_number_of_controls(native, rng, num_controls, tile_qubits) -> None:
    circuit, state = spread(18)
    for _ in range(2):
        controls, held = rng.permutation(18)[:num_controls], int(rng.integers(1 << num_controls))
        circuit.append("gphase", (), 0.7, controls=controls.tolist(), ctrl_state=held)
        state = np.where(gathered(18, controls) == held, state * np.exp(0.7j), state)
    assert np.abs(run(native, circuit, "complex128", tile_qubits) - state).max() < 1e-15


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_diagonal_may_have_many_controls(native, rng, width) -> None:
    circuit, state = spread(18)
    order, held = rng.permutation(18), int(rng.integers(1 << (18 - width)))
    angles = rng.normal(size=1 << width)
    circuit.diagonal(np.exp(1j * angles), order[:width].tolist(), controls=order[width:].tolist(), ctrl_state=held)
    turned = state * np.exp(1j * angles[gathered(18, order[:width])])
    wanted = np.where(gathered(18, order[width:]) == held, turned, state)
    for tile_qubits in TILES:
        assert np.abs(run(native, circuit, "complex128", tile_qubits) - wanted).max() < 1e-15


@pytest.mark.parametrize("num_qubits", [0, 1, 2, 3, 4, 15])
def test_no_gate_or_only_a_phase_leaves_the_first_basis_state(native, precision, num_qubits) -> None:
    for circuit, factor in ((Circuit(num_qubits), 1), (Circuit(num_qubits).gphase(0.3), np.exp(0.3j))):
        found = run(native, circuit, precision, 0)
        assert abs(found[0] - factor) < TOLERANCE[precision]
        assert not found[1:].any()


@pytest.mark.parametrize("rotation", ["rx", "ry"])
def test_single_precision_keeps_the_norm_over_many_equal_rotations(native, rotation) -> None:
    """Each rounds tan(0.45) the same way: left alone, 40,000 of them would cost 3e-4 of the norm."""
    circuit = Circuit(5)
    for k in range(40_000):
        circuit.append(rotation, [k % 5], [0.9]).cx(k % 5, (k + 1) % 5)
    found = run(native, circuit, "complex64", 0).astype(complex)
    assert abs(np.vdot(found, found).real - 1) < 3e-5
