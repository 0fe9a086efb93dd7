"""Stress the job layer: 16 threads, 10 000 jobs each, over sessions and batches, with cancels, time-outs and failures.

Run: python benchmarks/stress_jobs.py [--threads 16] [--jobs 10000] [--rounds 10]

The jobs are spread over rounds, each with four sessions and batches of its own. After every round: each job has ended
exactly once, every gauge of the pools and of the scheduler is zero. At the end: no more threads than after the first
round, and no more memory than a few megabytes above it. The bounded form of this runs in the tests.
"""

from __future__ import annotations

import argparse
import gc
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qfast import config
from qfast.devices import Device, add_device
from qfast.jobs import JobStatus, Runtime
from qfast.pools import SystemClock
from tests.jobs.test_scheduler import stress

_MEMORY_SLACK_BYTES = 32 << 20


def resident_bytes() -> int:
    """Return the resident memory of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def check_idle(runtime: Runtime, device: Device) -> None:
    """Assert that nothing is left of a round."""
    scheduler = runtime.scheduler(device)
    assert scheduler.wait_until_idle(60)
    load, buffers = scheduler.load(), runtime.buffers.statistics()
    assert (load.running, load.queued, load.bytes) == (0, 0, 0), load
    assert (buffers.leases, buffers.exported, buffers.waiters, buffers.leaked) == (0, 0, 0, 0), buffers


def main() -> None:
    """Run the rounds and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=10_000, help="of each thread, over all rounds")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()

    device = Device("stress::device")
    add_device(device)
    config.set("workers", arguments.workers, device=device.name)
    runtime = Runtime(clock=SystemClock(), budget_bytes=1 << 20)
    ended: Counter[JobStatus] = Counter()
    memory, threads = 0, 0
    begun = time.perf_counter()
    for number in range(arguments.rounds):
        ended += stress(runtime, device, arguments.threads, arguments.jobs // arguments.rounds, seed=1000 * number)
        gc.collect()
        check_idle(runtime, device)
        if number == 0:
            memory, threads = resident_bytes(), threading.active_count()
        shown = {status.value: n for status, n in ended.items()}
        print(f"round {number + 1}: {shown}, {resident_bytes() >> 20} MiB")
    elapsed = time.perf_counter() - begun
    assert resident_bytes() <= memory + _MEMORY_SLACK_BYTES, "memory grows from round to round"
    assert threading.active_count() <= threads + arguments.workers, "threads are left behind"
    total = sum(ended.values())
    print(
        f"{total} jobs in {elapsed:.1f} s: {1e6 * elapsed / total:.0f} us a job; every job ended once, nothing is left"
    )


if __name__ == "__main__":
    main()
