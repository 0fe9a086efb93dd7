"""Ctrl-C at every place where it may strike, one after the other.

Python runs signal handlers in the main thread on entering a function, after a call and at the end of a loop's turn.
Here ``KeyboardInterrupt`` is raised on entering every function, after every call of a C function and before every line
of the files that are watched: more places than there are. The one that is left out is the ``__exit__`` of a ``with`` on
a lock, which is one call, made before any check.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from functools import cache
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

__all__ = ["InterruptAt", "every_place"]


@cache
def _exits_of_with(code: CodeType) -> frozenset[int]:
    """Return the offsets where ``__exit__`` is about to be called without an exception."""
    found = set()
    steps = list(dis.get_instructions(code))
    for i, step in enumerate(steps[:-2]):
        if all(s.opname == "LOAD_CONST" and s.argval is None for s in steps[i : i + 3]):
            found.add(step.offset)
            if i and steps[i - 1].opname == "SWAP":  # a return inside the block
                found.add(steps[i - 1].offset)
    return frozenset(found)


class InterruptAt:
    """Raises ``KeyboardInterrupt`` at the n-th place of the block, and keeps it from leaving the block.

    Attributes
    ----------
    hit : bool
        Whether there were so many places.
    where : str
        The place.
    """

    def __init__(self, place: int, files: tuple[str, ...]) -> None:
        self.place = place
        self.left = place
        self.files = files
        self.hit = False
        self.where = "nowhere"

    def __enter__(self) -> Self:
        self._old = sys.getprofile(), sys.gettrace()
        sys.setprofile(self._profile)
        sys.settrace(self._trace)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        self._stop()
        return kind is KeyboardInterrupt and self.hit

    def _stop(self) -> None:
        sys.setprofile(self._old[0])
        sys.settrace(self._old[1])

    def _is_watched(self, frame: FrameType) -> bool:
        return any(part in frame.f_code.co_filename for part in self.files)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_return" and self._is_watched(frame) and getattr(argument, "__name__", "") != "__exit__":
            self._count(frame, event)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not self._is_watched(frame):
            return None
        self._count(frame, event)
        return self._trace_lines

    def _trace_lines(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and frame.f_lasti not in _exits_of_with(frame.f_code):
            self._count(frame, event)
        return self._trace_lines

    def _count(self, frame: FrameType, event: str) -> None:
        self.left -= 1
        if self.left == 0:
            self._stop()
            self.hit = True
            self.where = f"{event} in {frame.f_code.co_qualname}, line {frame.f_lineno}"
            raise KeyboardInterrupt

    def __repr__(self) -> str:
        return f"<interrupt at place {self.place}: {self.where}>"


def every_place(*files: str, step: int = 1) -> Iterator[InterruptAt]:
    """Yield an interrupt for every place, until a block had fewer; ``step``: every so many only."""
    place = 1
    while True:
        interrupt = InterruptAt(place, files)
        yield interrupt
        if not interrupt.hit:
            return
        place += step
