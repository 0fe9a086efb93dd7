"""Bar charts of counts and probabilities, and plans as pictures (extra ``plot``: matplotlib).

The functions return a :class:`matplotlib.figure.Figure` and touch no global state: pyplot is not imported, so they
work the same in a script, a server and a notebook. Pass ``ax`` to draw into axes of your own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qfast.errors import InputError
from qfast.simulation import Samples, Statevector
from qfast.simulation.density_matrix import DensityMatrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qfast.jobs.shot_result import PlanResult

__all__ = ["plot_counts", "plot_plan", "plot_probabilities"]

BAR_COLOR = "#2f6f9f"
REST_COLOR = "#b8bfc6"
EMPTY_COLOR = "#eef1f4"
ROW_HEIGHT_INCHES = 0.26
MAX_ROWS = 24
MAX_LABEL = 28
_TOLERANCE = 1e-4  # of a sum of probabilities in single precision


def plot_counts(
    counts: Mapping[str, int] | Samples, *, top: int = 32, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Draw counts as horizontal bars, one per outcome.

    Parameters
    ----------
    counts : Samples, or mapping of str to int
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
        If there is nothing to draw, a count is none, or ``top`` is smaller than 1.
    ImportError
        If matplotlib is not installed.
    """
    if isinstance(counts, Samples):
        counts = counts.get_counts()
    named = _finite(counts, "plot_counts", "a mapping from bitstring to shots, or Samples")
    if any(value < 0 or value != int(value) for value in named.values()):
        raise InputError("plot_counts: a number of shots is negative or no whole number; see plot_probabilities")
    total = sum(named.values())
    if total <= 0:
        raise InputError("plot_counts: the counts hold no shots; give the counts of at least one shot")
    return _draw(named, total, f"count of {total:,} shots", "{:,.0f}", top=top, title=title, ax=ax)


