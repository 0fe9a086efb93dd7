from __future__ import annotations

import io
import signal
import threading

import pytest

from qfast.cli.progress import ProgressLine, run_watched


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeToken:
    """A token that records its cancellation."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def cancel(self) -> None:
        self.stop.set()

    def progress(self) -> tuple[int, int]:
        return (1, 4)


def line(*, terminal: bool) -> tuple[ProgressLine, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return ProgressLine(stream, "ghz.qasm", terminal=terminal, clock=clock), stream, clock


def test_the_time_left_is_estimated_from_the_share_that_is_done() -> None:
    progress, stream, clock = line(terminal=False)
    clock.now += 10
    progress.update(1, 4)
    assert stream.getvalue() == "ghz.qasm: #####...............  25 %  10 s, about 30 s left\n"


def test_before_the_amount_of_work_is_known_only_the_time_is_shown() -> None:
    progress, stream, clock = line(terminal=False)
    clock.now += 2
    progress.update(0, 0)
    assert stream.getvalue() == "ghz.qasm: 2 s\n"


def test_short_runs_draw_nothing() -> None:
    progress, stream, clock = line(terminal=True)
    clock.now += 0.3
    progress.update(1, 2)
    progress.close()
    assert stream.getvalue() == ""


def test_a_stream_that_is_no_terminal_gets_at_most_a_line_a_second() -> None:
    progress, stream, clock = line(terminal=False)
    for _ in range(40):
        clock.now += 0.1
        progress.update(1, 2)
    progress.close()
    assert len(stream.getvalue().splitlines()) == 4


def test_a_terminal_line_is_drawn_over_itself_and_erased() -> None:
    progress, stream, clock = line(terminal=True)
    clock.now += 1
    progress.update(1, 2)
    progress.close()
    assert stream.getvalue().startswith("\r\x1b[2K")
    assert stream.getvalue().endswith("\r\x1b[2K")
    assert "\n" not in stream.getvalue()


def test_the_result_and_the_error_of_the_work_come_through() -> None:
    assert run_watched(lambda: 42, FakeToken(), None) == 42
    with pytest.raises(ZeroDivisionError):
        run_watched(lambda: 1 // 0, FakeToken(), None)


def test_a_time_out_of_the_work_itself_ends_the_wait() -> None:
    def work() -> None:
        raise TimeoutError("from the work")

    with pytest.raises(TimeoutError, match="from the work"):
        run_watched(work, FakeToken(), None)


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_sets_the_token_and_is_raised_while_the_work_still_runs() -> None:
    token = FakeToken()

    def work() -> None:
        signal.raise_signal(signal.SIGINT)  # Python handles it in the main thread
        token.stop.wait(timeout=60)

    with pytest.raises(KeyboardInterrupt):
        run_watched(work, token, None)
    assert token.stop.is_set()
