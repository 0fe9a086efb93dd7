"""A shot plan as work: one simulation, then segment after segment until the plan says that it is done."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qfast._typing import Precision, UIntArray
from qfast.circuit import CircuitValue
from qfast.circuit.shot_plan import Segment
from qfast.engines.memory import check_qubits, state_bytes
from qfast.errors import ShotPlanError
from qfast.estimation import Estimate
from qfast.estimation.tallies import NOTHING, Outcomes, Tally, merge, tally
from qfast.jobs.circuit_work import circuit_cost, engine_arguments, placed
from qfast.jobs.device_check import check_fits_device, device_bases
from qfast.jobs.file_claim import FileClaim
from qfast.jobs.mitigated import job_target
from qfast.jobs.shot_files import plan_arrays, read_plan_file, write_plan_file
from qfast.jobs.work import Requirements
from qfast.mitigation.expectation import sampled_value
from qfast.mitigation.options import Mitigation
from qfast.mitigation.target import check_target
from qfast.noise import NoiseModel
from qfast.simulation.asks import State
from qfast.simulation.basis_counts import Basis, Readout, readout_of
from qfast.simulation.packing import num_touched
from qfast.simulation.provenance import Provenance
from qfast.simulation.request import Request
from qfast.simulation.run_settings import RunSettings, run_settings
from qfast.simulation.seeds import fresh_seed

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.jobs.context import JobContext
    from qfast.jobs.shot_result import PlanResult
    from qfast.jobs.shots import ShotPlan

__all__ = ["PlanWork"]

_CHECKPOINT_INTERVAL_S = 5.0
_BLOCK_SHOTS = 1 << 18  # drawn at a time: 2 MiB of outcomes

Key = tuple[int, int, int]  # setting, first shot, shots


class PlanWork:
    """A shot plan on one circuit; see `ShotPlan.submit` for the arguments."""

    name = "shot plan"

    def __init__(
        self,
        plan: ShotPlan,
        circuit: CircuitValue,
        parameters: Any,
        checkpoint: str | os.PathLike[str] | None,
        progress: Callable[[int, int], None] | None,
        seed: int | None,
        noise: NoiseModel | None = None,
        mitigation: Mitigation | None = None,
    ) -> None:
        self.plan = plan
        self._most_shots = plan.shots
        self._mitigation = mitigation
        # Of the state that is measured; its precision is not known before the job's settings are.
        self._asked = Request.of(State(), circuit, parameters, "complex128", noise=noise).kept()
        self._request = self._asked
        self._takes_noise = noise is None
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        self._progress = progress
        self._asked_seed = seed
        self._kept: dict[Key, Outcomes] = {}
        self._kept_seed: int | None = None
        self._run = ""
        self._bases: list[Basis] = []
        self._settings: RunSettings | None = None
        self._written_at = 0.0
        self._drawn: dict[Key, UIntArray] = {}

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`: the state, and one rotated copy if any basis needs one."""
        precision: Precision = settings["precision"]
        circuit = self._request.circuit
        num_qubits = num_touched(circuit)
        check_qubits(num_qubits, precision)
        states = 2 if any(setting.gates for setting in self.plan.settings) else 1
        cost = circuit_cost(len(circuit) + sum(len(setting.gates) for setting in self.plan.settings), num_qubits)
        mitigation = self._chosen(settings)
        if mitigation is not None:
            check_mitigable(self.plan, self._checkpoint)
        shots = self.plan.shots if mitigation is None else mitigation.total_shots(self.plan.shots)
        return Requirements(circuit.num_qubits, shots, states * state_bytes(num_qubits, precision), cost)

    def _chosen(self, settings: Snapshot) -> Mitigation | None:
        """Return the methods that are on: the argument's, else the settings'; None for none."""
        if self._mitigation is not None:
            return self._mitigation if self._mitigation.names else None
        return Mitigation.from_settings(settings) if settings["error_mitigation"] else None

    def load(self, context: JobContext) -> None:
        """Prepare the circuit, bind its values, and read the checkpoint; a noisy device lends its noise."""
        circuit = self._request.circuit
        check_fits_device(circuit, context.device)
        self._bases = device_bases(self.plan.settings, context.device, circuit)
        self._settings = run_settings(**engine_arguments(context, circuit.num_qubits))
        self._request = placed(self._asked, context, takes_noise=self._takes_noise)
        self._run = self._request.asking(State()).digest.hex()
        if self._checkpoint is not None:
            claim = FileClaim(self._checkpoint)
            context.at_unload(claim.release)
            if self._checkpoint.exists():
                self._resume(self._checkpoint)

    def execute(self, context: JobContext) -> PlanResult | Estimate:
        """Run rounds of segments; what a checkpoint holds is not run again."""
        mitigation = self._chosen(context.config)
        if mitigation is not None:
            return self._execute_mitigated(mitigation, context)
        from qfast.jobs.shot_result import PlanResult  # shots → shot_work → shot_result → shots

        begun = time.perf_counter()
        seed = self._kept_seed if self._kept_seed is not None else context.seed
        if seed is None:
            seed = fresh_seed()
        parts: list[tuple[Segment, Outcomes]] = []
        tallies = [tally(setting, NOTHING) for setting in self.plan.settings]
        pilot: list[Tally] | None = None
        reader: list[Readout] = []
        merged = [NOTHING for _ in self.plan.settings]
        try:
            while segments := self.plan.next_segments(tallies):
                fresh: dict[int, list[Outcomes]] = {}
                waiting = deque(segments)
                while waiting:
                    segment = waiting.popleft()
                    outcomes = self._outcomes(segment, waiting, seed, reader, context)
                    parts.append((segment, outcomes))
                    fresh.setdefault(segment.setting, []).append(outcomes)
                    self._tell(context, parts[-1][0].stop_shot)
                    self._keep(seed, parts)
                for number, found in fresh.items():
                    merged[number] = merge([merged[number], *found])
                    tallies[number] = tally(self.plan.settings[number], merged[number])
                pilot = pilot or list(tallies)
        finally:
            self._keep(seed, parts, at_once=True)
        metadata = self._metadata(seed, reader, time.perf_counter() - begun)
        policy = self.plan.policy
        target = None if policy is None else policy.report(tallies, pilot or tallies)
        if target is not None:
            metadata["target"] = target
            if not target["reached"]:
                context.log(
                    f"the target {target['target_error']:g} was not reached with {target['max_shots']} shots; "
                    f"about {target['shots_foretold_by_pilot']} are needed"
                )
        return PlanResult(self.plan, seed, parts, metadata, self._run)

    def _execute_mitigated(self, mitigation: Mitigation, context: JobContext) -> Estimate:
        plan, request = self.plan, self._request
        circuit = request.circuit.bind(request.values.tolist()) if request.values.size else request.circuit.copy()
        total = mitigation.total_shots(plan.shots)
        target = job_target(
            context, request.noise, context.seed, total, **engine_arguments(context, circuit.num_qubits)
        )
        check_target(mitigation, target.noise, circuit)
        shares = [0] * len(plan.settings)
        for segment in plan.segments:
            shares[segment.setting] += segment.shots
        return sampled_value(circuit, plan.settings, shares, plan.constant, mitigation, target)

    def unload(self, context: JobContext) -> None:
        """Let go of what was read and drawn."""
        self._kept = {}
        self._drawn = {}

    def _outcomes(
        self, segment: Segment, waiting: Iterable[Segment], seed: int, reader: list[Readout], context: JobContext
    ) -> Outcomes:
        """Take a segment's counts from the checkpoint, or from the state, which is simulated when first needed.

        Short segments of a setting are drawn together with those that wait: drawing a few shots at a time would pass
        over the state again and again.
        """
        kept = self._kept.get(_key(segment))
        if kept is not None:
            return kept
        context.check_cancelled()
        if not reader:
            reader.append(self._simulate(context))
        if segment.shots >= _BLOCK_SHOTS:
            return Outcomes(*reader[0].counts(segment.setting, segment.shots, seed, segment.first_shot))
        if _key(segment) not in self._drawn:
            self._draw([segment, *self._companions(segment, waiting)], seed, reader[0])
        return Outcomes.of_shots(self._drawn.pop(_key(segment)))

    def _companions(self, segment: Segment, waiting: Iterable[Segment]) -> Iterator[Segment]:
        """Yield the segments of the same setting that are drawn with it, as many as make a block."""
        total = segment.shots
        for other in waiting:
            if other.setting != segment.setting or _key(other) in self._kept:
                continue
            total += other.shots
            if total > _BLOCK_SHOTS:
                return
            yield other

    def _draw(self, segments: Sequence[Segment], seed: int, reader: Readout) -> None:
        words = reader.outcomes(segments[0].setting, seed, _joined(segments))
        begin = 0
        for segment in segments:
            self._drawn[_key(segment)] = words[begin : begin + segment.shots]
            begin += segment.shots

    def _simulate(self, context: JobContext) -> Readout:
        assert self._settings is not None
        # From now on the job's progress is counted in shots, not in steps of the engine.
        context.job.follow_progress(None)
        return readout_of(self._request, self._settings, self._bases, context.cancel_token)

    def _tell(self, context: JobContext, done: int) -> None:
        context.progress(done, self._most_shots)
        if self._progress is not None:
            self._progress(done, self._most_shots)

    def _metadata(self, seed: int, reader: list[Readout], seconds: float) -> dict[str, Any]:
        assert self._settings is not None
        statistics = reader[0].statistics() if reader else {"simulations": 0, "basis_changes": 0}
        made = Provenance(self._settings, None, seed=seed, times={"run_s": seconds}, more=statistics).as_dict()
        made.pop("plan")
        made.pop("peak_bytes")  # the job's telemetry has it
        return made

    # --- checkpoint ---------------------------------------------------------------------------------------------------
    def _resume(self, path: Path) -> None:
        found = read_plan_file(path, type(self.plan))
        mine, theirs = plan_arrays(self.plan), plan_arrays(found.plan)
        same = mine.keys() == theirs.keys() and all(mine[k].tobytes() == theirs[k].tobytes() for k in mine)
        if not same or found.run != self._run:
            what = "belongs to another plan"
            if same and not found.run:
                what = "does not say which circuit, values and noise its counts are of"
            elif same:
                what = "was made with other parameter values, noise or precision, or another circuit"
            raise ShotPlanError(f"checkpoint {path} {what}; name another file, or remove it")
        if self._asked_seed is not None and found.seed not in (None, self._asked_seed):
            raise ShotPlanError(
                f"checkpoint {path} was made with seed {found.seed}, {self._asked_seed} is asked for; "
                "leave the seed out to go on, or name another file"
            )
        self._kept_seed = found.seed
        self._kept = {_key(segment): outcomes for segment, outcomes in found.parts}

    def _keep(self, seed: int, parts: list[tuple[Segment, Outcomes]], at_once: bool = False) -> None:
        if self._checkpoint is None:
            return
        now = time.monotonic()
        if at_once or now - self._written_at >= _CHECKPOINT_INTERVAL_S:
            write_plan_file(self._checkpoint, self.plan, seed=seed, parts=parts, run=self._run)
            self._written_at = now


def check_mitigable(plan: ShotPlan, checkpoint: Path | None) -> None:
    """Raise ``ShotPlanError`` for a plan that cannot be run with error mitigation."""
    if plan.observable is None:
        raise ShotPlanError(
            "error mitigation works on the value of an observable, and this plan has none; see ShotPlan.for_observable"
        )
    if not plan.is_static:
        raise ShotPlanError(
            "error mitigation needs to know the shots of each setting beforehand; make the plan with allocation "
            "'uniform' or 'coefficient' and without a target_error"
        )
    if checkpoint is not None:
        raise ShotPlanError("a plan with error mitigation keeps no checkpoint; leave 'checkpoint' out")


def _key(segment: Segment) -> Key:
    return segment.setting, segment.first_shot, segment.shots


def _joined(segments: Sequence[Segment]) -> list[range]:
    """Return the shots of segments as few ranges."""
    found: list[range] = []
    for segment in segments:
        if found and found[-1].stop == segment.first_shot:
            found[-1] = range(found[-1].start, segment.stop_shot)
        else:
            found.append(range(segment.first_shot, segment.stop_shot))
    return found
