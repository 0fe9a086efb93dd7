"""A file that one job at a time may write, among all processes of a machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from qfast.errors import ShotPlanError

if sys.platform != "win32":
    import fcntl

__all__ = ["FileClaim"]


class FileClaim:
    """The right to write a file, from its making to `release`; what holds it is a lock file beside it.

    The lock is the system's: it ends with its process, however that ends, and a lock file that is left over locks
    nothing.

    Raises
    ------
    ShotPlanError
        Another job has it.
    """

    def __init__(self, path: Path) -> None:
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._descriptor: int | None = None
        if sys.platform == "win32":
            return  # there, the replacing of a file that another job reads fails by itself
        while True:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise ShotPlanError(
                    f"another job writes {path} now; wait for it, or name another file for this one"
                ) from None
            if self._is_current(descriptor):
                self._descriptor = descriptor
                return
            os.close(descriptor)  # its last holder removed it between the two steps

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.stat(self._lock_path).st_ino == os.fstat(descriptor).st_ino
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the right back; again is harmless."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._lock_path.unlink(missing_ok=True)
            os.close(descriptor)
