"""Readout mitigation: undo misreadings that calibration circuits have shown, qubit by qubit.

Calibration circuits prepare a qubit by no, one or two x gates. With the errors of x a flip after the gate, ⟨Z⟩ is 1, -λ
and λ² before it is read, and reading makes a + b ⟨Z⟩ of it: three means, three unknowns. A calibration of two circuits
would take the errors of the one x for errors of the readout. What decays during a gate, rather than flips, is told from
readout by half only: states and readout share such a shift, and no circuit tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray
from qfast.circuit import Circuit
from qfast.errors import InputError
from qfast.noise.channel import checked_qubits

__all__ = ["QuasiDistribution", "ReadoutCalibration", "calibration_circuits", "mitigated_distribution", "sign_factors"]

NUM_CIRCUITS = 3
"""Of a calibration."""

_ESTIMATED = 0.1  # how far below 0 an estimated probability may be
_CHANCE = 5.0  # standard deviations beyond which misreadings are taken to depend on each other
_LEAST_CONTRAST = 1e-3  # 1 - p(1|0) - p(0|1) below this: the readout tells nothing
_LEAST_PROBABILITY = 1e-12
_DIRECT = 1500  # outcomes up to which the reduced matrix is solved as a whole: 18 MB
_BLOCK_ENTRIES = 1 << 22  # of the matrix that stand in memory at a time
_MAX_ITERATIONS = 200
_RESIDUAL = 1e-8


@dataclass(frozen=True, eq=False)
class ReadoutCalibration:
    """How often each qubit is misread.

    Parameters
    ----------
    qubits : sequence of int
    flips : array_like of float, shape (k, 2)
        Of each qubit the probabilities of reading 1 for 0, and 0 for 1.
    shots : int, optional
        Of each calibration circuit; None: the flips are known exactly.
    covariances : array_like of float, shape (k, 2, 2), optional
        Of the two flips of each qubit. By default those of two circuits of so many shots.
    correlated : iterable of (int, int), optional
        Pairs of qubits whose misreadings were seen to depend on each other: products over both cannot be corrected
        qubit by qubit.

    Raises
    ------
    InputError
        A probability outside [0, 1], or a qubit whose readout tells nothing: the two add up to 1 or more.
    """

    qubits: tuple[int, ...]
    flips: FloatArray
    shots: int | None
    covariances: FloatArray
    correlated: tuple[tuple[int, int], ...]

    def __init__(
        self,
        qubits: Iterable[int],
        flips: Any,
        shots: int | None = None,
        covariances: Any = None,
        correlated: Iterable[tuple[int, int]] = (),
    ) -> None:
        listed = checked_qubits(qubits, "readout calibration")
        table: FloatArray = np.array(flips, dtype=np.float64)
        # Estimates scatter about their value, also below 0; cut off there, they would be too large on the average.
        least = 0.0 if covariances is None else -_ESTIMATED
        if table.shape != (len(listed), 2) or not ((table >= least) & (table <= 1)).all():
            raise InputError(
                f"readout calibration: flips of shape {table.shape} were given for {len(listed)} qubits; two "
                "probabilities for each are needed"
            )
        for qubit, (up, down) in zip(listed, table.tolist(), strict=True):
            if 1 - up - down < _LEAST_CONTRAST:
                raise InputError(
                    f"readout calibration: qubit {qubit} reads 1 for 0 with probability {up:g} and 0 for 1 with "
                    f"{down:g}; they must add up to less than 1, or its readout tells nothing"
                )
        spread = _binomial(table, shots) if covariances is None else np.array(covariances, dtype=np.float64)
        if spread.shape != (len(listed), 2, 2):
            raise InputError(
                f"readout calibration: covariances of shape {spread.shape} were given; {(len(listed), 2, 2)} is needed"
            )
        table.flags.writeable = spread.flags.writeable = False
        object.__setattr__(self, "qubits", listed)
        object.__setattr__(self, "flips", table)
        object.__setattr__(self, "shots", shots)
        object.__setattr__(self, "covariances", spread)
        object.__setattr__(self, "correlated", tuple((int(a), int(b)) for a, b in correlated))

    @classmethod
    def of_readings(cls, qubits: Sequence[int], readings: Sequence[AnyArray]) -> ReadoutCalibration:
        """Make it of what the circuits of `calibration_circuits` read, bool arrays of shape (shots, k).

        Raises
        ------
        InputError
            A qubit whose x gate errs so often, or whose readout tells so little, that nothing can be learnt.
        """
        shots = min(len(read) for read in readings)
        signs = np.stack([1 - 2 * read.mean(axis=0) for read in readings])  # ⟨Z⟩ as it is read
        first, second = signs[0] - signs[1], signs[2] - signs[1]
        for qubit, seen in zip(qubits, signs.T.tolist(), strict=True):
            if seen[0] - seen[1] < _LEAST_CONTRAST or seen[2] - seen[1] < (seen[0] - seen[1]) / 2:
                shown = ", ".join(f"{sign:.3g}" for sign in seen)
                raise InputError(
                    f"readout calibration: qubit {qubit} reads ⟨Z⟩ = {shown} after no, one and two x gates; its "
                    "readout or its x gate tells nothing"
                )
        kept = second / first  # λ
        slope = first / (1 + kept)  # b
        flips = np.stack([(1 - signs[0]) / 2, (1 + signs[0]) / 2 - slope], axis=1)
        # d b / d signs: with first and second as above, b = first² / (first + second).
        total = first + second
        by_first, by_second = first * (first + 2 * second) / total**2, -np.square(first / total)
        gains = np.stack([by_first, -by_first - by_second, by_second])  # (3, k)
        down = np.array([0.5, 0.0, 0.0])[:, None] - gains
        up = np.repeat(np.array([-0.5, 0.0, 0.0])[:, None], len(qubits), axis=1)
        slopes = np.stack([up, down])  # (2, 3, k)
        chances = (1 - signs) / 2
        smoothed = (chances * shots + 1) / (shots + 2)
        variances = 4 * smoothed * (1 - smoothed) / shots
        covariances = np.einsum("irk,rk,jrk->kij", slopes, variances, slopes)
        return cls(qubits, flips, shots, covariances, _correlated(qubits, readings))

    def of(self, qubits: Sequence[int]) -> FloatArray:
        """Return the flips of some qubits, shape (k, 2)."""
        places = {qubit: place for place, qubit in enumerate(self.qubits)}
        missing = [qubit for qubit in qubits if qubit not in places]
        if missing:
            raise InputError(
                f"the readout of qubits {missing} was not calibrated; the calibration has {list(self.qubits)}"
            )
        return self.flips[[places[qubit] for qubit in qubits]]

    def variance(self, qubits: Sequence[int], slopes: FloatArray) -> float:
        """Return the variance that the calibration's errors give to a value.

        Parameters
        ----------
        qubits : sequence of int
        slopes : ndarray of float64, shape (2 k,)
            Of the value by the flips of these qubits.
        """
        places = [self.qubits.index(qubit) for qubit in qubits]
        pairs = slopes.reshape(len(qubits), 2)
        return float(np.einsum("ki,kij,kj->", pairs, self.covariances[places], pairs))

    def check_product(self, qubits: Iterable[int]) -> None:
        """Raise ``InputError`` where the product over some qubits cannot be corrected qubit by qubit."""
        inside = set(qubits)
        for first, second in self.correlated:
            if first in inside and second in inside:
                raise InputError(
                    f"readout mitigation: the misreadings of qubits {first} and {second} depend on each other, and are "
                    "corrected qubit by qubit: a term that acts on both would come out wrong; leave 'readout' out"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "qubits": list(self.qubits), "flips": self.flips.tolist(), "shots": self.shots,
            "covariances": self.covariances.tolist(), "correlated": [list(pair) for pair in self.correlated],
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<ReadoutCalibration: {len(self.qubits)} qubits, mean error {self.flips.mean():.3g}>"


def _binomial(flips: FloatArray, shots: int | None) -> FloatArray:
    covariances = np.zeros((len(flips), 2, 2))
    if shots is not None:
        # One misreading more and one less: none seen in n shots does not mean that there are none.
        smoothed = (flips * shots + 1) / (shots + 2)
        covariances[:, [0, 1], [0, 1]] = smoothed * (1 - smoothed) / shots
    return covariances


def _correlated(qubits: Sequence[int], readings: Sequence[AnyArray]) -> list[tuple[int, int]]:
    """Return the pairs whose readings vary together by more than chance: five standard deviations in some circuit."""
    found: set[tuple[int, int]] = set()
    for read in readings:
        centred = read - read.mean(axis=0)
        spread = np.square(centred).mean(axis=0)
        together = centred.T @ centred / len(read)
        chance = np.sqrt(np.outer(spread, spread) / len(read)) + 1 / len(read)
        pairs = np.argwhere(np.triu(np.abs(together) > _CHANCE * chance, 1)).tolist()
        found |= {(qubits[first], qubits[second]) for first, second in pairs}
    return sorted(found)


def calibration_circuits(num_qubits: int, qubits: Sequence[int]) -> list[Circuit]:
    """Return circuits with no, one and two x gates on every qubit, measured: bit j is ``qubits[j]``."""
    made = []
    for number in range(NUM_CIRCUITS):
        circuit = Circuit(num_qubits, len(qubits))
        for _ in range(number):
            for qubit in qubits:
                circuit.x(qubit)
        made.append(circuit.measure(list(qubits), range(len(qubits))))
    return made


def sign_factors(flips: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what replaces the sign ±1 of a bit that is read, and its derivatives.

    The confusion matrix of a qubit with flips (a, b) is ``[[1-a, b], [a, 1-b]]``; its inverse, applied to the signs
    (1, -1), gives ``(±1 - (b - a)) / (1 - a - b)``: the mean of these over readings is the true ⟨Z⟩.

    Returns
    -------
    factors : ndarray of float64, shape (k, 2)
        For each qubit what a 0 and a 1 count.
    derivatives : ndarray of float64, shape (k, 2, 2)
        By the first and the second flip, of each factor.
    """
    up, down = flips[:, 0], flips[:, 1]
    contrast = (1 - up - down)[:, None]
    factors = (np.array([1.0, -1.0]) - (down - up)[:, None]) / contrast
    by_up, by_down = (1 + factors) / contrast, (factors - 1) / contrast
    return factors, np.stack([by_up, by_down], axis=1)


