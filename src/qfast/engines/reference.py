"""The reference engine: short, clear, and written once against the array API standard.

The state is a tensor with one axis of length 2 per qubit that a gate names; the qubits between them are kept as whole
axes, so a gate on k qubits sees at most 2k + 1 axes. Gates run in the chosen array library; what reads a finished state
runs in numpy, where the state lives.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import AnyArray, ComplexArray, EngineName, FloatArray, IntArray, Isa, Precision, UIntArray
from qfast.engines import philox
from qfast.engines._lower import LoweredCircuit, Op
from qfast.engines.interface import AMPLITUDE_BYTES, CancelToken, check_cancel
from qfast.engines.samplers import MaskedObservable, Sampler
from qfast.errors import EngineError

if TYPE_CHECKING:
    from qfast.circuit import Circuit

_BLOCK = 1 << 14  # amplitudes that are converted to double at a time
_SLAB_QUBITS = 18  # of a state of which a gate does a part at a time: some milliseconds

# Library of each backend, and the namespace that gives it the array API. numpy 1.26 lacks parts of the standard; this
# file uses what it has.
_NAMESPACES = {
    "numpy": ("numpy", "numpy"),
    "pytorch": ("torch", "array_api_compat.torch"),
    "cupy": ("cupy", "array_api_compat.cupy"),
    "cupynumeric": ("cupynumeric", "cupynumeric"),
}


class ReferenceEngine:
    """Applies every gate as a tensor contraction; correct first.

    Parameters
    ----------
    array_backend : {"numpy", "pytorch", "cupy", "cupynumeric"}
        cuPyNumeric is used as a numpy-like namespace and is not tested here.

    Raises
    ------
    EngineError
        The library is not installed.
    """

    name: EngineName = "reference"
    max_walk_qubits = 0
    isa: Isa | None = None

    def __init__(self, array_backend: str = "numpy") -> None:
        if array_backend not in _NAMESPACES:
            raise EngineError(f"unknown array backend {array_backend!r}; known are {', '.join(_NAMESPACES)}")
        self.array_backend = array_backend
        library, namespace = _NAMESPACES[array_backend]
        try:
            importlib.import_module(library)
            self._xp: Any = importlib.import_module(namespace)
        except ImportError as error:
            raise EngineError(
                f"array backend {array_backend!r} was asked for, but importing it failed ({error}); "
                f"install {library} and array-api-compat, or choose the backend 'numpy'"
            ) from error

    def prepare(self, circuit: Circuit, *, precision: Precision) -> ReferenceCircuit:
        """List the circuit's operations; see `Engine.prepare`."""
        return ReferenceCircuit(self._xp, self.array_backend, circuit, precision)

    def trajectories(self, circuit: Circuit, *, precision: Precision) -> None:
        """See `Engine.trajectories`."""
        return None

    def probabilities(self, state: AnyArray, qubits: AnyArray, *, threads: int) -> FloatArray:
        """See `Engine.probabilities`."""
        listed = [int(qubit) for qubit in qubits]
        num_qubits = _num_qubits(state)
        weights = _weights(state)
        if not listed:
            return np.array([weights.sum()])
        shape, axis_of = _axes(num_qubits, listed)
        kept = [axis_of[qubit] for qubit in reversed(listed)]
        others = tuple(axis for axis in range(len(shape)) if axis not in kept)
        summed = weights.reshape(shape).sum(axis=others)
        order = np.argsort(np.argsort(kept))  # the kept axes, renumbered
        return np.ascontiguousarray(summed.transpose(order)).reshape(-1)

    def norm_squared(self, state: AnyArray, *, threads: int) -> float:
        """See `Engine.norm_squared`."""
        return self.inner_product(state, state, threads=threads).real

    def inner_product(self, a: AnyArray, b: AnyArray, *, threads: int) -> complex:
        """See `Engine.inner_product`."""
        parts = [
            np.vdot(a[i : i + _BLOCK].astype(np.complex128), b[i : i + _BLOCK].astype(np.complex128))
            for i in range(0, a.size, _BLOCK)
        ]
        return complex(np.sum(parts))

    def expectation_pauli(
        self, state: AnyArray, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray, *, threads: int
    ) -> complex:
        """See `Engine.expectation_pauli`."""
        return complex(self.pauli_overlaps(state, state, x_masks, z_masks, threads=threads) @ coefficients)

    def pauli_overlaps(
        self,
        bra: AnyArray,
        ket: AnyArray,
        x_masks: UIntArray,
        z_masks: UIntArray,
        *,
        threads: int,
        cancel: CancelToken | None = None,
    ) -> ComplexArray:
        """See `PauliEngine.pauli_overlaps`."""
        found = np.empty(x_masks.size, dtype=np.complex128)
        for term, (x_mask, z_mask) in enumerate(zip(x_masks.tolist(), z_masks.tolist(), strict=True)):
            if cancel is not None:
                cancel.raise_if_cancelled("reading an observable")
            found[term] = self.inner_product(bra, _apply_pauli(ket, x_mask, z_mask), threads=threads)
        return found

    def apply_pauli(
        self,
        state: AnyArray,
        x_masks: UIntArray,
        z_masks: UIntArray,
        coefficients: ComplexArray,
        out: AnyArray,
        *,
        threads: int,
        cancel: CancelToken | None = None,
    ) -> None:
        """See `PauliEngine.apply_pauli`."""
        total = np.zeros(state.size, dtype=np.complex128)
        for x_mask, z_mask, coefficient in zip(x_masks.tolist(), z_masks.tolist(), coefficients.tolist(), strict=True):
            if cancel is not None:
                cancel.raise_if_cancelled("applying an observable")
            total += coefficient * _apply_pauli(state, x_mask, z_mask)
        out[:] = total

    def observable(
        self, num_qubits: int, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray
    ) -> MaskedObservable:
        """See `Engine.observable`."""
        return MaskedObservable(self, x_masks, z_masks, coefficients)

    def sampler(self, state: AnyArray, *, threads: int) -> Sampler:
        """See `Engine.sampler`."""
        return Sampler(self, state, threads)

    def sample_indices(self, state: AnyArray, uniforms: FloatArray, *, threads: int) -> IntArray:
        """See `Engine.sample_indices`."""
        cumulative = np.cumsum(_weights(state))
        last = int(np.searchsorted(cumulative, cumulative[-1]))  # the last index that has a chance
        found = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
        indices: IntArray = np.minimum(found, last).astype(np.int64, copy=False)
        return indices

    def uniforms(self, seed: int, first_shot: int, count: int, site: int) -> FloatArray:
        """See `Engine.uniforms`."""
        return philox.uniforms(seed, first_shot, count, site)


