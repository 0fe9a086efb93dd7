"""Channels: what noise does to a few qubits.

Every function returns a `Channel` and refuses what is not completely positive and trace preserving. Where a channel is
a mixture of unitaries, or of Pauli operators, that is found from the numbers of its Kraus operators, however it was
given: such noise is drawn without looking at the state.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from qfast._typing import ComplexArray
from qfast.errors import InputError
from qfast.noise.channel import MAX_CHANNEL_QUBITS, Channel, checked_probability

__all__ = [
    "Channel",
    "amplitude_damping",
    "bit_flip",
    "bit_phase_flip",
    "coherent",
    "depolarizing",
    "kraus",
    "mixed_unitary",
    "pauli",
    "phase_damping",
    "phase_flip",
    "reset",
    "thermal_relaxation",
]


def pauli(probabilities: Mapping[str, float]) -> Channel:
    """Apply a random Pauli string.

    Parameters
    ----------
    probabilities : mapping of str to float
        Pauli string, letter j on qubit j of the channel → probability. The identity gets what is left; if it is named,
        everything must add up to 1.

    Returns
    -------
    Channel

    Raises
    ------
    InputError
        A string with other letters, strings of different lengths, a probability outside [0, 1], a wrong sum.

    Examples
    --------
    >>> pauli({"XX": 0.01, "ZI": 0.02}).probabilities
    (0.97, 0.01, 0.02)
    """
    if not isinstance(probabilities, Mapping):
        raise InputError(f"a Pauli channel needs a mapping such as {{'X': 0.01}}, {probabilities!r} given")
    if not probabilities:
        raise InputError("a Pauli channel needs at least one Pauli string, for example {'X': 0.01}")
    given = {
        label: checked_probability(p, f"pauli: the probability of {label!r}") for label, p in probabilities.items()
    }
    num_qubits = len(next(iter(given)))
    for label in given:
        if set(label) - set("IXYZ") or not 1 <= len(label) <= MAX_CHANNEL_QUBITS:
            raise InputError(f"pauli: {label!r} is no string of 1 to {MAX_CHANNEL_QUBITS} of the letters I, X, Y and Z")
        if len(label) != num_qubits:
            raise InputError(f"pauli: {label!r} has {len(label)} letters, {next(iter(given))!r} has {num_qubits}")
    identity = "I" * num_qubits
    total = math.fsum(given.values())
    if identity not in given:
        if total > 1 + 1e-12:
            raise InputError(f"pauli: the probabilities add up to {total:.12g}, which exceeds 1 by {total - 1:.3g}")
        given = {identity: max(0.0, 1 - total), **given}
    return Channel.of_paulis("pauli", given)


def bit_flip(probability: float) -> Channel:
    """Apply X with a probability."""
    return _flip("bit_flip", "X", probability)


def phase_flip(probability: float) -> Channel:
    """Apply Z with a probability."""
    return _flip("phase_flip", "Z", probability)


def bit_phase_flip(probability: float) -> Channel:
    """Apply Y with a probability."""
    return _flip("bit_phase_flip", "Y", probability)


def _flip(name: str, letter: str, probability: float) -> Channel:
    p = checked_probability(probability, f"{name}: the probability")
    return Channel.of_paulis(name, {"I": 1 - p, letter: p})


def depolarizing(probability: float, num_qubits: int = 1) -> Channel:
    """Apply a Pauli error, each of the 4**n - 1 with the same share of a probability.

    Parameters
    ----------
    probability : float
        That any error happens. The state becomes ``(1 - q) rho + q 1/2**n`` with ``q = p 4**n / (4**n - 1)``.
    num_qubits : int, default 1

    Examples
    --------
    >>> depolarizing(0.03).probabilities
    (0.97, 0.01, 0.01, 0.01)
    """
    p = checked_probability(probability, "depolarizing: the probability")
    if not 1 <= num_qubits <= MAX_CHANNEL_QUBITS:
        raise InputError(f"depolarizing: num_qubits = {num_qubits!r} is not in 1…{MAX_CHANNEL_QUBITS}")
    labels = ["".join(letters) for letters in itertools.product("IXYZ", repeat=num_qubits)]
    return Channel.of_paulis("depolarizing", {labels[0]: 1 - p, **dict.fromkeys(labels[1:], p / (len(labels) - 1))})


def amplitude_damping(gamma: float, excited_population: float = 0.0) -> Channel:
    """Let |1⟩ decay to |0⟩ with a probability, and |0⟩ rise to |1⟩ where the environment is warm.

    Parameters
    ----------
    gamma : float
        Probability of the decay.
    excited_population : float, default 0
        Weight of |1⟩ that the qubit tends to.

    Notes
    -----
    Nielsen and Chuang, Quantum Computation and Quantum Information, 8.3.5 (generalised amplitude damping).
    """
    g = checked_probability(gamma, "amplitude_damping: gamma")
    up = checked_probability(excited_population, "amplitude_damping: excited_population")
    stay, fall = math.sqrt(1 - g), math.sqrt(g)
    operators = [
        math.sqrt(1 - up) * np.array([[1, 0], [0, stay]]),
        math.sqrt(1 - up) * np.array([[0, fall], [0, 0]]),
        math.sqrt(up) * np.array([[stay, 0], [0, 1]]),
        math.sqrt(up) * np.array([[0, 0], [fall, 0]]),
    ]
    return Channel.of_kraus("amplitude_damping", operators)


def phase_damping(lam: float) -> Channel:
    """Shrink coherences by ``sqrt(1 - lam)`` and leave populations: Z with probability ``(1 - sqrt(1 - lam)) / 2``."""
    strength = checked_probability(lam, "phase_damping: lam")
    p = (1 - math.sqrt(1 - strength)) / 2
    return Channel.of_paulis("phase_damping", {"I": 1 - p, "Z": p})


def thermal_relaxation(t1: float, t2: float, time: float, excited_population: float = 0.0) -> Channel:
    """Relax for some time.

    Parameters
    ----------
    t1, t2 : float
        Relaxation and coherence time, in the unit of `time`; positive (``math.inf`` too), ``t2 <= 2 t1``.
    time : float
        Not negative.
    excited_population : float, default 0
        Weight of |1⟩ in equilibrium.

    Notes
    -----
    Populations approach equilibrium as ``exp(-time/t1)``, coherences shrink by ``exp(-time/t2)``: amplitude damping,
    then dephasing by what the damping leaves of t2.

    Examples
    --------
    >>> thermal_relaxation(100e-6, 80e-6, 300e-9).num_qubits
    1
    """
    for name, value in (("t1", t1), ("t2", t2)):
        if not value > 0:
            raise InputError(f"thermal_relaxation: {name} = {value!r} must be positive")
    if t2 > 2 * t1 * (1 + 1e-12):
        raise InputError(
            f"thermal_relaxation: t2 = {t2!r} exceeds 2 t1 = {2 * t1!r}, which no channel does; measured times that do "
            "are usually cut to t2 = 2 t1"
        )
    if not 0 <= time < math.inf:
        raise InputError(f"thermal_relaxation: time = {time!r} must be finite and not negative")
    damping = amplitude_damping(-math.expm1(-time / t1), excited_population)
    shrink = math.exp(-time / t2 + time / (2 * t1)) if time else 1.0
    p = max(0.0, (1 - shrink) / 2)
    return damping.then(Channel.of_paulis("dephasing", {"I": 1 - p, "Z": p})).named("thermal_relaxation")


def reset(probability: float, excited_population: float = 0.0) -> Channel:
    """Throw the qubit's state away with a probability: it becomes |0⟩, or |1⟩ with the weight `excited_population`."""
    p = checked_probability(probability, "reset: the probability")
    up = checked_probability(excited_population, "reset: excited_population")
    down, rise = math.sqrt(p * (1 - up)), math.sqrt(p * up)
    operators = [
        math.sqrt(1 - p) * np.eye(2),
        down * np.array([[1, 0], [0, 0]]),
        down * np.array([[0, 1], [0, 0]]),
        rise * np.array([[0, 0], [1, 0]]),
        rise * np.array([[0, 0], [0, 1]]),
    ]
    return Channel.of_kraus("reset", operators)


