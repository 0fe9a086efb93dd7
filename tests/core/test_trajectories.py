"""Rows of parameter values that are run together end with the bits of runs of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from qfast._typing import AnyArray, Precision
from qfast.circuit import Circuit, Parameter
from qfast.engines import CancelToken
from qfast.engines.native import NativeEngine, NativeTrajectories, isas
from qfast.errors import CancelledRunError, InputError, ParameterError
from tests import oracle
from tests.circuit.strategies import random_unitary
from tests.conftest import TOLERANCE

STRINGS = ["XXI", "ZIZ", "YZX", "IIZ"]


@pytest.fixture(params=isas())
def native(request: pytest.FixtureRequest) -> NativeEngine:
    """The native engine on every ISA."""
    return NativeEngine(request.param)


def parametrised(rng: np.random.Generator, num_qubits: int, num_gates: int) -> Circuit:
    """Gates of every kind that the planner knows, about half of them with a parameter of their own."""
    circuit = Circuit(num_qubits)
    for place in range(num_gates):
        angle = Parameter(f"a{place:04d}")
        a, b, c = (int(q) for q in rng.permutation(max(3, num_qubits))[:3] % num_qubits)
        kind = int(rng.integers(12)) if num_qubits >= 3 else int(rng.integers(3))
        match kind:
            case 0 | 1 | 2:
                circuit.append(("rx", "ry", "rz")[kind], a, [angle])
            case 3:
                circuit.rzz(angle, a, b)
            case 4:
                circuit.rxx(2 * angle, a, b)
            case 5:
                circuit.cx(a, b)
            case 6:
                circuit.unitary(random_unitary(rng, 4), [a, b])
            case 7:
                circuit.append("rx", a, [angle], controls=[b])
            case 8:
                circuit.u(angle, 0.3, -0.7, a)
            case 9:
                circuit.cp(angle, a, b).swap(b, c)
            case 10:
                circuit.unitary(random_unitary(rng, 8), [a, b, c])
            case _:
                circuit.ccx(a, b, c)
    return circuit


def rows_of(rng: np.random.Generator, count: int, num_columns: int) -> AnyArray:
    """Rows as errors make them: few columns changed, or all from some place on; distinct, ascending."""
    bits = np.zeros((count, num_columns), dtype=np.uint8)
    for row in bits:
        if num_columns and rng.random() < 0.9:
            begin = int(rng.integers(num_columns))
            row[begin] = 1
            row[begin:] |= rng.random(num_columns - begin) < rng.choice([0.02, 0.4])
    return np.unique(np.packbits(bits, axis=1), axis=0)


def trajectories_of(
    native: NativeEngine, circuit: Circuit, precision: Precision, tile_qubits: int | None
) -> NativeTrajectories:
    """None: the engine's own choice of a tile."""
    if tile_qubits is None:
        return native.trajectories(circuit, precision=precision)
    return NativeTrajectories(native.prepare(circuit, precision=precision, tile_qubits=tile_qubits))


def values_of(runs: NativeTrajectories, base: AnyArray, change: AnyArray, row: AnyArray) -> AnyArray:
    values = base.copy()
    flipped = runs.order[np.flatnonzero(np.unpackbits(row, count=base.size))]
    values[flipped] += change[flipped]
    return values


