"""A graph as work for the job layer: certified when it is submitted, LOAD, EXECUTE, UNLOAD as every job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import Precision
from qfast.engines.bits import Rows
from qfast.engines.memory import allocate_state, check_qubits, state_bytes
from qfast.errors import QfastError
from qfast.jobs.circuit_work import circuit_cost
from qfast.jobs.work import Requirements
from qfast.noise import NoiseModel
from qfast.qvm.certification import Certificate, Limits, certify
from qfast.qvm.graph import Graph, Guard, Node
from qfast.qvm.lowering import EventBits, Lowered, lower
from qfast.qvm.operations import DEFAULT_CAPABILITIES, Kind
from qfast.qvm.resources import LEDGER, Holding, Ledger, Quota
from qfast.simulation.compiled import Compiled
from qfast.simulation.pure_branch import PureBranch
from qfast.simulation.run_settings import run_settings
from qfast.simulation.seeds import chosen_seed
from qfast.simulation.walk import BranchWalk

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.jobs.context import JobContext

__all__ = ["GraphResult", "GraphWork"]

_ROWS = 1 << 20  # shots whose events stand in memory at a time

Line = tuple[str, ...]


class GraphResult(dict[str, Any]):
    """What a graph returns: a dictionary, as the system has it that the graphs come from.

    ``status`` : "COMPLETED".
    ``events`` : of one shot, name → value, None where the node that produces it was skipped.
    ``counts`` : outcome → shots; one character an event, the first declared rightmost: its value, or - where skipped.
    ``shots``, ``seed``, ``warnings``.
    ``node_counts`` : node → shots that ran it.
    ``telemetry`` : logical and physical qubits and channels held after the clean-up.
    ``peak_resources`` : the same at their peaks, and the bytes of the largest state.
    ``execution_log`` : of shot 0, see `qfast.qvm.Executor`.
    ``metadata`` : of the job.
    """

    def add_metadata(self, **entries: Any) -> None:
        """Take what the job layer tells of the job."""
        self["metadata"] = {key: value for key, value in entries.items() if key not in ("execution_log", "telemetry")}


class GraphWork:
    """One graph, for ``session.submit`` and `qfast.submit`; its result is a `GraphResult`.

    Parameters
    ----------
    graph : Graph
    shots : int or None
        None: what the graph's SET_POLICY says, else 1.
    noise : NoiseModel, optional
        None: the device's.
    capabilities : frozenset of str
    quota : Quota
        Of the tenant whose job it is.
    """

    name = "graph"

    def __init__(
        self,
        graph: Graph,
        *,
        shots: int | None = None,
        noise: NoiseModel | None = None,
        capabilities: frozenset[str] = DEFAULT_CAPABILITIES,
        quota: Quota | None = None,
        tenant: str = "local",
        ledger: Ledger = LEDGER,
    ) -> None:
        self.graph = graph
        self.noise = noise
        self.quota = quota or Quota()
        self.tenant = tenant
        self.log: list[Line] = []
        self.policy = policy_of(graph)
        self.shots: int = shots if shots is not None else self.policy.get("shots", 1)
        self._capabilities = capabilities
        self._ledger = ledger
        self._certificate: Certificate | None = None
        self._lowered: Lowered | None = None
        self._compiled: Compiled | None = None
        self._result: GraphResult | None = None

    def requirements(self, settings: Snapshot) -> Requirements:
        """Certify the graph, so that a wrong one is refused before it waits; see `Work`."""
        precision: Precision = settings["precision"]
        if self._certificate is None:
            limits = Limits(self.quota.logical_qubits, self.quota.physical_qubits, self.quota.channels)
            try:
                self._certificate = certify(self.graph, self._capabilities, limits, self.tenant)
            except QfastError as error:
                self.log += [("ERROR", str(error)), ("UNLOAD", "resources_released")]
                mark_error(error, self)
                raise
            self.log.append(("CERTIFIED", "static_verification_passed"))
        peak = self._certificate.peak_qubits
        check_qubits(peak, precision)
        size_bytes = state_bytes(peak, precision)
        cost = circuit_cost(len(self.graph.nodes), peak)
        return Requirements(peak, self.shots, size_bytes, cost)

    def load(self, context: JobContext) -> None:
        """Reserve what the graph needs at its peaks, and make its script."""
        certificate = self._certificate
        assert certificate is not None
        wanted = Holding(
            self.tenant, frozenset(self.graph.qubits), certificate.peak_qubits, certificate.peak_physical_qubits,
            certificate.peak_channels,
        )  # fmt: skip
        self._ledger.acquire(context.job.id, wanted, self.quota, context.check_cancelled)
        noise = context.device.noise if self.noise is None else self.noise
        self._lowered = lower(certificate, self.graph.qubits, noise)
        settings = run_settings(context.device.engine, context.config["precision"], context.threads)
        self._compiled = Compiled(self._lowered.script, (), settings.engine, settings.precision)
        self.log.append(("LOAD", "graph_loaded_and_verified"))

    def execute(self, context: JobContext) -> GraphResult:
        """Walk all shots at once, and read the events."""
        compiled, lowered = self._compiled, self._lowered
        certificate = self._certificate
        assert compiled is not None
        assert lowered is not None
        assert certificate is not None
        settings = run_settings(context.device.engine, context.config["precision"], context.threads)
        cancel = context.token_with_progress()
        seed = chosen_seed(context.seed)
        state = PureBranch(compiled, settings, allocate_state(0, settings.precision), None, cancel)
        walk = BranchWalk(compiled, settings, {}, state, budget_bytes=_budget(context, compiled), cancel=cancel)
        reader = _EventReader(certificate.order, lowered.events)
        for first in range(0, self.shots, _ROWS):
            reader.add(walk.rows(seed, first, min(_ROWS, self.shots - first)))
        self.log += reader.log_of_first(lowered, certificate)
        for line in self.log[2:]:
            context.note(line)
        self._result = GraphResult(
            status="COMPLETED",
            events=reader.events_of_first() if self.shots == 1 else reader.marginals(),
            counts=reader.counts(self.graph.events),
            shots=self.shots,
            seed=seed,
            node_counts=reader.node_counts(),
            warnings=[str(warning) for warning in certificate.warnings],
            peak_resources={
                "logical_qubits": certificate.peak_qubits,
                "physical_qubits": certificate.peak_physical_qubits,
                "channels": certificate.peak_channels,
                "bytes": compiled.state_bytes + walk.statistics.peak_kept_bytes,
            },
        )
        return self._result

    def unload(self, context: JobContext) -> None:
        """Give back whatever the graph holds; the telemetry is read afterwards."""
        job = context.job.id
        self._ledger.release(job)
        self._lowered = self._compiled = None
        freed = self._certificate.alive[-1] if self._certificate is not None and self._certificate.alive else 0
        self.log += [("UNLOAD", f"freed_{freed}_qubits"), ("UNLOAD", "resources_released")]
        if self._result is not None:
            self._result["telemetry"] = self._ledger.held_by(job)
            self._result["execution_log"] = tuple(self.log)


def policy_of(graph: Graph) -> dict[str, Any]:
    """Return what the SET_POLICY nodes say, later ones over earlier ones; a time limit only ever gets stricter."""
    found: dict[str, Any] = {}
    for node in graph.nodes:
        if node.op == "SET_POLICY":
            for name, value in node.arguments.items():
                is_limit = name.endswith("_s") and name in found
                found[name] = min(found[name], value) if is_limit else value
    return found


def mark_error(error: BaseException, work: GraphWork) -> None:
    """Give an error what a graph's error carries: its log and its telemetry, which is zero."""
    error.execution_log = tuple(work.log)  # type: ignore[attr-defined]
    error.telemetry = work._ledger.held_by("")  # type: ignore[attr-defined]


