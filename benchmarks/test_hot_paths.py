"""Every hot path beside its baseline: ``pytest benchmarks --benchmark-only``.

Results are compared before they are timed. Rounds of path and baseline alternate, so that a busy moment strikes both.
A path fails below its floor by medians and by least times, in two measurements; `benchmarks/gate/paths.py` says what
the floors are. With ``--benchmark-disable`` only the results are compared.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.gate.paths import PATHS, HotPath
from benchmarks.gate.timing import ROUNDS, Call, calls_per_round, ratio, round_seconds, worst_case

ROWS = [(path, subject) for path in PATHS.values() for subject in path.subjects()]


def measure_again(call: Call, baseline: Call, calls: int, baseline_calls: int) -> tuple[list[float], list[float]]:
    """Return seconds of both, round by round in turn."""
    pairs = [(round_seconds(call, calls), round_seconds(baseline, baseline_calls)) for _ in range(ROUNDS)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@pytest.mark.parametrize(("path", "subject"), ROWS, ids=[f"{path.name}-{subject}" for path, subject in ROWS])
def test_hot_path(benchmark: BenchmarkFixture, path: HotPath, subject: str) -> None:
    benchmark.group = f"{path.name} ({path.work})"
    call, baseline = path.call(subject), path.call(path.baseline)
    if path.agree is not None:
        path.agree(call(), baseline())
    if benchmark.disabled:
        benchmark(call)
        return
    calls, baseline_calls = calls_per_round(call), calls_per_round(baseline)
    others: list[float] = []

    def time_baseline() -> None:
        others.append(round_seconds(baseline, baseline_calls))

    def call_often() -> None:
        for _ in range(calls):
            call()

    benchmark.pedantic(call_often, setup=time_baseline, rounds=ROUNDS)
    seconds = [taken / calls for taken in benchmark.stats.stats.data]
    floor = path.floors[subject]
    benchmark.extra_info.update(
        path=path.name, work=path.work, subject=subject, baseline=path.baseline, calls=calls, floor=floor,
        baseline_s=others, ratio=ratio(seconds, others),
    )  # fmt: skip
    if worst_case(seconds, others) < floor:
        seconds, others = measure_again(call, baseline, calls, baseline_calls)
        benchmark.extra_info["ratio_again"] = ratio(seconds, others)
    found = worst_case(seconds, others)
    assert found >= floor, (
        f"{path.name} on {subject} takes {1 / found:.3g} times as long as {path.baseline}, twice measured; "
        f"it may take {1 / floor:.3g} times ({path.work})"
    )
