"""Pictures of a graph: its qubits from birth to death, and how many are alive (extra ``plot``: matplotlib)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qfast.errors import InputError
from qfast.qvm.certification import Certificate
from qfast.qvm.graph import Graph, Node
from qfast.qvm.operations import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_graph"]

MAX_NODES = 400
MAX_QUBITS = 100

_FILLS = {
    Kind.GATE: "#dbe7f3",
    Kind.PAULI: "#f5dfc6",
    Kind.MEASURE: "#d8ecd9",
    Kind.RESET: "#e7e2f0",
    Kind.OPEN: "#f1e3e3",
    Kind.USE: "#f1e3e3",
    Kind.CLOSE: "#f1e3e3",
}
_LINE, _TEXT, _EVENT = "#5b6770", "#1f2933", "#b4562a"
_ARROW = {"arrowstyle": "->", "color": _EVENT, "linewidth": 0.9, "connectionstyle": "arc3,rad=-0.15"}
_SHORT = {"CNOT": "X", "CZ": "Z", "TELEPORT_CNOT": "X", "INJECT_T_STATE": "T*", "RESET": "|0⟩"}
_AMPLITUDE_BYTES = 16


def plot_graph(graph: Graph, certificate: Certificate) -> Figure:
    """Draw a certified graph.

    Above, a line for each qubit from its allocation to its end, and the nodes in the order in which they run; below,
    how many qubits are alive behind each node, and the bytes of their state in double precision.

    Parameters
    ----------
    graph : Graph
    certificate : Certificate
        Of this graph, from `qfast.qvm.certify`.

    Returns
    -------
    matplotlib.figure.Figure
        ``figure.savefig("graph.svg")`` writes it; a name that ends in ``.png`` makes a PNG.

    Raises
    ------
    InputError
        The graph has more nodes or qubits than a picture can show.
    ImportError
        matplotlib is not installed.
    """
    if len(certificate.order) > MAX_NODES or len(graph.qubits) > MAX_QUBITS or not certificate.order:
        raise InputError(
            f"a picture shows 1 to {MAX_NODES} nodes and at most {MAX_QUBITS} qubits; the graph has "
            f"{len(certificate.order)} and {len(graph.qubits)}"
        )
    from matplotlib.figure import Figure

    columns, num_columns = _columns(certificate.order)
    height = 0.42 * len(graph.qubits)
    figure = Figure(figsize=(1.8 + 0.62 * num_columns, height + 2.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[max(height, 0.8), 1.2])
    _Drawing(upper, graph, columns).draw(certificate.order)
    _draw_alive(lower, certificate, columns)
    if graph.description:
        upper.set_title(graph.description, fontsize=10, loc="left", color=_TEXT)
    return figure


def _columns(order: tuple[Node, ...]) -> tuple[list[int], int]:
    """The column of each node: the next one whenever it shares a line with a node that stands in this one."""
    columns: list[int] = []
    column, busy = 0, set[str]()
    for node in order:
        lines = {*node.qubits, *node.channels, *node.events_read}
        if node.operation.kind is Kind.BARRIER or busy & lines or "" in busy:
            column += bool(busy)
            busy = set()
        columns.append(column)
        # What a node produces can be read in the next column at the earliest; a barrier has one for itself.
        busy |= {*lines, *node.produces} if node.operation.kind is not Kind.BARRIER else {""}
    return columns, column + 1


class _Drawing:
    def __init__(self, axes: Axes, graph: Graph, columns: list[int]) -> None:
        self._axes = axes
        self._columns = columns
        self._row = {name: -place for place, name in enumerate(graph.qubits)}
        self._born: dict[str, int] = {}
        self._produced: dict[str, tuple[float, float]] = {}
        self._last = max(columns)

    def draw(self, order: tuple[Node, ...]) -> None:
        for node, column in zip(order, self._columns, strict=True):
            self._node(node, column)
        for name, begin in self._born.items():
            self._life(name, begin, self._last + 0.7, is_freed=False)
        axes = self._axes
        axes.set_yticks(list(self._row.values()), list(self._row), fontsize=8, color=_TEXT)
        axes.set_xlim(-0.8, self._last + 0.9)
        axes.set_ylim(min(self._row.values(), default=0) - 0.7, 0.8)
        axes.tick_params(length=0, labelbottom=False)
        for side in axes.spines.values():
            side.set_visible(False)

    def _life(self, name: str, begin: float, end: float, *, is_freed: bool) -> None:
        row = self._row[name]
        self._axes.plot([begin, end], [row, row], color=_LINE, linewidth=1.1, zorder=1)
        self._axes.plot([begin], [row], marker="|", markersize=9, color=_LINE, zorder=2)
        if is_freed:
            self._axes.plot([end], [row], marker="x", markersize=5, color=_LINE, zorder=2)

    def _node(self, node: Node, column: int) -> None:
        kind = node.operation.kind
        if kind is Kind.ALLOC:
            self._born.update(dict.fromkeys(node.qubits, column))
        elif kind is Kind.FREE:
            for name in node.qubits:
                if name in self._born:
                    self._life(name, self._born.pop(name), column, is_freed=True)
        elif kind is Kind.BARRIER:
            self._axes.axvline(column, color="#c3cad1", linestyle=(0, (3, 3)), linewidth=1, zorder=0)
        elif node.qubits:
            self._box(node, column, kind)

    def _box(self, node: Node, column: int, kind: Kind) -> None:
        rows = [self._row[name] for name in node.qubits]
        if len(rows) > 1:
            self._axes.plot([column, column], [min(rows), max(rows)], color=_LINE, linewidth=1.1, zorder=2)
        label = node.op.removeprefix("APPLY_").removeprefix("MEASURE_").replace("COND_PAULI", _pauli(node))
        if kind is Kind.MEASURE:
            label = f"M{label[0] if node.op != 'MEASURE_ANGLE' else '∠'}"
        for place, row in enumerate(rows):
            if label in ("CNOT", "TELEPORT_CNOT", "CZ") and place == 0:
                self._axes.plot([column], [row], marker="o", markersize=5, color=_TEXT, zorder=4)
                continue
            text = _SHORT.get(label, label)
            box = {"boxstyle": "round,pad=0.25", "facecolor": _FILLS[kind], "edgecolor": _LINE, "linewidth": 0.8}
            self._axes.text(
                column, row, text[:8], ha="center", va="center", fontsize=7.5, color=_TEXT, bbox=box, zorder=5
            )  # fmt: skip
        for event in node.events_read:
            if event in self._produced:
                self._axes.annotate(
                    "", (column, rows[0] + 0.22), self._produced[event], arrowprops=_ARROW, zorder=3
                )  # fmt: skip
        for event in node.produces:
            self._produced[event] = (column + 0.15, rows[0] - 0.2)


def _pauli(node: Node) -> str:
    return str(node.arguments.get("mask", node.arguments.get("pauli", "")))


def _draw_alive(axes: Axes, certificate: Certificate, columns: list[int]) -> None:
    """Draw the number of qubits that are alive."""
    alive = dict(zip(columns, certificate.alive, strict=True))  # behind the last node of each column
    places = sorted(alive)
    heights = [alive[place] for place in places]
    axes.fill_between(places, heights, step="post", color="#dbe7f3")
    axes.step(places, heights, where="post", color="#2f6f9f", linewidth=1.3)
    axes.set_ylabel("qubits alive", fontsize=8, color=_TEXT)
    axes.set_ylim(0, max(heights) + 1)
    axes.set_xticks([])
    axes.tick_params(labelsize=8)
    bytes_axis = axes.twinx()
    bytes_axis.set_ylim(axes.get_ylim())
    ticks = sorted({0, max(heights) // 2, max(heights)})
    bytes_axis.set_yticks(ticks, [_bytes(_AMPLITUDE_BYTES << tick) for tick in ticks], fontsize=8)
    for each in (axes, bytes_axis):
        for side in ("top", "right", "bottom"):
            each.spines[side].set_visible(False)
        each.tick_params(length=2)


def _bytes(size: int) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} PiB"
