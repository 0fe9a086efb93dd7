"""Shot plans: which shots are taken in which basis, run as one job on one simulation."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qfast.circuit import AnyCircuit, CircuitValue, PauliSum
from qfast.circuit.shot_plan import Segment, make_segments, positive_count, split_shots
from qfast.devices import Device
from qfast.errors import InputError, ShotPlanError
from qfast.estimation.allocation import LEAST_SHOTS, Allocation, weights_of
from qfast.estimation.policy import Policy
from qfast.estimation.settings import Grouping, Setting, group_settings, segment_setting
from qfast.estimation.tallies import Tally
from qfast.jobs.job import Job
from qfast.jobs.job_group import JobGroup
from qfast.jobs.runtime import submit
from qfast.jobs.shot_files import read_plan_file, write_plan_file
from qfast.jobs.shot_work import PlanWork
from qfast.mitigation import Mitigation
from qfast.noise import NoiseModel
from qfast.simulation import simulate
from qfast.simulation.request import checked_circuit

__all__ = ["Forecast", "ShotPlan"]


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
        As it is now. Without one, `run` is given it.

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
        How the shots of an observable are divided and when they end.
    grouping : str or None
        Of a plan for an observable.
    max_shots_per_segment : int or None

    Raises
    ------
    ShotPlanError
        A segment is wrong; the message tells which.

    Examples
    --------
    >>> from qfast import Circuit, PauliSum, ShotPlan
    >>> bell = Circuit(2).h(0).cx(0, 1)
    >>> plan = ShotPlan([{"shots": 60, "basis": "Z"}, {"shots": 40, "basis": "X"}], circuit=bell)
    >>> plan.run(seed=7).expectations
    {'Z0 Z1': 1.0, 'X0 X1': 1.0}
    >>> H = PauliSum([("ZZ", [0, 1], 1.0), ("XX", [0, 1], -0.5)])
    >>> result = ShotPlan.for_observable(bell, H, shots=100).run(seed=7)
    >>> result.expectation, round(result.standard_error, 3)
    (0.5, 0.043)
    """

    circuit: CircuitValue | None
    segments: tuple[Segment, ...]
    settings: tuple[Setting, ...]
    observable: PauliSum | None
    constant: float
    policy: Policy | None
    grouping: Grouping | None
    max_shots_per_segment: int | None

    def __init__(self, segments: Sequence[Segment | Mapping[str, Any]], *, circuit: AnyCircuit | None = None) -> None:
        value = None if circuit is None else checked_circuit(circuit)
        made = make_segments(segments, None if value is None else value.num_qubits)
        first = {segment.setting: segment for segment in reversed(made)}
        settings = tuple(segment_setting(first[number]) for number in range(len(first)))
        self.__dict__.update(
            circuit=value, segments=made, settings=settings, observable=None, constant=0.0, policy=None,
            grouping=None, max_shots_per_segment=None,
        )  # fmt: skip

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a ShotPlan is immutable; make a new one instead of setting {name!r}")

    @classmethod
    def for_observable(
        cls,
        circuit: AnyCircuit | None,
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
            As it is now; parameters may stay free until `run`.
        observable : PauliSum
            Hermitian.
        shots : int
            The total; with `target_error` the most.
        allocation : {"uniform", "coefficient", "variance"}
            How settings share the shots: equally; in proportion to the 2-norm of their coefficients; or in proportion
            to the standard deviation of their shots, which a pilot measures (Neyman 1934).
        grouping : {"qubit_wise", "general"}
            Which terms are measured together; see `qfast.estimation.settings.group_settings`.
        max_shots_per_segment : int, optional
        target_error : float, optional
            The plan ends at the first checkpoint where the standard error is not above it.
        pilot_shots : int, optional
            All settings together, of plans that learn. By default 30 a setting; without a target at least a tenth
            and at most half of the shots.
        checkpoints : sequence of int, optional
            Totals at which the target is looked at, ascending; by default each a tenth more than the one before, but
            for those that the counts so far say to be too early.

        Raises
        ------
        ShotPlanError
            Something is wrong, or the shots do not suffice for two in each setting.
        ObservableError
            The observable is not Hermitian or acts on a qubit that the circuit does not have.
        """
        value = None if circuit is None else checked_circuit(circuit)
        if not isinstance(observable, PauliSum):
            raise InputError(f"{type(observable).__name__} is not an observable; pass a qfast.PauliSum")
        if value is not None:
            observable.masks(value.num_qubits)
        observable = observable.simplify()
        settings, constant = group_settings(observable, grouping)
        policy = Policy.make(len(settings), shots, allocation, target_error, pilot_shots, checkpoints)
        limit = max_shots_per_segment
        if limit is not None:
            limit = positive_count(limit, "max_shots_per_segment")
        return cls._of_policy(value, observable, settings, constant, policy, grouping, limit)

    @classmethod
    def _of_policy(
        cls,
        circuit: CircuitValue | None,
        observable: PauliSum,
        settings: Sequence[Setting],
        constant: float,
        policy: Policy,
        grouping: Grouping,
        limit: int | None,
    ) -> ShotPlan:
        plan = cls.__new__(cls)
        segments = _cut(settings, policy.next_shares(settings, ()), limit, 0)
        plan.__dict__.update(
            circuit=circuit, segments=segments, settings=tuple(settings), observable=observable, constant=constant,
            policy=policy, grouping=grouping, max_shots_per_segment=limit,
        )  # fmt: skip
        return plan

    # --- inspection ---------------------------------------------------------------------------------------------------
    @property
    def shots(self) -> int:
        """The total; of a plan with a target, the most."""
        return self.policy.shots if self.policy is not None else sum(segment.shots for segment in self.segments)

    @property
    def is_static(self) -> bool:
        """Whether all its segments are known before it runs."""
        return self.policy is None or self.policy.is_static

    @property
    def error_bound(self) -> float:
        """The largest standard error that any state can give with the shots that are planned so far.

        Only of plans for an observable: a setting's shot has values from -Σ|c| to Σ|c|.
        """
        shots = [0] * len(self.settings)
        for segment in self.segments:
            shots[segment.setting] += segment.shots
        bounds = [setting.largest_value**2 / number for setting, number in zip(self.settings, shots, strict=True)]
        return math.sqrt(math.fsum(bounds))

    def forecast(self, *, circuit: AnyCircuit | None = None, parameters: Any = None) -> Forecast:
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
            weights = weights_of(self.settings, self.policy.allocation)
            shares = [weight / sum(weights) for weight in weights]
            at_one = math.sqrt(sum(s**2 / share for s, share in zip(spreads, shares, strict=True)))
        target = self.policy.target_error
        needed = None if target is None else max(LEAST_SHOTS * len(spreads), math.ceil((at_one / target) ** 2))
        return Forecast(at_one / math.sqrt(self.shots), needed, needed is None or needed <= self.shots, tuple(spreads))

    def next_segments(self, tallies: Sequence[Tally]) -> tuple[Segment, ...]:
        """Return the segments that follow what has been counted so far; none when the plan is done.

        A function of the merged counts alone: it does not matter in which order, in how many parts or by whom the
        shots were taken.
        """
        done = sum(tally.shots for tally in tallies)
        if done == 0:
            return self.segments
        if self.policy is None:
            return ()
        shares = self.policy.next_shares(self.settings, tallies)
        return _cut(self.settings, shares, self.max_shots_per_segment, done) if shares else ()

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
        circuit: AnyCircuit | None = None,
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
            Acts on the circuit, the basis changes and the readout; every block of shots is then simulated anew. By
            default the device's; an empty model means none.
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

    def _circuit(self, circuit: AnyCircuit | None) -> CircuitValue:
        if circuit is None:
            if self.circuit is None:
                raise ShotPlanError("the plan has no circuit; pass one: plan.run(device, circuit=circuit)")
            return self.circuit
        if self.circuit is not None:
            raise ShotPlanError("the plan has a circuit of its own; leave 'circuit' out, or make a plan without one")
        value = checked_circuit(circuit)
        for setting in self.settings:
            touched = {*setting.qubits, *(qubit for _, qubits in setting.gates for qubit in qubits)}
            if touched and max(touched) >= value.num_qubits:
                raise ShotPlanError(
                    f"the plan measures qubit {max(touched)} ({setting.label}); the circuit has {value.num_qubits} "
                    f"qubits (0 … {value.num_qubits - 1})"
                )
        return value

    def _check_reachable(self, circuit: CircuitValue, parameters: Any) -> None:
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
        kind = "segments" if self.policy is None else f"{self.policy.allocation}, {self.grouping}"
        most = "" if self.is_static else "at most "
        return f"<ShotPlan: {most}{self.shots} shots, {len(self.settings)} settings, {kind}>"


def _cut(settings: Sequence[Setting], shares: Sequence[int], limit: int | None, first_shot: int) -> tuple[Segment, ...]:
    """Put the shots of each setting in a row, cut where they are too many."""
    segments = []
    for number, (setting, share) in enumerate(zip(settings, shares, strict=True)):
        for shots in split_shots(share, limit):
            segments.append(Segment(shots, setting.basis, setting.qubits, first_shot, number))
            first_shot += shots
    return tuple(segments)
