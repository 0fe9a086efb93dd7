"""What the package promises from outside: its files, its imports, its build and its documented commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qfast

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEST_LINE = "pip install '.[test]' && pytest"


def fake_nm(folder: Path, listing: str) -> Path:
    """Write a program that prints a listing as ``nm`` would."""
    program = folder / "nm"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{listing}\nEND\n")
    program.chmod(0o755)
    return program


def check_symbols(nm: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "cmake" / "check_isa_symbols.py", "--nm", nm, "isa_avx2.cc.o"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_version_is_the_one_that_the_build_reads() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        source = tomllib.load(file)["tool"]["scikit-build"]["metadata"]["version"]["input"]
    assert f'__version__ = "{qfast.__version__}"' in (ROOT / source).read_text(encoding="utf-8")


def test_the_ci_script_runs_the_test_line_of_the_readme() -> None:
    assert f"\n{TEST_LINE}\n" in README
    assert f"\n  {TEST_LINE}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_files_named_in_the_readme_exist() -> None:
    named = set(re.findall(r"\]\(([^)#:]+)\)", README)) | set(re.findall(r"\bexamples/\w+\.\w+", README))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_package_is_marked_as_typed() -> None:
    assert (Path(qfast.__file__).parent / "py.typed").is_file()


def test_a_weak_symbol_outside_the_namespace_of_its_isa_fails_the_build_check(tmp_path: Path) -> None:
    listing = "_ZNSt6vectorIdSaIdEE9push_backEOd W 0 40\n_ZN5qfast8isa_avx24tileEPd T 40 10"
    done = check_symbols(fake_nm(tmp_path, listing))
    assert done.returncode == 1
    assert "_ZNSt6vectorIdSaIdEE9push_backEOd" in done.stdout


def test_weak_symbols_of_the_own_namespace_and_strong_symbols_pass_the_build_check(tmp_path: Path) -> None:
    listing = "_ZN5qfast8isa_avx25applyIdEEvPT_ W 0 40\n_ZN5qfast8isa_avx24tileEPd T 40 10\nDW.ref.x V 0 8"
    done = check_symbols(fake_nm(tmp_path, listing))
    assert done.returncode == 0, done.stdout


def test_another_isa_s_weak_symbols_fail_the_build_check(tmp_path: Path) -> None:
    assert check_symbols(fake_nm(tmp_path, "_ZN5qfast10isa_avx5125applyEv W 0 40")).returncode == 1


def test_python_m_qfast_is_the_command_line() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "qfast", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"qfast {qfast.__version__}\n"


@pytest.mark.native  # Qiskit gives a classical bit without a register another name
def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks
    monkeypatch.chdir(ROOT)  # it reads an example
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_every_extra_is_one_that_the_code_asks_for() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    sources = [*Path(qfast.__file__).parent.rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    asked = set(re.findall(r"qfast-sim\[(\w+)\]", "".join(file.read_text(encoding="utf-8") for file in sources)))
    assert extras - asked == {"test", "lint", "types", "dev"}
    assert asked <= extras
