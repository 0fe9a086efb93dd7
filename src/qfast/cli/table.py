"""Tables of outcomes as text: aligned columns and a bar of Unicode eighths, or of ``#`` where only ASCII prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Row", "bar", "format_bytes", "format_seconds", "render", "split_registers"]

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


def format_seconds(seconds: float) -> str:
    """Return a duration with three digits, or in minutes and hours.

    Examples
    --------
    >>> format_seconds(0.001234), format_seconds(75)
    ('1.23 ms', '1 min 15 s')
    """
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_bytes(size_bytes: int) -> str:
    """Return a size in binary units.

    Examples
    --------
    >>> format_bytes(128), format_bytes(3 << 28)
    ('128 B', '768 MiB')
    """
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if size >= 100 or size == int(size) else f"{size:.1f} {unit}"
