"""The examples run, and find what they look for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_vqe_of_h2_finds_the_ground_state(capsys: pytest.CaptureFixture[str]) -> None:
    energy, exact = load("vqe_h2_session").main()
    assert energy == pytest.approx(exact, abs=1e-8)
    assert exact == pytest.approx(-1.857275030202, abs=1e-11)
    assert "40 jobs" in capsys.readouterr().out


def test_vqe_of_the_ising_chain_comes_within_a_percent(capsys: pytest.CaptureFixture[str]) -> None:
    module = load("vqe_tfim_session")
    energy, exact = module.main(steps=40)
    assert exact <= energy < 0.99 * exact
    assert "jobs of 25 circuits" in capsys.readouterr().out


def test_the_exact_energy_of_the_ising_chain_is_that_of_the_matrix() -> None:

    module = load("vqe_tfim_session")
    matrix = module.make_hamiltonian(6, 0.8).matrix()
    assert module.exact_energy(6, 0.8) == pytest.approx(float(np.linalg.eigvalsh(matrix)[0]), abs=1e-10)


def test_the_sweep_finds_the_best_angles_of_the_ring(capsys: pytest.CaptureFixture[str]) -> None:
    (gamma, beta), cut = load("sweep_batch").main()
    assert cut == pytest.approx(6.0, abs=0.15), "one layer cuts three quarters of a ring"
    assert "best of 100 points" in capsys.readouterr().out
    assert gamma > 0 < beta
