"""One attempt of a job: LOAD → EXECUTE → UNLOAD, and what its end means."""

from __future__ import annotations

import logging
import traceback
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qfast import config
from qfast.engines.memory import state_allocator
from qfast.errors import (
    CancelledRunError,
    CapacityError,
    DeviceBusyError,
    DeviceOfflineError,
    InputError,
    JobCancelledError,
    JobFailedError,
    JobTimeoutError,
    PoolTimeoutError,
    VerificationError,
)
from qfast.jobs.context import JobContext

if TYPE_CHECKING:
    from qfast.jobs.job import Job

__all__ = ["Outcome", "error_code", "is_transient", "mark_error", "mark_outcome", "run_attempt", "text_of"]

_log = logging.getLogger("qfast.jobs")

# The first row that fits counts. Where the source system has a code, it is that one.
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (VerificationError, -32200),
    (CapacityError, -32202),
    (MemoryError, -32202),
    (JobTimeoutError, -32302),
    (JobCancelledError, -32304),
    (InputError, -32602),
)
_OTHER_CODE = -32000

# Every job has these lines; one tuple serves all.
_LOADED = ("LOAD", "work_loaded_and_verified")
_COMPLETED = ("EXECUTE", "completed")

_TRANSIENT = (DeviceBusyError, DeviceOfflineError, PoolTimeoutError, ConnectionError)


@dataclass(slots=True)
class Outcome:
    """How an attempt ended.

    Attributes
    ----------
    value, error
        The result, or what was raised.
    has_stopped : bool
        It obeyed a request to stop.
    interrupt : BaseException or None
        What it raised that ends a thread (``SystemExit``, Ctrl-C): the thread is not to be used again.
    """

    value: Any = None
    error: BaseException | None = None
    has_stopped: bool = False
    interrupt: BaseException | None = None


def error_code(error: BaseException) -> int:
    """Return the code that clients see."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), _OTHER_CODE)


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: a busy or unreachable device, a dead worker, or an error that says so itself
    with an attribute ``is_transient``."""
    try:
        return getattr(error, "is_transient", isinstance(error, _TRANSIENT)) is True
    except Exception as raised:  # a property of somebody's class
        _log.error("%s does not say whether it is transient: %s", type(error).__name__, text_of(raised))
        return False


def mark_outcome(job: Job) -> None:
    """Tell a job's result, if it takes metadata, or its error which job it is of, and how that went."""
    error, value = job.outcome()
    if error is not None:
        mark_error(error, job)
        return
    add_metadata = getattr(value, "add_metadata", None)
    if add_metadata is not None:
        add_metadata(
            job_id=job.id,
            session_id=job.session_id,
            device=job.device,
            tags=job.tags,
            execution_log=job.execution_log,
            telemetry=job.telemetry,
        )


def mark_error(error: BaseException, job: Job) -> None:
    """Give an error the job's log, telemetry and code."""
    error.execution_log = job.execution_log  # type: ignore[attr-defined]
    error.telemetry = job.telemetry  # type: ignore[attr-defined]
    error.code = error_code(error)  # type: ignore[attr-defined]


def _let_go_of_arrays(error: BaseException | None) -> None:
    """Clear the frames of an error that will be kept: they hold the work's arrays. Files and lines stay."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # an error can be raised from itself
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def text_of(error: BaseException) -> str:
    """Return an error in words, whatever its class does."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its __str__ fails: that must not be the end of the job layer
        return type(error).__name__


def _note_failure(outcome: Outcome, error: BaseException, context: JobContext) -> None:
    outcome.error = error
    context.has_failed = isinstance(error, Exception)  # Ctrl-C still holds its frames, and they their arrays
    outcome.has_stopped = isinstance(error, CancelledRunError) and context.cancellation.cancelled
    context.note(("ERROR", text_of(error)))
    if not isinstance(error, Exception):
        outcome.interrupt = error
        outcome.error = JobFailedError(f"the worker of job {context.job.id} died: {text_of(error)}")
        outcome.error.is_transient = True  # type: ignore[attr-defined]
        outcome.error.__cause__ = error
    _let_go_of_arrays(error)


def run_attempt(context: JobContext) -> Outcome:
    """Run a job's work once; whatever happens, it is unloaded, and nothing is raised.

    The work runs in a copy of the caller's context variables, where it finds its settings and its memory. The copy is
    dropped at the end: taking the variables back one by one, Ctrl-C could prevent.
    """
    outcome = Outcome()
    copy_context().run(_run, context, outcome)
    outcome.interrupt = outcome.interrupt or context.interrupt
    context.tell_job()
    return outcome


def _run(context: JobContext, outcome: Outcome) -> None:
    job = context.job
    try:
        state_allocator.set(context.allocate_for_engine)
        config.use(job.config)
        context.check_cancelled()
        context.is_loaded = True
        job.work.load(context)
        context.note(_LOADED)
        context.check_cancelled()
        outcome.value = job.work.execute(context)
        context.note(_COMPLETED)
    except BaseException as error:
        _note_failure(outcome, error, context)
    finally:
        context.unload()
