"""`explain`: its numbers follow from the plan and the limits, its table and picture show them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import qfast
from qfast.benchmark import canonical
from qfast.benchmark.canonical import canonical_flops, circuit_flops
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.explain import Explanation, explain
from qfast.benchmark.explain_text import MAX_SWEEPS
from qfast.benchmark.families import FAMILIES, build_family
from qfast.cli import main
from qfast.errors import CapacityError, CircuitError, InputError, ParameterError


def plan_only(circuit: qfast.Circuit, **options: object) -> Explanation:
    return explain(circuit, measure=False, engine="native", **options)  # type: ignore[arg-type]


# --- canonical flops of a circuit -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_circuit_costs_what_its_operations_cost(family: str) -> None:
    member = build_family(family, 7)
    assert circuit_flops(to_circuit(member)) == canonical_flops(member.operations)


def random_controlled_circuit(seed: int) -> qfast.Circuit:
    """Gates of all kinds with extra controls; no two neighbours on the same qubits, so that none are merged."""
    rng = np.random.default_rng(seed)
    circuit = qfast.Circuit(5)
    last: tuple[int, ...] = ()
    while len(circuit) < 30:
        order = tuple(int(q) for q in rng.permutation(5)[: rng.integers(2, 6)])
        if order == last:
            continue
        last = order
        kind = rng.integers(5)
        count = 1 if kind < 2 else int(rng.integers(1, len(order) + 1))
        num_controls = len(order) - count
        state = int(rng.integers(1 << num_controls))
        angle = float(rng.uniform(0.3, 2.8))
        gate = qfast.Circuit(count)
        match kind:
            case 0:
                gate.ry(angle, 0)
            case 1:
                gate.p(angle, 0)
            case 2:
                gate.diagonal(np.exp(1j * rng.choice([0.0, angle], 1 << count)), range(count))
            case 3:
                gate.permutation(rng.permutation(1 << count), range(count))
            case 4:
                gate.pauli_rotation("".join(rng.choice(list("XYZ"), count)), range(count), angle)
        controlled = gate.control(num_controls, state) if num_controls else gate
        circuit.compose(controlled, order)
    return circuit


@pytest.mark.parametrize("seed", range(20))
def test_gates_too_wide_for_a_matrix_cost_what_their_matrix_would(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = random_controlled_circuit(seed)
    by_matrix = circuit_flops(circuit)
    monkeypatch.setattr(canonical, "_MATRIX_QUBITS", 0)
    assert circuit_flops(circuit) == pytest.approx(by_matrix, abs=1e-12)


def test_a_gate_under_many_controls_costs_as_much_as_the_amplitudes_it_touches() -> None:
    assert circuit_flops(qfast.Circuit(20).mc("ry", range(19), [19], [0.3])) == 8 / 2**19
    assert circuit_flops(qfast.Circuit(20).mcx(range(19), 19)) == 0
    assert circuit_flops(qfast.Circuit(20).mcp(0.3, range(19), 19)) == 3


def test_flops_of_a_circuit_that_decides_are_refused() -> None:
    circuit = qfast.Circuit.from_qasm(FEED_FORWARD)
    with pytest.raises(CircuitError, match="if_else"):
        circuit_flops(circuit)


# --- what explain finds -----------------------------------------------------------------------------------------------

FEED_FORWARD = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
c[0] = measure q[0];
if (c[0]) { x q[1]; }
c[1] = measure q[1];
"""


@pytest.mark.native
def test_the_numbers_are_those_of_the_programs_plan() -> None:
    circuit = to_circuit(build_family("random", 17))
    found = plan_only(circuit)
    (plan,) = qfast.compile(circuit, engine="native", precision=found.precision).explain()["segments"]
    assert found.passes == plan["passes"]
    assert found.plan_flops == pytest.approx(plan["flops_per_amplitude"])
    assert [sweep.tile_bits for sweep in found.sweeps] == [tuple(sweep["tile_bits"]) for sweep in plan["sweeps"]]
    assert found.segments[0].nodes == plan["nodes"]
    assert found.num_gates == len(circuit)


