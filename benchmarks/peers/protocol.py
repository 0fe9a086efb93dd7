"""The harness's end of a worker process."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

__all__ = ["ROOT", "PeerError", "WorkerProcess"]

ROOT = Path(__file__).resolve().parents[2]


class PeerError(RuntimeError):
    """A simulator could not be installed, started, or do what it was asked to."""


class WorkerProcess:
    """A simulator in its own process.

    Parameters
    ----------
    python : Path
        Interpreter of the simulator's environment.
    adapter : str
        Module of ``benchmarks.peers.adapters``.
    env : mapping
        Added to this process's environment.
    timeout_s : float
        Longest wait for one answer; a worker that is late is killed.
    """

    def __init__(self, python: Path, adapter: str, env: Mapping[str, str], timeout_s: float) -> None:
        self._name = adapter
        self._timeout_s = timeout_s
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.peers.worker", adapter],
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
        )
        self._pending = b""

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask for one thing and wait for the answer.

        Raises
        ------
        PeerError
            The simulator raised, ended or was late; the message holds its last words.
        """
        assert self._process.stdin is not None
        try:
            self._write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            reply: dict[str, Any] = json.loads(self._read_line())
        except (BrokenPipeError, EOFError):
            self._process.wait()
            raise PeerError(f"{self._name}: ended with code {self._process.returncode}: {self._last_words()}") from None
        if "error" in reply:
            raise PeerError(f"{self._name}: {reply['error']}")
        return reply

    def close(self) -> None:
        """End the process; it has two seconds to do so by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self._process.stdin.write(view) :]

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + self._timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._process.kill()
                    raise PeerError(f"{self._name}: no answer within {self._timeout_s:g} s; killed")
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise EOFError
                self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _last_words(self, lines: int = 3) -> str:
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        return " | ".join(text.splitlines()[-lines:]) or "it printed nothing"
