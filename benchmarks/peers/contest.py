"""One job, several simulators: best setting of each, results compared, then timed in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers.catalog import PEERS, Setting
from benchmarks.peers.environment import interpreter, thread_environment
from benchmarks.peers.protocol import PeerError, WorkerProcess

__all__ = ["Entry", "Job", "Policy", "Workers", "difference", "hold"]


@dataclass(frozen=True)
class Policy:
    """How the simulators take turns.

    Attributes
    ----------
    threads : int
    visits : int
        Turns of each simulator; a turn is several runs where they are short.
    slow_visits : int
        Turns of a simulator whose runs take longer than `slow_s`.
    burst_s : float
        A turn goes on for about this long, for at most `burst_runs` runs.
    pause_s : float
        Between turns, so that threads that wait by spinning go to sleep.
    timeout_s : float
        Longest wait for one answer of a simulator.
    """

    threads: int = 2
    visits: int = 7
    slow_visits: int = 3
    slow_s: float = 10.0
    burst_s: float = 0.2
    burst_runs: int = 20
    pause_s: float = 0.1
    timeout_s: float = 600.0


@dataclass(frozen=True)
class Job:
    """What every simulator is asked to do.

    Attributes
    ----------
    name : str
    spec : mapping
        Handed to the adapters.
    tolerances : mapping
        Largest `difference` from qfast's result, by the precision of the simulator.
    """

    name: str
    spec: Mapping[str, Any] = field(repr=False)
    tolerances: Mapping[str, float]

    @property
    def kind(self) -> str:
        """``state``, or what a task asks for."""
        return str(self.spec["kind"])


@dataclass
class Entry:
    """A simulator in a contest, and what came of it.

    Attributes
    ----------
    peer, precision : str
    setting : str or None
        The fastest of `trials`.
    trials : list of dict
        Every setting with its times, or its error.
    construct_s, compile_s, first_s : float or None
        Building the circuit; preparing it once for many runs; the first run.
    run_s, fetch_s : list of float
        All timed runs, in order.
    difference : float or None
        From the first simulator's result; see `difference`.
    error : str or None
        Why there are no times.
    """

    peer: str
    precision: str
    setting: str | None = None
    trials: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    construct_s: float | None = None
    compile_s: float | None = None
    first_s: float | None = None
    run_s: list[float] = field(default_factory=list)
    fetch_s: list[float] = field(default_factory=list)
    difference: float | None = None
    error: str | None = None

    @property
    def median_s(self) -> float | None:
        """Median of run and fetch together."""
        return median(map(sum, zip(self.run_s, self.fetch_s, strict=True))) if self.run_s else None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, and the median, as JSON types."""
        return asdict(self) | {"median_s": self.median_s}


class Workers:
    """The running worker processes, one for each simulator and environment, kept from job to job."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        self._folder = folder
        self._policy = policy
        self._running: dict[tuple[str, tuple[tuple[str, str], ...]], WorkerProcess] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._running.values():
            worker.close()
        self._running.clear()

    def get(self, peer: str, setting: Setting) -> WorkerProcess:
        """Return the worker of a simulator in a setting's environment, started if need be."""
        key = (peer, tuple(sorted(setting.env.items())))
        if key not in self._running:
            env = thread_environment(self._policy.threads) | dict(setting.env)
            python = interpreter(peer, self._folder)
            self._running[key] = WorkerProcess(python, PEERS[peer].adapter, env, self._policy.timeout_s)
        return self._running[key]

    def discard(self, peer: str) -> None:
        """End a simulator's workers: after a failure their state is unknown."""
        for key in [key for key in self._running if key[0] == peer]:
            self._running.pop(key).close()

    def drop_jobs(self) -> None:
        """Free the memory of all jobs."""
        for (peer, _), worker in list(self._running.items()):
            try:
                worker.request("drop")
            except PeerError:
                self.discard(peer)


def hold(
    job: Job,
    entrants: Sequence[tuple[str, str]],
    workers: Workers,
    policy: Policy,
    scratch: Path,
    report: Callable[[str], None],
) -> list[Entry]:
    """Hold a contest.

    Parameters
    ----------
    job : Job
    entrants : sequence of (peer, precision)
        The first one's result is what the others' are compared with.
    workers : Workers
    policy : Policy
    scratch : Path
        Folder for results on their way from the workers.
    report : callable
        Given a line of progress now and then.

    Returns
    -------
    list of Entry
        One for each entrant, in the same order; a failed one says why.
    """
    entries = [Entry(peer, precision) for peer, precision in entrants]
    reference: np.ndarray[Any, Any] | None = None
    ready: list[tuple[Entry, WorkerProcess]] = []
    for entry in entries:
        try:
            worker = _prepare_best(entry, job, workers, policy)
            result = _fetch_result(worker, scratch)
            reference = result if reference is None else reference
            _check(entry, job, result, reference)
        except PeerError as error:
            entry.error = str(error)
            workers.discard(entry.peer)
        else:
            ready.append((entry, worker))
        report(f"  {entry.peer:<10} {entry.setting or '-':<24} {_outcome(entry)}")
    _take_turns(ready, workers, policy)
    workers.drop_jobs()
    return entries


