"""Many circuits as one piece of work: what they have in common at their beginning is simulated once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import Precision
from qfast.circuit import Circuit, Observable
from qfast.circuit.shot_plan import positive_count
from qfast.engines.memory import check_qubits, state_bytes
from qfast.errors import InputError
from qfast.jobs.circuit_work import check_circuit, check_unchanged, circuit_cost, engine_arguments
from qfast.jobs.mitigated import check_no_mitigation
from qfast.jobs.work import Requirements
from qfast.simulation import Statevector
from qfast.simulation.compiled import compiled_for
from qfast.simulation.run_settings import run_settings
from qfast.simulation.seeds import derived_seed, fresh_seed
from qfast.simulation.shared_prefix import PrefixStatistics, run_shared
from qfast.simulation.terminal_sampling import sample_state

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.jobs.context import JobContext

__all__ = ["SharedResult", "SharedWork", "make_shared_work"]


class SharedResult(Sequence[Any]):
    """One result per circuit, in their order, and what sharing saved.

    Attributes
    ----------
    statistics : PrefixStatistics
    metadata : dict
    """

    def __init__(self, results: list[Any], statistics: PrefixStatistics, metadata: dict[str, Any]) -> None:
        self._results = tuple(results)
        self.statistics = statistics
        self.metadata = metadata

    def __getitem__(self, index: Any) -> Any:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to `metadata`; the job layer tells here which job made the result."""
        self.metadata.update(entries)

    def __repr__(self) -> str:
        return f"<SharedResult of {len(self)} circuits, {self.statistics.saved:.0%} of the gates saved>"


class SharedWork:
    """Circuits run in one walk over their common prefixes; circuit i draws its shots from the key (seed, i)."""

    name = "shared circuits"

    def __init__(self, circuits: list[Circuit], parameters: list[Any], shots: int | None, observables: Any) -> None:
        self.circuits = circuits
        self.parameters = parameters
        self.shots = shots
        self.observables = observables
        self._lengths = [len(circuit) for circuit in circuits]

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`: two states are what a parameter-shift set needs; with less memory, prefixes are run again."""
        check_no_mitigation(settings, "circuits that share their beginning")
        precision: Precision = settings["precision"]
        num_qubits = max((circuit.num_qubits for circuit in self.circuits), default=0)
        check_qubits(num_qubits, precision)
        cost = sum(circuit_cost(length, num_qubits) for length in self._lengths)
        shots = (self.shots or 0) * len(self.circuits)
        return Requirements(num_qubits, shots, 2 * state_bytes(num_qubits, precision), max(1.0, cost))

    def load(self, context: JobContext) -> None:
        """Check that no circuit has grown since it was submitted, and that there are states to share."""
        if context.device.is_noisy:
            raise InputError(
                f"device {context.device.name} is noisy, and noise leaves no state that circuits could share; "
                "run each circuit as a job of its own"
            )
        for circuit, length in zip(self.circuits, self._lengths, strict=True):
            check_unchanged(circuit, length)

    def execute(self, context: JobContext) -> SharedResult:
        """See `Work`."""
        seed = fresh_seed() if context.seed is None else context.seed
        num_qubits = self.circuits[0].num_qubits
        arguments = engine_arguments(context, num_qubits)
        settings = run_settings(**arguments)
        cancel = context.cancel_token
        context.job.follow_progress(None)  # the job's progress counts circuits
        done = 0

        def use(index: int, state: Statevector) -> Any:
            nonlocal done
            done += 1
            context.progress(done, len(self.circuits))
            if self.shots is None:
                return state.expectation(self.observables)
            script = compiled_for(self.circuits[index], settings.engine, settings.precision).script
            return sample_state(
                settings, state.amplitudes, script.wiring, script.registers, self.shots,
                derived_seed(seed, "circuit", index), cancel=cancel,
            )  # fmt: skip

        # The job's share of memory: what the requirements say.
        budget = self.requirements(context.config).size_bytes
        results, statistics = run_shared(
            self.circuits, self.parameters, use=use, budget_bytes=budget, cancel=cancel, **arguments
        )
        context.log(f"{statistics.simulated} of {statistics.instructions} gates were run")
        return SharedResult(results, statistics, {"seed": seed, "sharing": statistics.as_dict()})

    def unload(self, context: JobContext) -> None:
        """Nothing is held."""


def make_shared_work(
    circuits: Circuit | Sequence[Circuit],
    *,
    parameters: Any = None,
    shots: int | None = None,
    observables: Observable | Sequence[Observable] | None = None,
) -> SharedWork:
    """Check arguments and copy what the caller may change before the job runs.

    Raises
    ------
    InputError
        No circuits; neither or both of shots and observables.
    """
    if isinstance(circuits, Circuit):
        if parameters is None:
            raise InputError("one circuit is run once for each row of parameters; parameters is missing")
        values = list(np.array(parameters, dtype=np.float64))
        listed = [circuits] * len(values)
    else:
        listed = list(circuits)
        values = [None] * len(listed) if parameters is None else [_copied(row) for row in parameters]
    if not listed:
        raise InputError("there is no circuit; pass at least one")
    if len(values) != len(listed):
        raise InputError(f"{len(listed)} circuits and {len(values)} sets of parameter values were given")
    for circuit in listed:
        check_circuit(circuit)
    if (shots is None) == (observables is None):
        raise InputError("pass either shots, for samples, or observables, for expectation values")
    if shots is not None:
        shots = positive_count(shots, "shots")
    return SharedWork(
        listed, values, shots, observables if isinstance(observables, Observable) or shots else list(observables or ())
    )


def _copied(values: Any) -> Any:
    return dict(values) if hasattr(values, "keys") else None if values is None else np.array(values)
