"""The examples in C and numba, built and run as their first lines say; the header as C and as C++."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import qfast
from qfast import capi

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compile_c(source: Path, program: Path, *flags: str) -> None:
    assert COMPILER is not None, "a C compiler is needed to build the examples"
    library = capi.get_library()
    command = [
        COMPILER, str(source), "-o", str(program), "-Wall", "-Wextra", "-Werror", *flags, "-I", capi.get_include(),
        library, f"-Wl,-rpath,{os.path.dirname(library)}", "-lm",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_c_example_compiles_and_prints_what_it_should(tmp_path: Path) -> None:
    compile_c(EXAMPLES / "c_abi.c", tmp_path / "c_abi", "-std=c11", "-pedantic")
    done = subprocess.run([tmp_path / "c_abi"], capture_output=True, text=True, check=True)
    first, bell, *sweep, _, _ = done.stdout.splitlines()
    assert first.startswith(f"qfast {qfast.__version__}")
    counts = [int(number) for number in re.findall(r"[01]{2} (\d+)", bell)]
    assert counts[1] == counts[2] == 0
    assert sum(counts) == 1000
    assert abs(counts[0] - 500) < 80  # five standard deviations
    values = [re.findall(r"-?\d\.\d{6}", line) for line in sweep if line.startswith("theta")]
    assert len(values) == 5
    assert all(got == expected for got, expected in values)
    assert "refused at line 3: " in done.stdout


def test_the_header_is_valid_c99_and_cpp(tmp_path: Path) -> None:
    for name, flags in (("header.c", ["-std=c99", "-pedantic"]), ("header.cpp", ["-std=c++11"])):
        source = tmp_path / name
        source.write_text('#include <qfast.h>\n#include "qfast.h"\nint main(void) { return !qfast_version(); }\n')
        compile_c(source, tmp_path / "header", *flags)
        assert subprocess.run([tmp_path / "header"], check=False).returncode == 0


def test_the_numba_example_agrees_with_its_formula() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, EXAMPLES / "numba_capi.py"], capture_output=True, text=True, check=True, env=environment
    )
    pairs = [re.findall(r"[+-]\d\.\d{6}", line) for line in done.stdout.splitlines()]
    assert len(pairs) == 5
    assert all(got == expected for got, expected in pairs)


def test_cffi_reads_all_declarations_and_the_library_has_them() -> None:
    ffi, library = capi.load()
    names = re.findall(r"\b(qfast_\w+)\(", capi.declarations())
    assert len(names) > 25
    for name in names:
        assert ffi.typeof(getattr(library, name)).kind == "function"