def plot_probabilities(
    probabilities: Mapping[str, float] | Statevector | DensityMatrix | npt.ArrayLike,
    *,
    top: int = 32,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw probabilities as horizontal bars, one per outcome.

    Parameters
    ----------
    probabilities : mapping of str to float, Statevector, DensityMatrix, or array_like of shape (2**k,)
        Probability per bitstring; a state's; or per basis index as ``Statevector.probabilities()`` returns it. Those of
        a mapping may be negative, as a `QuasiDistribution` has them.
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
        If there is nothing to draw, an array holds no probabilities (complex amplitudes; a sum other than 1), its
        length is not a power of two, or ``top`` is smaller than 1.
    ImportError
        If matplotlib is not installed.
    """
    if isinstance(probabilities, (Statevector, DensityMatrix)):
        probabilities = probabilities.probabilities()
    if isinstance(probabilities, Mapping):
        named = _finite(probabilities, "plot_probabilities", "a mapping from bitstring to probability")
    else:
        named = _by_bitstring(_probabilities(probabilities), top)
    total = sum(named.values())
    if total > 1 + _TOLERANCE:
        raise InputError(f"plot_probabilities: the numbers add up to {total:.6g}, not to 1; plot_counts draws counts")
    if not named or max(named.values()) <= 0:
        raise InputError("plot_probabilities: there is nothing to draw; give at least one probability above zero")
    return _draw(named, 1.0, "probability", "{:.4f}", top=top, title=title, ax=ax)


def plot_plan(
    tile_bits: Sequence[Sequence[int]],
    flops: Sequence[float],
    *,
    num_bits: int,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the sweeps of a plan, first on top: the bits inside its tile, and the flops it does.

    Parameters
    ----------
    tile_bits : sequence of sequences of int
        For each sweep the bits of the amplitude index that vary within a tile.
    flops : sequence of float
        For each sweep, per amplitude.
    num_bits : int
        Qubits of the state; bit 0 is drawn rightmost.
    labels : sequence of str, optional
        Names of the sweeps; 1, 2, … by default.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        There is no sweep, or the sequences differ in length.
    ImportError
        If matplotlib is not installed.
    """
    names = [str(number) for number in range(1, len(flops) + 1)] if labels is None else list(labels)
    if not flops or not len(tile_bits) == len(flops) == len(names):
        raise InputError(
            f"plot_plan: {len(tile_bits)} tiles, {len(flops)} flops and {len(names)} labels were given; at least one "
            "sweep is needed, and one of each for every sweep"
        )
    from matplotlib.colors import ListedColormap  # an optional extra
    from matplotlib.figure import Figure

    inside = np.zeros((len(flops), num_bits))
    for row, bits in enumerate(tile_bits):
        inside[row, list(bits)] = 1

    rows = np.arange(len(flops))
    height = 1.4 + min(ROW_HEIGHT_INCHES * max(len(flops), 3), 24.0)  # hundreds of sweeps get thinner rows
    figure = Figure(figsize=(8.0, height), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.4, 1))
    edges = (np.arange(num_bits + 1) - 0.5, np.arange(len(flops) + 1) - 0.5)
    colors = ListedColormap([EMPTY_COLOR, BAR_COLOR])
    line = 1.5 if len(flops) <= 100 else 0.0
    left.pcolormesh(*edges, inside, cmap=colors, vmin=0, vmax=1, edgecolors="white", linewidth=line)
    left.invert_xaxis()  # bit 0 rightmost, as in a bitstring
    left.set_xticks(np.arange(0, num_bits, 1 if num_bits <= 16 else 2))
    left.set_xlabel("bits of the amplitude index; filled: within a tile")
    left.set_ylabel("sweep")
    step = -(-len(flops) // 60)  # at most 60 names are legible
    left.set_yticks(rows[::step], labels=names[::step])
    left.set_ylim(max(len(flops), 3) - 0.5, -0.5)
    bars = right.barh(rows, flops, color=BAR_COLOR, height=0.72)
    if step == 1:
        right.bar_label(bars, labels=[f"{value:g}" for value in flops], padding=4, fontsize=8, color="#444444")
    right.set_xlim(0, max(*flops, 1.0) * 1.18)
    right.set_xlabel(f"flops per amplitude; {sum(flops):g} in all")
    right.tick_params(axis="y", length=0, labelleft=False)
    left.tick_params(axis="both", length=0, labelsize=8)
    right.tick_params(axis="x", labelsize=8)
    left.spines[:].set_visible(False)
    right.spines[["top", "right", "left"]].set_visible(False)
    if title is not None:
        figure.suptitle(title, fontsize=11)
    return figure


def _finite(values: Any, name: str, wanted: str) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise InputError(f"{name}: {wanted} is needed, {type(values).__name__} given")
    for key, value in values.items():
        if isinstance(value, complex) or not math.isfinite(value):
            raise InputError(f"{name}: the value of {key!r} is {value!r}, no finite number")
    return dict(values)


def _probabilities(given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return an array of probabilities: numbers of another kind would make a picture, too."""
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"plot_probabilities: {type(given).__name__} of dtype {array.dtype} holds no probabilities; give a state, "
            "its probabilities(), or a mapping from bitstring to probability"
        )
    real: npt.NDArray[np.float64] = array.astype(np.float64)
    if real.size and not ((real >= 0).all() and abs(float(real.sum()) - 1) <= _TOLERANCE):
        raise InputError(
            f"plot_probabilities: the array has numbers from {real.min():.4g} to {real.max():.4g}, which add up to "
            f"{real.sum():.6g}; probabilities add up to 1"
        )
    return real


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


def plot_shot_plan(result: PlanResult, *, title: str | None = None) -> Figure:
    """Draw where the shots of a plan went, and how its error fell.

    Parameters
    ----------
    result : PlanResult
        Of a plan for an observable, or with a single measurement setting.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Above: every segment as a bar from its first to its last shot, one row for each setting (at most 24, those
        with the most shots; the rest share one row). Below: the standard error over the shots, and the target.

    Raises
    ------
    ShotPlanError
        The plan measures several Pauli strings that no observable combines: it has no common error.
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # an optional extra

    history = result.history()
    settings = result.plan.settings
    order = sorted(range(len(settings)), key=lambda k: -result.tallies[k].shots)
    shown = sorted(order[:MAX_ROWS])
    row_of = {setting: row for row, setting in enumerate(shown)}
    height = len(shown) + (len(settings) > len(shown))
    figure = Figure(figsize=(7.2, 3.6 + ROW_HEIGHT_INCHES * height), layout="constrained", dpi=150)
    above, below = figure.subplots(2, 1, height_ratios=[max(height, 3) * ROW_HEIGHT_INCHES + 0.4, 2.2])
    for segment, _ in result.parts:
        row = row_of.get(segment.setting, len(shown))
        color = BAR_COLOR if segment.setting in row_of else REST_COLOR
        above.barh(row, segment.shots, left=segment.first_shot, height=0.62, color=color, edgecolor="white", lw=0.2)
    names = [f"{_shortened(settings[k].label)}  {result.tallies[k].shots:,}" for k in shown]
    above.set_yticks(range(height), labels=names + [f"{len(settings) - len(shown)} others"] * (height - len(shown)))
    above.tick_params(axis="y", length=0, labelsize=8)
    above.set_ylim(height - 0.4, -0.6)
    above.set_xlabel("absolute shot")
    above.xaxis.set_major_formatter("{x:,.0f}")
    above.set_title(title or f"{result.total_shots:,} shots in {len(result.parts)} segments", loc="left", fontsize=11)
    shots, _, errors = zip(*history, strict=True) if history else ((), (), ())
    below.loglog(shots, errors, color=BAR_COLOR, marker="." if len(shots) < 40 else None)
    policy = result.plan.policy
    if policy is not None and policy.target_error is not None:
        below.axhline(policy.target_error, color="#b0413e", lw=1, ls="--")
        below.annotate(
            f"target {policy.target_error:g}", (0, policy.target_error), xycoords=("axes fraction", "data"),
            xytext=(4, 3), textcoords="offset points", fontsize=8, color="#b0413e",
        )  # fmt: skip
    below.set_xlabel("shots")
    below.set_ylabel("standard error")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _shortened(label: str) -> str:
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"