def kraus(operators: Iterable[ArrayLike]) -> Channel:
    """Make a channel of Kraus operators.

    Parameters
    ----------
    operators : iterable of array_like, complex, shape (2**k, 2**k)
        The first qubit of the channel is the least significant bit.

    Raises
    ------
    InputError
        An operator is no such matrix, or the sum of ``K†K`` differs from the identity: the message says by how much
        and where.

    Examples
    --------
    >>> kraus([[[0.6, 0], [0, 0.6]], [[0, 0.8], [0.8, 0]]]).labels
    ('I', 'X')
    """
    return Channel.of_kraus("kraus", operators)


def mixed_unitary(terms: Iterable[tuple[float, ArrayLike]]) -> Channel:
    """Apply one of several unitary matrices.

    Parameters
    ----------
    terms : iterable of (probability, matrix of shape (2**k, 2**k))
        The probabilities add up to 1.
    """
    listed: Sequence[tuple[float, ArrayLike]] = list(terms)
    return Channel.of_mixture("mixed_unitary", [p for p, _ in listed], [matrix for _, matrix in listed])


def coherent(matrix: ArrayLike) -> Channel:
    """Apply a unitary matrix every time: a miscalibrated gate, a crosstalk rotation.

    Examples
    --------
    >>> import numpy as np
    >>> coherent(np.diag([1, np.exp(0.01j)])).is_mixture
    True
    """
    unitary: ComplexArray = np.asarray(matrix, dtype=np.complex128)
    return Channel.of_mixture("coherent", [1.0], [unitary])