def _budget(context: JobContext, compiled: Compiled) -> int:
    """Bytes for copies of branches that wait: a fixed share, so that results do not depend on what is free."""
    return 64 * compiled.state_bytes + (1 << 24)


class _EventReader:
    """Reads the bits that shots have recorded as events: distinct outcomes and how often each was seen."""

    def __init__(self, order: tuple[Node, ...], events: Mapping[str, EventBits]) -> None:
        self._order = order
        self._bits = events
        self._first: bytes = b""
        self._seen: dict[bytes, int] = {}

    def add(self, rows: Rows) -> None:
        """Add the rows of consecutive shots, those of shot 0 first of all."""
        if rows.shape[1] == 0:
            self._seen[b""] = self._seen.get(b"", 0) + len(rows)
            return
        if not self._seen:
            self._first = rows[0].tobytes()
        width = rows.shape[1]
        # As texts of bytes, rows are compared whole; numpy drops the zero bytes at their end.
        texts = np.ascontiguousarray(rows).view(f"S{width}")[:, 0]
        distinct, counts = np.unique(texts, return_counts=True)
        for text, count in zip(distinct.tolist(), counts.tolist(), strict=True):
            key = text.ljust(width, b"\0")
            self._seen[key] = self._seen.get(key, 0) + count

    def _value(self, row: bytes, event: str) -> int:
        bits = self._bits[event]
        return int.from_bytes(row, "little") >> bits.start & ((1 << bits.size) - 1)

    def _run_of(self, row: bytes) -> Iterator[tuple[Node, bool]]:
        """The nodes in order, and whether each one's guard holds."""
        for node in self._order:
            yield node, node.guard is None or self._holds(row, node.guard)

    def _holds(self, row: bytes, guard: Guard) -> bool:
        tests = (self._value(row, one.event) == one.equals for one in guard.conditions)
        return all(tests) if guard.type == "and" else any(tests)

    def _events(self, row: bytes) -> dict[str, int | None]:
        return {
            event: self._value(row, event) if runs else None
            for node, runs in self._run_of(row)
            for event in node.produces
        }

    def events_of_first(self) -> dict[str, int | None]:
        """Return the events of shot 0."""
        return self._events(self._first)

    def marginals(self) -> dict[str, dict[int | None, int]]:
        """Return for each event how many shots had each value."""
        found: dict[str, dict[int | None, int]] = {}
        for row, count in self._seen.items():
            for event, value in self._events(row).items():
                values = found.setdefault(event, {})
                values[value] = values.get(value, 0) + count
        return found

    def counts(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return how many shots had each outcome of all events."""
        found: dict[str, int] = {}
        for row, count in self._seen.items():
            events = self._events(row)
            values = (events.get(name) for name in reversed(names))
            key = "".join("-" if value is None else str(value) for value in values)
            found[key] = found.get(key, 0) + count
        return found

    def node_counts(self) -> dict[str, int]:
        """Return how many shots ran each node."""
        total = sum(self._seen.values())
        found = {node.id: total for node in self._order}
        guarded = [node for node in self._order if node.guard is not None]
        for node in guarded:
            assert node.guard is not None
            found[node.id] = sum(count for row, count in self._seen.items() if self._holds(row, node.guard))
        return found

    def log_of_first(self, lowered: Lowered, certificate: Certificate) -> list[Line]:
        """Return the log of shot 0."""
        lines: list[Line] = []
        for node, runs in self._run_of(self._first):
            if not runs:
                lines.append(("SKIP", node.id, "guard_failed"))
                continue
            if node.id in lowered.measured_out:
                lines.append(("EXECUTE", f"node_{node.id}_measured_out"))
            if node.operation.kind is Kind.OPEN:
                is_noisy = any(other.channels == node.channels and other.id in lowered.channel_noise
                               for other in certificate.order)  # fmt: skip
                lines.append(("CHANNEL", node.id, "fidelity_applied" if is_noisy else "fidelity_recorded"))
            lines.append(("EXECUTE", f"node_{node.id}_completed"))
        return lines
