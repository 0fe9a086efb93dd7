"""The order of the house: every module imports only from layers below its own, or from its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import qfast

ROOT = Path(qfast.__file__).parent

# Layer of each package or module, by its name below `qfast`; CONTRIBUTING.md has the map.
LAYERS = {
    "_format": 0,
    "_html": 0, "_typing": 0, "_version": 0, "errors": 0,
    "config": 1,
    "circuit": 2, "noise": 2, "qiskit": 2,
    "engines": 3,
    "estimation": 4, "mitigation": 4, "simulation": 4,
    "pools": 5,
    "devices": 6,
    "jobs": 8, "qvm": 8,
    "__main__": 9, "benchmark": 9, "capi": 9, "cirq": 9, "cli": 9, "jax": 9, "pennylane": 9, "plotting": 9, "server": 9,
    "torch": 9,
}  # fmt: skip
PACKAGE_LAYER = 4  # `import qfast` loads the layers up to this one

MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def top_name(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and full name of every import of qfast, those inside functions and for type checkers included."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"line {node.lineno}: relative import"
            if node.module == "qfast":
                found += [(node.lineno, f"qfast.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, node.module))
    return [(line, name) for line, name in found if name.split(".")[0] == "qfast"]


def layer_of(name: str) -> int:
    """Layer of an imported name; what is no module of qfast is an attribute of the package."""
    parts = name.split(".")
    return LAYERS.get(parts[1], PACKAGE_LAYER) if len(parts) > 1 else PACKAGE_LAYER


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_below(path: Path) -> None:
    name = top_name(path)
    assert name in LAYERS, f"give qfast/{name} a layer in this file and in CONTRIBUTING.md"
    for line, target in imported(ast.parse(path.read_text())):
        assert layer_of(target) <= LAYERS[name], f"{path}:{line}: layer {LAYERS[name]} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_private_module_is_imported_by_its_own_package_only(path: Path) -> None:
    name = top_name(path)
    for line, target in imported(ast.parse(path.read_text())):
        parts = target.split(".")
        if len(parts) > 2 and parts[2].startswith("_"):
            assert parts[1] == name, f"{path}:{line}: {target} belongs to the package qfast.{parts[1]}"
