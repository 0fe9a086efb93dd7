"""The example circuits mean what their first line says, and the example programs run."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest

import qfast

EXAMPLES = Path(__file__).parent.parent / "examples"


def distribution(name: str, **parameters: float) -> dict[str, float]:
    return qfast.distribution(qfast.Circuit.from_qasm_file(EXAMPLES / f"{name}.qasm"), parameters=parameters)


def test_ghz_is_all_zeros_or_all_ones() -> None:
    assert distribution("ghz") == pytest.approx({"0" * 12: 0.5, "1" * 12: 0.5})


@pytest.mark.native  # Qiskit does not read all of this file
def test_qft_gives_the_multiples_of_8192() -> None:
    assert distribution("qft") == pytest.approx({f"{8192 * k:016b}": 1 / 8 for k in range(8)})


def test_teleportation_hands_the_state_on_whatever_alice_measures() -> None:
    one = math.sin(0.55) ** 2
    expected = {f"{answer}{alice:02b}": (one if answer else 1 - one) / 4 for answer in (0, 1) for alice in range(4)}
    assert distribution("teleportation") == pytest.approx(expected)


def test_rotation_takes_its_angle_from_outside() -> None:
    assert distribution("rotation", theta=math.pi / 3) == pytest.approx({"00": 0.75, "11": 0.25})


def test_quickstart_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "quickstart.py"), run_name="__main__")
    assert "made by" in capsys.readouterr().out


def test_angle_scan_finds_the_lowest_energy_of_its_grid(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(EXAMPLES / "angle_scan.py"), run_name="__main__")
    circuit, energy, best = names["circuit"], names["energy"], names["best"]
    state = qfast.simulate(circuit, parameters=names["points"][best], engine="reference")
    assert state.expectation(energy) == pytest.approx(names["energies"].min())
    assert "1089 points" in capsys.readouterr().out
