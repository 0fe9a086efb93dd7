"""Keys of random numbers, one for every purpose: the one place where a seed leads to another.

A run draws from the key that its seed is; its shots, measurements and channels are told apart by the counter (see
`qfast.engines.philox`). Whatever needs numbers of its own (the rows of a table, the jobs of a session, the pubs of a
primitive, the randomisations of mitigation) gets a key of (seed, purpose, path). Parts of one purpose that only divide
its shots share the key and divide the range of shot indices.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from typing import Literal, TypeAlias

from qfast import config
from qfast.errors import InputError

__all__ = ["MAX_SEED", "Purpose", "chosen_seed", "derived_seed", "fresh_seed"]

MAX_SEED = 2**64 - 1

Purpose: TypeAlias = Literal[
    "calibration",  # circuits that measure how qubits are misread: (qubits in one state, number)
    "circuit",  # of a list of circuits: (place)
    "estimate",  # outcomes drawn from exact means: (element)
    "job",  # of a session: (number of the job)
    "observable",  # of several that are measured by shots: (place)
    "multinomial",  # counts drawn at once: (first shot)
    "pilot",  # shots that only decide how the others are divided: (setting)
    "pub",  # of a primitive: (number of the pub, element)
    "randomization",  # a twirled circuit: (scale factor, setting, number)
    "row",  # of a table of parameter values: (place)
    "setting",  # a measurement setting with circuits of its own: (scale factor, setting, number)
    "shift",  # circuits of the parameter-shift rule: (observable, group, row, point)
    "trajectories",  # mean over noisy trajectories: (observable)
]
"""What keys are derived for, and the path of each."""


def derived_seed(seed: int, purpose: Purpose, *path: int) -> int:
    """Return the seed of one part of what has a seed.

    Parameters
    ----------
    seed : int
        0 ≤ seed < 2**64.
    purpose : str
        Purposes are apart: equal paths of two of them have nothing in common.
    *path : int
        Which part, each from 0.

    Returns
    -------
    int
        64 bits of BLAKE2b (RFC 7693) of seed and path, little-endian words, personalised by the purpose. Two parts have
        the same seed with probability 2**-64, also those of different seeds.

    Examples
    --------
    >>> derived_seed(7, "row", 0), derived_seed(7, "row", 1)
    (1010371393925539044, 16383853914953505946)
    """
    words = struct.pack(f"<{1 + len(path)}Q", seed, *path)
    digest = hashlib.blake2b(words, digest_size=8, person=purpose.encode()).digest()
    return int.from_bytes(digest, "little")


def fresh_seed() -> int:
    """Return a seed of fresh entropy."""
    return secrets.randbits(64)


def chosen_seed(seed: int | None) -> int:
    """Return the seed: the argument, the setting, or fresh entropy.

    Raises
    ------
    InputError
        The argument is not an integer in 0…2**64 - 1.
    """
    if seed is None:
        configured: int | None = config.get("seed")
        return fresh_seed() if configured is None else configured
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed.__index__() <= MAX_SEED:
        raise InputError(f"seed {seed!r} must be an integer from 0 to 2**64 - 1, or None for fresh entropy")
    return seed.__index__()
