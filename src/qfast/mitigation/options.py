"""Which methods of error mitigation a run uses, and how."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qfast.circuit.checks import as_tuple
from qfast.errors import InputError
from qfast.mitigation.decoupling import SEQUENCES, Sequence
from qfast.mitigation.extrapolation import Extrapolator
from qfast.mitigation.folding import Folding
from qfast.mitigation.readout import NUM_CIRCUITS, ReadoutCalibration

__all__ = ["METHODS", "Mitigation"]

METHODS = ("readout", "zne", "twirling", "decoupling")


@dataclass(frozen=True, slots=True)
class Mitigation:
    """Methods of error mitigation, each off by default.

    Attributes
    ----------
    readout : bool or ReadoutCalibration
        Undo misreadings; True: calibrate the device first, with `calibration_shots` of each of three circuits.
    zne : bool
        Zero-noise extrapolation over `scale_factors`, by `folding` ("local" or "global") and `extrapolator` ("linear",
        "polynomial" of `degree`, "richardson", "exponential"). Every scale factor takes all the shots.
    twirling : bool
        Pauli-twirl two-qubit gates; `randomizations` circuits share the shots.
    decoupling : bool
        Fill idle windows with the pulses of `sequence` ("xx" or "xy4").

    Raises
    ------
    InputError
        A value is not allowed.

    Examples
    --------
    >>> Mitigation(readout=True, zne=True, scale_factors=(1, 3)).names
    ('readout', 'zne')
    >>> Mitigation.of(["twirling"]).twirling
    True
    """

    readout: bool | ReadoutCalibration = False
    zne: bool = False
    twirling: bool = False
    decoupling: bool = False
    calibration_shots: int = 10_000
    scale_factors: tuple[float, ...] = (1.0, 3.0, 5.0)
    folding: Folding = "local"
    extrapolator: Extrapolator = "exponential"
    degree: int = 2
    randomizations: int = 32
    sequence: Sequence = "xy4"

    def __post_init__(self) -> None:
        given: Any = self.scale_factors
        scales = as_tuple(given)
        if not all(isinstance(scale, (int, float, np.number)) for scale in scales):
            raise InputError(f"mitigation: scale_factors are numbers, {self.scale_factors!r} given")
        object.__setattr__(self, "scale_factors", tuple(float(scale) for scale in scales))
        for name in ("calibration_shots", "randomizations", "degree"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"mitigation: {name} is {value!r}; a whole number from 1 is needed")
        for name, allowed in (
            ("folding", ("local", "global")),
            ("extrapolator", ("linear", "polynomial", "richardson", "exponential")),
            ("sequence", tuple(SEQUENCES)),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"mitigation: {name} {getattr(self, name)!r} is unknown; allowed: {', '.join(map(repr, allowed))}"
                )
        if self.zne:
            self._check_scales()

    def _check_scales(self) -> None:
        scales = self.scale_factors
        if any(not 1 <= scale < math.inf for scale in scales) or len(set(scales)) < len(scales):
            raise InputError(f"mitigation: scale_factors {scales} must be different numbers from 1")
        least = {"polynomial": self.degree + 1}.get(self.extrapolator, 2)
        if len(scales) < least:
            raise InputError(
                f"mitigation: the extrapolator {self.extrapolator!r} needs {least} scale_factors, {len(scales)} given"
            )

    @classmethod
    def of(cls, given: Mitigation | Iterable[str] | Mapping[str, Any] | None) -> Mitigation:
        """Return a Mitigation of one, of names of methods, of a dictionary with its arguments, or of None."""
        if given is None:
            return cls()
        if isinstance(given, Mitigation):
            return given
        if isinstance(given, Mapping):
            unknown = [key for key in given if key not in cls.__slots__]
            if unknown:
                raise InputError(f"mitigation has no {unknown[0]!r}; allowed: {', '.join(cls.__slots__)}")
            return cls(**given)
        names: list[str] = [given] if isinstance(given, str) else list(given)
        for name in names:
            if name not in METHODS:
                raise InputError(f"error mitigation {name!r} is unknown; allowed: {', '.join(METHODS)}")
        switches: dict[str, Any] = dict.fromkeys(names, True)
        return cls(**switches)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Mitigation:
        """Return what the settings ask for: ``error_mitigation`` and those of its methods."""
        return replace(
            cls.of(settings["error_mitigation"]),
            calibration_shots=settings["readout_calibration_shots"],
            scale_factors=settings["zne_scale_factors"],
            folding=settings["zne_folding"],
            extrapolator=settings["zne_extrapolator"],
            randomizations=settings["twirling_randomizations"],
            sequence=settings["decoupling_sequence"],
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The methods that are on."""
        return tuple(name for name in METHODS if getattr(self, name))

    def total_shots(self, shots: int) -> int:
        """Return the shots that a value of `shots` takes, the calibration included."""
        scaled = shots * (len(self.scale_factors) if self.zne else 1)
        return scaled + (NUM_CIRCUITS * self.calibration_shots if self.readout is True else 0)
