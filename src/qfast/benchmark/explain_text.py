"""An explanation as a table that fits a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from qfast._format import format_bytes, format_seconds
from qfast.engines import AMPLITUDE_BYTES

if TYPE_CHECKING:
    from qfast.benchmark.explain import Explanation, SegmentPlan, SweepPlan
    from qfast.benchmark.roofline import Limits

__all__ = ["explanation_lines"]

MAX_SWEEPS = 40  # of a segment; a longer table keeps its first and last lines
STEP_TITLES = {"one_qubit": "1q", "two_qubit": "2q", "diagonal": "diag", "lane_swap": "lane", "exchange": "flip"}


def explanation_lines(found: Explanation) -> Iterator[str]:
    """Yield the lines of ``str(explanation)``."""
    engine = found.engine if found.isa is None else f"{found.engine} {found.isa}"
    what = f"{_plural(found.num_qubits, 'qubit')}, {_plural(found.num_gates, 'gate')}, {found.precision}"
    yield f"{what}; engine {engine}, {_plural(found.threads, 'thread')}"
    for number, segment in enumerate(found.segments, 1):
        if len(found.segments) > 1:
            yield ""
            yield f"segment {number} of {len(found.segments)}: {_plural(segment.num_gates, 'gate')}"
        yield from _segment_lines(segment, found)
    yield ""
    yield from _summary_lines(found)
    if found.note is not None:
        yield f"note        {found.note}"


def _segment_lines(segment: SegmentPlan, found: Explanation) -> Iterator[str]:
    if segment.nodes is None:
        yield "plan        gate by gate: this engine has no sweeps"
        return
    kinds = ", ".join(f"{count} {kind.replace('_', '-')}" for kind, count in segment.nodes.items() if count)
    yield f"plan        {_plural(sum(segment.nodes.values()), 'node')} after merging{f' ({kinds})' if kinds else ''}"
    if segment.tile_qubits is not None:
        size = format_bytes(AMPLITUDE_BYTES[found.precision] << segment.tile_qubits)
        yield f"            tiles of 2^{segment.tile_qubits} amplitudes ({size}); # is a bit inside, bit 0 rightmost"
        yield f"            by the {segment.cost_table} cost table"
    if segment.sweeps:
        yield ""
        yield from _table(segment.sweeps, found.num_qubits, found.limits)


def _table(sweeps: Sequence[SweepPlan], num_bits: int, limits: Limits | None) -> Iterator[str]:
    """Yield a line for every sweep, without the columns that are empty in all of them."""
    kinds = [kind for kind in sweeps[0].steps if any(sweep.steps[kind] for sweep in sweeps)]
    header = ["sweep", "memory bits", "blocks", *(STEP_TITLES.get(kind, kind) for kind in kinds)]
    has_matrices = any(sweep.matrices for sweep in sweeps)
    has_moves = any(sweep.moves for sweep in sweeps)
    header += ["wide"] * has_matrices + ["moves"] * has_moves + ["flops"]
    header += ["at limits", "bound by"] * (limits is not None)
    rows = [header]
    for number, sweep in enumerate(sweeps, 1):
        row = [str(number), _bit_map(sweep.tile_bits, num_bits), str(sweep.blocks)]
        row += [str(sweep.steps[kind] or "-") for kind in kinds]
        row += [str(sweep.matrices or "-")] * has_matrices + ["yes" if sweep.moves else "-"] * has_moves
        row.append(f"{sweep.flops_per_amplitude:g}")
        if limits is not None:
            least_s = limits.least_seconds(sweep.flops_per_amplitude)
            row += [format_seconds(least_s), "memory" if least_s <= limits.least_seconds(0) else "flops"]
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    if len(sweeps) > MAX_SWEEPS:
        half = MAX_SWEEPS // 2
        lines = [*lines[: half + 1], f"… {len(sweeps) - MAX_SWEEPS} more sweeps …".rjust(len(lines[0])), *lines[-half:]]
    yield from lines


def _summary_lines(found: Explanation) -> Iterator[str]:
    if found.plan_flops is not None:
        yield f"total       {_plural(found.passes or 0, 'pass', 'passes')}, {found.plan_flops:g} flops per amplitude"
    if found.canonical_flops is not None:
        ratio = ""
        if found.plan_flops and found.canonical_flops:
            ratio = f"; the plan needs {found.plan_flops / found.canonical_flops:.2f} times as many"
        yield f"canonical   {found.canonical_flops:g} flops per amplitude{ratio}"
    if found.limits is not None:
        bandwidth, peak = found.limits.bandwidth / 1e9, found.limits.peak_flops / 1e9
        yield f"limits      {bandwidth:.1f} GB/s, {peak:.0f} Gflop/s at this size, measured"
    for title, seconds, text in (
        ("at best", found.least_s, "canonical flops, or one pass, at the limits"),
        ("predicted", found.predicted_s, "the plan's sweeps at the limits"),
        ("measured", found.measured_s, _spread(found)),
    ):
        if seconds is not None:
            yield f"{title:<12}{format_seconds(seconds):<8}  {text}"
    if found.roofline_fraction is not None:
        yield f"roofline    {f'{100 * found.roofline_fraction:.3g} %':<8}  at best / measured"


def _spread(found: Explanation) -> str:
    if found.first_s is None:
        return ""
    return (
        f"median of {_plural(len(found.warm_s), 'run')}, {format_seconds(min(found.warm_s))} to "
        f"{format_seconds(max(found.warm_s))}; planning and first run {format_seconds(found.first_s)}"
    )


def _bit_map(bits: Sequence[int], num_bits: int) -> str:
    return "".join("#" if bit in bits else "." for bit in reversed(range(num_bits)))


def _plural(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
