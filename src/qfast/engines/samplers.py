"""Drawing shots from one state, and observables prepared for many states: what engines have in common."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, IntArray, Isa, UIntArray
from qfast.engines.bits import Histogram, Rows, Wiring, row_bytes
from qfast.engines.interface import CancelToken, Engine, check_cancel
from qfast.extension import core

CHUNK = 1 << 22
"""Shots drawn at a time; their uniforms, indices and rows take some 150 MB."""

_WORD_BITS = 64


class Sampler:
    """Draws shots from a state, which must stay as it is meanwhile.

    Parameters
    ----------
    engine : Engine
        Draws basis-state indices.
    state : ndarray, shape (2**n,)
    threads : int
    """

    def __init__(self, engine: Engine, state: AnyArray, threads: int) -> None:
        self._engine = engine
        self._state = state
        self._threads = threads

    def find(self, uniforms: FloatArray) -> IntArray:
        """Return the basis state of each uniform; see `Engine.sample_indices`."""
        return self._engine.sample_indices(self._state, uniforms, threads=self._threads)

    def packed(
        self, seed: int, first_shot: int, shots: int, site: int, wiring: Wiring, cancel: CancelToken | None = None
    ) -> Rows:
        """Return the outcome of every shot, uint8 of shape (shots, row bytes)."""
        rows = np.empty((shots, row_bytes(wiring.num_bits)), dtype=np.uint8)
        for begin in range(0, shots, CHUNK):
            check_cancel(cancel, "sampling", begin, shots, "shots")
            count = min(CHUNK, shots - begin)
            rows[begin : begin + count] = self._chunk(seed, first_shot + begin, count, site, wiring)
        return rows

    def count(
        self, seed: int, first_shot: int, shots: int, site: int, wiring: Wiring, cancel: CancelToken | None = None
    ) -> tuple[Rows, IntArray]:
        """Return the distinct outcomes, ascending, and how often each came; memory does not grow with the shots."""
        histogram = Histogram(wiring.num_bits)
        for begin in range(0, shots, CHUNK):
            check_cancel(cancel, "sampling", begin, shots, "shots")
            histogram.add(self._chunk(seed, first_shot + begin, min(CHUNK, shots - begin), site, wiring))
        return histogram.result()

    def _chunk(self, seed: int, first_shot: int, shots: int, site: int, wiring: Wiring) -> Rows:
        return wiring.pack(self.find(self._engine.uniforms(seed, first_shot, shots, site)))


class NativeSampler(Sampler):
    """The core's sampler: it reads the state once and packs and counts in C++."""

    def __init__(self, engine: Engine, state: AnyArray, threads: int, isa: Isa) -> None:
        super().__init__(engine, state, threads)
        self._core = core.Sampler(state, threads, isa)

    def find(self, uniforms: FloatArray) -> IntArray:
        """See `Sampler.find`."""
        found: IntArray = self._core.find(uniforms, self._threads)
        return found

    def packed(
        self, seed: int, first_shot: int, shots: int, site: int, wiring: Wiring, cancel: CancelToken | None = None
    ) -> Rows:
        """See `Sampler.packed`."""
        if wiring.num_bits > _WORD_BITS:
            return super().packed(seed, first_shot, shots, site, wiring, cancel)
        rows: Rows = self._core.sample_packed(
            seed, first_shot, shots, site, wiring.sources, self._threads, cancel and cancel.native
        )
        return rows

    def count(
        self, seed: int, first_shot: int, shots: int, site: int, wiring: Wiring, cancel: CancelToken | None = None
    ) -> tuple[Rows, IntArray]:
        """See `Sampler.count`."""
        if wiring.num_bits > _WORD_BITS:
            return super().count(seed, first_shot, shots, site, wiring, cancel)
        found: tuple[Rows, IntArray] = self._core.count(
            seed, first_shot, shots, site, wiring.sources, self._threads, cancel and cancel.native
        )
        return found


class PauliEngine(Engine, Protocol):
    """An engine that reads Pauli strings one X mask at a time, without preparing them."""

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
        """Return ⟨bra|P|ket⟩ of each string, complex128, accumulated in double."""
        ...

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
        """Write Σ c P|ψ⟩ into `out`, an array like `state` that does not overlap it."""
        ...


class MaskedObservable:
    """A Pauli sum for any number of states; see `Engine.observable`."""

    def __init__(self, engine: PauliEngine, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray) -> None:
        self._engine = engine
        self._masks = x_masks, z_masks, coefficients

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """Return ⟨ψ|O|ψ⟩."""
        x_masks, z_masks, coefficients = self._masks
        overlaps = self._engine.pauli_overlaps(state, state, x_masks, z_masks, threads=threads, cancel=cancel)
        return complex(overlaps @ coefficients)

    def term_values(self, state: AnyArray, *, threads: int) -> FloatArray:
        """Return ⟨ψ|P|ψ⟩ of each string."""
        return self._engine.pauli_overlaps(state, state, *self._masks[:2], threads=threads).real

    def imaginary_overlaps(self, bra: AnyArray, ket: AnyArray, *, threads: int) -> FloatArray:
        """Return Im ⟨bra|P|ket⟩ of each string."""
        return self._engine.pauli_overlaps(bra, ket, *self._masks[:2], threads=threads).imag

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """Write O|ψ⟩ into `out`."""
        self._engine.apply_pauli(state, *self._masks, out, threads=threads, cancel=cancel)


class NativeObservable:
    """A Pauli sum that the core has grouped."""

    def __init__(
        self, num_qubits: int, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray, isa: Isa
    ) -> None:
        self.core: Any = core.PauliSum(num_qubits, x_masks, z_masks, coefficients)
        self._isa = isa

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """Return ⟨ψ|O|ψ⟩."""
        return complex(self.core.expectation(state, threads, self._isa, cancel and cancel.native))

    def term_values(self, state: AnyArray, *, threads: int) -> FloatArray:
        """Return ⟨ψ|P|ψ⟩ of each string."""
        found: FloatArray = self.core.term_values(state, threads, self._isa)
        return found

    def imaginary_overlaps(self, bra: AnyArray, ket: AnyArray, *, threads: int) -> FloatArray:
        """Return Im ⟨bra|P|ket⟩ of each string."""
        found: FloatArray = self.core.imaginary_overlaps(bra, ket, threads, self._isa)
        return found

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """Write O|ψ⟩ into `out`."""
        self.core.apply(state, out, threads, self._isa, cancel and cancel.native)
