"""Hot paths of two commits, timed in turn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.gate.timing import ROUNDS, ratio, worst_case

__all__ = ["Row", "Side", "compare", "judge"]


# Large arrays come from memory that the process has already: whether a call must ask the system for pages is luck.
_ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 31)}


class Side:
    """A process that times hot paths with the qfast of one commit."""

    def __init__(self, tree: Path, site: Path | None = None, environment: dict[str, str] | None = None) -> None:
        env = os.environ | _ALLOCATION | (environment or {})
        if site is not None:
            env["PYTHONPATH"] = str(site)
        command = [sys.executable, "-m", "benchmarks.gate.worker"]
        self._process = subprocess.Popen(
            command, cwd=tree, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        hello = self._read()
        self.package = Path(hello["qfast"]).parent
        if site is not None and site.resolve() not in self.package.resolve().parents:
            raise SystemExit(f"the process that should use {site} imported qfast from {self.package}")
        self.rows = {(name, subject): work for name, work, subject in hello["rows"]}

    def prepare(self, row: tuple[str, str]) -> int | str:
        """Set a row up; return how many calls make a round, or why it cannot run."""
        answer = self._ask(prepare=row)
        return answer.get("error") or int(answer["calls"])

    def seconds(self, calls: int) -> float:
        """Return the seconds of one call."""
        answer = self._ask(time=calls)
        if "error" in answer:
            raise SystemExit(f"a path of {self.package} failed while it was timed: {answer['error']}")
        return float(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the timing process ended early, exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Row:
    """A path of both commits; `note` where it was not compared."""

    path: str
    work: str
    subject: str
    head_s: list[float]
    base_s: list[float]
    speedup: float | None = None  # medians: above 1, HEAD is quicker
    is_slower: bool = False
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the row in JSON types."""
        return asdict(self)


def judge(head_s: Sequence[float], base_s: Sequence[float], limit: float) -> bool:
    """Say whether HEAD takes over `limit` times as long, by medians and by least times."""
    return worst_case(head_s, base_s) < 1 / limit


def compare(open_sides: Callable[[], tuple[Side, Side]], wanted: re.Pattern[str], limit: float) -> Iterator[Row]:
    """Yield each row as soon as it is judged.

    What seems slower is measured once more, in two new processes, before it is believed: where the memory of a process
    happens to lie can make a difference that no source code explains.
    """
    head, base = open_sides()
    try:
        for name, subject in [key for key in head.rows if wanted.search(key[0])]:
            row = measure(head, base, name, subject, limit)
            if row.is_slower:
                head.close()
                base.close()
                head, base = open_sides()
                row = measure(head, base, name, subject, limit)
            yield row
    finally:
        head.close()
        base.close()


def measure(head: Side, base: Side, name: str, subject: str, limit: float) -> Row:
    """Time a path of both sides, or note why not."""
    row = Row(name, head.rows[name, subject], subject, [], [])
    if base.rows.get((name, subject)) != row.work:
        row.note = "not compared: new, or other work than the base has"
        return row
    calls, other = head.prepare((name, subject)), base.prepare((name, subject))
    if isinstance(calls, str):
        raise SystemExit(f"{name} on {subject} fails: {calls}")
    if isinstance(other, str):
        row.note = f"not compared: the base cannot run it: {other}"
        return row
    row.head_s, row.base_s = alternate(head, base, max(1, (calls + other) // 2))
    row.speedup = ratio(row.head_s, row.base_s)
    row.is_slower = judge(row.head_s, row.base_s, limit)
    return row


def alternate(head: Side, base: Side, calls: int) -> tuple[list[float], list[float]]:
    """Return seconds of both sides, each first in every other round."""
    seconds: dict[Side, list[float]] = {head: [], base: []}
    for number in range(ROUNDS):
        for side in (head, base) if number % 2 else (base, head):
            seconds[side].append(side.seconds(calls))
    return seconds[head], seconds[base]
