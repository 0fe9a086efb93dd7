"""Tables of outcomes as text: aligned columns and a bar of Unicode eighths, or of ``#`` where only ASCII prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Row", "bar", "render", "split_registers"]

EIGHTHS = " ▏▎▍▌▋▊▉"
BAR_WIDTH = 24


class Row(NamedTuple):
    """Cells of one line, and the share of the whole that its bar shows."""

    cells: tuple[str, ...]
    ratio: float


def bar(fraction: float, width: int, *, unicode: bool) -> str:
    """Return a bar that fills `fraction` of `width` columns."""
    fraction = min(max(fraction, 0.0), 1.0)
    if not unicode:
        return "#" * round(fraction * width)
    full, eighth = divmod(round(fraction * width * 8), 8)
    return "█" * full + EIGHTHS[eighth].strip()


def render(header: Sequence[str], rows: Sequence[Row], *, unicode: bool) -> list[str]:
    """Return the lines of a table: right-aligned cells, the ratio in per cent, a bar relative to the longest.

    Parameters
    ----------
    header : sequence of str
        One title per cell of a row.
    rows : sequence of Row
    unicode : bool
        Whether the output can show block characters.
    """
    lines = [*(row.cells for row in rows), tuple(header)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    longest = max((row.ratio for row in rows), default=0.0)

    def aligned(cells: Sequence[str]) -> str:
        return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))

    table = [f"  {aligned(header)}    ratio"]
    for row in rows:
        drawn = bar(row.ratio / longest, BAR_WIDTH, unicode=unicode) if longest else ""
        table.append(f"  {aligned(row.cells)}  {100 * row.ratio:5.1f} %  {drawn}".rstrip())
    return table


def split_registers(bits: str, sizes: Sequence[int]) -> tuple[str, ...]:
    """Cut a joined bitstring into its registers, given in the order of declaration; the last declared is leftmost.

    Examples
    --------
    >>> split_registers("01101", [3, 2])
    ('01', '101')
    """
    parts, end = [], len(bits)
    for size in sizes:
        parts.append(bits[end - size : end])
        end -= size
    return tuple(reversed(parts))
