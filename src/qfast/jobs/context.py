"""What a job's work sees: its settings, its buffers, its cancel token, its log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qfast._typing import AnyArray, Precision
from qfast.engines import CancelToken
from qfast.errors import CancelledRunError, CapacityError, LeaseError
from qfast.pools import Cancellation, Lease, StateBuffers
from qfast.pools.cleanup import CleanupFailure, message_of, report_cleanup_failure
from qfast.pools.state_buffers import Memory, size_class, state_array

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.devices import Device
    from qfast.jobs.job import Job

__all__ = ["JobContext"]

_log = logging.getLogger("qfast.jobs")

_RELEASED = ("UNLOAD", "resources_released")


class JobContext:
    """One attempt of one job, from LOAD to UNLOAD.

    Attributes
    ----------
    job : Job
    device : Device
    config : Snapshot
        The settings that the job was submitted with.
    seed : int or None
    threads : int
        Threads this attempt may use: the setting, shared with the jobs that run beside it.
    cancellation : Cancellation
    has_failed : bool
        It has no result.
    is_loaded : bool
        LOAD has begun and UNLOAD has not.
    interrupt : BaseException or None
        What UNLOAD raised that ends a thread.
    """

    __slots__ = (
        "_at_unload",
        "_is_told",
        "_is_unloaded",
        "_leases",
        "_lines",
        "_num_leases",
        "_on_cleanup_failure",
        "_peak_leases",
        "_pool",
        "_token",
        "cancellation",
        "cleanup_failures",
        "cleanup_s",
        "config",
        "device",
        "has_failed",
        "interrupt",
        "is_loaded",
        "job",
        "peak_bytes",
        "seed",
        "threads",
    )

    def __init__(
        self,
        job: Job,
        device: Device,
        pool: StateBuffers,
        cancellation: Cancellation,
        threads: int,
        on_cleanup_failure: CleanupFailure | None,
    ) -> None:
        self.job = job
        self.device = device
        self.config: Snapshot = job.config
        self.seed = job.seed
        self.threads = threads
        self.cancellation = cancellation
        self.peak_bytes = 0
        self.cleanup_failures = 0
        self.cleanup_s = 0.0
        self.interrupt: BaseException | None = None
        self._pool = pool
        self._on_cleanup_failure = on_cleanup_failure
        self._token: CancelToken | None = None
        self._leases: list[Lease[Memory]] = []
        self._num_leases = 0
        self._peak_leases = 0
        self._at_unload: list[Callable[[], None]] = []
        self._lines: list[tuple[str, ...]] = []
        self._is_told = self._is_unloaded = self.has_failed = False
        self.is_loaded = False

    # --- for the work -------------------------------------------------------------------------------------------------
    @property
    def cancel_token(self) -> CancelToken:
        """The engine's token of this attempt, to be handed to ``simulate(…, cancel=…)``."""
        if self._token is None:
            self._token = CancelToken()
            self.cancellation.subscribe(self._token.cancel)
        return self._token

    def token_with_progress(self) -> CancelToken:
        """Return the engine's token and let it tell the job's progress: for work that is one run of an engine."""
        self.job.follow_progress(self.cancel_token.progress)
        return self.cancel_token

    def check_cancelled(self) -> None:
        """Raise ``CancelledRunError`` if the job was told to stop."""
        if self.cancellation.reason is not None:
            raise CancelledRunError(f"job {self.job.id} was told to stop: {self.cancellation.reason}")

    def allocate(self, num_qubits: int, precision: Precision, *, overwrite: bool = False) -> AnyArray:
        """Return memory for a state, leased by the job; ``qfast.simulate`` and its like take theirs here by themselves.

        Parameters
        ----------
        num_qubits : int
        precision : {"complex64", "complex128"}
        overwrite : bool
            True promises to write all of it before it shows to anybody.

        Returns
        -------
        ndarray, shape (2**num_qubits,)
            The memory comes back when its last view dies. An array that is still alive after UNLOAD is taken for
            (part of) the result, and charged to the tenant as such.

        Raises
        ------
        CapacityError
            The job's limit, the tenant's or the budget forbids it.
        CancelledRunError
            The job was told to stop while it waited for the memory.
        """
        limit = self.config["max_job_bytes"]
        if limit is not None:
            self._check_own_limit(size_class(num_qubits, precision), limit)
        lease = self._pool.acquire(
            size_class(num_qubits, precision),
            tenant=self.job.flow.tenant,
            job=self.job.id,
            overwrite=overwrite,
            cancellation=self.cancellation,
        )
        array = state_array(lease, num_qubits, precision)
        self._leases.append(lease)
        self._num_leases += 1
        grants = [lease.grant for lease in self._leases]
        out = [grant.size for grant in grants if not grant.is_over]
        if len(out) > self._peak_leases:
            self._peak_leases = len(out)
        size = sum(out)
        if size > self.peak_bytes:
            self.peak_bytes = size
        return array

    def _check_own_limit(self, size: int, limit: int) -> None:
        held = sum(lease.size for lease in self._leases if not lease.returned)
        if held + size > limit:
            raise CapacityError(
                f"job {self.job.id} holds {held} bytes and asks for {size} more, but max_job_bytes is {limit}; "
                "let go of arrays earlier, or raise the limit"
            )

    def allocate_for_engine(self, num_qubits: int, precision: Precision) -> AnyArray:
        """Serve ``engines.allocate_state``: the engines write a state before they show it."""
        return self.allocate(num_qubits, precision, overwrite=True)

    def at_unload(self, action: Callable[[], None]) -> None:
        """Run ``action`` in UNLOAD, last in first out, whatever happens before."""
        self._at_unload.append(action)

    def log(self, text: str) -> None:
        """Add a line to the execution log."""
        self._lines.append(("EXECUTE", text))

    def progress(self, done: int, total: int) -> None:
        """Say how far the work is."""
        self.job.report_progress(done, total)

    # --- for the job layer --------------------------------------------------------------------------------------------
    def note(self, line: tuple[str, ...]) -> None:
        """Add a line of any phase to the execution log."""
        self._lines.append(line)

    def unload(self) -> None:
        """Give everything back; runs always and never raises. Again does what was broken off, and nothing else."""
        if self._is_unloaded:
            return
        started = time.perf_counter()
        if self.is_loaded:
            self.is_loaded = False
            try:
                self.job.work.unload(self)
            except BaseException as error:
                self._report("unload", error)
        while self._at_unload:
            try:
                self._at_unload.pop()()
            except BaseException as error:
                self._report("an action at unload", error)
        # What is alive now, the work has put into its result or keeps for itself: it is not the job's any more.
        kept = 0
        for lease in self._leases:
            grant = lease.grant
            kept += not grant.is_over and (grant.exported or self._pool.export(lease))
        if kept and self.has_failed:
            held = sum(lease.size for lease in self._leases if not lease.returned)
            leak = LeaseError(
                f"job {self.job.id} has failed, and {held} bytes that it leased are still held by somebody"
            )
            self._report("giving its memory back", leak)
        if self._token is not None:
            self.cancellation.unsubscribe(self._token.cancel)
            self.job.follow_progress(None)
        if self._num_leases > kept:
            self._lines.append(("UNLOAD", f"freed_{self._num_leases - kept}_buffers"))
        if kept:
            self._lines.append(("UNLOAD", f"retained_{kept}_buffers"))
        self.cleanup_s = time.perf_counter() - started
        if not (kept and self.has_failed):
            self._lines.append(_RELEASED)
        self._is_unloaded = True

    def telemetry(self) -> dict[str, Any]:
        """Return what the pool says is in use by the job, what its result (or somebody else) retains, and the peak."""
        in_use = 0, 0
        retained: list[int] = []
        if self._leases:
            in_use = self._pool.leased_by(self.job.id)
            grants = [lease.grant for lease in self._leases]
            retained = [grant.size for grant in grants if grant.exported and not grant.is_over]
        return {
            "leases": in_use[0],
            "bytes": in_use[1],
            "retained_leases": len(retained),
            "retained_bytes": sum(retained),
            "peak_leases": self._peak_leases,
            "peak_bytes": self.peak_bytes,
            "cleanup_s": self.cleanup_s,
            "cleanup_failures": self.cleanup_failures,
        }

    def tell_job(self) -> None:
        """Hand the log and the figures to the job; again is harmless."""
        if not self._is_told:
            self.job.note_attempt(tuple(self._lines), self.telemetry())
            self._is_told = True

    def _report(self, what: str, error: BaseException) -> None:
        """Tell everybody but the caller that something could not be given back."""
        self.cleanup_failures += 1
        if not isinstance(error, Exception):
            self.interrupt = error
        self._lines.append(("ERROR", f"{what} failed: {message_of(error)}"))
        report_cleanup_failure(_log, self._on_cleanup_failure, f"job {self.job.id}: {what} failed", error)
