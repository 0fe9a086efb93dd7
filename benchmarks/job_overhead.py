"""What the job layer costs: a Bell circuit through a session against the engine called directly.

Run: python benchmarks/job_overhead.py [--json FILE]

Cases are interleaved; medians over the rounds. "submit to result" waits for every job before the next; "sustained"
submits many and then waits. A Bell job is short, so that on an idle device the submitting thread runs it; "worker"
forces the hand-over to a worker by making it look longer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import qfast
from qfast.config import Snapshot
from qfast.jobs import Requirements
from qfast.jobs.circuit_work import RequestWork, make_work

SHOTS, SEED = 1000, 7
BELL = qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])


class LongLooking(RequestWork):
    """A Bell job that does not say how short it is."""

    __slots__ = ()

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`."""
        return replace(super().requirements(settings), is_short=False)


def make_cases(jobs: int) -> dict[str, tuple[int, Callable[[], object], qfast.Session | qfast.Batch | None]]:
    """Return name → (jobs in one call, call, session whose jobs it makes)."""
    session, worker_session, many_session = qfast.Session(), qfast.Session(), qfast.Session()
    batch = qfast.Batch()
    expected = qfast.sample(BELL, SHOTS, SEED).get_counts()
    assert session.run(BELL, shots=SHOTS, seed=SEED).result().get_counts() == expected

    def run_many(group: qfast.Session | qfast.Batch) -> None:
        submitted = [group.run(BELL, shots=SHOTS, seed=SEED) for _ in range(jobs)]
        for job in submitted:
            job.result()

    def run_in_worker() -> None:
        work = make_work(BELL, shots=SHOTS)
        work.__class__ = LongLooking
        worker_session.submit(work, seed=SEED).result()

    return {
        "direct": (1, lambda: qfast.sample(BELL, SHOTS, SEED), None),
        "submit to result": (1, lambda: session.run(BELL, shots=SHOTS, seed=SEED).result(), session),
        "submit to result, worker": (1, run_in_worker, worker_session),
        "submit to result, no session": (1, lambda: qfast.run(BELL, shots=SHOTS, seed=SEED).result(), None),
        "sustained, session": (jobs, lambda: run_many(many_session), many_session),
        "sustained, batch": (jobs, lambda: run_many(batch), batch),
    }


def measure(rounds: int, jobs: int) -> dict[str, float]:
    """Return microseconds a job, the median over the rounds, of every case."""
    cases = make_cases(jobs)
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, (count, call, group) in cases.items():
            calls = max(1, jobs // count)
            begun = time.perf_counter()
            for _ in range(calls):
                call()
            if group is not None:
                group._jobs.clear()  # a session keeps its jobs: that each case frees its own belongs to its time
            if number:  # the first round warms up
                times[name].append((time.perf_counter() - begun) / (calls * count))
    return {name: 1e6 * statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print the overhead over the direct call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(arguments.rounds, arguments.jobs)
    direct = found["direct"]
    for name, value in found.items():
        print(f"{name:30} {value:7.1f} us   overhead {value - direct:+7.1f} us")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"unit": "us", "version": qfast.__version__, "times": found}, indent=1))


if __name__ == "__main__":
    main()
