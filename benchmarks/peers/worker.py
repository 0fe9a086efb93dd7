"""A worker process: one simulator, driven by lines of JSON on standard input.

Usage: python -m benchmarks.peers.worker ADAPTER     (the name of a module of benchmarks.peers.adapters)

Each line asks for one thing and is answered by one line; ``{"error": …}`` if it failed:

=========================================================================  ===========================================
``{"op": "hello"}``                                                        ``{"versions": {…}}``
``{"op": "prepare", "spec": …, "precision": …, "threads": …, "options"}``  ``{"construct_s": …, "compile_s": …}``
``{"op": "run", "times": k}``                                              ``{"run_s": [k], "fetch_s": [k]}``
``{"op": "save", "path": …}``                                              ``{"path": …}``: the last result, as .npy
``{"op": "drop"}``                                                         ``{}``: the job's memory is freed
=========================================================================  ===========================================

Whatever the simulator prints goes to standard error.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
from types import ModuleType
from typing import Any, TextIO

import numpy as np

from benchmarks.peers.adapters._prepared import Prepared


class Worker:
    """One simulator and the job it holds."""

    def __init__(self, adapter: ModuleType) -> None:
        self._adapter = adapter
        self._job: Prepared | None = None
        self._result: Any = None
        self._runs = 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks for."""
        match request["op"]:
            case "hello":
                return {"versions": self._adapter.versions()}
            case "prepare":
                self._drop()
                self._job = self._adapter.prepare(
                    request["spec"], request["precision"], request["threads"], request["options"]
                )
                return {"construct_s": self._job.construct_s, "compile_s": self._job.compile_s}
            case "run":
                return self._run(request["times"])
            case "save":
                np.save(request["path"], self._prepared().check(self._result))
                return {"path": request["path"]}
            case "drop":
                self._drop()
                return {}
            case unknown:
                raise ValueError(f"unknown request {unknown!r}")

    def _prepared(self) -> Prepared:
        if self._job is None:
            raise ValueError("no job has been prepared")
        return self._job

    def _run(self, times: int) -> dict[str, Any]:
        job = self._prepared()
        run_s, fetch_s = [], []
        for _ in range(times):
            self._result = None  # the last result's memory is free again, as in a loop of a user's
            start = time.perf_counter()
            raw = job.run(self._runs)
            middle = time.perf_counter()
            self._result = job.fetch(raw)
            end = time.perf_counter()
            run_s.append(middle - start)
            fetch_s.append(end - middle)
            self._runs += 1
            del raw
        return {"run_s": run_s, "fetch_s": fetch_s}

    def _drop(self) -> None:
        self._job = None
        self._result = None
        self._runs = 0
        gc.collect()


def main() -> int:
    replies = _take_stdout()
    worker = Worker(importlib.import_module(f"benchmarks.peers.adapters.{sys.argv[1]}"))
    for line in sys.stdin:
        try:
            reply = worker.answer(json.loads(line))
        except Exception as error:  # the caller decides what a failing simulator means
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)
    return 0


def _take_stdout() -> TextIO:
    """Keep standard output for replies; libraries that print reach standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


if __name__ == "__main__":
    sys.exit(main())
