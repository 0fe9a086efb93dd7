"""Ratios of hot paths over time, from the JSON files of ``pytest benchmarks --benchmark-json``.

    python -m benchmarks.gate.trend FILE… [--page trend.html]

Prints the newest run's ratios beside their floors; with ``--page``, draws every path's ratios over all the runs. Runs
of different machines stand in one picture: a ratio means nearly the same on all.
"""

from __future__ import annotations

import argparse
import html
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Run", "main", "page", "read_run", "table"]

_WIDTH, _HEIGHT, _MARGIN = 260, 70, 6


@dataclass(frozen=True)
class Run:
    """One file: when, which commit, on what, and (path, subject) → what stands beside the times."""

    date: str
    commit: str
    machine: str
    rows: dict[tuple[str, str], dict[str, Any]]


def read_run(path: Path) -> Run:
    """Read a file of pytest-benchmark."""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = {}
    for benchmark in data["benchmarks"]:
        extra = benchmark["extra_info"]
        if "ratio" in extra:
            rows[extra["path"], extra["subject"]] = extra
    machine = data["machine_info"].get("cpu", {}).get("brand_raw") or data["machine_info"].get("machine", "?")
    return Run(data["datetime"][:16], (data["commit_info"].get("id") or "?")[:12], machine, rows)


def table(run: Run) -> str:
    """Return the ratios of a run as text."""
    lines = [f"{'path':34} {'subject':8} {'ratio':>9} {'floor':>7}  baseline"]
    for (path, subject), row in run.rows.items():
        ratio = row.get("ratio_again", row["ratio"])
        mark = "  BELOW" if ratio < row["floor"] else ""
        lines.append(f"{path:34} {subject:8} {ratio:9.3g} {row['floor']:7.3g}  {row['baseline']}{mark}")
    return "\n".join(lines)


def curve(ratios: Sequence[float | None], floor: float) -> str:
    """Return an SVG picture of ratios, oldest first, on a logarithmic scale, with the floor as a dashed line."""
    known = [ratio for ratio in ratios if ratio is not None]
    low, high = math.log(min(*known, floor)), math.log(max(*known, floor))
    span = max(high - low, 0.1)

    def place(index: int, ratio: float) -> tuple[float, float]:
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * (index / (len(ratios) - 1) if len(ratios) > 1 else 0.5)
        return x, _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (math.log(ratio) - low) / span

    points = [place(index, ratio) for index, ratio in enumerate(ratios) if ratio is not None]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points)
    y = place(0, floor)[1]
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img"><line class="floor" x1="0" x2="{_WIDTH}" '
        f'y1="{y:.1f}" y2="{y:.1f}"/><polyline points="{line}"/>{dots}</svg>'
    )


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1b1b1f }
table { border-collapse: collapse; width: 100% } td, th { padding: .3rem .8rem .3rem 0; text-align: left }
tr { border-bottom: 1px solid #e3e3e8 } td.number { text-align: right; font-variant-numeric: tabular-nums }
polyline { fill: none; stroke: #2457a6; stroke-width: 1.5 } circle { fill: #2457a6 }
line.floor { stroke: #b3261e; stroke-dasharray: 4 3 } .below { color: #b3261e; font-weight: 600 }
small { color: #5b5b66 }
"""


def page(runs: Sequence[Run]) -> str:
    """Return an HTML page of all runs, oldest first."""
    newest = runs[-1]
    body = []
    for key, row in newest.rows.items():
        ratios = [run.rows[key]["ratio"] if key in run.rows else None for run in runs]
        ratio = ratios[-1] or math.nan
        kind = "number below" if ratio < row["floor"] else "number"
        names = "".join(f"<td>{html.escape(text)}</td>" for text in (row["path"], row["subject"], row["baseline"]))
        numbers = f'<td class="{kind}">{ratio:.3g}</td><td class="number">{row["floor"]:.3g}</td>'
        body.append(f"<tr>{names}{numbers}<td>{curve(ratios, row['floor'])}</td></tr>")
    listed = "".join(f"<li>{run.date} {run.commit} <small>{html.escape(run.machine)}</small></li>" for run in runs)
    titles = "".join(f"<th>{title}</th>" for title in ("path", "on", "against", "ratio", "floor", "over the runs"))
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>qfast: hot paths</title><style>{_STYLE}</style>"
        f"<h1>Hot paths, as ratios</h1><p>How many times quicker a path is than what it is measured against, at "
        f"{newest.commit} ({newest.date}). Pictures: every run, oldest first, logarithmic; dashed, the floor.</p>"
        f"<table><tr>{titles}</tr>{''.join(body)}</table><h2>Runs</h2><ol>{listed}</ol></html>\n"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the newest run; draw all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.trend", description=str(__doc__).splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--page", type=Path, help="where to write the page")
    options = parser.parse_args(argv)
    runs = sorted((read_run(file) for file in options.files), key=lambda run: run.date)
    print(table(runs[-1]))
    if options.page is not None:
        options.page.write_text(page(runs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
