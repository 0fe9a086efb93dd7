"""Sessions: iterative work, one job after the other, on devices that are kept warm for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qfast.devices import Device
from qfast.errors import InputError
from qfast.jobs.job_group import JobGroup

__all__ = ["Session"]


class Session(JobGroup):
    """A dedicated session: its jobs run one after the other, in order, ahead of jobs without a session.

    Parameters
    ----------
    device : str, Device or sequence of them, optional
        Default: the default device. With several, a job runs on the one it names, or on the one with the least to do.
    mode : {"dedicated"}
        There is no other; for parallel jobs use `Batch`.
    max_ttl : float, optional
        Seconds after which no more jobs are taken; accepted ones finish.
    tenant : str
        Whose share of the device and whose limits it uses.
    priority : int
        -8 … 8: each step doubles its share among the sessions and batches of its tenant.
    seed : int, optional
        Job i draws from the key (seed, i), so that its results do not depend on the other jobs.
    tags : iterable of str
        On every job and its result.
    options : dict, optional
        Settings of its jobs, by name: ``{"precision": "complex64"}``.
    keep_jobs : int, optional
        How many finished jobs it holds, with their results; default: all of them. For loops of very many jobs whose
        results are used at once: 0. A job that you hold yourself stays as it is.

    Notes
    -----
    Thread-safe. What is kept warm: the plans (by circuit structure), the state buffers, the worker threads. On a
    device with two or more workers one is reserved for every open session (one always serves all). A job without a
    session waits for at most 32 jobs of every session of its tenant. ``with Session() as session`` closes it at the
    end without waiting; results stay readable.
    """

    mode = "dedicated"
    _is_dedicated = True

    def __init__(
        self,
        device: str | Device | Sequence[str | Device] | None = None,
        mode: str = "dedicated",
        max_ttl: float | None = None,
        *,
        keep_jobs: int | None = None,
        **options: Any,
    ) -> None:
        if mode != "dedicated":
            remedy = "use qfast.Batch(device) for jobs that run in parallel" if mode == "batch" else "leave it out"
            raise InputError(f"mode {mode!r} is not valid for a Session; allowed: 'dedicated'; {remedy}")
        if keep_jobs is not None and (
            isinstance(keep_jobs, bool) or not hasattr(keep_jobs, "__index__") or keep_jobs < 0
        ):
            raise InputError(f"keep_jobs {keep_jobs!r} is not valid; allowed: whole numbers from 0, or None for all")
        self._keep_jobs = keep_jobs
        super().__init__(device, max_ttl=max_ttl, **options)