def masks(strings: list[str], num_qubits: int) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Masks of strings on the lowest qubits, the first letter on qubit 0."""
    strings = [string[:num_qubits] for string in strings]
    x = [sum(1 << q for q, letter in enumerate(s) if letter in "XY") for s in strings]
    z = [sum(1 << q for q, letter in enumerate(s) if letter in "YZ") for s in strings]
    coefficients = np.arange(1, len(strings) + 1) * (1 + 0.5j)
    return np.array(x, dtype=np.uint64), np.array(z, dtype=np.uint64), coefficients


def means(runs: NativeTrajectories, case: tuple[AnyArray, AnyArray, AnyArray], **how: Any) -> AnyArray:
    """⟨O⟩ of each row behind no frame."""
    base, change, bits = case
    none = np.zeros(len(bits), dtype=np.uint64)
    options: dict[str, Any] = {"initial": None, "kept_bytes": 1 << 24, "threads": 1, "cancel": None, **how}
    num_qubits = options.pop("num_qubits")
    found, _ = runs.pauli_means(
        base, change, bits, np.arange(len(bits) + 1), (none, none), masks(STRINGS, num_qubits), **options
    )
    return found


@hypothesis_settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_qubits=st.integers(1, 6),
    num_gates=st.integers(0, 40),
    tile_qubits=st.sampled_from([None, 1, 4]),
    isa=st.sampled_from(isas()),
    precision=st.sampled_from(["complex64", "complex128"]),
    from_given=st.booleans(),
)
def test_every_row_has_the_state_of_a_run_of_its_own(
    seed: int,
    num_qubits: int,
    num_gates: int,
    tile_qubits: int | None,
    isa: str,
    precision: Precision,
    from_given: bool,
) -> None:
    rng = np.random.default_rng(seed)
    native = NativeEngine(isa)
    circuit = parametrised(rng, num_qubits, num_gates)
    num_parameters = len(circuit.parameters)
    base, change = rng.normal(size=(2, num_parameters))
    bits = rows_of(rng, 40, num_parameters)
    initial = None
    if from_given:
        amplitudes = rng.normal(size=(2, 1 << num_qubits))
        initial = (amplitudes[0] + 1j * amplitudes[1]).astype(precision)
        initial /= np.linalg.norm(initial)
    runs = trajectories_of(native, circuit, precision, tile_qubits)
    case = (base, change, bits)
    found = means(runs, case, num_qubits=num_qubits, initial=initial)
    for kept_bytes, threads in ((0, 1), (3 << num_qubits + 4, 1), (1 << 24, 3)):
        again = means(runs, case, num_qubits=num_qubits, initial=initial, kept_bytes=kept_bytes, threads=threads)
        assert np.array_equal(again, found)
    names = [parameter.name for parameter in circuit.parameters]
    x_masks, z_masks, coefficients = masks(STRINGS, num_qubits)
    observable = native.observable(num_qubits, x_masks, z_masks, coefficients)
    for row, mean in zip(bits, found, strict=True):
        values = dict(zip(names, values_of(runs, base, change, row).tolist(), strict=True))
        start = None if initial is None else initial.astype(np.complex128)
        state = oracle.statevector(circuit, values, start).astype(precision)
        assert abs(mean - observable.expectation(state, threads=1)) < 400 * TOLERANCE[precision]


@pytest.mark.parametrize("num_qubits", [12, 15, 18], ids=["one tile", "side by side", "all threads"])
def test_samples_are_those_of_the_state_whatever_the_size(native: NativeEngine, num_qubits: int) -> None:
    rng = np.random.default_rng(num_qubits)
    circuit = parametrised(rng, num_qubits, 120 if num_qubits < 18 else 40)
    base, change = rng.normal(size=(2, len(circuit.parameters)))
    bits = rows_of(rng, 5, base.size)
    runs = native.trajectories(circuit, precision="complex128")
    uniforms, offsets = rng.random(20 * len(bits)), np.arange(0, 20 * len(bits) + 1, 20)
    options: dict[str, Any] = {"initial": None, "cancel": None}
    found, _ = runs.sample_indices(base, change, bits, uniforms, offsets, kept_bytes=0, threads=1, **options)
    shared, work = runs.sample_indices(base, change, bits, uniforms, offsets, kept_bytes=1 << 26, threads=2, **options)
    assert np.array_equal(found, shared)
    assert 0 < work <= len(bits) + 1e-9
    prepared = native.prepare(circuit, precision="complex128")
    for place, row in enumerate(bits):
        state = np.empty(1 << num_qubits, dtype=np.complex128)
        prepared.run(state, values_of(runs, base, change, row), from_zero=True, threads=2, cancel=None)
        expected = native.sample_indices(state, uniforms[20 * place : 20 * place + 20], threads=1)
        assert np.array_equal(expected, found[20 * place : 20 * place + 20])


def test_late_rows_cost_what_they_add(native: NativeEngine) -> None:
    circuit = Circuit(6)
    for layer in range(40):
        for qubit in range(6):
            circuit.ry(Parameter(f"a{layer:02d}{qubit}"), qubit)
        for qubit in range(5):
            circuit.cx(qubit, qubit + 1)
    base = np.linspace(0.1, 3, 240)
    runs = native.trajectories(circuit, precision="complex128")
    bits = np.unique(np.packbits(np.eye(241, 240, dtype=np.uint8), axis=1), axis=0)
    none = np.zeros(0)
    offsets = np.zeros(len(bits) + 1, dtype=np.int64)
    options: dict[str, Any] = {"initial": None, "threads": 1, "cancel": None}
    _, together = runs.sample_indices(base, -2 * base, bits, none, offsets, kept_bytes=1 << 20, **options)
    _, apart = runs.sample_indices(base, -2 * base, bits, none, offsets, kept_bytes=0, **options)
    assert apart == pytest.approx(241)
    assert 110 < together < 135  # one error each, evenly spread: half a run


def test_columns_stand_in_the_order_of_the_plan_whatever_the_names() -> None:
    circuit = Circuit(1).ry(Parameter("z"), 0).rz(Parameter("b"), 0).ry(Parameter("a"), 0).h(0)
    runs = NativeEngine().trajectories(circuit, precision="complex128")
    assert sorted(runs.order.tolist()) == [0, 1, 2]


def test_frames_change_the_signs_of_strings_that_anticommute() -> None:
    circuit = Circuit(3).ry(Parameter("a"), 0).cx(0, 1).rx(0.4, 1).cx(1, 2).rz(0.3, 2)
    native = NativeEngine()
    runs = native.trajectories(circuit, precision="complex128")
    x, z = np.array([0, 1, 6, 5], dtype=np.uint64), np.array([0, 2, 3, 4], dtype=np.uint64)
    strings = masks(STRINGS, 3)
    found, _ = runs.pauli_means(
        np.array([0.7]), np.array([0.0]), np.zeros((1, 1), dtype=np.uint8), np.array([0, 4]), (x, z), strings,
        initial=None, kept_bytes=0, threads=1, cancel=None,
    )  # fmt: skip
    state = oracle.statevector(circuit, {"a": 0.7})
    for mean, x_frame, z_frame in zip(found, x.tolist(), z.tolist(), strict=True):
        framed = state
        for qubit in range(3):
            if z_frame >> qubit & 1:
                framed = oracle.apply_matrix(framed, oracle.Z, [qubit])
            if x_frame >> qubit & 1:
                framed = oracle.apply_matrix(framed, oracle.X, [qubit])
        expected = native.expectation_pauli(framed, *strings, threads=1)
        assert mean == pytest.approx(expected, abs=1e-12)


def test_a_token_stops_it() -> None:
    native = NativeEngine()
    circuit = Circuit(2).ry(Parameter("a"), 0)
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledRunError):
        means(
            native.trajectories(circuit, precision="complex128"),
            (np.ones(1), np.ones(1), np.zeros((1, 1), dtype=np.uint8)), num_qubits=2, cancel=token,
        )  # fmt: skip


def test_rows_that_do_not_fit_are_refused_with_the_number() -> None:
    runs = NativeEngine().trajectories(Circuit(2).ry(Parameter("a"), 0), precision="complex128")
    one, rows = np.ones(1), np.zeros((2, 1), dtype=np.uint8)
    with pytest.raises(ParameterError, match="1 parameters, got 2 values and 1 changes"):
        means(runs, (np.ones(2), one, rows), num_qubits=2)
    with pytest.raises(ParameterError, match="0 bytes"):
        means(runs, (one, one, np.zeros((1, 0), dtype=np.uint8)), num_qubits=2)
    with pytest.raises(ParameterError, match="row 1 is below"):
        means(runs, (one, one, np.array([[128], [0]], dtype=np.uint8)), num_qubits=2)
    with pytest.raises(InputError, match="initial state"):
        means(runs, (one, one, rows), num_qubits=2, initial=np.zeros(2, dtype=np.complex128))
    with pytest.raises(InputError, match="offsets"):
        runs.sample_indices(
            one, one, rows, np.zeros(3), np.array([0, 3]), initial=None, kept_bytes=0, threads=1, cancel=None
        )
    with pytest.raises(InputError, match=r"uniform 1 is not in \[0, 1\)"):
        runs.sample_indices(
            one, one, rows, np.array([0.5, 1.0]), np.array([0, 1, 2]), initial=None, kept_bytes=0, threads=1,
            cancel=None,
        )  # fmt: skip
