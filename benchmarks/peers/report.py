"""The saved comparison as tables and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.catalog import PEERS

__all__ = ["draw", "tables"]

_Record = Mapping[str, Any]
US = "qfast"


def tables(data: _Record) -> str:
    """Return the comparison as Markdown.

    Parameters
    ----------
    data : mapping
        What ``run.py`` saved.
    """
    fingerprint = data["fingerprint"]
    lines = [
        f"Measured on {fingerprint['cpu']} ({', '.join(fingerprint['caches'])}), {data['policy']['threads']} threads, "
        f"{fingerprint['date']}; qfast {fingerprint['qfast']} ({fingerprint['isa'] or 'no native core'}).",
        "",
        f"Versions: {', '.join(f'{name} {version}' for name, version in sorted(_versions(data).items()))}.",
        "",
    ]
    for precision in ("complex128", "complex64"):
        contests = [c for c in data["contests"] if c["kind"] == "state" and c["precision"] == precision]
        if contests:
            lines += [f"### Circuit families, {precision} (milliseconds)", "", *_family_table(contests), ""]
    contests = [c for c in data["contests"] if c["kind"] != "state"]
    if contests:
        lines += ["### Tasks (milliseconds)", "", *_task_table(contests), ""]
    failures = [(c["name"], e) for c in data["contests"] for e in c["entries"] if e["error"]]
    failures += [("installation", {"peer": peer, "error": text}) for peer, text in data["not_installed"].items()]
    if failures:
        lines += ["### Not measured", "", *(f"- {job}, {e['peer']}: {e['error']}" for job, e in failures), ""]
    return "\n".join(lines)


def draw(data: _Record, folder: Path) -> list[Path]:
    """Draw time, ratio and roofline fraction of the families, one picture for each precision and size.

    Returns
    -------
    list of Path
        The files written, ``families-<precision>-<n>.png``.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    written = []
    groups: dict[tuple[str, int], list[_Record]] = {}
    for contest in data["contests"]:
        if contest["kind"] == "state":
            groups.setdefault((contest["precision"], contest["num_qubits"]), []).append(contest)
    for (precision, num_qubits), contests in groups.items():
        figure = Figure(figsize=(9.0, 9.0), layout="constrained")
        axes = figure.subplots(3, 1)
        figure.suptitle(f"{num_qubits} qubits, {precision}, {data['policy']['threads']} threads")
        _draw_bars(axes[0], contests, "milliseconds", lambda c, e: 1e3 * e["median_s"])
        axes[0].set_yscale("log")
        _draw_bars(axes[1], contests, "time over qfast's", _ratio_to_us)
        axes[1].set_yscale("log")
        axes[1].axhline(1.0, color="black", linewidth=0.8)
        if all(contest["least_s"] for contest in contests):
            _draw_bars(axes[2], contests, "roofline fraction, %", _percent_of_roofline)
        else:
            axes[2].set_axis_off()
        axes[0].legend(ncols=6, fontsize="small", frameon=False)
        path = folder / f"families-{precision}-{num_qubits}.png"
        figure.savefig(path, dpi=120)
        written.append(path)
    return written


def _family_table(contests: Sequence[_Record]) -> list[str]:
    peers = _peers_of(contests)
    others = [peer for peer in peers if peer != US]
    header = ["family", "n", "qfast", "roofline", "rival", "rival / qfast", *(PEERS[peer].title for peer in others)]
    rows, ratios = [], []
    for contest in contests:
        entries = {entry["peer"]: entry for entry in contest["entries"]}
        ours, rival = entries.get(US), _rival(contest)
        cells = [contest["family"], str(contest["num_qubits"]), _milliseconds(ours), _fraction(contest, ours)]
        if rival is not None and ours is not None and ours["median_s"]:
            ratios.append(rival["median_s"] / ours["median_s"])
            cells += [PEERS[rival["peer"]].title, f"{ratios[-1]:.2f}"]
        else:
            cells += ["", ""]
        rows.append([*cells, *(_milliseconds(entries.get(peer), setting=True) for peer in others)])
    lines = _markdown(header, rows)
    if ratios:
        lines += ["", f"Geometric mean of rival / qfast: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}"]
    return lines


