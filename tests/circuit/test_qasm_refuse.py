"""Bad OpenQASM gets an error with its place and a remedy, whatever its size, and never a crash."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.circuit import Circuit
from qfast.errors import QasmError, QfastError

V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def refusal(text: str) -> QasmError:
    with pytest.raises(QasmError) as caught:
        Circuit.from_qasm(text)
    return caught.value


# (what follows the two lines of the header, line, column, a part of the message)
BAD_3 = [
    # tokens
    ("qubit q; x q; §", 3, 16, "expected"),
    ("qubit q; x q ?", 3, 14, "'?' has no meaning"),
    ("qubit q; /* x", 3, 10, "never closed"),
    ('include "x', 3, 9, "string is never closed"),
    ("qubit q; rx(0x) q;", 3, 13, "no digits"),
    ("qubit q; rx(0b12) q;", 3, 16, "not a digit"),
    ("qubit q; rx(2pi) q;", 3, 14, "written with '*'"),
    ("qubit q; rx(99999999999999999999) q;", 3, 13, "64 bits"),
    ("qubit q; rx(1e999) q;", 3, 13, "too large"),
    ("x $;", 3, 3, "number of a hardware qubit"),
    ("#define x", 3, 1, "'#pragma'"),
    # grammar
    ("qubit q", 3, 8, "expected ';'"),
    ("qubit q; x q", 3, 13, "the end of the text"),
    ("qubit q; x q;;", 3, 14, "only ';'"),
    ("qubit q; if (true) { x q;", 3, 26, "'}' is missing"),
    ("qubit q; else x q;", 3, 10, "no 'if'"),
    ("qubit q; rx(1 q;", 3, 15, "expected ')'"),
    ("qubit q; rx(1 +) q;", 3, 16, "expected a value"),
    ("qubit q; x;", 3, 11, "expected the qubits"),
    ("for i in [0:1] { }", 3, 5, "expected the type"),
    ("switch (1) { }", 3, 1, "no case"),
    ("switch (1) { case 1 { } case 1 { } }", 3, 1, "two cases for the value 1"),
    ("OPENQASM 3.0;", 3, 1, "only once"),
    # what has no meaning here
    ("qubit q; delay[100ns] q;", 3, 10, "without a clock"),
    ("qubit q; box[100ns] { x q; }", 3, 13, "lasts a given time"),
    ("qubit q; box x q;", 3, 14, "expected '{'"),
    ("duration d = 3ns;", 3, 1, "'duration' is not supported"),
    ("qubit q; rx(100ns) q;", 3, 13, "without a clock"),
    ("stretch s;", 3, 1, "'stretch'"),
    ("array[int, 3] a;", 3, 1, "'array'"),
    ("complex c;", 3, 1, "'complex'"),
    ("qubit q; rx(2im) q;", 3, 13, "complex numbers"),
    ("def f(int a) { }", 3, 1, "subroutines"),
    ("extern f();", 3, 1, "subroutines"),
    ("cal { }", 3, 1, "pulse calibration"),
    ("output bit c;", 3, 1, "all classical bits are returned"),
    ("input int n;", 3, 1, "inputs of type int"),
    ("opaque g a;", 3, 1, "not part of OpenQASM 3"),
    # names
    ("qubit q; x r;", 3, 12, "'r' is not declared; the registers declared before are 'q'"),
    ("qubit q; bit q;", 3, 14, "already declared"),
    ("qubit q; hh q;", 3, 10, "did you mean 'h'"),
    ("qubit q; rxx(1) q, q;", 3, 10, "did you mean 'rx'"),
    ("gate g a { } gate g a { }", 3, 19, "already defined"),
    ("gate g a { g a; }", 3, 12, "calls itself"),
    ("gate f a { g a; } gate g a { f a; }", 3, 12, "not defined"),
    ("qubit q; float f = 1; gate g a { rx(f) a; }", 3, 37, "outside of the gate"),
    ("qubit q; gate g a { x q; }", 3, 23, "outside of the gate"),
    ("gate g a { bit c; }", 3, 12, "only gates, barriers and loops"),
    ("gate g a, a { }", 3, 11, "already declared"),
    ("gate g a { x a[0]; }", 3, 14, "no index"),
    ("qubit q; rx(sinh(1)) q;", 3, 13, "no function 'sinh'"),
    # operands and parameters
    ("qubit[2] q; cx q[0], q[0];", 3, 22, "operands 1 and 2 are both qubit q[0]"),
    ("qubit[2] q; cx q[1], q;", 3, 22, "both qubit q[1]"),
    ("qubit[2] q; qubit[3] r; cx q, r;", 3, 31, "registers of the same size"),
    ("qubit[2] q; x q[2];", 3, 15, "out of range"),
    ("qubit[2] q; x q[-3];", 3, 16, "out of range"),
    ("qubit[2] q; x q[0:2];", 3, 16, "out of range"),
    ("qubit[2] q; x q[1:0];", 3, 16, "selects nothing"),
    ("qubit[2] q; x q[0:0:1];", 3, 16, "step"),
    ("qubit[2] q; let a = q ++ q[0:0];", 3, 23, "part of itself"),
    ("qubit q; x q[0];", 3, 12, "single bit"),
    ("qubit q; rx q;", 3, 10, "takes 1 parameters, 0 given"),
    ("qubit q; rx(1, 2) q;", 3, 10, "takes 1 parameters, 2 given"),
    ("qubit[2] q; cx q[0];", 3, 13, "acts on 2 qubits, 1 given"),
    ("qubit[3] q; ctrl(2) @ cx q[0], q[1], q[2];", 3, 23, "acts on 4 qubits (controls included), 3 given"),
    ("qubit q; bit c; x c;", 3, 19, "acts on qubits"),
    ("qubit q; rx(1/0) q;", 3, 14, "division by zero"),
    ("qubit q; rx(1/2) q;", 3, 14, "write 1.0/2"),
    ("qubit q; rx(log(0)) q;", 3, 13, "finite"),
    ("qubit q; rx(sqrt(-1)) q;", 3, 13, "finite"),
    ("qubit q; rx((-8)**0.5) q;", 3, 17, "not real"),
    ("qubit q; rx(2**100) q;", 3, 14, "64-bit"),
    ("gate g(a) x0 { rx(1/a) x0; } qubit q; g(0) q;", 3, 39, "not finite"),
    ("qubit q; bit c; rx(c) q;", 3, 20, "assign them to a float"),
    ('qubit q; rx("01") q;', 3, 13, "expected a number"),
    ("gphase(1, 2);", 3, 1, "takes 1 parameters"),
    # modifiers
    ("gate g a, b { cx a, b; h a; }\nqubit[2] q; pow(0.5) @ g q[0], q[1];", 4, 13, "power that is not an integer"),
    ("input float t; qubit q; pow(0.5) @ rx(t) q;", 3, 25, "power that is not an integer"),
    ("input float t; qubit q; pow(t) @ h q;", 3, 25, "whose exponent is a parameter"),
    ("qubit q; ctrl(0) @ x q;", 3, 15, "1 to 64"),
    ("qubit q; ctrl(65) @ x q;", 3, 15, "1 to 64"),
    ("qubit q; ctrl(40) @ ctrl(40) @ x q;", 3, 10, "at most 64"),
    ("qubit q; inv x q;", 3, 14, "'@'"),
    # classical
    ("const int n = 1; n = 2;", 3, 18, "cannot be assigned"),
    ("qubit q; q = 1;", 3, 10, "names qubits"),
    ("int i; qubit[2] q; x q[i];", 3, 24, "no value yet"),
    ("bit c; const int n = c;", 3, 22, "must be known"),
    ('bit[2] c; c = "101";', 3, 15, "must be as many"),
    ("bit[2] c; c = 4;", 3, 15, "does not fit"),
    ("bit[2] c; c = 0.5;", 3, 15, "cannot be assigned to bits"),
    ("int i = 0; i[0] = 1;", 3, 12, "single bits"),
    ("qubit[2] q; bit[3] c; c = measure q;", 3, 23, "2 qubits are measured into 3 bits"),
    ("qubit q; int i = 0; i = measure q;", 3, 21, "gives bits"),
    ("qubit q; measure q;", 3, 10, "lost"),
    ("bit[70] c; qubit q; if (c * 3 == 2) x q;", 3, 27, "70 bits is not supported"),
    ("input float t; qubit q; if (t > 0) x q;", 3, 31, "input parameters"),
    ('bit[65] c = "1";', 3, 13, "must be as many"),
    ("break;", 3, 1, "outside of a loop"),
    ("qubit q; bit c; if (c) { end; }", 3, 26, "'end' inside a block"),
    ("qubit q; bit c; if (c) { qubit r; }", 3, 26, "top level"),
    ("bit[2] c; int i = 0; c[0] = 1; if (c[0]) i = 1; c[i] = 1;", 3, 49, "constant index"),
    ("qubit q; bit[4] c; for bit b in c { x q; }", 3, 33, "a range [start:stop]"),
    # sizes
    ("qubit[0] q;", 3, 7, "size 0"),
    ("qubit[-1] q;", 3, 7, "size -1"),
    ("qubit[1000000000000] q;", 3, 7, "1 to 1048576"),
    ("bit[99999999] c;", 3, 5, "1 to 1048576"),
    ("int[65] i;", 3, 5, "1 to 64"),
    ("x $99999999;", 3, 3, "numbers below"),
    ("qubit q; x $0;", 3, 12, "cannot be mixed"),
    # includes
    ('include "missing.inc";', 3, 9, "from_qasm_file"),
    ('include "qelib1.inc";', 3, 9, "belongs to OpenQASM 2"),
    ('qubit q; if (true) { include "stdgates.inc"; }', 3, 22, "top level"),
]
BAD_2 = [
    ("qreg q[2]; rx(2**3) q[0];", 3, 17, "expected a value"),
    ("qreg q[2]; x q[-1];", 3, 15, "out of range"),
    ("qreg q[2]; x q[0:1];", 3, 15, "no index of this kind"),
    ("qreg q[2]; creg c[2]; if (c[0] == 1) x q[0];", 3, 27, "'register == integer'"),
    ("qreg q[2]; creg c[2]; if (c == 1) { x q[0]; }", 3, 35, "no meaning here"),
    ("qreg q[2]; creg c[2]; if (c == 1) barrier q;", 3, 35, "only a gate, a measurement or a reset"),
    ("opaque g(a) x0; qreg q[1]; g(1) q[0];", 3, 28, "opaque"),
    ("qreg q;", 3, 7, "the register's size"),
    ("qreg q[1]; ryy(1) q[0],q[0];", 3, 12, "did you mean"),
    ("qreg q[1]; gphase(1) q[0];", 3, 12, "not part of OpenQASM 2"),
    ("qreg q[1]; creg c[1]; c = 1;", 3, 23, "not part of OpenQASM 2"),
    ("qreg q[1]; ctrl @ x q[0];", 3, 17, "'@'"),
    ("qreg q[1]; rx(floor(1.5)) q[0];", 3, 15, "no function 'floor'"),
    ('include "stdgates.inc";', 3, 9, "belongs to OpenQASM 3"),
    ("qreg q[1]; measure q[0];", 3, 12, "lost"),
    ("qreg q[1]; if (q == 1) x q[0];", 3, 18, "qubits"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [(V3 + text, *rest) for text, *rest in BAD_3] + [(V2 + text, *rest) for text, *rest in BAD_2],
    ids=[text for text, *_ in BAD_3] + [f"v2 {text}" for text, *_ in BAD_2],
)
def test_bad_text_is_refused_at_its_place(text: str, line: int, column: int, part: str) -> None:
    error = refusal(text)
    assert part in str(error)
    assert (error.line, error.column) == (line, column)
    assert f"line {line}, column {column}" in str(error)


@pytest.mark.parametrize("text", ["", "  \n // nothing\n", "OPENQASM 3.0;"])
def test_a_text_without_statements_is_refused(text: str) -> None:
    assert "no statement" in str(refusal(text))


@pytest.mark.parametrize(
    ("text", "part"), [("OPENQASM 1.0; x q;", "2.0, 3.0"), ("OPENQASM; x q;", "expected the version")]
)
def test_unknown_versions_are_refused(text: str, part: str) -> None:
    assert part in str(refusal(text))


def test_a_gate_of_a_library_that_is_not_included_names_the_include() -> None:
    assert 'include "stdgates.inc"' in str(refusal("OPENQASM 3.0; qubit q; h q;"))
    assert 'include "qelib1.inc"' in str(refusal("OPENQASM 2.0; qreg q[1]; h q[0];"))


def test_the_offending_line_is_shown_with_a_caret() -> None:
    message = str(refusal(V3 + "qubit[2] θ;\n  cx θ[0], θ[7];  // here"))
    assert message.splitlines()[1:] == ["      cx θ[0], θ[7];  // here", "               ^"]


# ------------------------------------------------------------------------------------------------------ hostile texts

BOMBS = {
    "gates that double": "gate g0 a { x a; x a; } "
    + " ".join(f"gate g{k} a {{ g{k - 1} a; g{k - 1} a; }}" for k in range(1, 60))
    + " qubit q; g59 q;",
    "parameters that double": "gate g0(t) a { rx(t+t) a; } "
    + " ".join(f"gate g{k}(t) a {{ g{k - 1}(t+t) a; }}" for k in range(1, 60))
    + " input float u; qubit q; g59(u) q;",
    "nested loops": "qubit q; " + "".join(f"for int i{k} in [1:1000] {{ " for k in range(8)) + "x q; " + "}" * 8,
    "an endless loop": "while (true) { }",
    "a huge loop": "qubit q; for int i in [0:9000000000000000000] { x q; }",
    "a huge power": "qubit q; pow(9000000000000000000) @ h q;",
    "nested powers": "qubit q; " + "pow(1000) @ " * 20 + "h q;",
    "deep parentheses": "qubit q; rx(" + "(" * 100_000 + "1" + ")" * 100_000 + ") q;",
    "many signs": "qubit q; rx(" + "-" * 100_000 + "1) q;",
    "deep powers": "qubit q; rx(" + "1**" * 100_000 + "1) q;",
    "deep blocks": "qubit q; " + "{" * 100_000,
    "deep ifs": "bit c; qubit q; " + "if (c) " * 100_000 + "x q;",
    "deep indices": "qubit[2] q; x q" + "[q" * 100_000,
    "many modifiers": "qubit q; " + "inv @ " * 100_000 + "x q;",
    "many wide barriers": "qubit[1000000] q; " + "barrier q; " * 3000,
    "many wide aliases": "qubit[1000000] q; " + "".join(f"let a{k} = q[0:999999]; " for k in range(100)),
    "loops over long sets": "for int i in [0:1000000] { for int j in {" + "1," * 10_000 + "} { break; } }",
    "conditions on long slices": "bit[1000000] c; for int i in [0:1000000] { if (c[0:999998] == 1) { } }",
    "long expressions in loops": "int n = 0; for int i in [0:1000000] { n = 1" + "+1" * 10_000 + "; }",
    "long parameters in loops": "gate g(a) x0 { rx(a"
    + "+a" * 1500
    + ") x0; } qubit q; for int i in [0:3000000] { g(i) q; }",
    "many names in loops": "".join(f"bit b{k};" for k in range(20_000))
    + "for int i in [0:1000000] { for int j in [0:1] { if (i == 0) { break; } } }",
    "deep run-time expressions": "bit[2] c; int n = 0; n = int(c[0])" + " + c[1]" * 1000 + ";",
    "a bit string without end": 'bit[2] c; c = "' + "0" * 100_000 + '";',
    "large registers": "".join(f"qubit[1000000] q{k}; " for k in range(100)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_bounded_time(name: str) -> None:
    start = time.process_time()
    error = refusal(V3 + BOMBS[name])
    assert error.line == 3
    assert time.process_time() - start < 20  # CPU seconds; it takes at most one
    assert len(str(error)) < 1000


def test_long_sums_and_long_literals_are_no_bombs() -> None:
    assert Circuit.from_qasm(V3 + "qubit q; rx(" + "1.0+" * 50_000 + "1) q;").params[0] == 50_001
    assert Circuit.from_qasm(V3 + "qubit q; rx(0." + "0" * 50_000 + "1) q;").params[0] == 0.0
    assert Circuit.from_qasm(V3 + "qubit " + "q" * 50_000 + ";").num_qubits == 1


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        Circuit.from_qasm(V3 + text)
    except QfastError as error:
        assert str(error)  # noqa: PT017 - any refusal will do


VOCABULARY = """
qubit bit int uint float angle const input let gate x h cx rx ctrl inv pow @ q c [ ] ( ) { } ; , = == + - * / ** % & | ^
! ~ << >> && || < > ++ : 0 1 2 3 1.5 pi "01" if else for while switch case default break continue measure reset barrier
gphase -> in end true $0
"""
WORDS = st.sampled_from(VOCABULARY.split())


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=40))
def test_any_sequence_of_words_is_read_or_refused(words: list[str]) -> None:
    try:
        Circuit.from_qasm(V3 + "qubit[3] q; bit[3] c; " + " ".join(words))
    except QfastError as error:
        assert str(error)  # noqa: PT017 - any refusal will do


def test_lone_surrogates_are_refused() -> None:
    assert (refusal("OPENQASM 3.0;\n qubit \ud800;").line, refusal("OPENQASM 3.0;\n qubit \ud800;").column) == (2, 8)


# --------------------------------------------------------------------------------------------------------------- files


def file_refusal(path: Path) -> QasmError:
    with pytest.raises(QasmError) as caught:
        Circuit.from_qasm_file(path)
    return caught.value


def test_missing_empty_and_binary_files_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in str(file_refusal(tmp_path / "no.qasm"))
    assert "is a folder" in str(file_refusal(tmp_path))
    file = tmp_path / "file.qasm"
    file.write_bytes(b"")
    assert "no statement" in str(file_refusal(file))
    file.write_bytes(b"OPENQASM 3.0;\nqubit \xff;")
    error = file_refusal(file)
    assert (error.line, error.column) == (2, 7)
    assert "file.qasm" in str(error)
    assert "UTF-8" in str(error)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.inc").write_text("gate secret a { }")
    (inside / "link.inc").symlink_to(tmp_path / "secret.inc")
    (inside / "loop.inc").write_text('include "loop.inc";')
    (inside / "broken.inc").write_text("// fine\ngate g a { h b; }\n")
    (inside / "latin.inc").write_bytes(b"// \xe9\n")
    (inside / "folder.inc").mkdir()
    return inside


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("../secret.inc", "only files in the folder"), ("/etc/passwd", "only files in the folder"),
        ("a/../../secret.inc", "only files in the folder"), ("link.inc", "link out of the folder"),
        ("no.inc", "no such file"), ("folder.inc", "not a regular file"), ("", "only files in the folder"),
        ("latin.inc", "not UTF-8"),
    ],
)  # fmt: skip
def test_includes_from_outside_the_folder_are_refused(folder: Path, name: str, part: str) -> None:
    file = folder / "main.qasm"
    file.write_text(f'OPENQASM 3.0;\ninclude "{name}";\n')
    assert part in str(file_refusal(file))


def test_includes_that_include_themselves_are_refused(folder: Path) -> None:
    file = folder / "main.qasm"
    file.write_text('OPENQASM 3.0;\ninclude "loop.inc";\n')
    assert "nested more than 16 deep" in str(file_refusal(file))


def test_an_error_in_an_included_file_names_that_file(folder: Path) -> None:
    file = folder / "main.qasm"
    file.write_text(V3 + 'include "broken.inc";\n')
    error = file_refusal(file)
    assert (error.line, error.column) == (2, 14)
    assert "broken.inc, line 2" in str(error)
