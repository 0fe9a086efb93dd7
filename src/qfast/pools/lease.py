"""What a pool hands out, and what its books hold of it."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from queue import SimpleQueue
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from qfast.pools.idle import Idle

if TYPE_CHECKING:
    from qfast.pools.pool import Pool

__all__ = ["Grant", "Lease"]

T = TypeVar("T")
_OWN_FOLDER = str(Path(__file__).parent)


class Lease(Generic[T]):
    """The right to use a resource until `release`; a context manager.

    Attributes
    ----------
    resource : T
        Yours alone while the lease lasts.
    grant : Grant
        The pool's entry for it.

    Notes
    -----
    A lease that is garbage-collected without having been returned is a leak: the pool counts it, logs the place where
    it was given, and throws the resource away, because somebody may still use it.
    """

    __slots__ = ("__weakref__", "_code", "_line", "_pool", "grant", "resource")

    def __init__(self, pool: Pool[T], resource: T, grant: Grant[T]) -> None:
        self._pool = pool
        self.resource = resource
        self._code: CodeType | None = None
        self._line = 0
        if not grant.job:  # a job's name says where to look, and walking the frames would cost it a microsecond
            self._code, self._line = _place()
        holder = weakref.ref(self)
        # The last step, without a call: a lease that Ctrl-C leaves unfinished has nothing to return.
        self.grant = grant
        grant.holder = holder

    @property
    def size(self) -> int:
        """Amount charged to the budget, in the pool's unit."""
        return self.grant.size

    @property
    def tenant(self) -> str:
        """Who is charged."""
        return self.grant.tenant

    @property
    def job(self) -> str:
        """Who is charged; empty: nobody."""
        return self.grant.job

    @property
    def exported(self) -> bool:
        """Whether a result holds it, see `Pool.export`."""
        return self.grant.exported

    @property
    def returned(self) -> bool:
        """Whether it is over."""
        return self.grant.is_over

    @property
    def pool(self) -> Pool[T]:
        """The pool that gave it."""
        return self._pool

    @property
    def place(self) -> str:
        """``file:line`` of the code outside the pools that asked for it, or the job."""
        return f"job {self.grant.job}" if self._code is None else f"{self._code.co_filename}:{self._line}"

    def release(self) -> None:
        """Return the resource for the next user; a second time is a ``LeaseError``."""
        self._pool.release(self)

    def discard(self) -> None:
        """Return the lease but throw the resource away."""
        self._pool.release(self, reuse=False)

    def __enter__(self) -> T:
        return self.resource

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self.returned:
            self.release()

    def __del__(self) -> None:
        grant = getattr(self, "grant", None)  # absent when Ctrl-C broke off __init__
        if grant is not None and not grant.is_over:
            self._pool.release_soon(self, is_lost=True)

    def __repr__(self) -> str:
        state = "returned" if self.returned else "exported" if self.exported else "out"
        return f"<Lease of {self.size} {self._pool.unit} from {self._pool.name!r}, {state}, taken at {self.place}>"


def _place() -> tuple[CodeType, int]:
    """Return the innermost frame outside this folder; formatting it waits until somebody asks."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frame = frame.f_back
    return frame.f_code, frame.f_lineno


class Grant(Generic[T]):
    """What the books hold of one lease, from the question to the return.

    Attributes
    ----------
    size, tenant, job
        What is charged, and to whom.
    generation : int
        Of the pool: a forked child has a new one.
    is_over : bool
        The truth: while False, a grant in the books counts.
    exported : bool
        A result holds it.
    idle, evicted
        The used resource that it gets, and those that make room for it.
    holder : weakref or None
        Of the lease, or of the array made of it: what is dead and not over was lost.
    is_silent : bool
        The holder's death is the return, and no leak.
    error : Exception or None
        Why it was refused while it was waited for.
    gate : SimpleQueue
        Where its waiter waits.
    """

    __slots__ = (
        "error", "evicted", "exported", "gate", "generation", "holder", "idle", "is_granted", "is_over", "is_silent",
        "job", "size", "tenant",
    )  # fmt: skip

    def __init__(self, size: int, tenant: str, job: str, generation: int) -> None:
        self.size = size
        self.tenant = tenant
        self.job = job
        self.generation = generation
        self.is_granted = False
        self.is_over = False
        self.exported = False
        self.is_silent = False
        self.idle: Idle[T] | None = None
        self.evicted: list[Idle[T]] | None = None
        self.holder: weakref.ref[Any] | None = None
        self.error: Exception | None = None
        self.gate: SimpleQueue[None] | None = None

    @property
    def is_decided(self) -> bool:
        """Whether its waiter may go on."""
        return self.is_granted or self.error is not None

    @property
    def is_lost(self) -> bool:
        """Whether its holder has died without a return."""
        return not self.is_over and self.holder is not None and self.holder() is None
