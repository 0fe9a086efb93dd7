"""A circuit as a picture: lines, boxes, dots and texts with their places, written as SVG or drawn by matplotlib.

Instructions stand in the columns of the text drawing (`drawing.columns`); blocks of control flow are drawn below. Units
are pixels of SVG, y grows downwards.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qfast.circuit.control_flow import Block
from qfast.circuit.drawing import Column, bit_names, block_parts, columns, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qfast.circuit.value import AnyCircuit

__all__ = ["MAX_INSTRUCTIONS", "Picture", "draw_picture", "to_figure", "to_svg"]

MAX_INSTRUCTIONS = 500
"""More are not drawn: the picture says how many there are."""

_ROW, _BOX, _GAP, _MARGIN = 36.0, 26.0, 12.0, 10.0
_SIZE, _SMALL = 13.0, 9.0
_CHARACTER = 0.62  # width of a character of the monospaced font, in its size
_INDENT = 24.0
_INK, _WIRE, _FILL, _MEASURE, _BLOCK = "#1b1b1f", "#8a8f98", "#e8eff7", "#fdf3e1", "#eef1ea"
_NAMES = {"sdg": "S†", "tdg": "T†", "sx": "√X", "sxdg": "√X†", "id": "I"}


@dataclass(frozen=True, slots=True)
class Line:
    """Through points, open."""

    points: tuple[tuple[float, float], ...]
    color: str = _INK
    width: float = 1.2
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around a middle."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A circle: a control, or the target of a controlled X."""

    x: float
    y: float
    radius: float
    fill: str


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `anchor` is start, middle or end, y its middle."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    size: float = _SIZE


Shape = Line | Box | Dot | Text


