"""Permutations and controlled Pauli rotations on many qubits: no engine makes a matrix of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qfast
from qfast import config
from qfast._typing import AnyArray
from qfast.circuit import Circuit
from qfast.engines import CancelToken, Engine, available, select
from qfast.errors import CancelledRunError, CapacityError
from tests import oracle
from tests.conftest import ENGINES, TOLERANCE
from tests.engines.states import NO_VALUES, after, random_state


def from_zero(engine: Engine, circuit: Circuit, precision: str, threads: int = 2) -> AnyArray:
    """The state after a run from |0…0⟩; memory holds garbage before."""
    state = np.full(1 << circuit.num_qubits, 7 + 7j, dtype=precision)
    engine.prepare(circuit, precision=precision).run(  # type: ignore[arg-type]
        state, NO_VALUES, from_zero=True, threads=threads, cancel=None
    )
    return state


def gathered(num_qubits: int, qubits: list[int]) -> AnyArray:
    """The bits of every basis index at some qubits, the first least significant."""
    index = np.arange(1 << num_qubits)
    return sum((index >> q & 1) << place for place, q in enumerate(qubits)) + 0 * index


def permuted(state: AnyArray, images: AnyArray, qubits: list[int], controls: list[int], held: int) -> AnyArray:
    """What a permutation makes of a state, amplitude by amplitude."""
    num_qubits = state.size.bit_length() - 1
    index = np.arange(state.size)
    goes_to = index & ~sum(1 << q for q in qubits)
    image = images[gathered(num_qubits, qubits)]
    for place, q in enumerate(qubits):
        goes_to |= (image >> place & 1) << q
    goes_to = np.where(gathered(num_qubits, controls) == held, goes_to, index)
    out = np.empty_like(state)
    out[goes_to] = state
    return out


def rotated(state: AnyArray, letters: str, angle: float, qubits: list[int], controls: list[int], held: int) -> AnyArray:
    """cos - i sin P where the controls hold, from the letters' action on every basis state."""
    num_qubits = state.size.bit_length() - 1
    index = np.arange(state.size)
    flipped, value = index.copy(), np.ones(state.size, dtype=complex)
    for letter, q in zip(letters, qubits, strict=True):
        bit = index >> q & 1
        if letter in "XY":
            flipped ^= 1 << q
        if letter == "Y":
            value *= np.where(bit, -1j, 1j)
        if letter == "Z":
            value *= np.where(bit, -1, 1)
    applied = np.empty_like(state)
    applied[flipped] = value * state
    turned = math.cos(angle / 2) * state - 1j * math.sin(angle / 2) * applied
    return np.where(gathered(num_qubits, controls) == held, turned, state)


