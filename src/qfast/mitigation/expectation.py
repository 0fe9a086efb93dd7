"""Expectation values with error mitigation: fold, twirl, decouple, measure, undo misreadings, extrapolate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.circuit import Circuit, PauliSum
from qfast.circuit.shot_plan import split_shots
from qfast.errors import InputError
from qfast.estimation import Estimate, Setting
from qfast.mitigation.extrapolation import Extrapolation, extrapolate
from qfast.mitigation.folding import fold
from qfast.mitigation.options import Mitigation
from qfast.mitigation.readout import ReadoutCalibration, sign_factors
from qfast.mitigation.rewriting import body_and_end
from qfast.mitigation.target import Target
from qfast.mitigation.twirling import twirl
from qfast.simulation.basis_counts import without_measurements
from qfast.simulation.seeds import derived_seed

__all__ = [
    "check_exact",
    "exact_values",
    "sampled_value",
]


def sampled_value(
    circuit: Circuit,
    settings: Sequence[Setting],
    shares: Sequence[int],
    constant: float,
    mitigation: Mitigation,
    target: Target,
) -> Estimate:
    """Measure an observable that is divided into settings, of bound circuits.

    Parameters
    ----------
    shares : sequence of int
        Shots of each setting, at each scale factor.
    constant : float
        The observable's multiple of the identity.

    Returns
    -------
    Estimate
        Its error holds the shots', the calibration's and that of the randomisations, as the extrapolation spreads them.
        Its ``metadata``: ``methods``; ``scale_factors`` (as they were reached), ``values`` and ``errors`` there;
        ``extrapolation``; ``readout`` (the calibration); ``cost`` (circuits, shots, calibration_shots, windows,
        gates_twirled).
    """
    qubits = sorted({qubit for setting in settings for qubit in setting.qubits})
    calibration = _calibration(mitigation, target, circuit.num_qubits, qubits)
    body = without_measurements(circuit)
    size = 0 if calibration is None else 2 * len(qubits)
    if calibration is not None:
        for setting in settings:
            for mask in setting.masks.tolist():
                calibration.check_product(q for j, q in enumerate(setting.qubits) if mask >> j & 1)

    def of_calibration(slopes: FloatArray) -> float:
        return 0.0 if calibration is None else calibration.variance(qubits, slopes)

    points: list[_Sum] = []
    plain: list[_Sum] = []
    scales = []
    for number, (folded, scale) in enumerate(_folded(body, mitigation)):
        scales.append(scale)
        point, raw = _Sum(constant, 0.0, np.zeros(size)), _Sum(constant, 0.0, np.zeros(0))
        for place, (setting, share) in enumerate(zip(settings, shares, strict=True)):
            found = _measure(folded, setting, share, mitigation, target, (number, place))
            factors = None if calibration is None else _SettingFactors(calibration, qubits, setting)
            point = point + _estimate(setting, found, factors)
            raw = raw + _estimate(setting, found, None)
        points.append(point)
        plain.append(raw)
    errors = [math.sqrt(point.variance + of_calibration(point.slopes)) for point in points]
    result = _combined(mitigation, scales, [point.value for point in points], errors, constant)
    weights = np.array(result.weights) if result is not None else np.ones(1)
    # The same calibration corrects all scale factors: its errors add up before they are squared.
    slopes = sum((w * point.slopes for w, point in zip(weights, points, strict=True)), np.zeros(size))
    variance = sum(w**2 * point.variance for w, point in zip(weights.tolist(), points, strict=True))
    error = math.sqrt(variance + of_calibration(slopes))
    value = points[0].value if result is None else result.value
    metadata = _metadata(mitigation, target, scales, points, errors, result, calibration)
    return _result(value, error, plain[int(np.argmin(scales))], target, metadata)


def exact_values(
    circuit: Circuit, observables: Sequence[PauliSum], mitigation: Mitigation, target: Target
) -> list[Estimate]:
    """Mitigate exact expectation values, those of the density matrix; readout errors play no part in them.

    Raises
    ------
    InputError
        Readout mitigation is asked for.
    """
    check_exact(mitigation)
    body = without_measurements(circuit)
    scales, tables = [], []
    for number, (folded, scale) in enumerate(_folded(body, mitigation)):
        scales.append(scale)
        variants = _variants(folded, mitigation, target, (number, 0), mitigation.randomizations)
        tables.append(np.array([target.exact(variant, observables, mitigation) for variant in variants]))
    found = []
    for column, observable in enumerate(observables):
        constant = float(sum(np.real(c) for letters, _, c in observable if not letters.strip("I")))
        points = [_Sum(float(t[:, column].mean()), _mean_variance(t[:, column]), np.zeros(0)) for t in tables]
        errors = [math.sqrt(point.variance) for point in points]
        result = _combined(mitigation, scales, [point.value for point in points], errors, constant)
        metadata = _metadata(mitigation, target, scales, points, errors, result, None)
        value, error = (points[0].value, errors[0]) if result is None else (result.value, result.standard_error)
        found.append(_result(value, error, points[int(np.argmin(scales))], target, metadata))
    return found


def check_exact(mitigation: Mitigation) -> None:
    """Raise ``InputError`` for methods that need shots."""
    if mitigation.readout:
        raise InputError(
            "readout mitigation corrects shots, and exact expectation values have no readout errors; ask for shots (an "
            "Estimator with a precision, a ShotPlan), or leave 'readout' out"
        )


def _result(value: float, error: float, raw: _Sum, target: Target, metadata: dict[str, Any]) -> Estimate:
    spent = target.spent
    plain = Estimate(raw.value, math.sqrt(raw.variance), spent.shots)
    return Estimate(value, error, spent.shots + spent.calibration_shots, plain, metadata)


# --- circuits ---------------------------------------------------------------------------------------------------------
def _folded(body: Circuit, mitigation: Mitigation) -> list[tuple[Circuit, float]]:
    if not mitigation.zne:
        return [(body, 1.0)]
    body_and_end(body, "zero-noise extrapolation")
    return [fold(body, scale, mitigation.folding) for scale in mitigation.scale_factors]


def _variants(
    folded: Circuit, mitigation: Mitigation, target: Target, place: tuple[int, int], count: int
) -> list[Circuit]:
    """Return the circuit, or randomised ones, others for each place: scale factor and setting."""
    if not mitigation.twirling:
        return [folded]
    made = [twirl(folded, derived_seed(target.seed, "randomization", *place, k)) for k in range(count)]
    target.spent.gates_twirled = max(target.spent.gates_twirled, made[0][1])
    return [circuit for circuit, _ in made]


def _calibration(
    mitigation: Mitigation, target: Target, num_qubits: int, qubits: list[int]
) -> ReadoutCalibration | None:
    if isinstance(mitigation.readout, ReadoutCalibration):
        mitigation.readout.of(qubits)
        return mitigation.readout
    if not mitigation.readout or not qubits:
        return None
    return target.calibrate(num_qubits, qubits, mitigation.calibration_shots)


# --- estimates --------------------------------------------------------------------------------------------------------
_Parts = list[tuple[UIntArray, IntArray]]
"""Outcomes and counts of each randomisation."""


def _measure(
    folded: Circuit, setting: Setting, share: int, mitigation: Mitigation, target: Target, place: tuple[int, int]
) -> _Parts:
    count = min(mitigation.randomizations, share // 2) if mitigation.twirling else 1
    parts = split_shots(share, -(-share // max(1, count)))
    variants = _variants(folded, mitigation, target, place, len(parts))
    return [target.outcomes(c, setting, mitigation, n) for c, n in zip(variants, parts, strict=True)]


@dataclass(frozen=True, slots=True)
class _Sum:
    """A value, its variance from shots and randomisations, and its slopes by each flip of the calibration."""

    value: float
    variance: float
    slopes: FloatArray

    def __add__(self, other: _Sum) -> _Sum:
        return _Sum(self.value + other.value, self.variance + other.variance, self.slopes + other.slopes)


class _SettingFactors:
    """What the bits of one setting count instead of ±1, and the slopes of these numbers."""

    def __init__(self, calibration: ReadoutCalibration, qubits: Sequence[int], setting: Setting) -> None:
        self.factors, self.derivatives = sign_factors(calibration.of(setting.qubits))
        self.places = [qubits.index(qubit) for qubit in setting.qubits]
        self.size = 2 * len(qubits)


def _estimate(setting: Setting, parts: _Parts, factors: _SettingFactors | None) -> _Sum:
    """Return mean and variance of a setting's value; the spread between randomisations is part of the variance."""
    slopes = np.zeros(0 if factors is None else factors.size)
    total = sum(int(counts.sum()) for _, counts in parts)
    means, shots, squares = [], [], 0.0
    for words, counts in parts:
        if factors is None:
            values = setting.values(words)
        else:
            values, by_flip = _corrected(setting, words, factors)
            slopes += (by_flip * counts).sum(axis=1) / total
        number = int(counts.sum())
        mean = float((values * counts).sum()) / number  # sums: BLAS would leave threads spinning beside the engine's
        squares += float((np.square(values - mean) * counts).sum())
        means.append(mean)
        shots.append(number)
    mean = float(np.dot(means, shots)) / total
    within = squares / max(1, total - len(parts))
    variance = within / total
    if len(parts) > 1:
        # One-way analysis of variance: what the means differ by more than their shots explain.
        between = float(np.dot(np.square(np.array(means) - mean), shots)) / (len(parts) - 1)
        variance = max(variance, between / total)
    return _Sum(mean, variance, slopes)


