"""Shots as data: segments that cover a total exactly, and how a total is divided among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qfast.circuit.checks import as_index, has_no_order
from qfast.errors import ShotPlanError

__all__ = ["MAX_SHOTS", "Segment", "check_cover", "make_segments", "positive_count", "split_shots"]

_LETTERS = "IXYZ"
MAX_SHOTS = 2**62  # absolute shot indices are 64-bit


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of consecutive shots in one measurement basis.

    Attributes
    ----------
    shots : int
        At least 1.
    basis : str
        One letter of XYZ for each of `qubits`. Empty for a basis that no letters describe (a Clifford basis).
    qubits : tuple of int
        The measured qubits, ascending; qubit ``qubits[j]`` becomes bit j of the counts.
    first_shot : int
        Absolute index of the first shot: shot i draws its randomness from (seed, i), whatever segment it is in.
    setting : int
        Number of the measurement setting; segments of one setting are merged.
    """

    shots: int
    basis: str
    qubits: tuple[int, ...]
    first_shot: int = 0
    setting: int = field(default=0, compare=False)

    @property
    def basis_map(self) -> dict[int, str]:
        """The letter of each measured qubit."""
        return dict(zip(self.qubits, self.basis, strict=False))

    @property
    def label(self) -> str:
        """The Pauli string whose sign is measured: ``"X0 Z2"``."""
        return " ".join(f"{letter}{qubit}" for qubit, letter in self.basis_map.items())

    @property
    def stop_shot(self) -> int:
        """The absolute index after the last shot."""
        return self.first_shot + self.shots


