"""Derivatives by finite differences of the dense oracle, and circuits whose angles are expressions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from qfast._typing import AnyArray, FloatArray
from qfast.circuit import Circuit, Parameter, PauliSum
from qfast.circuit.rows import COLUMN_TYPES
from tests import oracle
from tests.circuit.strategies import circuits

STEP = 2e-3
# The step's error is of fourth order; complex64: of the states.
TOLERANCE = {"complex64": 3e-5, "complex128": 1e-8}


def derivative(function: Callable[[FloatArray], AnyArray], values: FloatArray) -> AnyArray:
    """Five-point central differences by each value, along a new first axis."""
    found = []
    for unit in np.eye(len(values)) * STEP:
        inner = function(values + unit) - function(values - unit)
        outer = function(values + 2 * unit) - function(values - 2 * unit)
        found.append((8 * inner - outer) / (12 * STEP))
    return np.array(found)


def state(circuit: Circuit, values: FloatArray, initial: AnyArray | None = None) -> AnyArray:
    """The oracle's state at values in the order of ``circuit.parameters``."""
    named = dict(zip((parameter.name for parameter in circuit.parameters), values.tolist(), strict=True))
    return oracle.statevector(circuit, named, initial)


def gradient(circuit: Circuit, values: FloatArray, observable: PauliSum, initial: AnyArray | None = None) -> FloatArray:
    """The derivatives of an expectation value."""

    def value(at: FloatArray) -> AnyArray:
        return np.array(oracle.expectation(state(circuit, at, initial), observable).real)

    found = derivative(value, np.asarray(values, dtype=np.float64))
    return np.asarray(found, dtype=np.float64)


def metric(circuit: Circuit, values: FloatArray) -> FloatArray:
    """The Fubini-Study metric."""
    psi = state(circuit, values)
    tangents = derivative(lambda at: state(circuit, at), values)
    along = tangents.conj() @ psi
    return np.asarray((tangents.conj() @ tangents.T - np.outer(along, along.conj())).real)


def random_observable(rng: np.random.Generator, num_qubits: int, terms: int = 6) -> PauliSum:
    """A Hermitian sum of random strings."""
    labels = ["".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(terms)]
    return PauliSum.from_labels(labels, rng.normal(size=terms))


A, B, C = Parameter("a"), Parameter("b"), Parameter("c")
EXPRESSIONS = st.sampled_from(
    [A, B, -C, 2 * A - 0.3, B / 3 + C, A * B, (A + 0.5).sin() - C, C.exp() / 4, A * A * C, 1.5 - (B * B + 1).sqrt()]
)


@st.composite
def symbolic_circuits(draw: st.DrawFn) -> Circuit:
    """A random circuit with expressions of three shared parameters in place of some of its angles."""
    circuit = draw(circuits(max_gates=10))
    angles = {slot: draw(EXPRESSIONS) for slot in range(len(circuit.params)) if draw(st.integers(0, 3))}
    columns = {name: np.array(getattr(circuit, name)) for name in COLUMN_TYPES}
    return Circuit.from_columns(
        num_qubits=circuit.num_qubits, data_items=circuit.data_items, expressions=angles, **columns
    )
