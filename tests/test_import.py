"""What `import qfast` loads. What it costs is among the hot paths of `benchmarks/gate`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import qfast


def run(code: str, tmp_path: Path) -> str:
    """Run code in a fresh interpreter that keeps its bytecode in `tmp_path`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    environment["PYTHONPATH"] = str(Path(qfast.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_qfast_loads_numpy_and_no_other_package(tmp_path: Path) -> None:
    code = "import sys, numpy; before = set(sys.modules); import qfast; print(*sorted(set(sys.modules) - before))"
    tops = {name.split(".")[0] for name in run(code, tmp_path).split()}
    assert tops - set(sys.stdlib_module_names) == {"numpy", "qfast"}


def test_importing_qfast_loads_nothing_above_layer_4(tmp_path: Path) -> None:
    loaded = run("import sys, qfast; print(*(m for m in sys.modules if m.startswith('qfast.')))", tmp_path).split()
    packages = {name.split(".")[1] for name in loaded}
    above = {"pools", "devices", "jobs", "cli", "plotting", "server", "benchmark"}
    assert not packages & above
    assert "qfast.engines.numba" not in loaded


def test_without_the_extension_simulations_run_on_numba(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['qfast._core'] = None; import qfast; "
        "s = qfast.sample(qfast.Circuit(2).h(0).cx(0, 1), 1000, seed=7); "
        "print(s.metadata['engine'], *sorted(s.get_counts()), 'native' in qfast.engines.available())"
    )
    assert run(code, tmp_path).split() == ["numba", "00", "11", "False"]


EXTRAS = {"jax", "qiskit", "torch"}  # modules named for the package that they need


@pytest.mark.parametrize("name", [name for name in qfast._LAZY if name not in EXTRAS or find_spec(name)])
def test_a_lazy_name_leads_somewhere(name: str) -> None:
    assert getattr(qfast, name) is not None
    assert name in dir(qfast)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'qfast' has no attribute 'sessions'"):
        _ = qfast.sessions


def test_all_names_are_there() -> None:
    assert [name for name in qfast.__all__ if not hasattr(qfast, name)] == []