def difference(kind: str, result: np.ndarray[Any, Any], reference: np.ndarray[Any, Any]) -> float:
    """Compare two results.

    Returns
    -------
    float
        For states the infidelity, 1 - |⟨a|b⟩|² / (⟨a|a⟩ ⟨b|b⟩), or how far the norm is from 1 if that is more than
        10⁻³; otherwise the largest absolute difference, relative to the largest value if that is over 1. Infinity if
        the shapes differ.
    """
    if result.shape != reference.shape:
        return float("inf")
    if kind != "state":
        scale = max(1.0, float(np.max(np.abs(reference))))
        return float(np.max(np.abs(result - reference))) / scale
    overlap, norm_a, norm_b = 0j, 0.0, 0.0
    step = 1 << 20
    for start in range(0, len(result), step):  # in double, piece by piece
        a = result[start : start + step].astype(np.complex128)
        b = reference[start : start + step].astype(np.complex128)
        overlap += complex(np.vdot(a, b))
        norm_a += float(np.vdot(a, a).real)
        norm_b += float(np.vdot(b, b).real)
    if abs(1 - norm_a) > 1e-3:
        return abs(1 - norm_a)
    return abs(1 - abs(overlap) ** 2 / (norm_a * norm_b))


def _prepare_best(entry: Entry, job: Job, workers: Workers, policy: Policy) -> WorkerProcess:
    """Try every setting and leave the fastest one prepared, having run once."""
    settings = PEERS[entry.peer].settings(job.kind)
    best: tuple[float, Setting] | None = None
    for setting in settings if len(settings) > 1 else ():
        trial: dict[str, Any] = {"setting": setting.name}
        entry.trials.append(trial)
        try:
            trial |= _prepare(entry, job, setting, workers, policy)
            seconds = _warm_seconds(workers.get(entry.peer, setting))
            trial["warm_s"] = seconds
        except PeerError as error:
            trial["error"] = str(error)
            workers.discard(entry.peer)
        else:
            best = (seconds, setting) if best is None or seconds < best[0] else best
    if len(settings) > 1:
        if best is None:
            raise PeerError("; ".join(trial["error"] for trial in entry.trials))
        chosen = best[1]
    else:
        chosen = settings[0]
    times = _prepare(entry, job, chosen, workers, policy)
    entry.setting = chosen.name
    entry.construct_s, entry.compile_s, entry.first_s = times["construct_s"], times["compile_s"], times["first_s"]
    return workers.get(entry.peer, chosen)


def _prepare(entry: Entry, job: Job, setting: Setting, workers: Workers, policy: Policy) -> dict[str, float]:
    worker = workers.get(entry.peer, setting)
    entry.versions = worker.request("hello")["versions"]
    reply = worker.request(
        "prepare",
        spec=job.spec,
        precision=entry.precision,
        threads=policy.threads,
        options=dict(setting.options),
    )
    first = worker.request("run", times=1)
    return {**reply, "first_s": first["run_s"][0] + first["fetch_s"][0]}


def _warm_seconds(worker: WorkerProcess) -> float:
    best = float("inf")
    start = time.perf_counter()
    for _ in range(5):
        reply = worker.request("run", times=1)
        best = min(best, reply["run_s"][0] + reply["fetch_s"][0])
        if time.perf_counter() - start > 3.0:
            break
    return best


def _fetch_result(worker: WorkerProcess, scratch: Path) -> np.ndarray[Any, Any]:
    path = scratch / "result.npy"
    worker.request("save", path=str(path))
    result: np.ndarray[Any, Any] = np.load(path)
    path.unlink()
    return result


def _check(entry: Entry, job: Job, result: np.ndarray[Any, Any], reference: np.ndarray[Any, Any]) -> None:
    entry.difference = difference(job.kind, result, reference)
    allowed = job.tolerances[entry.precision]
    if not entry.difference <= allowed:
        raise PeerError(f"{entry.peer}: wrong result: differs by {entry.difference:.2e}, {allowed:.0e} is allowed")


def _take_turns(ready: Sequence[tuple[Entry, WorkerProcess]], workers: Workers, policy: Policy) -> None:
    """Time the entrants A B C A B C …; one that fails on the way drops out."""
    expected = {id(entry): entry.first_s or 0.0 for entry, _ in ready}
    for visit in range(policy.visits):
        for entry, worker in ready:
            seconds = expected[id(entry)]
            if entry.error is not None or (visit >= policy.slow_visits and seconds > policy.slow_s):
                continue
            time.sleep(policy.pause_s)
            try:
                if visit == 0 or seconds < policy.burst_s:
                    worker.request("run", times=1)  # caches, threads and clocks warm up
                times = max(1, min(policy.burst_runs, int(policy.burst_s / max(seconds, 1e-9))))
                reply = worker.request("run", times=times)
            except PeerError as error:
                entry.error = str(error)
                entry.run_s.clear()
                entry.fetch_s.clear()
                workers.discard(entry.peer)
                continue
            entry.run_s += reply["run_s"]
            entry.fetch_s += reply["fetch_s"]
            expected[id(entry)] = entry.median_s or seconds


def _outcome(entry: Entry) -> str:
    if entry.error is not None:
        return f"FAILED: {entry.error}"
    return f"first {entry.first_s or 0.0:.4f} s, difference {entry.difference:.1e}"
