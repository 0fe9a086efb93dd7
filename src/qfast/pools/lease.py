"""What a pool hands out, and what it notes about those who wait."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from qfast.pools.idle import Idle

if TYPE_CHECKING:
    from qfast.pools.pool import Pool

__all__ = ["Grant", "Lease", "Waiter"]

T = TypeVar("T")
_OWN_FOLDER = str(Path(__file__).parent)


class Lease(Generic[T]):
    """The right to use a resource until `release`; a context manager.

    Attributes
    ----------
    resource : T
        Yours alone while the lease lasts.
    size : int
        Amount charged to the budget, in the pool's unit.
    tenant, job : str
        Who is charged.
    exported : bool
        Whether a result holds it, see `Pool.export`.

    Notes
    -----
    A lease that is garbage-collected without having been returned is a leak: the pool counts it, logs the place where
    it was given, and throws the resource away, because somebody may still use it.
    """

    __slots__ = ("_code", "_line", "_pool", "exported", "generation", "job", "resource", "returned", "size", "tenant")

    def __init__(self, pool: Pool[T], resource: T, size: int, tenant: str, job: str, generation: int) -> None:
        self.returned = True  # until the last step: a lease that Ctrl-C leaves unfinished has nothing to return
        self._pool = pool
        self.resource = resource
        self.size = size
        self.tenant = tenant
        self.job = job
        self.generation = generation
        self.exported = False
        self._code: CodeType | None = None
        self._line = 0
        if not job:  # a job's name says where to look, and walking the frames would cost it a microsecond
            self._code, self._line = _place()
        self.returned = False

    @property
    def pool(self) -> Pool[T]:
        """The pool that gave it."""
        return self._pool

    @property
    def place(self) -> str:
        """``file:line`` of the code outside the pools that asked for it, or the job."""
        return f"job {self.job}" if self._code is None else f"{self._code.co_filename}:{self._line}"

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
        if not getattr(self, "returned", True):  # absent when Ctrl-C broke off __init__
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


@dataclass(slots=True)
class Grant(Generic[T]):
    """A decision taken inside the lock: budget is reserved; the rest is done outside."""

    size: int
    tenant: str
    job: str
    idle: Idle[T] | None
    evicted: list[Idle[T]] | None


@dataclass(slots=True, eq=False)
class Waiter(Generic[T]):
    """Somebody who waits. Exactly one of ``grant`` and ``error`` is set, inside the lock; then the gate opens."""

    size: int
    tenant: str
    job: str
    grant: Grant[T] | None = None
    error: Exception | None = None
    gate: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.acquire()

    @property
    def is_decided(self) -> bool:
        return self.grant is not None or self.error is not None