class ReferenceCircuit:
    """A circuit prepared for the reference engine."""

    def __init__(self, xp: Any, array_backend: str, circuit: Circuit, precision: Precision) -> None:
        self._xp = xp
        self._backend = array_backend
        self._lowered = LoweredCircuit(circuit)
        self._precision = precision
        self.num_qubits = circuit.num_qubits
        self.num_parameters = self._lowered.num_parameters
        # A contraction holds a copy of its operand in the order it needs, the product, and that in index order.
        self.workspace_bytes = 3 * AMPLITUDE_BYTES[precision] << circuit.num_qubits

    def run(
        self, state: AnyArray, values: FloatArray, *, from_zero: bool, threads: int, cancel: CancelToken | None
    ) -> None:
        """See `PreparedCircuit.run`."""
        if from_zero:
            state[:] = 0
            state[0] = 1
        params, ops = self._lowered.params(values), self._lowered.ops
        psi = state if self._backend == "numpy" else self._xp.asarray(state)
        for done, op in enumerate(ops):
            check_cancel(cancel, "the run", done, len(ops), "gates")
            psi = self._apply_in_slabs(psi, op, params, cancel)
        if cancel is not None:
            cancel.report(len(ops), len(ops))
        if psi is not state:
            state[:] = _to_numpy(psi)

    def batch(self) -> None:
        """See `PreparedCircuit.batch`: one by one."""

    def explain(self) -> dict[str, Any]:
        """See `PreparedCircuit.explain`."""
        return {"operations": len(self._lowered.ops), "array_backend": self._backend}

    def _apply_in_slabs(self, psi: Any, op: Op, params: list[float], cancel: CancelToken | None) -> Any:
        """Apply one operation to a part of a large state at a time, so that a token is heard within a gate."""
        xp, n = self._xp, self.num_qubits
        named = set(op.controls + op.targets)
        outside = [qubit for qubit in range(n - 1, -1, -1) if qubit not in named][: max(0, n - _SLAB_QUBITS)]
        if not outside:
            return self._apply(psi, op, params, n)
        place = {qubit: qubit - sum(other < qubit for other in outside) for qubit in named}
        inner = replace(
            op,
            targets=tuple(place[qubit] for qubit in op.targets),
            controls=tuple(place[qubit] for qubit in op.controls),
        )
        shape, axis_of = _axes(n, outside)
        tensor = xp.reshape(psi, tuple(shape))
        for values in product((0, 1), repeat=len(outside)):
            if cancel is not None:
                cancel.raise_if_cancelled("the run")
            index: list[Any] = [slice(None)] * len(shape)
            for qubit, value in zip(outside, values, strict=True):
                index[axis_of[qubit]] = value
            slab = tensor[tuple(index)]
            changed = self._apply(xp.reshape(slab, (-1,)), inner, params, n - len(outside))
            tensor[tuple(index)] = xp.reshape(changed, slab.shape)
        return xp.reshape(tensor, (-1,))

    def _apply(self, psi: Any, op: Op, params: list[float], num_qubits: int) -> Any:
        """Apply one operation and return the state, which may be a new array."""
        xp = self._xp
        shape, axis_of = _axes(num_qubits, op.controls + op.targets)
        tensor = xp.reshape(psi, tuple(shape))
        index: list[Any] = [slice(None)] * len(shape)
        for qubit, value in zip(op.controls, op.control_values, strict=True):
            index[axis_of[qubit]] = value
        # Where the controls hold, their axes are gone and the axes after them move up.
        removed = sorted(axis_of[qubit] for qubit in op.controls)
        axes = [axis_of[qubit] - sum(r < axis_of[qubit] for r in removed) for qubit in reversed(op.targets)]
        part = tensor[tuple(index)]
        if op.kind == "matrix":
            changed = self._contract(part, op.matrix(params), axes)
        elif op.kind == "diagonal":
            changed = part * self._factors(op.content, axes, part.ndim)
        elif op.kind == "permutation":
            changed = self._permute(part, op.content, axes)
        else:
            changed = self._rotate(part, op, axes, params[op.slots.start])
        if not op.controls:
            return xp.reshape(changed, (-1,))
        tensor[tuple(index)] = changed
        return xp.reshape(tensor, (-1,))

    def _contract(self, part: Any, matrix: ComplexArray, axes: Sequence[int]) -> Any:
        """Multiply a matrix into axes, the most significant first."""
        xp, k = self._xp, len(axes)
        if k == 0:
            return part * complex(matrix[0, 0])
        tensor = self._constant(matrix.reshape((2,) * (2 * k)))
        contracted = xp.tensordot(tensor, part, axes=(tuple(range(k, 2 * k)), tuple(axes)))
        return xp.moveaxis(contracted, tuple(range(k)), tuple(axes))

    def _factors(self, diagonal: Any, axes: Sequence[int], ndim: int) -> Any:
        """Shape a diagonal such that it broadcasts against a tensor with the targets on `axes`."""
        order = np.argsort(axes)
        spread = np.asarray(diagonal).reshape((2,) * len(axes)).transpose(order)
        shape = [1] * ndim
        for axis in axes:
            shape[axis] = 2
        return self._constant(spread.reshape(shape))

    def _permute(self, part: Any, images: Any, axes: Sequence[int]) -> Any:
        xp, k = self._xp, len(axes)
        front = xp.moveaxis(part, tuple(axes), tuple(range(k)))
        shape = front.shape
        source = np.empty(1 << k, dtype=np.int64)
        source[images] = np.arange(1 << k)  # new index i takes the amplitude of the index whose image is i
        moved = xp.take(xp.reshape(front, (1 << k, -1)), self._xp.asarray(source), axis=0)
        return xp.moveaxis(xp.reshape(moved, shape), tuple(range(k)), tuple(axes))

    def _rotate(self, part: Any, op: Op, axes: Sequence[int], angle: float) -> Any:
        """exp(-i angle/2 P) = cos(angle/2) - i sin(angle/2) P."""
        letters = np.asarray(op.content).tolist()[::-1]  # in the order of the axes
        applied = part
        for axis, letter in zip(axes, letters, strict=True):
            if letter in (2, 3):
                signs = [1] * part.ndim
                signs[axis] = 2
                applied = applied * self._constant(np.array([1.0, -1.0]).reshape(signs))
        flipped = tuple(axis for axis, letter in zip(axes, letters, strict=True) if letter in (1, 2))
        if flipped:
            applied = self._xp.flip(applied, axis=flipped)
        factor = -1j * math.sin(angle / 2) * 1j ** letters.count(2)
        return part * math.cos(angle / 2) + applied * factor

    def _constant(self, array: AnyArray) -> Any:
        """Bring a small array into the library, in the state's precision."""
        return self._xp.asarray(np.array(array, dtype=self._precision, order="C"))  # a copy: PyTorch wants it writable


