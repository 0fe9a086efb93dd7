"""Measurements as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qfast._format import format_seconds
from qfast.benchmark.fingerprint import differences

__all__ = ["compare_lines", "draw", "table_header", "table_row"]

_COLUMNS = (
    ("family", 9),
    ("n", 4),
    ("precision", 11),
    ("first", 10),
    ("median", 10),
    ("min", 10),
    ("roofline", 10),
    ("flops", 8),
    ("plan", 8),
    ("passes", 8),
)
_Record = Mapping[str, Any]


def table_header(saved: _Record | None) -> str:
    """Return the title line; with a saved run the last column is its median over the new one."""
    return "".join(title.rjust(width) for title, width in _COLUMNS) + ("  saved / now" if saved else "")


def table_row(row: _Record, saved: _Record | None) -> str:
    """Return one measurement as a line.

    Parameters
    ----------
    row : mapping
        `Measurement.to_dict`.
    saved : mapping or None
        A saved run to compare with.
    """
    fraction = row["roofline_fraction"]
    cells = (
        row["family"],
        str(row["num_qubits"]),
        row["precision"],
        format_seconds(row["first_s"]),
        format_seconds(row["median_s"]),
        format_seconds(row["least_s"]),
        "-" if fraction is None else f"{100 * fraction:.0f} %",
        f"{row['canonical_flops']:.0f}",
        "-" if row["plan_flops"] is None else f"{row['plan_flops']:.0f}",
        "-" if row["plan_passes"] is None else str(row["plan_passes"]),
    )
    line = "".join(cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    if saved is None:
        return line
    before = _counterpart(row, saved)
    return f"{line}  {'-' if before is None else format(before['median_s'] / row['median_s'], '.2f')}"


def compare_lines(fingerprint: dict[str, Any], saved: _Record) -> list[str]:
    """Return what to know before comparing with a saved run."""
    before = saved["fingerprint"]
    lines = [f"compared with {before['date']}, qfast {before['qfast']}, commit {before['commit']}"]
    return lines + [f"  not the same {entry}" for entry in differences(before, fingerprint)]


def draw(data: _Record, path: Path) -> None:
    """Draw median times and roofline fractions of all measurements.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    groups: dict[tuple[int, str], list[_Record]] = {}
    for row in data["rows"]:
        groups.setdefault((row["num_qubits"], row["precision"]), []).append(row)
    families = list(dict.fromkeys(row["family"] for row in data["rows"]))
    figure = Figure(figsize=(9.0, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    width = 0.8 / len(groups)
    for position, ((num_qubits, precision), rows) in enumerate(groups.items()):
        places = [families.index(row["family"]) + (position - (len(groups) - 1) / 2) * width for row in rows]
        above.bar(places, [1e3 * row["median_s"] for row in rows], width, label=f"{num_qubits} qubits, {precision}")
        below.bar(places, [100 * (row["roofline_fraction"] or 0.0) for row in rows], width)
    above.set_yscale("log")
    above.set_ylabel("median, ms")
    above.legend(fontsize="small", frameon=False)
    below.set_ylabel("roofline fraction, %")
    below.set_xticks(range(len(families)), families)
    for ax in (above, below):
        ax.spines[["top", "right"]].set_visible(False)
    fingerprint = data["fingerprint"]
    figure.suptitle(f"{fingerprint['cpu']}, {fingerprint['threads']} threads, qfast {fingerprint['qfast']}")
    figure.savefig(path, dpi=120)


def _counterpart(row: _Record, saved: _Record) -> _Record | None:
    keys: Sequence[str] = ("family", "num_qubits", "precision")
    return next((before for before in saved["rows"] if all(before[key] == row[key] for key in keys)), None)