def _corrected(setting: Setting, words: UIntArray, factors: _SettingFactors) -> tuple[FloatArray, FloatArray]:
    """Return each outcome's value, shape (k,), and its slopes by each flip, shape (flips, k)."""
    bits = [(words >> np.uint64(j) & np.uint64(1)).astype(np.int64) for j in range(len(setting.qubits))]
    values = np.zeros(words.size)
    slopes = np.zeros((factors.size, words.size))
    for mask, weight in zip(setting.masks.tolist(), (setting.coefficients * setting.signs).tolist(), strict=True):
        places = [j for j in range(len(setting.qubits)) if mask >> j & 1]
        columns = [factors.factors[j][bits[j]] for j in places]
        values += weight * math.prod(columns, start=np.ones(words.size))
        for position, j in enumerate(places):
            others = math.prod(columns[:position] + columns[position + 1 :], start=np.full(words.size, weight))
            for flip in (0, 1):
                slopes[2 * factors.places[j] + flip] += others * factors.derivatives[j, flip][bits[j]]
    return values, slopes


def _mean_variance(values: FloatArray) -> float:
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


def _combined(
    mitigation: Mitigation, scales: list[float], values: list[float], errors: list[float], constant: float
) -> Extrapolation | None:
    if not mitigation.zne:
        return None
    known = errors if all(error > 0 for error in errors) else None
    found = extrapolate(
        scales, values, known, method=mitigation.extrapolator, degree=mitigation.degree, asymptote=constant
    )
    if known is None:  # exact values have no error to spread
        spread = float(np.sqrt(np.square(np.array(found.weights) * errors).sum()))
        return Extrapolation(found.value, spread, found.weights, found.method, found.chi_squared)
    return found


def _metadata(
    mitigation: Mitigation,
    target: Target,
    scales: list[float],
    points: list[_Sum],
    errors: list[float],
    result: Extrapolation | None,
    calibration: ReadoutCalibration | None,
) -> dict[str, Any]:
    found: dict[str, Any] = {"methods": list(mitigation.names), "seed": target.seed, "cost": asdict(target.spent)}
    if result is not None:
        found |= {
            "folding": mitigation.folding,
            "scale_factors": scales,
            "values": [point.value for point in points],
            "errors": errors,
            "extrapolation": asdict(result),
        }
    if calibration is not None:
        found["readout"] = calibration.to_dict()
    if mitigation.twirling:
        found["randomizations"] = mitigation.randomizations
    if mitigation.decoupling:
        found["sequence"] = mitigation.sequence
    return found
