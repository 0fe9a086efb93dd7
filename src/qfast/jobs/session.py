"""Sessions: iterative work, one job after the other, on devices that are kept warm for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qfast.devices import Device
from qfast.errors import InputError
from qfast.jobs.job_group import JobGroup
from qfast.jobs.runtime import LOCAL_TENANT, Runtime

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
        Seconds after which no more jobs are taken; accepted ones finish. Default: the setting ``session_ttl_s``;
        ``math.inf``: no limit, whatever that says.
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
    device with two or more workers one is reserved for every open session (one always serves all). With the setting
    ``max_dedicated_sessions`` the sessions above that number wait for their turn, or are refused. A job without a
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
        tenant: str = LOCAL_TENANT,
        priority: int = 0,
        seed: int | None = None,
        tags: Iterable[str] = (),
        options: Mapping[str, Any] | None = None,
        keep_jobs: int | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        if mode != "dedicated":
            remedy = "use qfast.Batch(device) for jobs that run in parallel" if mode == "batch" else "leave it out"
            raise InputError(f"mode {mode!r} is not valid for a Session; allowed: 'dedicated'; {remedy}")
        super().__init__(
            device, max_ttl=max_ttl, tenant=tenant, priority=priority, seed=seed, tags=tags, options=options,
            keep_jobs=keep_jobs, runtime=runtime,
        )  # fmt: skip
