"""One side of a comparison: a process that prepares and times hot paths, one JSON line for each request.

``{"prepare": [name, subject]}`` → ``{"calls": n}`` or ``{"error": text}``; ``{"time": n}`` → ``{"seconds": s}``, of one
of n calls. The first line says whose qfast this is and which rows it has.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import qfast
from benchmarks.gate.paths import PATHS
from benchmarks.gate.timing import Call, calls_per_round, round_seconds


def rows() -> list[tuple[str, str, str]]:
    """Return name, work and subject of everything that can be timed here."""
    return [(path.name, path.work, subject) for path in PATHS.values() for subject in path.subjects()]


def prepare(name: str, subject: str) -> tuple[Call, int]:
    """Return a row's call, once its result is known to be right, and how often a round calls it."""
    path = PATHS[name]
    call = path.call(subject)
    if path.agree is not None:
        path.agree(call(), path.call(path.baseline)())
    return call, calls_per_round(call)


def main() -> None:
    """Answer until the requests end."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # nothing that a library prints may be taken for an answer

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    answer(qfast=qfast.__file__, rows=rows())
    call: Call | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                call, calls = prepare(*request["prepare"])
                answer(calls=calls)
            else:
                assert call is not None
                answer(seconds=round_seconds(call, request["time"]))
        except Exception as error:  # an older commit may lack what a path needs: the comparison says so
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
