"""Bar charts of counts and probabilities (extra ``plot``: matplotlib).

The functions return a :class:`matplotlib.figure.Figure` and touch no global state: pyplot is not imported, so they
work the same in a script, a server and a notebook. Pass ``ax`` to draw into axes of your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qfast.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_counts", "plot_probabilities"]

BAR_COLOR = "#2f6f9f"
REST_COLOR = "#b8bfc6"
ROW_HEIGHT_INCHES = 0.26


def plot_counts(
    counts: Mapping[str, int], *, top: int = 32, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Draw counts as horizontal bars, one per outcome.

    Parameters
    ----------
    counts : mapping of str to int
        Shots per bitstring, bit 0 rightmost, as ``get_counts()`` returns it.
    top : int, default 32
        At most so many outcomes get a bar of their own, the most frequent ones; the rest share one grey bar.
    title : str, optional
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The figure that holds the bars; ``figure.savefig("counts.png")`` writes it.

    Raises
    ------
    InputError
        If there is nothing to draw or ``top`` is smaller than 1.
    ImportError
        If matplotlib is not installed.
    """
    total = sum(counts.values())
    if not counts or total <= 0:
        raise InputError("plot_counts: the counts hold no shots; give the counts of at least one shot")
    return _draw(dict(counts), total, f"count of {total:,} shots", "{:,.0f}", top=top, title=title, ax=ax)


def plot_probabilities(
    probabilities: Mapping[str, float] | npt.ArrayLike,
    *,
    top: int = 32,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw probabilities as horizontal bars, one per outcome.

    Parameters
    ----------
    probabilities : mapping of str to float, or array_like of shape (2**k,)
        Probability per bitstring, or per basis index as ``Statevector.probabilities()`` returns it.
    top : int, default 32
        At most so many outcomes get a bar of their own, the most likely ones; what is left of 1 gets one grey bar.
    title : str, optional
    ax : matplotlib.axes.Axes, optional
        Axes to draw into; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is nothing to draw, an array's length is not a power of two, or ``top`` is smaller than 1.
    ImportError
        If matplotlib is not installed.
    """
    if isinstance(probabilities, Mapping):
        named = dict(probabilities)
    else:
        named = _by_bitstring(np.asarray(probabilities, dtype=np.float64), top)
    if not named or max(named.values()) <= 0:
        raise InputError("plot_probabilities: there is nothing to draw; give at least one probability above zero")
    return _draw(named, 1.0, "probability", "{:.4f}", top=top, title=title, ax=ax)


def _by_bitstring(probabilities: npt.NDArray[np.float64], top: int) -> dict[str, float]:
    """The largest entries by bitstring; as many as can get a bar, so that 2**27 entries make no dictionary."""
    size = probabilities.size
    if probabilities.ndim != 1 or size < 1 or size & (size - 1):
        raise InputError(
            f"plot_probabilities: the array has shape {probabilities.shape}; allowed is one axis whose length is a "
            "power of two, one entry per basis state"
        )
    width = max(size.bit_length() - 1, 1)
    keep = min(max(top, 1) + 1, size)
    largest = np.argpartition(probabilities, size - keep)[size - keep :]
    return {f"{index:0{width}b}": float(probabilities[index]) for index in largest if probabilities[index] > 0}


def _draw(
    values: dict[str, Any], total: float, xlabel: str, label: str, *, top: int, title: str | None, ax: Axes | None
) -> Figure:
    """Draw ``values`` in the order of their bitstrings if all fit, else the largest first; then the rest of `total`."""
    if top < 1:
        raise InputError(f"top is {top}; at least 1 outcome must get a bar")
    by_size = sorted(values, key=lambda bits: (-values[bits], bits))
    names = sorted(values) if len(values) <= top else by_size[:top]
    heights = [float(values[bits]) for bits in names]
    colors = [BAR_COLOR] * len(names)
    rest = total - sum(heights)
    if rest > 1e-6 * total:  # more than rounding
        names.append("others")
        heights.append(rest)
        colors.append(REST_COLOR)

    axes = ax if ax is not None else _new_axes(len(names))
    positions = np.arange(len(names))
    bars = axes.barh(positions, heights, color=colors, height=0.72)
    axes.bar_label(bars, labels=[label.format(height) for height in heights], padding=4, fontsize=8, color="#444444")
    axes.set_yticks(positions, labels=names, fontfamily="monospace", fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(xlabel)
    axes.set_xlim(0, max(heights) * 1.15)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if title is not None:
        axes.set_title(title, loc="left", fontsize=11)
    figure = axes.get_figure(root=True)
    if figure is None:
        raise InputError("ax belongs to no figure; give axes made by figure.add_subplot()")
    return figure


def _new_axes(rows: int) -> Axes:
    from matplotlib.figure import Figure  # an optional extra

    figure = Figure(figsize=(6.4, 1.1 + ROW_HEIGHT_INCHES * max(rows, 2)), layout="constrained", dpi=150)
    return figure.add_subplot()