def _task_table(contests: Sequence[_Record]) -> list[str]:
    peers = _peers_of(contests)
    others = [peer for peer in peers if peer != US]
    header = ["task", "qfast", "rival", "rival / qfast", *(PEERS[peer].title for peer in others)]
    rows = []
    for contest in contests:
        entries = {entry["peer"]: entry for entry in contest["entries"]}
        ours, rival = entries.get(US), _rival(contest)
        cells = [contest["title"], _milliseconds(ours)]
        if rival is not None and ours is not None and ours["median_s"]:
            cells += [PEERS[rival["peer"]].title, f"{rival['median_s'] / ours['median_s']:.2f}"]
        else:
            cells += ["", ""]
        rows.append([*cells, *(_milliseconds(entries.get(peer), setting=True) for peer in others)])
    return _markdown(header, rows)


def _rival(contest: _Record) -> _Record | None:
    """The fastest simulator that is not qfast and computes in the contest's precision or a higher one."""
    allowed = {contest["precision"], "complex128"}
    others = [
        entry
        for entry in contest["entries"]
        if PEERS[entry["peer"]].requirements and entry["median_s"] and entry["precision"] in allowed
    ]
    return min(others, key=lambda entry: entry["median_s"], default=None)


def _ratio_to_us(contest: _Record, entry: _Record) -> float:
    ours = next((e["median_s"] for e in contest["entries"] if e["peer"] == US), None)
    return entry["median_s"] / ours if ours else math.nan


def _percent_of_roofline(contest: _Record, entry: _Record) -> float:
    if entry["precision"] != contest["precision"]:
        return math.nan  # the limits are those of the contest's precision
    return 100 * float(contest["least_s"]) / float(entry["median_s"])


def _draw_bars(ax: Any, contests: Sequence[_Record], label: str, value_of: Callable[[_Record, _Record], float]) -> None:
    peers = _peers_of(contests)
    width = 0.8 / len(peers)
    for position, peer in enumerate(peers):
        places, heights = [], []
        for index, contest in enumerate(contests):
            entry = next((e for e in contest["entries"] if e["peer"] == peer), None)
            if entry is not None and entry["median_s"]:
                places.append(index + (position - (len(peers) - 1) / 2) * width)
                heights.append(value_of(contest, entry))
        ax.bar(places, heights, width, label=PEERS[peer].title, color=f"C{list(PEERS).index(peer)}")
    ax.set_xticks(range(len(contests)), [contest["family"] for contest in contests])
    ax.set_ylabel(label)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _peers_of(contests: Iterable[_Record]) -> list[str]:
    found = {entry["peer"] for contest in contests for entry in contest["entries"]}
    return [peer for peer in PEERS if peer in found]


def _versions(data: _Record) -> dict[str, str]:
    return {
        name: version
        for contest in data["contests"]
        for entry in contest["entries"]
        for name, version in entry["versions"].items()
    }


def _milliseconds(entry: _Record | None, *, setting: bool = False) -> str:
    if entry is None:
        return ""
    if entry["error"]:
        return "failed"
    milliseconds = 1e3 * entry["median_s"]
    text = f"{milliseconds:.4g}" if milliseconds < 1000 else f"{milliseconds:.0f}"
    notes = []
    if setting and entry["setting"] not in (None, "default"):
        notes.append(entry["setting"])
    if setting and entry["precision"] != entry.get("contest_precision", entry["precision"]):
        notes.append(entry["precision"])
    return f"{text} ({', '.join(notes)})" if notes else text


def _fraction(contest: _Record, entry: _Record | None) -> str:
    if entry is None or not entry["median_s"] or not contest["least_s"]:
        return ""
    return f"{100 * contest['least_s'] / entry['median_s']:.0f} %"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "|".join("---" if column < 1 else "---:" for column in range(len(header))) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
