"""How the shots of an observable are divided and when they end: pilot, checkpoints, target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qfast.circuit.shot_plan import positive_count
from qfast.errors import ShotPlanError
from qfast.estimation.allocation import ALLOCATIONS, LEAST_SHOTS, Allocation, divide_shots, neyman_shares, weights_of
from qfast.estimation.settings import Setting
from qfast.estimation.tallies import Tally

__all__ = ["Policy"]

_PILOT_SHARE = 10
_PILOT_SHOTS = 30  # per setting
_GROWTH = 1.1  # from one checkpoint to the next: at most a tenth of the shots is more than was needed
_CERTAIN = 0.8  # of the shots foretold: a checkpoint below has next to no chance to be the last
_MOST_GROWTH = 2  # from one look to the next: shots that agree foretell too many


@dataclass(frozen=True, slots=True)
class Policy:
    """A division of shots among the settings of an observable, which may learn from its counts.

    Attributes
    ----------
    allocation : {"uniform", "coefficient", "variance"}
    shots : int
        The total, or with a target the most.
    target_error : float or None
    checkpoints : tuple of int
        Totals after which the counts so far decide what follows; the last is `shots`. They are fixed beforehand, and
        counts are merged before they are looked at: it does not matter who takes the shots, or in which order.
    skips : bool
        Whether checkpoints are passed over that the counts so far say to be too early.
    """

    allocation: Allocation
    shots: int
    target_error: float | None
    checkpoints: tuple[int, ...]
    skips: bool = False

    @classmethod
    def make(
        cls,
        num_settings: int,
        shots: Any,
        allocation: Allocation = "uniform",
        target_error: Any = None,
        pilot_shots: Any = None,
        checkpoints: Sequence[Any] | None = None,
    ) -> Policy:
        """Check arguments and place the checkpoints; see `ShotPlan.for_observable`.

        Raises
        ------
        ShotPlanError
        """
        total = positive_count(shots, "shots")
        _check(num_settings, total, allocation, target_error)
        target = None if target_error is None else float(target_error)
        is_learning = allocation == "variance" or target is not None
        if not is_learning and (pilot_shots is not None or checkpoints is not None):
            raise ShotPlanError(
                "pilot_shots and checkpoints belong to plans that learn; give allocation='variance' or a target_error"
            )
        points: tuple[int, ...] = (total,)
        if is_learning:
            pilot = _pilot(total, num_settings, target is not None, pilot_shots)
            points = _checkpoints(total, pilot, target is not None, checkpoints)
        return cls(allocation, total, target, points, target is not None and checkpoints is None)

    @property
    def is_static(self) -> bool:
        """Whether all its shares are known before any shot."""
        return len(self.checkpoints) == 1

    def next_shares(self, settings: Sequence[Setting], tallies: Sequence[Tally]) -> list[int]:
        """Return the shots that each setting gets next; an empty list when there are enough."""
        done = sum(tally.shots for tally in tallies)
        weights = weights_of(settings, self.allocation)
        if done == 0:
            first = self.checkpoints[0]
            # Half of a pilot is shared equally: from a handful of shots neither an error nor an allocation can be told.
            least = LEAST_SHOTS if self.is_static else max(LEAST_SHOTS, first // (2 * len(settings)))
            return divide_shots(first, weights, least)
        if done >= self.shots or self.is_reached(tallies):
            return []
        least = done + 1
        if self.skips and self.target_error is not None:
            foretold = _CERTAIN * done * (_cautious_error(tallies) / self.target_error) ** 2
            least = max(least, math.ceil(min(_MOST_GROWTH * done, foretold, self.shots)))
        increment = next(point for point in self.checkpoints if point >= least) - done
        if self.allocation == "variance":
            has_target = self.target_error is not None
            spreads = [math.sqrt(each.cautious_variance if has_target else each.variance) for each in tallies]
            return neyman_shares(increment, spreads, [each.shots for each in tallies])
        return divide_shots(increment, weights)

    def is_reached(self, tallies: Sequence[Tally]) -> bool:
        """Whether the counts so far show, with caution, that the target is reached; False without one."""
        return self.target_error is not None and _cautious_error(tallies) <= self.target_error

    def report(self, tallies: Sequence[Tally], pilot: Sequence[Tally]) -> dict[str, Any] | None:
        """Say whether the target was reached, and what the pilot foretold; None without a target."""
        if self.target_error is None:
            return None
        spreads = math.fsum(math.sqrt(tally.variance) for tally in pilot)
        return {
            "target_error": self.target_error,
            "reached": self.is_reached(tallies),
            "max_shots": self.shots,
            "shots_foretold_by_pilot": math.ceil((spreads / self.target_error) ** 2),
            "error_foretold_by_pilot": spreads / math.sqrt(self.shots),
        }


def _cautious_error(tallies: Sequence[Tally]) -> float:
    if any(tally.shots == 0 for tally in tallies):
        return math.inf
    return math.sqrt(math.fsum(tally.cautious_variance / tally.shots for tally in tallies))


def _check(num_settings: int, total: int, allocation: str, target_error: Any) -> None:
    if allocation not in ALLOCATIONS:
        raise ShotPlanError(f"allocation {allocation!r} is unknown; allowed: {', '.join(map(repr, ALLOCATIONS))}")
    if num_settings == 0:
        raise ShotPlanError("the observable is a multiple of the identity; its value needs no shots")
    if total < LEAST_SHOTS * num_settings:
        raise ShotPlanError(
            f"{total} shots were given for {num_settings} measurement settings; at least {LEAST_SHOTS} in each, "
            f"{LEAST_SHOTS * num_settings} in all, are needed for a value with an error"
        )
    is_number = isinstance(target_error, (int, float, np.floating)) and not isinstance(target_error, bool)
    if target_error is not None and not (is_number and 0 < target_error < math.inf):
        raise ShotPlanError(f"target_error is {target_error!r}; a positive number is needed, or None for no target")


def _pilot(total: int, num_settings: int, has_target: bool, given: Any) -> int:
    least = LEAST_SHOTS * num_settings
    if given is not None:
        pilot = positive_count(given, "pilot_shots")
        if not least <= pilot <= total:
            raise ShotPlanError(f"pilot_shots is {pilot}; allowed: {least} (two for each setting) to {total} (shots)")
        return pilot
    pilot = _PILOT_SHOTS * num_settings
    if not has_target:  # all shots will be taken; a pilot that takes most of them teaches nothing
        pilot = max(least, min(total // 2, max(pilot, total // _PILOT_SHARE)))
    return min(total, pilot)


def _checkpoints(total: int, pilot: int, has_target: bool, given: Sequence[Any] | None) -> tuple[int, ...]:
    """Return the totals at which a plan may look at its counts; one without a target looks after its pilot only."""
    points = [pilot]
    for place, entry in enumerate(given or ()):
        point = positive_count(entry, f"checkpoint {place}")
        if not points[-1] < point <= total:
            raise ShotPlanError(
                f"checkpoint {place} is {point}; checkpoints ascend from above the pilot's {pilot} to the {total} "
                "shots of the plan"
            )
        points.append(point)
    while has_target and given is None and points[-1] < total:
        points.append(min(total, math.ceil(points[-1] * _GROWTH)))
    return tuple(points) if points[-1] == total else (*points, total)
