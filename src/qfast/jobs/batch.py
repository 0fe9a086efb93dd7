"""Batches: independent work, as parallel as the device allows."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from typing import Any, cast

from qfast.jobs.group import JobGroup
from qfast.jobs.job import Job

__all__ = ["Batch"]


class Batch(JobGroup):
    """A batch: its jobs are independent of each other and run in parallel, up to the device's capacity.

    Parameters
    ----------
    device, max_ttl, tenant, priority, seed, tags, options
        As for `Session`.

    Notes
    -----
    Thread-safe. ``with Batch() as batch`` closes it at the end without waiting; results stay readable.
    """

    mode = "batch"

    def as_completed(self, timeout_s: float | None = None) -> Iterator[Job]:
        """Yield the jobs submitted so far as they are done, also those that failed.

        Raises
        ------
        TimeoutError
            Not all are done within ``timeout_s`` seconds.
        """
        for job in concurrent.futures.as_completed(self.jobs, timeout_s):
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
