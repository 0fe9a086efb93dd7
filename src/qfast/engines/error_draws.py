"""Which errors happen in which shots of a noisy circuit."""

from __future__ import annotations

import numpy as np

from qfast._typing import FloatArray, IntArray
from qfast.engines import philox
from qfast.extension import core

__all__ = ["draw_errors"]


def draw_errors(
    seed: int, first: int, count: int, site: int, thresholds: FloatArray, ends: IntArray, *, threads: int
) -> tuple[IntArray, IntArray]:
    """Return the errors that happen in consecutive shots.

    Parameters
    ----------
    seed, first, count : int
        Shot i has the absolute index ``first + i``.
    site : int
        Channel s decides by the uniform of site ``site + s``.
    thresholds : ndarray of float64
        Cumulative probabilities of all channels; outcome 0 of each is no error.
    ends : ndarray of int64, shape (channels,)
        Channel s has ``thresholds[ends[s - 1]:ends[s]]``.
    threads : int

    Returns
    -------
    shots, errors : ndarray of int64
        Of each error its shot, from 0, and its number: those of the first channel from 0, then those of the next.

    Notes
    -----
    The core, where it is built, draws the same errors as numpy.
    """
    if core is not None:
        found: tuple[IntArray, IntArray] = core.draw_errors(seed, first, count, site, thresholds, ends, threads)
        return found
    shots, errors = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    begin = 0
    for channel, end in enumerate(ends.tolist()):
        own = thresholds[begin:end]
        uniforms = philox.uniforms(seed, first, count, site + channel)
        hit = np.flatnonzero(uniforms >= own[0]) if own.size > 1 else shots[0]
        if hit.size:
            shots.append(hit)
            errors.append(begin - channel + np.searchsorted(own[1:-1], uniforms[hit], side="right"))
        begin = end
    return np.concatenate(shots), np.concatenate(errors)
