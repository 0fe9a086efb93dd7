"""Work in a thread, watched from the main thread: progress on a terminal and a prompt Ctrl-C.

Python delivers a signal to the main thread, between two of its bytecodes. So that Ctrl-C acts at once whatever the
work is doing, the work runs in a thread of its own and the main thread only waits, draws and listens.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import Protocol, TextIO, TypeVar

from qfast._format import format_seconds
from qfast.cli.table import bar

__all__ = ["ProgressLine", "Token", "run_watched"]

Result = TypeVar("Result")

POLL_INTERVAL_S = 0.1
QUIET_S = 0.5  # shorter runs draw nothing
LINE_INTERVAL_S = 1.0  # of a stream that is not a terminal
STOP_GRACE_S = 0.05  # for the work to see the token; the process ends anyway


class Token(Protocol):
    """What is needed of a cancel token."""

    def cancel(self) -> None: ...

    def progress(self) -> tuple[int, int]: ...


class ProgressLine:
    """One line that shows how far a run is and estimates the time left.

    On a terminal the line is drawn over itself and erased at the end; elsewhere a line is printed every second.

    Parameters
    ----------
    stream : text stream
    label : str
    terminal : bool
        Whether `stream` understands carriage return and erase.
    clock : callable, default time.monotonic
        Seconds; replaced in tests.
    """

    def __init__(
        self, stream: TextIO, label: str, *, terminal: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._label = label
        self._terminal = terminal
        self._clock = clock
        self._start = clock()
        self._next_draw = self._start + QUIET_S
        self._drawn = False

    def update(self, done: int, total: int) -> None:
        """Draw if it is time to; ``total`` is 0 as long as the amount of work is not known."""
        now = self._clock()
        if now < self._next_draw:
            return
        self._next_draw = now + (POLL_INTERVAL_S / 2 if self._terminal else LINE_INTERVAL_S)
        text = self._text(done, total, now - self._start)
        self._stream.write(f"\r\x1b[2K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()
        self._drawn = True

    def close(self) -> None:
        """Erase the line from a terminal."""
        if self._drawn and self._terminal:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    def _text(self, done: int, total: int, elapsed_s: float) -> str:
        if total <= 0 or done <= 0:
            return f"{self._label}: {format_seconds(elapsed_s)}"
        fraction = min(done / total, 1.0)
        left_s = elapsed_s * (1 - fraction) / fraction
        drawn = bar(fraction, 20, unicode=False).ljust(20, ".")
        return (
            f"{self._label}: {drawn} {100 * fraction:3.0f} %  {format_seconds(elapsed_s)}, "
            f"about {format_seconds(left_s)} left"
        )


def run_watched(work: Callable[[], Result], token: Token, line: ProgressLine | None) -> Result:
    """Run `work` in a thread and return its result, or raise its exception.

    On Ctrl-C the token is set and `KeyboardInterrupt` is raised after 50 ms at the latest, even if the work has not
    stopped yet; its thread is a daemon, so the caller can end the process.
    """
    future: concurrent.futures.Future[Result] = concurrent.futures.Future()

    def target() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # handed to the waiting thread, whatever it is
            future.set_exception(error)

    thread = threading.Thread(target=target, name="qfast-run", daemon=True)
    try:
        thread.start()
        while not concurrent.futures.wait([future], timeout=POLL_INTERVAL_S).done:
            if line is not None:
                line.update(*token.progress())
    except KeyboardInterrupt:
        token.cancel()
        concurrent.futures.wait([future], timeout=STOP_GRACE_S)
        raise
    finally:
        if line is not None:
            line.close()
    return future.result()
