"""Shot plans: which shots are taken in which basis, run as one job on one simulation."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from qfast.circuit import Circuit, PauliSum
from qfast.circuit.measurement import Grouping, Setting, group_settings, segment_setting
from qfast.circuit.shot_plan import Segment, divide_shots, make_segments, positive_count, split_shots
from qfast.devices import Device
from qfast.errors import InputError, ShotPlanError
from qfast.jobs.circuit_work import check_circuit
from qfast.jobs.job import Job
from qfast.jobs.job_group import JobGroup
from qfast.jobs.runtime import submit
from qfast.jobs.shot_files import read_plan_file, write_plan_file
from qfast.jobs.shot_work import PlanWork
from qfast.jobs.tallies import Tally, neyman_shares, predicted_error, spread
from qfast.mitigation import Mitigation
from qfast.noise import NoiseModel
from qfast.simulation import simulate

__all__ = ["Allocation", "Forecast", "Policy", "ShotPlan"]

Allocation: TypeAlias = Literal["uniform", "coefficient", "variance"]
_ALLOCATIONS = ("uniform", "coefficient", "variance")
_LEAST = 2  # shots of a setting: fewer tell nothing of its error
_PILOT_SHARE = 10
_PILOT_SHOTS = 30  # per setting
_GROWTH = 1.1  # from one checkpoint to the next: at most a tenth of the shots is more than was needed


@dataclass(frozen=True, slots=True)
class Policy:
    """How the shots of an observable are divided and when they end.

    Attributes
    ----------
    allocation, grouping : str
    shots : int
        The total, or with a target the most.
    target_error : float or None
    max_shots_per_segment : int or None
    checkpoints : tuple of int
        Totals after which the counts so far decide what follows; the last is `shots`.
    """

    allocation: Allocation
    grouping: Grouping
    shots: int
    target_error: float | None
    max_shots_per_segment: int | None
    checkpoints: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan can reach, from the exact state.

    Attributes
    ----------
    standard_error : float
        With all of the plan's shots, divided as its allocation does.
    shots_needed : int or None
        For the plan's target; None without one.
    is_reachable : bool
        Whether the plan has as many; True without a target.
    spreads : tuple of float
        Standard deviation of one shot of each setting.
    """

    standard_error: float
    shots_needed: int | None
    is_reachable: bool
    spreads: tuple[float, ...]


