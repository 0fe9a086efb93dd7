"""Seeds of the jobs of a session: a function of the session's seed and the job's number, and of nothing else."""

from __future__ import annotations

import secrets

__all__ = ["fresh_seed", "job_seed"]

_WORD = 0xFFFFFFFF


def job_seed(seed: int, index: int) -> int:
    """Return the seed of job ``index`` of a session with ``seed``.

    Philox4x32-10 (see `qfast.engines`) with the session's seed as key and counter (index, 2**64 - 1): no shot has
    that site, so the result is independent of every uniform that the session's own seed could give.

    Examples
    --------
    >>> job_seed(7, 0), job_seed(7, 1)
    (18085894589008999377, 17800310410772163837)
    """
    c0, c1, c2, c3 = index & _WORD, index >> 32 & _WORD, _WORD, _WORD
    k0, k1 = seed & _WORD, seed >> 32 & _WORD
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & _WORD, (p0 >> 32) ^ c3 ^ k1, p0 & _WORD
        k0, k1 = (k0 + 0x9E3779B9) & _WORD, (k1 + 0xBB67AE85) & _WORD
    return c0 | c1 << 32


def fresh_seed() -> int:
    """Return a seed of fresh entropy."""
    return secrets.randbits(64)