# --- distributions ----------------------------------------------------------------------------------------------------
class QuasiDistribution(dict[str, float]):
    """Quasi-probabilities by bitstring, bit 0 rightmost: they add up to 1, and some may be negative.

    Attributes
    ----------
    overhead : float
        Upper bound on how much wider errors are than those of plain counts: the 1-norm of the inverted readout.
    iterations : int
        Of the solver; 0: solved directly.
    """

    overhead: float = 1.0
    iterations: int = 0

    def nearest_probabilities(self) -> dict[str, float]:
        """Return the probability distribution that is nearest in the 2-norm (Smolin, Gambetta and Smith, 2012)."""
        left, deficit = len(self), 0.0
        kept: dict[str, float] = {}
        for key, value in sorted(self.items(), key=lambda item: item[1]):
            if not kept and value + deficit / left < 0:
                deficit += value
                left -= 1
            else:
                kept[key] = value + deficit / left
        return dict(sorted(kept.items()))

    def expectation(self, sign_of: Mapping[str, float] | None = None) -> float:
        """Return the mean of the parity of all bits, or of the values given by bitstring."""
        if sign_of is not None:
            return math.fsum(weight * sign_of[key] for key, weight in self.items())
        return math.fsum(weight * (-1) ** key.count("1") for key, weight in self.items())


