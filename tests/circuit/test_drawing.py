"""The text drawing: exact pictures of small circuits, and what must hold of any."""

from __future__ import annotations

import math
from textwrap import dedent
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.circuit import DEFAULT, Circuit, Parameter
from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Index, Literal, Unary
from qfast.circuit.drawing import angle_text, expression_text
from qfast.circuit.picture import MAX_INSTRUCTIONS, draw_picture, to_svg
from qfast.errors import InputError
from tests.circuit.strategies import circuits


def picture(text: str) -> str:
    return dedent(text).strip("\n")


def test_a_bell_pair() -> None:
    assert Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1]).draw(width=80) == picture("""
        q[0]: ─┤h├───●───┤M c[0]├──
                     │
        q[1]: ──────┤x├──┤M c[1]├──
    """)


def test_controls_swaps_and_several_targets() -> None:
    circuit = Circuit(3).swap(0, 2).cz(2, 0).append("ry", 1, math.pi / 2, controls=[0, 2], ctrl_state="01")
    circuit.rzz(0.25, 0, 1).ccx(0, 1, 2).barrier().reset(1)
    assert circuit.draw(width=100) == picture("""
        q[0]: ─✕──●──────●──────┤rzz(0.25):0├───●───░──────
               │  │      │            │         │
        q[1]: ─┼──┼──┤ry(π/2)├──┤rzz(0.25):1├───●───░──|0⟩─
               │  │      │                      │
        q[2]: ─✕──●──────○─────────────────────┤x├──░──────
    """)


def test_a_single_bit_register_has_no_index() -> None:
    circuit = Circuit()
    circuit.add_qubit_register("anc", 1)
    circuit.add_classical_register("out", 1)
    assert circuit.x(0).measure(0, 0).draw(width=80) == "anc: ─┤x├──┤M out├─"


def test_blocks_are_numbered_and_drawn_below() -> None:
    circuit = Circuit(2, 1).h(0).measure(0, 0)
    circuit.if_test((0, 1), circuit.block().x(1), circuit.block().y(1))
    assert circuit.draw(width=80) == picture("""
        q[0]: ─┤h├──┤M c├──────────
        q[1]: ─────────────┤if 1├──

        if 1: c == 1
          then:
            q[0]: ─────
            q[1]: ─┤x├─
          else:
            q[0]: ─────
            q[1]: ─┤y├─
    """)


def test_a_long_circuit_is_folded_at_the_width() -> None:
    circuit = Circuit(2)
    for _ in range(12):
        circuit.h(0).cx(0, 1)
    lines = circuit.draw(width=40).split("\n")
    assert max(map(len, lines)) <= 40
    assert lines[0].endswith("»")
    assert sum(line.startswith("q[0]: ") for line in lines) == 4
    assert sum(line.count("●") for line in lines) == 12


@given(circuits(), st.integers(20, 120))
@settings(max_examples=60, deadline=None)
def test_every_circuit_can_be_drawn_and_shows_all_its_qubits(circuit: Circuit, width: int) -> None:
    lines = circuit.draw(width=width).split("\n")
    wires = [line for line in lines if line.startswith("q")]
    assert len(wires) % circuit.num_qubits == 0
    assert all(line == line.rstrip() for line in lines)
    assert len({len(line) for line in wires[: circuit.num_qubits]}) == 1


def test_empty_circuits_have_a_picture() -> None:
    assert Circuit(0).draw() == "(no qubits)"
    assert Circuit(2).draw(width=80) == "q[0]: ─\nq[1]: ─"


