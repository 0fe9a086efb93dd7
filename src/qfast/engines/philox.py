"""Counter-based uniforms: a shot's random number depends on (seed, shot, site) and on nothing else.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
doi:10.1145/2063384.2063405. Key: the seed's low word, then its high word. Counter: shot low, shot high, site low,
site high. The core (``csrc/base/philox.h``) computes the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_SEED = 2**64 - 1

_WORD = 0xFFFFFFFF
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_ROUNDS = 10
_CHUNK = 1 << 14  # four counters of 64-bit words stay in L2


def uniforms(seed: int, first_shot: int, count: int, site: int) -> NDArray[np.float64]:
    """Return the uniforms of ``count`` consecutive shots at one site.

    Parameters
    ----------
    seed : int
        0 ≤ seed < 2**64.
    first_shot : int
        Absolute index of the first shot.
    count : int
        Number of shots.
    site : int
        Number of measurements that these shots have made before.

    Returns
    -------
    ndarray of float64, shape (count,)
        Values in [0, 1) with 53 random bits.
    """
    return uniforms_at(seed, np.arange(first_shot, first_shot + count, dtype=np.int64), site)


def uniforms_at(seed: int, shots: NDArray[np.int64], site: int) -> NDArray[np.float64]:
    """Return the uniforms of arbitrary shots at one site; see `uniforms`.

    Parameters
    ----------
    seed, site : int
        As for `uniforms`.
    shots : ndarray of int64, shape (m,)
        Absolute shot indices.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    out = np.empty(shots.size, dtype=np.float64)
    for begin in range(0, shots.size, _CHUNK):
        chunk = shots[begin : begin + _CHUNK].astype(np.uint64)
        x0, x1 = philox4x32(
            (chunk & np.uint64(_WORD), chunk >> np.uint64(32), _constant(chunk, site), _constant(chunk, site >> 32)),
            (seed & _WORD, seed >> 32 & _WORD),
        )[:2]
        mantissa = (x0 >> np.uint64(5)) * np.uint64(1 << 26) + (x1 >> np.uint64(6))
        np.multiply(mantissa, 2.0**-53, out=out[begin : begin + chunk.size])
    return out


def philox4x32(
    counter: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]],
    key: tuple[int, int],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Encrypt counters by ten rounds; every 32-bit word stands in a uint64 so that products do not overflow."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    low, shift = np.uint64(_WORD), np.uint64(32)
    for _ in range(_ROUNDS):
        p0 = c0 * _MULTIPLIER_0
        p1 = c2 * _MULTIPLIER_1
        c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ np.uint64(k0), p1 & low, (p0 >> shift) ^ c3 ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + _WEYL_0) & _WORD, (k1 + _WEYL_1) & _WORD
    return c0, c1, c2, c3


def _constant(like: NDArray[np.uint64], value: int) -> NDArray[np.uint64]:
    return np.full(like.shape, value & _WORD, dtype=np.uint64)
