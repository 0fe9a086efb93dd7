"""What can be asked of a circuit. Each is a value, checked when it is made; `request.Request` says of which circuit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from qfast.circuit import Observable, Operator
from qfast.circuit.checks import as_index
from qfast.errors import InputError
from qfast.simulation.prepared_observables import listed_observables

__all__ = [
    "Amplitudes",
    "Ask",
    "Distribution",
    "Draws",
    "Expectation",
    "Output",
    "Shots",
    "State",
    "Variance",
    "What",
    "checked_shots",
    "kept_ask",
]

What: TypeAlias = Literal["state", "shots", "distribution", "expectation", "variance", "amplitudes"]
Output: TypeAlias = Literal["bits", "counts"]
Draws: TypeAlias = Literal["philox", "multinomial"]


def checked_shots(shots: object, what: str = "shots") -> int:
    """Return a number of shots, or refuse it.

    Raises
    ------
    InputError
        Not a positive integer.
    """
    number = as_index(shots)
    if number is None or number < 1:
        raise InputError(f"{what} = {shots!r} must be a positive integer")
    return number


@dataclass(frozen=True, slots=True)
class State:
    """The final state; where the circuit measures in the middle, that of shot 0 of the seed."""

    what: ClassVar[What] = "state"

    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Shots:
    """Outcomes of shots.

    Attributes
    ----------
    shots : int
    seed : int or None
        None: it is not chosen yet.
    output : {"bits", "counts"}
    draws : {"philox", "multinomial"}
    first_shot : int
    """

    what: ClassVar[What] = "shots"

    shots: int
    seed: int | None = None
    output: Output = "bits"
    draws: Draws = "philox"
    first_shot: int = 0

    def __post_init__(self) -> None:
        if type(self.shots) is not int or self.shots < 1:
            object.__setattr__(self, "shots", checked_shots(self.shots))
        if self.output not in ("bits", "counts"):
            raise InputError(
                f"output {self.output!r} is unknown; 'bits' keeps every shot, 'counts' how often each outcome was seen"
            )
        if self.draws != "philox":
            _check_draws(self.draws, self.output)
        if type(self.first_shot) is not int or self.first_shot < 0:
            first = as_index(self.first_shot)
            if first is None or first < 0:
                raise InputError(f"first_shot = {self.first_shot!r} must be an integer from 0")
            object.__setattr__(self, "first_shot", first)


def _check_draws(draws: object, output: str) -> None:
    if draws not in get_args(Draws):
        raise InputError(f"draws {draws!r} is unknown; 'philox' and 'multinomial' are known")
    if output != "counts":
        raise InputError("'multinomial' draws counts, not single shots; ask for output=\"counts\"")


@dataclass(frozen=True, slots=True)
class Distribution:
    """The exact distribution of the classical bits; what has `cutoff` or less is dropped."""

    what: ClassVar[What] = "distribution"

    cutoff: float = 1e-14

    def __post_init__(self) -> None:
        if isinstance(self.cutoff, bool) or not 0 <= float(self.cutoff) < 1:
            raise InputError(f"cutoff = {self.cutoff!r} must be a number in [0, 1)")


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expectation values of observables, a flat list of them and the shape that they had.

    Attributes
    ----------
    observables : tuple of Observable
    shape : tuple of int
        () for a single one.
    trajectories : int or None
        Mean over so many noisy trajectories instead of the exact value; None: the way decides.
    seed : int or None
        Of the trajectories.
    """

    what: ClassVar[What] = "expectation"

    observables: tuple[Observable, ...]
    shape: tuple[int, ...] = ()
    trajectories: int | None = None
    seed: int | None = None

    @classmethod
    def of(
        cls, observables: Any, *, trajectories: int | None = None, seed: int | None = None, what: str = "expectation"
    ) -> Expectation:
        """Take one observable, or nested sequences of them."""
        listed, shape = listed_observables(observables, what)
        if trajectories is not None:
            trajectories = checked_shots(trajectories, "trajectories")
        return cls(tuple(listed), shape, trajectories, seed)


@dataclass(frozen=True, slots=True)
class Variance:
    """Variances ⟨O†O⟩ - |⟨O⟩|² of observables; see `Expectation`."""

    what: ClassVar[What] = "variance"

    observables: tuple[Observable, ...]
    shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, observables: Any) -> Variance:
        """Take one observable, or nested sequences of them."""
        listed, shape = listed_observables(observables, "variance")
        return cls(tuple(listed), shape)


@dataclass(frozen=True, slots=True)
class Amplitudes:
    """Amplitudes of basis states; bit q of a number is qubit q."""

    what: ClassVar[What] = "amplitudes"

    states: tuple[int, ...]

    @classmethod
    def of(cls, bitstrings: Sequence[str | int] | Iterable[str | int], num_qubits: int) -> Amplitudes:
        """Take bitstrings with qubit 0 rightmost, or numbers.

        Raises
        ------
        InputError
            One does not name a basis state of so many qubits.
        """
        if isinstance(bitstrings, (str, int)):
            raise InputError(f"a list of bitstrings is needed, {bitstrings!r} given; write [{bitstrings!r}]")
        return cls(tuple(_basis_state(entry, place, num_qubits) for place, entry in enumerate(bitstrings)))


def _basis_state(entry: object, place: int, num_qubits: int) -> int:
    if isinstance(entry, str):
        if len(entry) != num_qubits or set(entry) - {"0", "1"}:
            raise InputError(
                f"bitstring {place}, {entry!r}, must hold one 0 or 1 for each of {num_qubits} qubits, qubit 0 rightmost"
            )
        return int(entry, 2) if entry else 0
    number = as_index(entry)
    if number is None or not 0 <= number < 1 << num_qubits:
        raise InputError(f"basis state {place} is {entry!r}; a bitstring, or a number below 2**{num_qubits}, is needed")
    return number


Ask: TypeAlias = State | Shots | Distribution | Expectation | Variance | Amplitudes


def kept_ask(ask: Ask) -> Ask:
    """Return what is asked with observables that hold no array of the caller's."""
    if not isinstance(ask, (Expectation, Variance)):
        return ask
    return replace(
        ask, observables=tuple(one.snapshot() if isinstance(one, Operator) else one for one in ask.observables)
    )
