"""The nearest right name, for error messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest"]


def nearest(wrong: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or nothing when no name is near.

    Examples
    --------
    >>> nearest("thread", ["engine", "threads"])
    "; did you mean 'threads'?"
    """
    matches = get_close_matches(wrong, list(names), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]!r}?" if matches else ""