def _axes(num_qubits: int, qubits: Sequence[int]) -> tuple[list[int], dict[int, int]]:
    """Split the index at some qubits: the shape of the tensor, and each qubit's axis.

    The axes run from the most significant bit down: the bits above the highest listed qubit, that qubit, the bits
    between it and the next, and so on.
    """
    shape, axis_of, above = [], {}, num_qubits
    for qubit in sorted(qubits, reverse=True):
        shape += [1 << (above - qubit - 1), 2]
        axis_of[qubit] = len(shape) - 1
        above = qubit
    return [*shape, 1 << above], axis_of


def _apply_pauli(state: AnyArray, x_mask: int, z_mask: int) -> AnyArray:
    """Return P|ψ⟩: signs for Z and Y, then flips for X and Y, and a factor i for each Y (Y = iXZ)."""
    num_qubits = _num_qubits(state)
    qubits = [q for q in range(num_qubits) if (x_mask | z_mask) >> q & 1]
    shape, axis_of = _axes(num_qubits, qubits)
    tensor = state.reshape(shape).astype(np.complex128)
    for qubit in qubits:
        if z_mask >> qubit & 1:
            index: list[Any] = [slice(None)] * len(shape)
            index[axis_of[qubit]] = 1
            tensor[tuple(index)] *= -1
    tensor = np.flip(tensor, axis=tuple(axis_of[q] for q in qubits if x_mask >> q & 1))
    return np.ascontiguousarray(tensor).reshape(-1) * 1j ** (x_mask & z_mask).bit_count()


def _weights(state: AnyArray) -> FloatArray:
    """|amplitude|² in double."""
    weights: FloatArray = np.square(state.real, dtype=np.float64)
    weights += np.square(state.imag, dtype=np.float64)
    return weights


def _num_qubits(state: AnyArray) -> int:
    return state.size.bit_length() - 1


def _to_numpy(array: Any) -> AnyArray:
    """Copy an array of any library to main memory."""
    get = getattr(array, "get", None)  # CuPy refuses the implicit copy from the device
    return np.asarray(array if get is None else get())