@st.composite
def wide_circuits(draw: st.DrawFn) -> Circuit:
    """Wide gates between narrow ones, on at most 8 qubits: small enough for the dense oracle."""
    n = draw(st.integers(5, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    circuit = Circuit(n)
    for kind in draw(st.lists(st.sampled_from(["narrow", "diagonal", "permutation", "rotation"]), max_size=7)):
        order = rng.permutation(n).tolist()
        width = int(rng.integers(5 if kind == "permutation" else 3, n + 1))
        controls = order[width : width + int(rng.integers(0, n - width + 1))]
        held = int(rng.integers(1 << len(controls)))
        if kind == "narrow":
            circuit.ry(float(rng.normal()), order[0]).cx(order[0], order[1]).swap(order[2], order[3])
        elif kind == "diagonal":
            circuit.rzz(float(rng.normal()), order[0], order[1]).p(0.3, order[2]).gphase(0.1)
        elif kind == "permutation":
            circuit.permutation(rng.permutation(1 << width), order[:width], controls=controls, ctrl_state=held)
        else:
            letters = "".join(rng.choice(list("IXYZ"), width))
            circuit.pauli_rotation(
                letters, order[:width], float(rng.normal()), controls=controls, ctrl_state=held
            )  # fmt: skip
    return circuit


@settings(max_examples=60)
@given(circuit=wide_circuits(), seed=st.integers(0, 2**32 - 1))
def test_wide_gates_among_others_agree_with_the_oracle(circuit, seed) -> None:
    start = random_state(np.random.default_rng(seed), circuit.num_qubits)
    wanted, wanted_from_zero = oracle.statevector(circuit, initial=start), oracle.statevector(circuit)
    for name, isa in ENGINES:
        engine = select(name, isa)
        for precision, tolerance in TOLERANCE.items():
            assert np.abs(after(engine, circuit, start, precision) - wanted).max() < 2 * tolerance
            assert np.abs(from_zero(engine, circuit, precision) - wanted_from_zero).max() < 2 * tolerance


@pytest.mark.parametrize(("num_qubits", "width"), [(14, 14), (14, 11), (15, 12), (16, 5), (17, 16)])
def test_a_permutation_may_be_of_any_width(engine, rng, num_qubits, width) -> None:
    order = rng.permutation(num_qubits).tolist()
    qubits, controls = order[:width], order[width : width + 2]
    held = int(rng.integers(1 << len(controls)))
    images = rng.permutation(1 << width)
    circuit = Circuit(num_qubits).permutation(images, qubits, controls=controls, ctrl_state=held)
    start = random_state(rng, num_qubits)
    assert np.array_equal(after(engine, circuit, start, "complex128"), permuted(start, images, qubits, controls, held))


@pytest.mark.parametrize("width", [5, 9, 14])
def test_a_permutation_may_be_the_first_gate_or_the_last(engine, rng, width) -> None:
    """A run from |0…0⟩ writes only what gates have reached: the rest of memory holds garbage."""
    qubits = rng.permutation(14)[:width].tolist()
    images = rng.permutation(1 << width)
    first = Circuit(14).permutation(images, qubits).h(13).ry(0.3, 0)
    last = Circuit(14).h(13).ry(0.3, 0).permutation(images, qubits).gphase(0.4)
    zero = np.zeros(1 << 14, dtype=complex)
    zero[0] = 1
    narrow, reference = Circuit(14).h(13).ry(0.3, 0), select("reference")
    wanted_first = after(reference, narrow, permuted(zero, images, qubits, [], 0), "complex128")
    wanted_last = np.exp(0.4j) * permuted(after(reference, narrow, zero, "complex128"), images, qubits, [], 0)
    assert np.abs(from_zero(engine, first, "complex128") - wanted_first).max() < 1e-15
    assert np.abs(from_zero(engine, last, "complex128") - wanted_last).max() < 1e-15


@pytest.mark.parametrize(("width", "num_controls"), [(3, 11), (11, 1), (13, 1), (7, 4), (3, 1)])
def test_a_controlled_pauli_rotation_may_be_of_any_width(engine, rng, width, num_controls) -> None:
    order = rng.permutation(14).tolist()
    qubits, controls = order[:width], order[width : width + num_controls]
    held = int(rng.integers(1 << num_controls))
    letters = "XYZ" + "".join(rng.choice(list("IXYZ"), width - 3))
    circuit = Circuit(14).pauli_rotation(letters, qubits, 0.7, controls=controls, ctrl_state=held)
    start = random_state(rng, 14)
    wanted = rotated(start, letters, 0.7, qubits, controls, held)
    assert np.abs(after(engine, circuit, start, "complex128") - wanted).max() < 1e-14


def test_a_controlled_rotation_about_the_identity_is_a_controlled_phase(engine, rng) -> None:
    circuit = Circuit(6).pauli_rotation("IIII", [0, 1, 2, 3], 0.7, controls=[5], ctrl_state=0)
    start = random_state(rng, 6)
    wanted = np.where(gathered(6, [5]) == 0, np.exp(-0.35j) * start, start)
    assert np.abs(after(engine, circuit, start, "complex128") - wanted).max() < 1e-15


def test_wide_gates_give_the_same_bits_for_any_number_of_threads(engine, rng) -> None:
    circuit = Circuit(16)
    for q in range(16):
        circuit.ry(0.1 * q + 0.2, q)
    order = rng.permutation(16).tolist()
    circuit.permutation(rng.permutation(1 << 13), order[:13], controls=order[13:14])
    circuit.pauli_rotation("XYZXYZXYZ", order[:9], 0.3, controls=order[9:12], ctrl_state=5)
    alone = from_zero(engine, circuit, "complex128", threads=1)
    for threads in (2, 3):
        assert np.array_equal(from_zero(engine, circuit, "complex128", threads), alone)


def test_parameters_are_bound_anew_around_a_permutation(where, rng) -> None:
    theta = qfast.Parameter("theta")
    images = rng.permutation(1 << 6)
    circuit = Circuit(7).ry(theta, 0).permutation(images, range(6), controls=[6], ctrl_state=0)
    circuit.pauli_rotation("XYZZ", range(4), theta, controls=[5], ctrl_state=0)
    program = qfast.compile(circuit, **where)
    values = np.array([[0.3], [1.7], [-0.4]])
    found = program.simulate(values)
    for row, (value,) in zip(found, values, strict=True):
        assert np.abs(row - oracle.statevector(circuit.bind({"theta": value}))).max() < 1e-13
        assert np.abs(program.simulate([value]).amplitudes - row).max() < 1e-13


def test_scratch_is_counted_and_named_where_memory_is_short() -> None:
    circuit = Circuit(18).permutation(np.arange(1 << 18)[::-1].copy(), range(18))
    state_bytes = 16 << 18
    with config.override(max_job_bytes=2 * state_bytes - 1), pytest.raises(CapacityError, match="of scratch besides"):
        qfast.simulate(circuit, engine=next(iter(available())))


def test_a_cancelled_permutation_stops(engine) -> None:
    circuit = Circuit(14).h(0).permutation(np.arange(1 << 14)[::-1].copy(), range(14))
    token = CancelToken()
    token.cancel()
    state = np.zeros(1 << 14, dtype=complex)
    with pytest.raises(CancelledRunError):
        engine.prepare(circuit, precision="complex128").run(
            state, NO_VALUES, from_zero=True, threads=2, cancel=token
        )  # fmt: skip
