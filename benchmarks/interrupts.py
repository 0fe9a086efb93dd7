"""Ctrl-C, many times, into a mixed load: does the job layer serve afterwards, and do its books add up?

Run: python benchmarks/interrupts.py [--signals 2000] [--interval-ms 3]

A child process submits, waits, cancels and closes, in sessions, batches and without, on idle and busy devices; this one
sends it SIGINT. At the end the child runs a job on every device and checks that all sessions have closed, that every
job is done, that the figures of each session add up and that the pools hold nothing. Exit code 0: all is well.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import qfast
from qfast import config
from qfast.jobs import Batch, JobGroup, Session, default_runtime, run

ENGINES = ("native", "numba", "reference")
DEVICES = ("local::statevector", "local::reference")
SMALL = qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
LARGE = qfast.Circuit(10)  # large enough for a worker
for _qubit in range(10):
    LARGE.h(_qubit)


def one_use(rng: random.Random, groups: list[JobGroup]) -> None:
    """Do something that a program does."""
    device = rng.choice(DEVICES)
    make = rng.choice((Session, Batch))
    group = make(device, seed=1)
    groups.append(group)
    jobs = [group.run(rng.choice((SMALL, LARGE)), shots=rng.choice((None, 10))) for _ in range(rng.randrange(1, 5))]
    jobs.append(run(rng.choice((SMALL, LARGE)), device=device, shots=10))
    for job in jobs:
        if rng.random() < 0.3:
            job.cancel(interrupt=rng.random() < 0.5)
    if rng.random() < 0.3:
        group.cancel(interrupt=rng.random() < 0.5)
    for job in jobs:
        with contextlib.suppress(qfast.errors.QfastError):
            job.result()
    group.close(wait=True)


def check(groups: list[JobGroup]) -> dict[str, Any]:
    """Check that everything has ended and adds up; return figures."""
    runtime = default_runtime()
    for device in DEVICES:
        assert run(SMALL, device=device, shots=10).result(20).shots == 10
        assert run(LARGE, device=device).result(20).norm() > 0.99
    for group in list(groups):
        assert group.close(wait=True, timeout_s=20), group
        metrics = group.metrics()
        ended = metrics.completed + metrics.failed + metrics.cancelled
        assert all(job.done() for job in group.jobs), group
        assert (metrics.queued, metrics.running) == (0, 0), (group, metrics)
        assert ended >= metrics.submitted == len(group.jobs), (group, metrics)
    jobs = sum(len(group.jobs) for group in groups)
    figures = {"groups": len(groups), "jobs": jobs}
    groups.clear()
    del group
    gc.collect()
    for scheduler in runtime._schedulers.values():
        assert scheduler.wait_until_idle(20)
        load = scheduler.load()
        assert (load.running, load.queued) == (0, 0), load
    buffers = runtime.buffers.statistics()
    assert (buffers.leases, buffers.leased, buffers.exported, buffers.waiters) == (0, 0, 0, 0), buffers
    return figures


def forget(groups: list[JobGroup]) -> None:
    """Let go of the oldest sessions, which are long closed."""
    for group in groups[:100]:
        assert group.close(wait=True, timeout_s=20), group
    del groups[:100]


def child(engine: str) -> None:
    """Use the job layer until standard input closes, whatever strikes."""
    config.set("engine", engine)
    rng = random.Random(7)
    sys.unraisablehook = lambda _: None
    groups: list[JobGroup] = []
    ended = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    for device in DEVICES:
        run(LARGE, device=device).result()
    print("ready", flush=True)
    uses = struck = 0
    is_guarded = is_over = False

    def strike(number: int, frame: object) -> None:
        if not is_guarded:  # this loop itself need not be struck
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, strike)
    while not is_over:
        try:
            is_guarded = False
            while not ended.is_set():
                one_use(rng, groups)
                uses += 1
                if len(groups) > 200:
                    forget(groups)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            is_over = True
        except KeyboardInterrupt:
            is_guarded = True
            struck += 1
    print(json.dumps({"engine": engine, "uses": uses, "struck": struck, **check(groups)}), flush=True)


def main() -> int:
    """Run a child for every engine; return 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signals", type=int, default=2000)
    parser.add_argument("--interval-ms", type=float, default=3.0)
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        child(arguments.engine)
        return 0
    failed = 0
    for engine in ENGINES:
        process = subprocess.Popen(
            [sys.executable, __file__, "--engine", engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdin is not None
        if process.stdout.readline().strip() != "ready":
            failed += 1
            continue
        for _ in range(arguments.signals):
            time.sleep(arguments.interval_ms / 1000)
            if process.poll() is not None:
                break
            os.kill(process.pid, signal.SIGINT)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGABRT)
            code = process.wait()
        print(process.stdout.read().strip() or f"{engine}: failed, exit code {code}")
        failed += code != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