@dataclass(slots=True)
class Picture:
    """Shapes in the order in which they are drawn, and the size of the sheet."""

    width: float = 0.0
    height: float = 0.0
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Draw over what is there."""
        self.shapes += shapes


def draw_picture(circuit: AnyCircuit, width: float = 960.0) -> Picture:
    """Return a picture of a circuit, folded at `width` pixels.

    Notes
    -----
    Of a longer circuit the first `MAX_INSTRUCTIONS` instructions are drawn.
    """
    picture = Picture()
    _draw(circuit, picture, 0.0, max(width, 240.0))
    picture.height += _MARGIN
    return picture


def _draw(circuit: AnyCircuit, picture: Picture, left: float, width: float) -> None:
    """Draw a circuit below what is there."""
    blocks: list[tuple[str, Block]] = []
    placed = columns(circuit, blocks, MAX_INSTRUCTIONS)
    names = bit_names(circuit.qubit_registers)
    if not names:
        _caption(picture, left, "(no qubits)")
    margin = left + _MARGIN + max((_text_width(name) for name in names), default=0.0) + 8
    widths = [max((_cell_width(text) for text in column.cells.values()), default=0.0) + _GAP for column in placed]
    start = 0
    while names and (start < len(placed) or start == 0):
        end, used = start, margin
        while end < len(placed) and (end == start or used + widths[end] <= width - _MARGIN):
            used += widths[end]
            end += 1
        _line_of_columns(picture, placed[start:end], widths[start:end], names, margin, end < len(placed))
        start = max(end, start + 1)
    if len(circuit) > MAX_INSTRUCTIONS:
        _caption(picture, left, f"the first {MAX_INSTRUCTIONS} of {len(circuit):,} instructions")
    for number, (caption, block) in enumerate(blocks, start=1):
        _caption(picture, left, f"{caption} {number}: {headline(block, circuit)}")
        for title, body in block_parts(block):
            _caption(picture, left + _INDENT / 2, f"{title}:")
            _draw(body, picture, left + _INDENT, width)


def _caption(picture: Picture, left: float, text: str) -> None:
    picture.add(Text(left + _MARGIN, picture.height + _ROW / 2, text, "start", _SIZE - 1))
    picture.height += _ROW * 0.8
    picture.width = max(picture.width, left + 2 * _MARGIN + _text_width(text))


def _line_of_columns(
    picture: Picture, placed: list[Column], widths: list[float], names: list[str], margin: float, goes_on: bool
) -> None:
    """Draw some columns, every wire under the one before."""
    top = picture.height + _MARGIN / 2 + _ROW / 2
    right = margin + sum(widths) + _GAP
    height = [top + _ROW * wire for wire in range(len(names))]
    for name, y in zip(names, height, strict=True):
        picture.add(Text(margin - 8, y, name, "end"), Line(((margin, y), (right, y)), _WIRE, 1.0))
        if goes_on:
            picture.add(Text(right + 6, y, "»", "middle", _SIZE - 2))
    x = margin
    for column, width in zip(placed, widths, strict=True):
        middle = x + width / 2
        for low, high in column.spans:
            picture.add(Line(((middle, height[low]), (middle, height[high]))))
        for wire, text in column.cells.items():
            _draw_cell(picture, text, middle, height[wire], _is_target(column, wire))
        x += width
    picture.height = height[-1] + _ROW / 2 + _MARGIN / 2
    picture.width = max(picture.width, right + _MARGIN + 6)


def _is_target(column: Column, wire: int) -> bool:
    """Whether a control stands on the same vertical line."""
    lines = [span for span in column.spans if span[0] <= wire <= span[1]]
    return any(column.cells.get(other) in ("●", "○") for low, high in lines for other in range(low, high + 1))


def _draw_cell(picture: Picture, text: str, x: float, y: float, is_target: bool) -> None:
    """Draw what the text drawing has on a wire."""
    half = _BOX / 2
    label = _label(text)
    if text in ("●", "○"):
        picture.add(Dot(x, y, 4.2, _INK if text == "●" else "#ffffff"))
    elif text == "✕":
        picture.add(*(Line(((x - 5, y - s * 5), (x + 5, y + s * 5)), width=1.6) for s in (1, -1)))
    elif text == "░":
        picture.add(Line(((x, y - _ROW / 2), (x, y + _ROW / 2)), _WIRE, 2.0, dashed=True))
    elif text == "┤x├" and is_target:
        picture.add(Dot(x, y, 9.0, "#ffffff"), Line(((x - 9, y), (x + 9, y))), Line(((x, y - 9), (x, y + 9))))
    elif text.startswith("┤M "):
        arc = [(x + 8 * math.cos(t), y + 5 - 8 * math.sin(t)) for t in (math.pi * k / 10 for k in range(11))]
        picture.add(Box(x, y, _BOX, _BOX, _MEASURE), Line(tuple(arc), width=1.1), Line(((x, y + 5), (x + 6, y - 7))))
        picture.add(Text(x + half + 2, y - half + 3, text[3:-1], "start", _SMALL))
    else:
        is_block = text.startswith(("┤if ", "┤while ", "┤for ", "┤switch "))
        picture.add(Box(x, y, _cell_width(text), _BOX, _BLOCK if is_block else _FILL), Text(x, y, label))


def _label(text: str) -> str:
    """The name of a gate as it stands in papers: H, Rz(π/2), S†."""
    inner = text.strip("┤├")
    name, bracket, rest = inner.partition("(")
    if not name.isalnum() or inner == text:
        return inner
    return _NAMES.get(name, name[:1].upper() + name[1:]) + bracket + rest


def _cell_width(text: str) -> float:
    if text in ("●", "○", "✕", "░") or text == "┤x├":
        return _BOX
    if text.startswith("┤M "):  # the bit's name stands beside the box, and the column is centred on the box
        return _BOX + 2 * (_text_width(text[3:-1], _SMALL) + 2)
    return max(_BOX, _text_width(_label(text)) + 10)


def _text_width(text: str, size: float = _SIZE) -> float:
    return _CHARACTER * size * len(text)


# --- SVG --------------------------------------------------------------------------------------------------------------
def to_svg(picture: Picture) -> str:
    """Return the picture as an SVG element that stands alone or in a page; its background is white."""
    width, height = math.ceil(picture.width), math.ceil(picture.height)
    body = "".join(map(_svg_shape, picture.shapes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" fill="{_INK}" stroke-linecap="round">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{body}</svg>'
    )


def _svg_shape(shape: Shape) -> str:
    match shape:
        case Line(points, color, width, dashed):
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            dashes = ' stroke-dasharray="3 4"' if dashed else ""
            return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"{dashes}/>'
        case Box(x, y, width, height, fill):
            return (
                f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'rx="3" fill="{fill}" stroke="{_INK}"/>'
            )
        case Dot(x, y, radius, fill):
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{_INK}" stroke-width="1.2"/>'
        case Text(x, y, text, anchor, size):
            return (
                f'<text x="{x:.1f}" y="{y + 0.35 * size:.1f}" font-size="{size}" text-anchor="{anchor}">'
                f"{html.escape(text)}</text>"
            )


# --- matplotlib -------------------------------------------------------------------------------------------------------
def to_figure(picture: Picture) -> Figure:
    """Return the picture as a figure of matplotlib, which needs the extra ``plot``."""
    from matplotlib.figure import Figure  # an optional extra
    from matplotlib.patches import Circle, FancyBboxPatch

    inch = 96.0
    figure = Figure(figsize=(picture.width / inch, picture.height / inch), dpi=150)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.set_axis_off()
    points = 72 / inch
    align: dict[str, Any] = {"start": "left", "middle": "center", "end": "right"}
    for order, shape in enumerate(picture.shapes):
        match shape:
            case Line(path, color, width, dashed):
                style = (0, (2, 3)) if dashed else "-"
                axes.plot(*zip(*path, strict=True), color=color, lw=width * points, ls=style, zorder=order)
            case Box(x, y, width, height, fill):
                corner = (x - width / 2, y - height / 2)
                rounded = "round,pad=0,rounding_size=3"
                axes.add_patch(
                    FancyBboxPatch(corner, width, height, rounded, fc=fill, ec=_INK, lw=points, zorder=order)
                )
            case Dot(x, y, radius, fill):
                axes.add_patch(Circle((x, y), radius, fc=fill, ec=_INK, lw=1.2 * points, zorder=order))
            case Text(x, y, text, anchor, size):
                axes.text(
                    x, y, text, ha=align[anchor], va="center_baseline", fontsize=size * points,
                    family="DejaVu Sans Mono", color=_INK, zorder=order,
                )  # fmt: skip
    return figure
