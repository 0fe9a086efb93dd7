"""The density matrix after a simulation, and what can be read from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from qfast._typing import AnyArray, FloatArray
from qfast.circuit import Observable, Operator
from qfast.circuit.operators import check_observable
from qfast.errors import InputError
from qfast.noise.channel import checked_qubits
from qfast.simulation.prepared_observables import measurable
from qfast.simulation.provenance import Provenance
from qfast.simulation.run_settings import run_settings
from qfast.simulation.working_states import initial_array

__all__ = ["DensityMatrix"]


class DensityMatrix:
    """A density matrix. The state under noise: `qfast.simulate(circuit, noise=…)` returns one.

    Attributes
    ----------
    matrix : ndarray, complex, shape (2**n, 2**n)
        ``matrix[i, j]`` is ⟨i|rho|j⟩; qubit 0 is the least significant bit.
    num_qubits : int
    """

    __slots__ = ("_metadata", "matrix", "num_qubits")

    def __init__(self, matrix: AnyArray) -> None:
        self.matrix = matrix
        self.num_qubits = len(matrix).bit_length() - 1
        self._metadata: Provenance | dict[str, Any] = {}

    @classmethod
    def _of_run(cls, matrix: AnyArray, made: Provenance) -> DensityMatrix:
        """Wrap what a run has just computed, unchecked."""
        state = cls(matrix)
        state._metadata = made
        return state

    @property
    def metadata(self) -> dict[str, Any]:
        """Provenance; see `Samples.metadata`."""
        if isinstance(self._metadata, Provenance):
            self._metadata = self._metadata.as_dict()
        return self._metadata

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to `metadata`; the job layer tells here which job made the result."""
        self.metadata.update(entries)

    def probabilities(self, qubits: Iterable[int] | None = None) -> FloatArray:
        """Return the joint distribution of some qubits, shape (2**k,), the first listed least significant."""
        listed = tuple(range(self.num_qubits)) if qubits is None else checked_qubits(qubits, "probabilities")
        if any(qubit >= self.num_qubits for qubit in listed):
            raise InputError(f"probabilities of qubits {list(listed)} were asked for; there are {self.num_qubits}")
        diagonal = np.ascontiguousarray(self.matrix.diagonal().real, dtype=np.float64)
        index = np.arange(diagonal.size)
        outcome = np.zeros_like(index)
        for place, qubit in enumerate(listed):
            outcome |= (index >> qubit & 1) << place
        found = np.bincount(outcome, weights=diagonal, minlength=1 << len(listed))
        return found.astype(np.float64, copy=False)

    def expectation(self, observable: Observable) -> complex | float:
        """Return tr(O rho): a float where the observable's coefficients are real, or it is Hermitian."""
        if isinstance(observable, Operator):
            return self._expectation_of(observable)
        check_observable(observable, "expectation")
        index = np.arange(1 << self.num_qubits)
        total = 0j
        for letters, qubits, coefficient in observable:
            if qubits and max(qubits) >= self.num_qubits:
                raise InputError(f"the term {letters!r} on {list(qubits)} does not fit {self.num_qubits} qubits")
            x_mask = sum(1 << q for letter, q in zip(letters, qubits, strict=True) if letter in "XY")
            z_mask = sum(1 << q for letter, q in zip(letters, qubits, strict=True) if letter in "YZ")
            signs = np.ones(index.size)
            for qubit in range(self.num_qubits):
                if z_mask >> qubit & 1:
                    signs *= 1 - 2 * (index >> qubit & 1)
            # P|k> = i^(number of Y) (-1)^(z.k) |k xor x>, so tr(P rho) gathers rho[k, k xor x].
            total += (
                coefficient * 1j ** letters.count("Y") * complex((signs * self.matrix[index, index ^ x_mask]).sum())
            )
        is_real = all(np.imag(coefficient) == 0 for _, _, coefficient in observable)
        return total.real if is_real else total

    def _expectation_of(self, operator: Operator) -> complex | float:
        """tr(O rho), column by column of rho."""
        settings = run_settings()
        wanted = measurable(operator, settings.engine, self.num_qubits)
        columns = np.ascontiguousarray(self.matrix.T)
        moved = np.empty_like(columns[0])
        total = 0j
        for place, column in enumerate(columns):
            wanted.prepared.apply(column, moved, threads=settings.threads)
            total += complex(moved[place])
        return total.real if wanted.is_hermitian else total

    def purity(self) -> float:
        """Return tr(rho²)."""
        return float(np.square(np.abs(self.matrix), dtype=np.float64).sum())

    def fidelity(self, state: Any) -> float:
        """Return ⟨ψ|rho|ψ⟩ with a pure state, a Statevector or an array of shape (2**n,)."""
        vector = initial_array(state, self.num_qubits)
        assert vector is not None
        return float(np.vdot(vector, self.matrix @ vector).real)

    def __repr__(self) -> str:
        return f"<DensityMatrix: {self.num_qubits} qubits, {self.matrix.dtype}>"
