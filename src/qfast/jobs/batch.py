"""Batches: independent work, as parallel as the device allows."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from qfast.devices import Device
from qfast.errors import InputError
from qfast.jobs.job import Job
from qfast.jobs.job_group import JobGroup
from qfast.jobs.kept_work import KeptWork, check_keepable
from qfast.jobs.runtime import LOCAL_TENANT, Runtime
from qfast.jobs.work import Work

__all__ = ["Batch"]


class Batch(JobGroup):
    """A batch: its jobs are independent of each other and run in parallel, up to the device's capacity.

    Parameters
    ----------
    device, max_ttl, tenant, priority, seed, tags, options, keep_jobs
        As for `Session`. A session and a batch with the same seed draw the same: job i from the same key.
    checkpoint : path, optional
        A folder in which the result of every circuit is kept, under all that it depends on: circuit, values, shots,
        observables, noise, seed, engine, precision. A batch with the same folder takes from there what is there,
        so that a sweep that was stopped goes on when its program is run again. Needs a seed.

    Notes
    -----
    Thread-safe. ``with Batch() as batch`` closes it at the end without waiting; results stay readable.
    """

    mode = "batch"

    def __init__(
        self,
        device: str | Device | Sequence[str | Device] | None = None,
        max_ttl: float | None = None,
        *,
        tenant: str = LOCAL_TENANT,
        priority: int = 0,
        seed: int | None = None,
        tags: Iterable[str] = (),
        options: Mapping[str, Any] | None = None,
        keep_jobs: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        super().__init__(
            device, max_ttl=max_ttl, tenant=tenant, priority=priority, seed=seed, tags=tags, options=options,
            keep_jobs=keep_jobs, runtime=runtime,
        )  # fmt: skip

    def submit(self, work: Work, *, seed: int | None = None, **submission: Any) -> Job:
        """Submit any work; see `run`."""
        if self._checkpoint is not None:
            check_keepable(work)
            if seed is None and self.seed is None and self.settings(submission.get("options"))["seed"] is None:
                raise InputError(
                    "a batch with a checkpoint needs a seed, because shots of fresh entropy are never the same again; "
                    "pass seed= to the batch or to the job"
                )
            work = KeptWork(work, self._checkpoint)
        return super().submit(work, seed=seed, **submission)

    def as_completed(self, timeout_s: float | None = None) -> Iterator[Job]:
        """Yield the jobs submitted so far as they are done, also those that failed.

        Raises
        ------
        TimeoutError
            Not all are done within ``timeout_s`` seconds.
        """
        jobs: list[concurrent.futures.Future[Any]] = list(self.jobs)
        for job in concurrent.futures.as_completed(jobs, timeout_s):
            yield cast(Job, job)

    def results(self, timeout_s: float | None = None) -> list[Any]:
        """Return the results of the jobs submitted so far, in their order, waiting for them.

        Raises
        ------
        TimeoutError
            Not all are done within ``timeout_s`` seconds.
        Exception
            That of the first job that has one.
        """
        for _ in self.as_completed(timeout_s):
            pass
        return [job.result() for job in self.jobs]