def mitigated_distribution(bits: AnyArray, counts: IntArray, flips: FloatArray) -> QuasiDistribution:
    """Undo misreadings of counts on the subspace of the bitstrings that were seen.

    Parameters
    ----------
    bits : ndarray of uint8, shape (k, n)
        Distinct outcomes, column j for bit j.
    counts : ndarray of int, shape (k,)
    flips : ndarray of float64, shape (n, 2)
        Of each bit; zeros for a bit that is read as it is.

    Returns
    -------
    QuasiDistribution

    Raises
    ------
    InputError
        The readout is so bad that the iteration does not converge.

    Notes
    -----
    The method of M3 (Nation, Kang, Sundaresan and Gambetta, PRX Quantum 2, 040326): the readout is a product of 2 x 2
    matrices; of it, only the rows and columns of the k outcomes that were seen are taken, its columns normalised.
    Up to 1500 outcomes are solved directly, more by GMRES with the diagonal as preconditioner, on blocks of the matrix
    that are made when needed: time k² n a step, memory 32 MB, never 2^n.
    """
    up, down = np.clip(flips, 0.0, 1.0).T
    table = np.stack([1 - up, down, up, 1 - down], axis=1)
    # The logarithm of probability 0 would be minus infinity.
    matrix = _Reduced(bits.astype(np.float64), np.log(np.maximum(table, _LEAST_PROBABILITY)))
    frequencies = counts / counts.sum()
    if len(counts) <= _DIRECT:
        solved, iterations = np.linalg.solve(matrix.rows(0, len(counts)), frequencies), 0
    else:
        solved, iterations = _gmres(matrix, frequencies)
    keys = ["".join(map(str, row[::-1])) for row in bits.tolist()]
    result = QuasiDistribution(sorted(zip(keys, solved.tolist(), strict=True)))
    contrast = 1 - flips.sum(axis=1)
    result.overhead = float(np.prod((1 + np.abs(flips[:, 1] - flips[:, 0])) / contrast))
    result.iterations = iterations
    return result


