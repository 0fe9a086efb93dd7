"""The order of the house: every module imports only from layers below its own, or from its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import qfast

ROOT = Path(qfast.__file__).parent

# Layer of each package or module, by its name below `qfast`; CONTRIBUTING.md has the map.
LAYERS = {
    "_format": 0, "_html": 0, "_typing": 0, "_version": 0, "errors": 0, "extension": 0,
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


def test_no_two_files_import_each_other_around() -> None:
    """The graph of imports has no circle; imports for type checkers only are left out: nothing runs for them."""
    modules = {module_name(path): path for path in (*MODULES, ROOT / "__init__.py")}
    graph = {name: sorted(_targets(path, modules) - {name}) for name, path in modules.items()}
    assert circles(graph) == KNOWN_CIRCLES


KNOWN_CIRCLES = [["qfast.jobs.shot_result", "qfast.jobs.shot_work", "qfast.jobs.shots"]]
"""A plan runs as work, whose result knows its plan: imports inside functions, to be cured."""


def module_name(path: Path) -> str:
    return ".".join(("qfast", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def _targets(path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules that a file imports when it runs, those inside functions included."""
    tree = ast.parse(path.read_text())
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in modules else node.module)
    return found & modules.keys()


def circles(graph: dict[str, list[str]]) -> list[list[str]]:
    """Return the strongly connected parts of more than one node, sorted (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for target in graph[node]:
            if target not in number:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], number[target])
        if low[node] == number[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in number:
            visit(node)
    return sorted(found)


def test_lazy_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen: dict[str, str | None] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            seen[alias.asname or alias.name] = None if node.module == "qfast" else node.module
    assert seen == {name: source for name, source in qfast._LAZY.items() if name != "jax"}


# Each folder of csrc includes only from those before it.
CSRC_ORDER = ("base", "circuit", "kernels", "plan", "run", "walk", "capi", "bindings")


def test_folders_of_the_core_include_only_from_those_before() -> None:
    core = Path(__file__).resolve().parents[1] / "csrc"
    for path in sorted(core.rglob("*")):
        if path.suffix not in (".h", ".cc", ".cpp", ".inl"):
            continue
        folder = path.relative_to(core).parts[0]
        for line in path.read_text().splitlines():
            if line.startswith('#include "'):
                target = line.split('"')[1].split("/")[0]
                if target in CSRC_ORDER:
                    assert CSRC_ORDER.index(target) <= CSRC_ORDER.index(folder), f"{path}: {line}"