def split_shots(shots: int, limit: int | None) -> list[int]:
    """Cut a number of shots into parts of at most `limit`, as even as possible.

    Examples
    --------
    >>> split_shots(10, 4)
    [4, 3, 3]
    """
    if shots == 0:
        return []
    if limit is None or shots <= limit:
        return [shots]
    number = -(-shots // limit)
    small, larger = divmod(shots, number)
    return [small + 1] * larger + [small] * (number - larger)


def positive_count(value: Any, place: str) -> int:
    """Return a number of shots, or raise ``ShotPlanError`` with its place."""
    number = None if isinstance(value, bool) else as_index(value)
    if number is None or not 1 <= number <= MAX_SHOTS:
        raise ShotPlanError(f"{place} is {value!r}; a whole number from 1 to 2**62 is needed")
    return number


# --- segments as the caller writes them -------------------------------------------------------------------------------
_KEYS = ("shots", "basis", "qubits", "wires", "basis_map", "first_shot")


def make_segments(given: Iterable[Segment | Mapping[str, Any]], num_qubits: int | None) -> tuple[Segment, ...]:
    """Turn segments or dictionaries into checked segments that cover their total exactly.

    Parameters
    ----------
    given : iterable of Segment or mapping
        A mapping has ``shots`` and optionally ``basis`` (one letter of IXYZ for each qubit, or one for all; Z by
        default), ``qubits`` (or ``wires``; all by default), ``basis_map`` (qubit → letter, instead of the two) and
        ``first_shot`` (after the segment before, by default).
    num_qubits : int or None
        Of the circuit, if there is one.

    Returns
    -------
    tuple of Segment
        Qubits ascending, letters I left out; segments of equal basis share their `setting`.

    Raises
    ------
    ShotPlanError
        With the number of the segment.
    """
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise ShotPlanError(f"the segments are a list of dictionaries, {type(given).__name__} given")
    segments: list[Segment] = []
    settings: dict[tuple[tuple[int, ...], str], int] = {}
    for number, entry in enumerate(given):
        follows = segments[-1].stop_shot if segments else 0
        made = _segment(entry, f"segment {number}", num_qubits, follows)
        setting = settings.setdefault((made.qubits, made.basis), len(settings))
        segments.append(Segment(made.shots, made.basis, made.qubits, made.first_shot, setting))
    check_cover(segments)
    return tuple(segments)


def check_cover(segments: Sequence[Segment]) -> None:
    """Raise ``ShotPlanError`` unless the segments are disjoint and cover shots 0 … total - 1."""
    if not segments:
        raise ShotPlanError("the plan has no segments; at least one is needed")
    covered, last = 0, 0
    for number in sorted(range(len(segments)), key=lambda i: (segments[i].first_shot, i)):
        segment = segments[number]
        if segment.first_shot < covered:
            raise ShotPlanError(
                f"segment {number} (shots {segment.first_shot}…{segment.stop_shot - 1}) overlaps segment {last}, which "
                f"ends with shot {covered - 1}; segments must be disjoint: leave first_shot out to put them in a row"
            )
        if segment.first_shot > covered:
            raise ShotPlanError(
                f"shots {covered}…{segment.first_shot - 1} belong to no segment: segment {number} begins with shot "
                f"{segment.first_shot}; segments must cover the total, from shot 0, without a gap"
            )
        covered, last = segment.stop_shot, number


def _segment(entry: Any, place: str, num_qubits: int | None, follows: int) -> Segment:
    if isinstance(entry, Segment):
        if not entry.basis:
            raise ShotPlanError(f"{place} has no basis; give one letter of XYZ for each qubit")
        entry = {"shots": entry.shots, "basis": entry.basis, "qubits": entry.qubits, "first_shot": entry.first_shot}
    if not isinstance(entry, Mapping):
        raise ShotPlanError(f"{place} is {type(entry).__name__}; a dictionary with {', '.join(_KEYS)} is needed")
    unknown = [key for key in entry if key not in _KEYS]
    if unknown:
        raise ShotPlanError(f"{place} has an unknown key {unknown[0]!r}; allowed: {', '.join(_KEYS)}")
    if "shots" not in entry:
        raise ShotPlanError(f"{place} has no 'shots'; a whole number from 1 is needed")
    shots = positive_count(entry["shots"], f"{place}: shots")
    first = entry.get("first_shot")
    start = follows if first is None else as_index(first)
    if start is None or not 0 <= start <= MAX_SHOTS - shots:
        raise ShotPlanError(f"{place}: first_shot is {first!r}; a whole number from 0 is needed")
    letters = {qubit: letter for qubit, letter in _basis_map(entry, place, num_qubits).items() if letter != "I"}
    if not letters:
        raise ShotPlanError(f"{place} measures nothing: its basis has no letter but I; X, Y and Z measure a qubit")
    qubits = tuple(sorted(letters))
    return Segment(shots, "".join(letters[qubit] for qubit in qubits), qubits, start)


def _basis_map(entry: Mapping[str, Any], place: str, num_qubits: int | None) -> dict[int, str]:
    if entry.get("qubits") is not None and entry.get("wires") is not None:
        raise ShotPlanError(f"{place} names both 'qubits' and 'wires'; they mean the same, give one")
    given = entry["qubits"] if entry.get("qubits") is not None else entry.get("wires")
    basis, mapped = entry.get("basis"), entry.get("basis_map")
    found = None if not mapped else _mapped_letters(mapped, place, num_qubits)
    if found is not None and basis is None:
        if given is not None and set(_qubits(given, place, num_qubits)) != set(found):
            raise ShotPlanError(
                f"{place}: 'basis_map' names qubits {sorted(found)}, but qubits {list(given)} are given"
            )
        return found
    letters = "Z" if basis is None else basis
    if not isinstance(letters, str) or not letters:
        raise ShotPlanError(f"{place}: basis {basis!r} is not valid; a string of I, X, Y and Z is needed")
    for position, letter in enumerate(letters):
        _check_letter(letter, f"{place}: letter {position} of basis {letters!r}")
    if given is None:
        width = num_qubits if len(letters) == 1 and num_qubits is not None else len(letters)
        given = range(width)
    qubits = _qubits(given, place, num_qubits)
    if len(letters) not in (1, len(qubits)):
        raise ShotPlanError(
            f"{place}: basis {letters!r} has {len(letters)} letters for {len(qubits)} qubits; "
            "one for each, or one for all, is needed"
        )
    result = dict(zip(qubits, letters * len(qubits) if len(letters) == 1 else letters, strict=True))
    if found is not None and {q: a for q, a in found.items() if a != "I"} != {
        q: a for q, a in result.items() if a != "I"
    }:
        raise ShotPlanError(f"{place}: 'basis' says {result} and 'basis_map' says {found}; give one of the two")
    return result


def _mapped_letters(mapped: Any, place: str, num_qubits: int | None) -> dict[int, str]:
    if not isinstance(mapped, Mapping):
        raise ShotPlanError(f"{place}: basis_map is {mapped!r}; a dictionary from qubit to letter is needed")
    qubits = _qubits(list(mapped), place, num_qubits)
    for qubit, letter in zip(qubits, mapped.values(), strict=True):
        _check_letter(letter, f"{place}: the letter of qubit {qubit}")
    return dict(zip(qubits, mapped.values(), strict=True))


def _check_letter(letter: Any, place: str) -> None:
    if not isinstance(letter, str) or len(letter) != 1 or letter not in _LETTERS:
        raise ShotPlanError(f"{place} is {letter!r}; I, X, Y and Z are allowed")


def _qubits(given: Any, place: str, num_qubits: int | None) -> list[int]:
    if isinstance(given, str) or not isinstance(given, Iterable) or has_no_order(given):
        raise ShotPlanError(f"{place}: qubits are {given!r}; a list of qubits is needed (basis_map gives them letters)")
    found: list[int] = []
    for entry in given:
        qubit = None if isinstance(entry, bool) else as_index(entry)
        if qubit is None or qubit < 0 or (num_qubits is not None and qubit >= num_qubits):
            allowed = "whole numbers from 0" if num_qubits is None else f"0 … {num_qubits - 1}"
            raise ShotPlanError(f"{place}: qubit {entry!r} is out of range; allowed: {allowed}")
        if qubit in found:
            raise ShotPlanError(f"{place}: qubit {qubit} is named twice")
        found.append(qubit)
    return found
