"""Without the compiled core, OpenQASM is read through Qiskit or refused with a hint."""

from __future__ import annotations

import types

import pytest

from qfast.circuit import Circuit, qasm
from qfast.errors import QasmError

V2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; x q[0];'
V3 = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; x q;'


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The modules that can be imported in a build without the core."""
    modules: dict[str, object] = {}

    def find(name: str) -> object:
        if name not in modules:
            raise ImportError(name)
        return modules[name]

    monkeypatch.setattr(qasm, "core", None)
    monkeypatch.setattr(qasm.importlib, "import_module", find)
    return modules


@pytest.mark.usefixtures("imports")
def test_without_qiskit_the_hint_names_the_extra() -> None:
    with pytest.raises(QasmError, match=r"qfast-sim\[qiskit\]"):
        Circuit.from_qasm(V3)


def test_the_text_goes_to_qiskit_s_parser_of_its_version(imports: dict[str, object]) -> None:
    read: list[str] = []
    for version in ("qasm2", "qasm3"):
        imports[f"qiskit.{version}"] = types.SimpleNamespace(loads=lambda text, version=version: read.append(version))
    imports["qfast.qiskit"] = types.SimpleNamespace(from_qiskit=lambda circuit: Circuit(1).x(0))
    assert Circuit.from_qasm(V2) == Circuit(1).x(0)
    assert Circuit.from_qasm(V3) == Circuit(1).x(0)
    assert read == ["qasm2", "qasm3"]


def test_a_refusal_of_qiskit_is_a_qasm_error(imports: dict[str, object]) -> None:
    def refuse(text: str) -> object:
        raise RuntimeError("line 1: no")

    imports["qiskit.qasm3"] = types.SimpleNamespace(loads=refuse)
    imports["qfast.qiskit"] = types.SimpleNamespace()
    with pytest.raises(QasmError, match="line 1: no"):
        Circuit.from_qasm(V3)