@pytest.mark.native
def test_a_measured_explanation_relates_its_times_to_the_limits() -> None:
    found = explain(to_circuit(build_family("qaoa", 12)), engine="native", precision="complex64", threads=1)
    limits = found.limits
    assert limits is not None
    amplitudes = 1 << 12
    memory_s = 2 * 8 * amplitudes / limits.bandwidth
    assert found.predicted_s == pytest.approx(
        sum(max(memory_s, s.flops_per_amplitude * amplitudes / limits.peak_flops) for s in found.sweeps)
    )
    assert found.canonical_flops is not None
    assert found.least_s == pytest.approx(max(memory_s, found.canonical_flops * amplitudes / limits.peak_flops))
    assert found.measured_s == sorted(found.warm_s)[len(found.warm_s) // 2]
    assert found.roofline_fraction == pytest.approx(found.least_s / found.measured_s)
    assert found.first_s is not None
    assert found.first_s > 0


@pytest.mark.native
def test_without_measuring_no_state_is_allocated() -> None:
    circuit = qfast.Circuit(32)
    for qubit in range(31):
        circuit.h(qubit).cx(qubit, qubit + 1)
    with qfast.config.override(max_job_bytes=1 << 20):
        found = plan_only(circuit)
        assert found.passes
        assert (found.limits, found.predicted_s, found.measured_s, found.roofline_fraction) == (None,) * 4
        with pytest.raises(CapacityError):
            explain(circuit, engine="native")


@pytest.mark.native
def test_a_state_smaller_than_a_tile_has_only_its_own_bits() -> None:
    assert plan_only(qfast.Circuit(3).h(0).h(1).h(2)).sweeps[0].tile_bits == (0, 1, 2)


@pytest.mark.native
def test_parameters_are_given_by_name_or_in_order_and_must_be_complete() -> None:
    circuit = qfast.Circuit(1).ry(qfast.Parameter("a"), 0).rz(qfast.Parameter("b"), 0)
    assert plan_only(circuit, parameters={"a": 0.1, "b": 0.2}).canonical_flops == 8 + 6
    assert plan_only(circuit, parameters=[0.1, 0.2]).canonical_flops == 8 + 6
    for measure in (False, True):
        with pytest.raises(ParameterError, match="b"):
            explain(circuit, parameters={"a": 0.1}, measure=measure)


@pytest.mark.native
def test_a_circuit_that_decides_in_the_middle_has_plans_but_no_times() -> None:
    found = explain(qfast.Circuit.from_qasm(FEED_FORWARD), engine="native")
    assert [segment.num_gates for segment in found.segments] == [1, 1]
    assert (found.canonical_flops, found.limits, found.warm_s) == (None, None, ())
    assert found.note is not None
    assert "segment 2 of 2: 1 gate" in str(found)
    assert found.note in str(found)


def test_an_engine_without_sweeps_says_so() -> None:
    found = explain(qfast.Circuit(2).h(0).barrier().cx(0, 1), engine="reference")
    assert (found.num_gates, found.passes, found.plan_flops, found.predicted_s) == (2, None, None, None)
    assert found.measured_s is not None
    assert "gate by gate" in str(found)
    with pytest.raises(InputError, match="no sweeps to draw"):
        found.plot()


def test_what_is_no_circuit_is_refused() -> None:
    with pytest.raises(InputError, match=r"qfast\.Circuit"):
        explain("h q[0];")  # type: ignore[arg-type]


# --- as text, data and picture ----------------------------------------------------------------------------------------


@pytest.mark.native
def test_the_table_has_a_line_for_every_sweep_and_fits_a_terminal() -> None:
    found = explain(to_circuit(build_family("random", 16)), engine="native", threads=1)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 110
    start = next(place for place, line in enumerate(lines) if line.split()[:1] == ["sweep"])
    for number, (line, sweep) in enumerate(zip(lines[start + 1 :], found.sweeps, strict=False), 1):
        cells = line.split()
        assert cells[0] == str(number)
        assert [15 - place for place, mark in enumerate(cells[1]) if mark == "#"] == list(reversed(sweep.tile_bits))
        assert f"{sweep.flops_per_amplitude:g}" in cells
    assert f"{found.canonical_flops:g} flops per amplitude" in str(found)


@pytest.mark.native
def test_a_long_table_keeps_its_first_and_last_sweeps() -> None:
    rng = np.random.default_rng(1)
    circuit = qfast.Circuit(30)
    for _ in range(8):
        circuit.extend("ry", [(q,) for q in range(30)], rng.uniform(0, 3, (30, 1)).tolist())
        order = rng.permutation(30).tolist()
        circuit.extend("rxx", list(zip(order[::2], order[1::2], strict=True)), rng.uniform(0, 3, (15, 1)).tolist())
    many = plan_only(circuit)
    sweeps = many.sweeps * (2 + MAX_SWEEPS // len(many.sweeps))
    segment = many.segments[0]
    long = Explanation(**vars(many) | {"segments": (type(segment)(**vars(segment) | {"sweeps": sweeps}),)})
    lines = str(long).splitlines()
    assert any(f"{len(sweeps) - MAX_SWEEPS} more sweeps" in line for line in lines)
    numbers = [int(line.split()[0]) for line in lines if line[:6].strip().isdecimal()]
    half = MAX_SWEEPS // 2
    assert numbers == [*range(1, half + 1), *range(len(sweeps) - half + 1, len(sweeps) + 1)]


@pytest.mark.native
def test_the_dictionary_survives_json() -> None:
    found = explain(to_circuit(build_family("ansatz", 10)), engine="native")
    plain = found.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["roofline_fraction"] == found.roofline_fraction
    assert plain["segments"][0]["sweeps"][0]["tile_bits"] == list(found.sweeps[0].tile_bits)


@pytest.mark.native
def test_the_picture_shows_every_tile_and_the_flops_of_every_sweep() -> None:
    found = plan_only(to_circuit(build_family("random", 18)))
    tiles, bars = found.plot().axes
    filled = np.asarray(tiles.collections[0].get_array()).reshape(found.passes, 18)
    assert [tuple(np.flatnonzero(row).tolist()) for row in filled] == [sweep.tile_bits for sweep in found.sweeps]
    assert [bar.get_width() for bar in bars.patches] == [sweep.flops_per_amplitude for sweep in found.sweeps]
    assert tiles.xaxis_inverted()


def test_qfast_explain_is_a_lazy_name_of_the_package() -> None:
    assert qfast.explain is explain


# --- on the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def bell(tmp_path: Path) -> Path:
    path = tmp_path / "bell.qasm"
    path.write_text(qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1]).to_qasm(version=2), encoding="utf-8")
    return path


@pytest.mark.native
def test_the_command_prints_the_table(bell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(bell), "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 qubits, 2 gates")
    assert "roofline" in out


@pytest.mark.native
def test_the_command_prints_json_and_draws(bell: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "plan.png"
    assert main(["explain", str(bell), "--engine", "native", "--no-measure", "--json", "--plot", str(picture)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["num_gates"], data["engine"], data["measured_s"]) == (2, "native", None)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_takes_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rotation.qasm"
    path.write_text(qfast.Circuit(1).ry(qfast.Parameter("theta"), 0).to_qasm(), encoding="utf-8")
    assert main(["explain", str(path), "--no-measure", "--param", "theta=pi/3"]) == 0
    assert "8 flops per amplitude" in capsys.readouterr().out
    assert main(["explain", str(path), "--no-measure"]) == 1
    assert "theta" in capsys.readouterr().err


def test_a_picture_into_a_missing_folder_is_refused_before_any_work(
    bell: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(bell), "--plot", str(tmp_path / "no" / "plan.png")]) == 1
    captured = capsys.readouterr()
    assert "does not exist" in captured.err
    assert captured.out == ""