def test_every_kind_of_instruction_has_a_picture() -> None:
    circuit = Circuit(2, 2).gphase(0.1).append("gphase", [], 0.2, controls=0).pauli_rotation("XZ", [0, 1], 0.3)
    circuit.rx(Parameter("a") * 2, 0).permutation([1, 0], 0)
    k = circuit.add_variable("k")
    circuit.for_loop(range(3), circuit.block().x(0).continue_loop(), k).for_loop([1, 2], circuit.block())
    circuit.while_loop(Binary("<", k, Literal(3)), circuit.block().break_loop())
    circuit.switch(Bits(0, 2), [([1, 2], circuit.block().x(0)), (DEFAULT, circuit.block())])
    circuit.assign(k, Binary("+", k, Literal(1)))
    text = circuit.draw(width=200)
    for part in (
        "┤gphase(0.1)├", "●gphase(0.2)", "┤X(0.3)├", "┤Z(0.3)├", "┤rx(a*2)├", "┤permutation├", "┤for 1├", "┤while 3├",
        "┤switch 4├", "┤k = k + 1├", "for 1: k in range(0, 3)", "for 2: _ in {1, 2}", "while 3: k < 3", "┤break├",
        "┤continue├", "switch 4: c", "case 1, 2:", "default:",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("angle", "text"),
    [
        (math.pi, "π"), (-math.pi / 2, "-π/2"), (3 * math.pi / 4, "3π/4"), (2 * math.pi, "2π"), (0.0, "0"),
        (0.3, "0.3"), (1 / 3, "0.3333"), (math.pi / 16, "π/16"), (math.pi / 17, "0.1848"), (1e-9, "1e-09"),
    ],
)  # fmt: skip
def test_angles_are_short(angle: float, text: str) -> None:
    assert angle_text(angle) == text


def test_classical_expressions_use_the_names_of_the_registers() -> None:
    circuit = Circuit(0, 2)
    circuit.add_classical_register("d", 1)
    circuit.add_classical_register("e", 4)
    k = circuit.add_variable("k", "uint", 8)
    for expression, text in (
        (Bits(0, 2), "c"),
        (Bit(1), "c[1]"),
        (Bit(2), "d"),
        (Bits(4, 2), "e[1:2]"),
        (Unary("!", Binary("==", Bits(3, 4), Literal(3))), "!(e == 3)"),
        (Index(k, Literal(2)), "k[2]"),
        (Cast("int", 8, k), "int[8](k)"),
        (Cast("bool", None, k), "bool(k)"),
        (Call("pow", (k, Literal(True))), "pow(k, true)"),
    ):
        assert expression_text(expression, circuit) == text


def test_an_svg_shows_every_gate_and_bit() -> None:
    circuit = Circuit(2, 2).h(0).cx(0, 1).sdg(1).rz(math.pi / 2, 0).measure([0, 1], [0, 1])
    root = ElementTree.fromstring(circuit.draw("svg"))
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(filter(None, texts)) == sorted(["q[0]", "q[1]", "H", "S†", "Rz(π/2)", "c[0]", "c[1]"])
    assert circuit._repr_html_() == circuit.draw("svg")


def test_an_svg_is_folded_and_leaves_out_what_is_too_long() -> None:
    circuit = Circuit(1)
    for _ in range(MAX_INSTRUCTIONS + 7):
        circuit.h(0)
    drawn = draw_picture(circuit, 400)
    assert drawn.width <= 420
    text = to_svg(drawn)
    assert text.count(">H<") == MAX_INSTRUCTIONS
    assert f"the first {MAX_INSTRUCTIONS} of {MAX_INSTRUCTIONS + 7} instructions" in text


def test_names_in_an_svg_are_escaped() -> None:
    circuit = Circuit(1).rz(Parameter("<b>&"), 0)
    assert "Rz(&lt;b&gt;&amp;)" in circuit.draw("svg")


def test_a_figure_has_the_size_of_the_picture() -> None:
    figure = Circuit(2).h(0).cx(0, 1).draw("mpl")
    drawn = draw_picture(Circuit(2).h(0).cx(0, 1))
    assert tuple(figure.get_size_inches() * 96) == pytest.approx((drawn.width, drawn.height))


def test_another_way_to_draw_is_refused() -> None:
    with pytest.raises(InputError, match="'text', 'svg' or 'mpl'; 'latex' given"):
        Circuit(1).draw("latex")  # type: ignore[call-overload]


@given(circuits())
@settings(max_examples=40, deadline=None)
def test_every_circuit_has_an_svg_that_is_xml(circuit: Circuit) -> None:
    ElementTree.fromstring(circuit.draw("svg"))
