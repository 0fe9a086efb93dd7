"""Tables for notebooks."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

__all__ = ["bar", "phase_arrow", "table"]

_BAR_WIDTH = 160
_COLOR = "#2f6f9f"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    """Return a table; the first column is text and escaped, the others are HTML and stand to the right."""
    head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in columns)
    body = "".join(
        "<tr>"
        f'<td style="text-align:left"><code>{html.escape(row[0])}</code></td>'
        + "".join(f'<td style="text-align:left">{cell}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    end = f"<p>{html.escape(note)}</p>" if note else ""
    return f"<p><b>{html.escape(title)}</b></p><table><tr>{head}</tr>{body}</table>{end}"


def bar(share: float) -> str:
    """Return a bar, of full length at 1."""
    width = max(1.0, _BAR_WIDTH * min(share, 1.0)) if share > 0 else 0.0
    return f'<svg width="{_BAR_WIDTH}" height="10"><rect width="{width:.1f}" height="10" fill="{_COLOR}"/></svg>'


def phase_arrow(angle: float) -> str:
    """Return a circle with a pointer: right for 0, up for a quarter turn."""
    x, y = 8 + 6.5 * math.cos(angle), 8 - 6.5 * math.sin(angle)
    return (
        f'<svg width="16" height="16"><circle cx="8" cy="8" r="7" fill="none" stroke="#8a8f98"/>'
        f'<line x1="8" y1="8" x2="{x:.1f}" y2="{y:.1f}" stroke="{_COLOR}" stroke-width="2"/></svg>'
    )
