"""Signals that announce the end: jobs are stopped and unloaded, checkpoints written, and the process ends in order."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from qfast.errors import ConfigError
from qfast.jobs.runtime import default_runtime
from qfast.pools.recovery import is_main_thread

__all__ = ["end_on_signals"]


def end_on_signals(*signals: signal.Signals) -> None:
    """End the process in order when one of these signals comes, as SLURM and other batch systems send before they kill.

    All jobs are told to stop; plans and batches with a checkpoint write what they have; everything is unloaded; and
    ``SystemExit`` with the code 128 + number ends the main thread, so that ``finally`` clauses and exit handlers run.
    The same program, run again, goes on from its checkpoints.

    Parameters
    ----------
    *signals : signal.Signals
        Default: ``SIGTERM`` and, where there is one, ``SIGUSR1`` (``sbatch --signal=USR1@60``).

    Raises
    ------
    ConfigError
        It was not called in the main thread, where Python handles signals.

    Notes
    -----
    Nothing is installed unless this is called: whoever imports a library keeps their own handlers. The end takes up to
    5 s, as at every exit.
    """
    if not is_main_thread():
        raise ConfigError("end_on_signals was called in another thread; call it in the main one, which handles signals")
    chosen = signals or tuple(s for s in (signal.SIGTERM, getattr(signal, "SIGUSR1", None)) if s is not None)
    for each in chosen:
        signal.signal(each, _end)


def _end(number: int, frame: FrameType | None) -> None:
    for each in (signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM)):
        signal.signal(each, signal.SIG_IGN)  # the end has begun
    default_runtime().stop()
    sys.exit(128 + number)  # what is left, waiting for the jobs, is the exit handler's
