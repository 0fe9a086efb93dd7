"""Work whose result is kept in a folder: run again, it is read there, so that a sweep goes on where it was stopped."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qfast.errors import InputError
from qfast.jobs.result_files import load_result, save_result
from qfast.jobs.work import Requirements, Work

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.devices import Device
    from qfast.jobs.context import JobContext

__all__ = ["KeptWork", "check_keepable"]

# What a result depends on besides the work and the seed.
_SETTINGS = ("engine", "isa", "precision", "array_backend", "error_mitigation")


def check_keepable(work: Work) -> None:
    """Refuse work that cannot say what it is: its result might be taken for another's."""
    if not hasattr(work, "fingerprint"):
        raise InputError(
            f"the work {work.name!r} has no fingerprint, so its result cannot be kept in a checkpoint; submit "
            "circuits or pubs, or leave the batch's checkpoint out"
        )


class KeptWork:
    """Another work, whose result is kept in a file named by all that it depends on."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._found: Any = None
        self._path: Path | None = None

    @property
    def name(self) -> str:
        """That of the work."""
        return self._work.name

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`."""
        return self._work.requirements(settings)

    def requirements_on(self, settings: Snapshot, device: Device) -> Requirements:
        """See `Work`; never short: a file is written."""
        asked = getattr(self._work, "requirements_on", None)
        needed: Requirements = self._work.requirements(settings) if asked is None else asked(settings, device)
        needed.is_short = False
        return needed

    def load(self, context: JobContext) -> None:
        """Look for the result, or prepare to compute it."""
        self._path = self._folder / f"{self._key(context)}.npz"
        if self._path.exists():
            self._found = load_result(self._path)
            context.log("result_found_in_checkpoint")
        else:
            self._work.load(context)

    def _key(self, context: JobContext) -> str:
        digest = hashlib.blake2b(digest_size=20, person=b"qfast kept job")
        digest.update(self._work.fingerprint())  # type: ignore[attr-defined]  # see check_keepable
        device = context.device
        noise = b"" if device.noise is None else device.noise.digest
        told = [context.seed, device.engine, *(context.config[name] for name in _SETTINGS)]
        digest.update(repr(told).encode() + noise)
        return digest.hexdigest()

    def execute(self, context: JobContext) -> Any:
        """Compute the result, unless it was found, and keep it."""
        if self._found is not None:
            return self._found
        result = self._work.execute(context)
        assert self._path is not None
        os.makedirs(self._folder, exist_ok=True)
        save_result(result, self._path)
        return result

    def unload(self, context: JobContext) -> None:
        """See `Work`."""
        self._found = None
        self._work.unload(context)