class ShotPlan:
    """An immutable recipe of shots: segments that are disjoint and cover the total exactly.

    Parameters
    ----------
    segments : sequence of Segment or mapping
        Each with ``shots`` and optionally ``basis``, ``qubits`` (or ``wires``), ``basis_map``, ``first_shot``; see
        `qfast.circuit.shot_plan.make_segments`.
    circuit : Circuit, optional
        Copied. Without one, `run` is given it.

    Attributes
    ----------
    segments : tuple of Segment
        What runs first: all of a plan whose division is known beforehand, else the pilot.
    settings : tuple of Setting
        The measurement settings; ``segment.setting`` counts them.
    observable : PauliSum or None
        Its like terms merged.
    constant : float
        The observable's multiple of the identity.
    policy : Policy or None

    Raises
    ------
    ShotPlanError
        A segment is wrong; the message tells which.

    Examples
    --------
    >>> bell = Circuit(2).h(0).cx(0, 1)
    >>> plan = ShotPlan([{"shots": 60, "basis": "Z"}, {"shots": 40, "basis": "X"}], circuit=bell)
    >>> plan.run(seed=7).expectations
    {'Z0 Z1': 1.0, 'X0 X1': 1.0}
    >>> H = PauliSum([("ZZ", [0, 1], 1.0), ("XX", [0, 1], -0.5)])
    >>> result = ShotPlan.for_observable(bell, H, shots=100).run(seed=7)
    >>> result.expectation, result.standard_error
    (0.5, 0.0)
    """

    circuit: Circuit | None
    segments: tuple[Segment, ...]
    settings: tuple[Setting, ...]
    observable: PauliSum | None
    constant: float
    policy: Policy | None

    def __init__(self, segments: Sequence[Segment | Mapping[str, Any]], *, circuit: Circuit | None = None) -> None:
        if circuit is not None:
            check_circuit(circuit)
            circuit = circuit.copy()
        made = make_segments(segments, None if circuit is None else circuit.num_qubits)
        first = {segment.setting: segment for segment in reversed(made)}
        settings = tuple(segment_setting(first[number]) for number in range(len(first)))
        self._set(circuit, made, settings, None, 0.0, None)

    def _set(
        self,
        circuit: Circuit | None,
        segments: tuple[Segment, ...],
        settings: tuple[Setting, ...],
        observable: PauliSum | None,
        constant: float,
        policy: Policy | None,
    ) -> None:
        self.__dict__.update(
            circuit=circuit, segments=segments, settings=settings, observable=observable, constant=constant,
            policy=policy,
        )  # fmt: skip

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a ShotPlan is immutable; make a new one instead of setting {name!r}")

    @classmethod
    def for_observable(
        cls,
        circuit: Circuit | None,
        observable: PauliSum,
        *,
        shots: int,
        allocation: Allocation = "uniform",
        grouping: Grouping = "qubit_wise",
        max_shots_per_segment: int | None = None,
        target_error: float | None = None,
        pilot_shots: int | None = None,
        checkpoints: Sequence[int] | None = None,
    ) -> ShotPlan:
        """Plan the measurement of an observable.

        Parameters
        ----------
        circuit : Circuit or None
            Copied; parameters may stay free until `run`.
        observable : PauliSum
            Hermitian.
        shots : int
            The total; with `target_error` the most.
        allocation : {"uniform", "coefficient", "variance"}
            How settings share the shots: equally; in proportion to the 2-norm of their coefficients; or in proportion
            to the standard deviation of their shots, which a pilot measures (Neyman 1934).
        grouping : {"qubit_wise", "general"}
            Which terms are measured together; see `qfast.circuit.measurement.group_settings`.
        max_shots_per_segment : int, optional
        target_error : float, optional
            The plan ends at the first checkpoint where the standard error is not above it.
        pilot_shots : int, optional
            All settings together, of plans that learn. By default 30 a setting; without a target at least a tenth
            and at most half of the shots.
        checkpoints : sequence of int, optional
            Totals at which the target is looked at, ascending; by default each a tenth more than the one before.

        Raises
        ------
        ShotPlanError
            Something is wrong, or the shots do not suffice for two in each setting.
        ObservableError
            The observable is not Hermitian or acts on a qubit that the circuit does not have.
        """
        if circuit is not None:
            check_circuit(circuit)
            circuit = circuit.copy()
        if not isinstance(observable, PauliSum):
            raise InputError(f"{type(observable).__name__} is not an observable; pass a qfast.PauliSum")
        if circuit is not None:
            observable.masks(circuit.num_qubits)
        observable = observable.simplify()
        settings, constant = group_settings(observable, grouping)
        total = positive_count(shots, "shots")
        _check_policy(len(settings), total, allocation, target_error)
        limit = (
            None if max_shots_per_segment is None else positive_count(max_shots_per_segment, "max_shots_per_segment")
        )
        points = _checkpoints(
            total, len(settings), allocation == "variance" or target_error is not None, target_error is not None,
            pilot_shots, checkpoints,
        )  # fmt: skip
        policy = Policy(allocation, grouping, total, target_error, limit, points)
        return cls._of_policy(circuit, observable, settings, constant, policy)

    @classmethod
    def _of_policy(
        cls, circuit: Circuit | None, observable: PauliSum, settings: list[Setting], constant: float, policy: Policy
    ) -> ShotPlan:
        plan = cls.__new__(cls)
        first = policy.checkpoints[0]
        # Half of a pilot is shared equally: from a handful of shots neither an error nor an allocation can be told.
        least = _LEAST if first == policy.shots else max(_LEAST, first // (2 * len(settings)))
        shares = divide_shots(first, _weights(settings, policy.allocation), least)
        segments = _cut(settings, shares, policy.max_shots_per_segment, 0)
        plan._set(circuit, segments, tuple(settings), observable, constant, policy)
        return plan

    # --- inspection ---------------------------------------------------------------------------------------------------
    @property
    def shots(self) -> int:
        """The total; of a plan with a target, the most."""
        return self.policy.shots if self.policy is not None else sum(segment.shots for segment in self.segments)

    @property
    def is_static(self) -> bool:
        """Whether all its segments are known before it runs."""
        return self.policy is None or len(self.policy.checkpoints) == 1

    @property
    def error_bound(self) -> float:
        """The largest standard error that any state can give with the shots that are planned so far.

        Only of plans for an observable: a setting's shot has values from -Σ|c| to Σ|c|.
        """
        shots = np.zeros(len(self.settings))
        for segment in self.segments:
            shots[segment.setting] += segment.shots
        bounds = np.array([np.abs(setting.coefficients).sum() for setting in self.settings])
        return float(np.sqrt((bounds**2 / shots).sum()))

    def forecast(self, *, circuit: Circuit | None = None, parameters: Any = None) -> Forecast:
        """Say what the plan can reach, from the exact state: for targets that may be out of reach.

        Notes
        -----
        One simulation, and a pass over the state for each term; for plans of an observable on circuits of gates.
        """
        if self.observable is None or self.policy is None:
            raise ShotPlanError("only a plan for an observable has a forecast; see ShotPlan.for_observable")
        state = simulate(self._circuit(circuit), parameters=parameters)
        spreads = [
            math.sqrt(max(0.0, state.variance(self.observable._part(setting.terms.tolist()))))
            for setting in self.settings
        ]
        if self.policy.allocation == "variance":
            at_one = sum(spreads)
        else:
            weights = _weights(self.settings, self.policy.allocation)
            shares = [weight / sum(weights) for weight in weights]
            at_one = math.sqrt(sum(s**2 / share for s, share in zip(spreads, shares, strict=True)))
        target = self.policy.target_error
        needed = None if target is None else max(_LEAST * len(spreads), math.ceil((at_one / target) ** 2))
        return Forecast(at_one / math.sqrt(self.shots), needed, needed is None or needed <= self.shots, tuple(spreads))

    def next_segments(self, tallies: Sequence[Tally]) -> tuple[Segment, ...]:
        """Return the segments that follow what has been counted so far; none when the plan is done.

        A function of the merged counts alone: it does not matter in which order, in how many parts or by whom the
        shots were taken.
        """
        done = [tally.shots for tally in tallies]
        total = sum(done)
        if total == 0:
            return self.segments
        policy = self.policy
        if policy is None or total >= policy.shots:
            return ()
        if policy.target_error is not None and merged_error(tallies) <= policy.target_error:
            return ()
        increment = next(point for point in policy.checkpoints if point > total) - total
        if policy.allocation == "variance":
            spreads = [spread(setting, tally) for setting, tally in zip(self.settings, tallies, strict=True)]
            shares = neyman_shares(increment, spreads, done)
        else:
            shares = divide_shots(increment, _weights(self.settings, policy.allocation))
        return _cut(self.settings, shares, policy.max_shots_per_segment, total)

    def target_report(self, tallies: Sequence[Tally], pilot: Sequence[Tally]) -> dict[str, Any] | None:
        """Say whether the target was reached, and what the pilot foretold; None without a target."""
        if self.policy is None or self.policy.target_error is None:
            return None
        target = self.policy.target_error
        spreads = [spread(setting, tally) for setting, tally in zip(self.settings, pilot, strict=True)]
        return {
            "target_error": target,
            "reached": merged_error(tallies) <= target,
            "max_shots": self.policy.shots,
            "shots_foretold_by_pilot": math.ceil((sum(spreads) / target) ** 2),
            "error_foretold_by_pilot": predicted_error(self.policy.shots, spreads),
        }

    # --- running ------------------------------------------------------------------------------------------------------
    def run(self, device: str | Device | JobGroup | None = None, **how: Any) -> Any:
        """Run the plan and wait for its result, a `PlanResult`; the arguments are those of `submit`."""
        return self.submit(device, **how).result()

    def submit(
        self,
        device: str | Device | JobGroup | None = None,
        *,
        seed: int | None = None,
        session: JobGroup | None = None,
        circuit: Circuit | None = None,
        parameters: Any = None,
        noise: NoiseModel | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
        refuse_unreachable: bool = False,
        mitigation: Mitigation | Iterable[str] | Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Job:
        """Submit the plan as one job, whose result is a `PlanResult`.

        Parameters
        ----------
        device : str, Device, Session or Batch, optional
            Default: the default device.
        seed : int, optional
            Shot i is a function of (seed, i). Default: that of the session and the job's number, else the setting,
            else fresh entropy; the result tells it.
        session : Session or Batch, optional
            Where the job belongs; `device` is then one of its devices, or None.
        circuit : Circuit, optional
            For a plan that was made without one.
        parameters : mapping or array, optional
            Values of the circuit's free parameters, as for `qfast.simulate`.
        noise : NoiseModel, optional
            Acts on the circuit, the basis changes and the readout; every block of shots is then simulated anew.
        checkpoint : path, optional
            The segments that are done are kept in this file (``.npz``) every few seconds and at the end, whatever the
            end is. Where it exists, the run goes on from it, and ends with the same result, bit for bit, as if it had
            never stopped.
        progress : callable, optional
            ``progress(shots done, most shots)`` after each segment, in the worker's thread.
        refuse_unreachable : bool
            Ask `forecast` first, and refuse a target that the shots cannot reach.
        mitigation : Mitigation, names of methods, or dictionary, optional
            Error mitigation of a plan for an observable that learns nothing on its way; every scale factor takes the
            plan's shots. Default: the setting ``error_mitigation``; ``()``: none.
        tags, options
            As for ``Session.run``.

        Returns
        -------
        Job
            Its ``progress()`` counts shots. With error mitigation its result is a `Estimate`.

        Raises
        ------
        ShotPlanError
            No circuit, or two; a qubit that it does not have; a checkpoint of another plan; an unreachable target.
        """
        used = self._circuit(circuit)
        if refuse_unreachable:
            self._check_reachable(used, parameters)
        if isinstance(device, JobGroup):
            if session is not None and session is not device:
                raise InputError("two sessions were given, as device and as session; pass one")
            session, device = device, None
        chosen = None if mitigation is None else Mitigation.of(mitigation)
        work = PlanWork(self, used, parameters, checkpoint, progress, seed, noise, chosen)
        if session is not None:
            return session.submit(work, seed=seed, device=device, tags=tags, options=options)
        return submit(work, device=device, seed=seed, tags=tags, options=options)

    def _circuit(self, circuit: Circuit | None) -> Circuit:
        if circuit is None:
            if self.circuit is None:
                raise ShotPlanError("the plan has no circuit; pass one: plan.run(device, circuit=circuit)")
            return self.circuit
        if self.circuit is not None:
            raise ShotPlanError("the plan has a circuit of its own; leave 'circuit' out, or make a plan without one")
        check_circuit(circuit)
        for setting in self.settings:
            touched = {*setting.qubits, *(qubit for _, qubits in setting.gates for qubit in qubits)}
            if touched and max(touched) >= circuit.num_qubits:
                raise ShotPlanError(
                    f"the plan measures qubit {max(touched)} ({setting.label}); the circuit has {circuit.num_qubits} "
                    f"qubits (0 … {circuit.num_qubits - 1})"
                )
        return circuit

    def _check_reachable(self, circuit: Circuit, parameters: Any) -> None:
        found = self.forecast(circuit=None if circuit is self.circuit else circuit, parameters=parameters)
        if not found.is_reachable:
            assert self.policy is not None
            raise ShotPlanError(
                f"target_error {self.policy.target_error:g} needs about {found.shots_needed} shots with "
                f"allocation={self.policy.allocation!r}, the plan has {self.shots}, which reach "
                f"{found.standard_error:.3g}; allow more shots or a larger error"
            )

    # --- files --------------------------------------------------------------------------------------------------------
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan, with its circuit, to a file (``.npz``: JSON and arrays, no pickles)."""
        write_plan_file(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ShotPlan:
        """Read the plan from a file that `save`, `PlanResult.save` or a checkpoint wrote."""
        return read_plan_file(path, cls).plan

    def __repr__(self) -> str:
        kind = "segments" if self.policy is None else f"{self.policy.allocation}, {self.policy.grouping}"
        most = "" if self.is_static else "at most "
        return f"<ShotPlan: {most}{self.shots} shots, {len(self.settings)} settings, {kind}>"


def merged_error(tallies: Sequence[Tally]) -> float:
    """Return the standard error of the sum over settings; their shots are independent."""
    return math.sqrt(sum(tally.standard_error**2 for tally in tallies))


def _weights(settings: Sequence[Setting], allocation: Allocation) -> list[float]:
    if allocation == "uniform":
        return [1.0] * len(settings)
    return [math.sqrt(float(np.square(setting.coefficients).sum())) for setting in settings]


def _cut(settings: Sequence[Setting], shares: Sequence[int], limit: int | None, first_shot: int) -> tuple[Segment, ...]:
    """Put the shots of each setting in a row, cut where they are too many."""
    segments = []
    for number, (setting, share) in enumerate(zip(settings, shares, strict=True)):
        for shots in split_shots(share, limit):
            segments.append(Segment(shots, setting.basis, setting.qubits, first_shot, number))
            first_shot += shots
    return tuple(segments)


def _check_policy(num_settings: int, total: int, allocation: str, target_error: Any) -> None:
    if allocation not in _ALLOCATIONS:
        raise ShotPlanError(f"allocation {allocation!r} is unknown; allowed: {', '.join(map(repr, _ALLOCATIONS))}")
    if num_settings == 0:
        raise ShotPlanError("the observable is a multiple of the identity; its value needs no shots")
    if total < _LEAST * num_settings:
        raise ShotPlanError(
            f"{total} shots were given for {num_settings} measurement settings; at least {_LEAST} in each, "
            f"{_LEAST * num_settings} in all, are needed for a value with an error"
        )
    if target_error is not None and not (
        isinstance(target_error, (int, float, np.floating)) and 0 < target_error < math.inf
    ):
        raise ShotPlanError(f"target_error is {target_error!r}; a positive number is needed, or None for no target")


def _checkpoints(
    total: int,
    num_settings: int,
    is_learning: bool,
    has_target: bool,
    pilot_shots: int | None,
    checkpoints: Sequence[int] | None,
) -> tuple[int, ...]:
    """Return the totals at which a plan looks at its counts."""
    if not is_learning:
        if pilot_shots is not None or checkpoints is not None:
            raise ShotPlanError(
                "pilot_shots and checkpoints belong to plans that learn; give allocation='variance' or a target_error"
            )
        return (total,)
    least = _LEAST * num_settings
    if pilot_shots is None:
        pilot = _PILOT_SHOTS * num_settings
        if not has_target:  # all shots will be taken; a pilot that takes most of them teaches nothing
            pilot = max(least, min(total // 2, max(pilot, total // _PILOT_SHARE)))
        pilot = min(total, pilot)
    else:
        pilot = positive_count(pilot_shots, "pilot_shots")
        if not least <= pilot <= total:
            raise ShotPlanError(f"pilot_shots is {pilot}; allowed: {least} (two for each setting) to {total} (shots)")
    if checkpoints is not None:
        points = [positive_count(point, f"checkpoint {place}") for place, point in enumerate(checkpoints)]
        for place, (before, after) in enumerate(zip([pilot, *points], points, strict=False)):
            if not before < after <= total:
                raise ShotPlanError(
                    f"checkpoint {place} is {after}; checkpoints ascend from above the pilot's {pilot} to the {total} "
                    "shots of the plan"
                )
        points = [pilot, *points]
    else:
        points = [pilot]
        while has_target and points[-1] < total:
            points.append(min(total, math.ceil(points[-1] * _GROWTH)))
    return tuple(points) if points[-1] == total else (*points, total)