class _Reduced:
    """The readout matrix on the outcomes that were seen, columns normalised, made block by block."""

    def __init__(self, bits: FloatArray, logs: FloatArray) -> None:
        same, up_or_down = logs[:, 0], logs[:, 2] - logs[:, 0]
        # log P(read r | true t) = sum over bits of l00 + r (l10 - l00) + t (l01 - l00) + r t (l11 - l10 - l01 + l00).
        self._bits = bits
        self._of_read = bits @ up_or_down + same.sum()
        self._of_true = bits @ (logs[:, 1] - logs[:, 0])
        self._of_both = bits * (logs[:, 3] - logs[:, 2] - logs[:, 1] + logs[:, 0])
        self._norms = np.ones(len(bits))
        self._norms = sum((block.sum(axis=0) for _, block in self._blocks()), np.zeros(len(bits)))

    def rows(self, begin: int, end: int) -> FloatArray:
        """Return some rows: P(read the row's | true is the column's)."""
        logs = self._of_both[begin:end] @ self._bits.T
        logs += self._of_read[begin:end, None]
        logs += self._of_true
        found: FloatArray = np.exp(logs, out=logs) / self._norms
        return found

    def diagonal(self) -> FloatArray:
        """Return the diagonal."""
        logs = (self._of_both * self._bits).sum(axis=1) + self._of_read + self._of_true
        found: FloatArray = np.exp(logs) / self._norms
        return found

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        return np.concatenate([block @ vector for _, block in self._blocks()])

    def _blocks(self) -> Iterable[tuple[int, FloatArray]]:
        size = max(1, _BLOCK_ENTRIES // len(self._bits))
        for begin in range(0, len(self._bits), size):
            yield begin, self.rows(begin, begin + size)


def _gmres(matrix: _Reduced, right: FloatArray) -> tuple[FloatArray, int]:
    """Solve by GMRES (Saad and Schultz 1986), preconditioned by the diagonal from the left."""
    diagonal = matrix.diagonal()
    start = right / diagonal
    residual = start - (matrix @ start) / diagonal
    norm = float(np.linalg.norm(residual))
    target = _RESIDUAL * float(np.linalg.norm(start))
    if norm <= target:
        return start, 0
    basis = [residual / norm]
    hessenberg = np.zeros((_MAX_ITERATIONS + 1, _MAX_ITERATIONS))
    for step in range(_MAX_ITERATIONS):
        vector = (matrix @ basis[step]) / diagonal
        for place, other in enumerate(basis):
            hessenberg[place, step] = other @ vector
            vector = vector - hessenberg[place, step] * other
        hessenberg[step + 1, step] = np.linalg.norm(vector)
        aim = np.zeros(step + 2)
        aim[0] = norm
        part = hessenberg[: step + 2, : step + 1]
        weights = np.linalg.lstsq(part, aim, rcond=None)[0]
        if np.linalg.norm(part @ weights - aim) <= target:
            return start + np.stack(basis, axis=1) @ weights, step + 1
        basis.append(vector / hessenberg[step + 1, step])
    raise InputError(
        f"readout mitigation of {len(right)} outcomes did not converge in {_MAX_ITERATIONS} steps; the readout errors "
        "are too large: take more shots of fewer bits"
    )
