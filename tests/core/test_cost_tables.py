"""A cost table changes the plan and nothing else; a measured one is read if it is there, whole, and of this machine."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qfast
from qfast import _core, config, engines
from qfast._typing import Precision
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import FAMILIES, build_family
from qfast.engines import cost_tables
from qfast.engines.cost_tables import BUILT_IN, measured_table, table_name, table_path, this_machine, write_table
from qfast.engines.native import NativeEngine, isas
from qfast.errors import InputError
from tests import oracle
from tests.circuit.strategies import circuits
from tests.conftest import TOLERANCE
from tests.engines.states import NO_VALUES

PRICES = st.floats(0.01, 1e5)
NUM_RUNS = len(_core.CostTable().to_dict()["complex128"]["pass"])


@st.composite
def plan_costs(draw: st.DrawFn) -> dict[str, Any]:
    """Prices without sense: dense pairs for nothing, long runs dearer than short ones."""
    kinds = _core.CostTable().to_dict()["complex128"]["steps"]
    return {
        "tile_bits": draw(st.integers(8, 20)),
        "pass": draw(st.lists(PRICES, min_size=NUM_RUNS, max_size=NUM_RUNS)),
        "steps": {kind: draw(PRICES) for kind in kinds},
    }


def changed(**entries: Any) -> dict[str, Any]:
    """The built-in table with other entries in both precisions."""
    costs = _core.CostTable().to_dict()
    for precision in costs:
        costs[precision] |= entries
    return costs


def amplitudes(engine: NativeEngine, circuit: qfast.Circuit, precision: Precision, threads: int = 2) -> Any:
    state = np.full(1 << circuit.num_qubits, 7 + 7j, dtype=precision)
    engine.prepare(circuit, precision=precision).run(state, NO_VALUES, from_zero=True, threads=threads, cancel=None)
    return state


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no engine that has read another one."""
    monkeypatch.setattr(cost_tables, "_cache_folder", lambda environ: tmp_path)
    monkeypatch.setattr(engines, "_loaded", {})
    return tmp_path


# --- plans ----------------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(circuit=circuits(max_qubits=6), double=plan_costs(), single=plan_costs())
def test_any_table_gives_the_right_amplitudes(circuit, double, single) -> None:
    table = _core.CostTable("odd", {"complex128": double, "complex64": single})
    wanted = oracle.statevector(circuit)
    for isa in isas():
        engine = NativeEngine(isa, table)
        for precision, tolerance in TOLERANCE.items():
            assert np.abs(amplitudes(engine, circuit, precision) - wanted).max() < 4 * tolerance


@pytest.mark.parametrize("family", FAMILIES)
def test_families_in_tiles_of_a_table_agree_with_the_built_in_plan(family, precision) -> None:
    circuit = to_circuit(build_family(family, 15, 1))
    wanted = amplitudes(NativeEngine(), circuit, precision)
    costs = changed(tile_bits=9, **{"pass": [1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0, 5.0]})
    engine = NativeEngine(cost_table=_core.CostTable("small tiles", costs))
    assert engine.prepare(circuit, precision=precision).explain()["tile_qubits"] == 9
    assert np.abs(amplitudes(engine, circuit, precision) - wanted).max() < 20 * TOLERANCE[precision]


def test_one_table_gives_the_same_bits_for_any_number_of_threads() -> None:
    circuit = to_circuit(build_family("random", 16, 1))
    engine = NativeEngine(cost_table=_core.CostTable("small tiles", changed(tile_bits=10)))
    alone = amplitudes(engine, circuit, "complex128", threads=1)
    for threads in (2, 3):
        assert np.array_equal(amplitudes(engine, circuit, "complex128", threads), alone)


def test_equal_prices_share_a_plan_and_others_do_not() -> None:
    circuit = to_circuit(build_family("qft", 8, 1))
    _core.clear_plan_cache()
    for name, costs in (("a", changed()), ("b", changed()), ("c", changed(tile_bits=13)), ("d", changed())):
        costs["complex128"]["steps"]["one"] = 7.0 if name == "d" else 6.0
        explained = NativeEngine(cost_table=_core.CostTable(name, costs)).prepare(circuit, precision="complex128")
        assert explained.explain()["cost_table"] == name
    stats = _core.plan_cache_stats()
    assert (stats["plans"], stats["hits"]) == (2, 2)  # a tile is cut to the state's size, so c is like a


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"tile_bits": 21}, "complex128: tile_bits is 21; it may be 8 to 20"),
        ({"tile_bits": "14"}, "'tile_bits' is '14'"),
        ({"pass": [1.0] * 8}, "'pass' has 8 prices; it needs 9"),
        ({"pass": [*[1.0] * 8, float("nan")]}, r"pass\[8\] is nan; a price is above 0"),
        ({"steps": {"one": 1.0}}, "'steps' has no entry 'controlled'"),
        ({"steps": None}, "'steps' is None"),
    ],
)
def test_a_table_that_is_not_right_is_refused_with_the_entry(entries, message) -> None:
    with pytest.raises(InputError, match=message):
        _core.CostTable("x", changed(**entries))


# --- files ----------------------------------------------------------------------------------------------------------


def planned_circuit() -> qfast.Circuit:
    """A circuit that is too large to run without a plan."""
    circuit = qfast.Circuit(8)
    for qubit in range(8):
        circuit.h(qubit)
    return circuit


def test_without_a_measured_table_the_built_in_one_is_used_and_nothing_is_measured(cache, monkeypatch) -> None:
    def measure(*arguments: Any) -> float:
        raise AssertionError("measured without being asked to")

    monkeypatch.setattr(_core, "measure_sweep", measure)
    monkeypatch.setattr(_core, "measure_step", measure)
    result = qfast.simulate(planned_circuit(), engine="native")
    assert result.metadata["plan"]["cost_table"] == BUILT_IN
    assert list(cache.iterdir()) == []


def test_a_measured_table_is_used_and_named_by_results(cache) -> None:
    costs = changed(tile_bits=13)
    write_table(this_machine(isas()[-1]), costs, {"date": "today"})
    state = qfast.simulate(planned_circuit(), engine="native", isa=isas()[-1])
    assert state.metadata["plan"]["cost_table"] == table_name(costs)
    with config.override(plan="portable"):
        state = qfast.simulate(planned_circuit(), engine="native", isa=isas()[-1])
    assert state.metadata["plan"]["cost_table"] == BUILT_IN


def test_a_table_counts_for_its_instruction_set_and_number_of_cpus_only(cache, monkeypatch) -> None:
    write_table(this_machine("baseline"), changed(tile_bits=13), {})
    assert measured_table("baseline").name != BUILT_IN
    if "avx2" in isas():
        assert measured_table("avx2").name == BUILT_IN
    cpus = this_machine("baseline").cpus
    monkeypatch.setattr(cost_tables, "cpu_count", lambda: cpus + 1)
    assert measured_table("baseline").name == BUILT_IN


def test_the_number_of_threads_of_a_run_does_not_choose_another_table(cache) -> None:
    write_table(this_machine(isas()[-1]), changed(tile_bits=10), {})
    circuit = to_circuit(build_family("random", 13, 1))
    states = [qfast.simulate(circuit, engine="native", isa=isas()[-1], threads=threads) for threads in (1, 2)]
    assert np.array_equal(states[0].amplitudes, states[1].amplitudes)
    assert states[0].metadata["plan"]["cost_table"] == states[1].metadata["plan"]["cost_table"] != BUILT_IN


def broken_json(path: Path) -> None:
    path.write_text(path.read_text()[:-40])


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def edited(**entries: Any) -> Any:
    def edit(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return edit


def bad_price(path: Path) -> None:
    data = json.loads(path.read_text())
    data["costs"]["complex64"]["steps"]["pairs"] = -1
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (broken_json, "it is not JSON"),
        (not_text, "it is not JSON"),
        (a_folder, "it cannot be read: Is a directory"),
        (edited(format="qfast-cost-table/0"), "its format is 'qfast-cost-table/0'; this version reads"),
        (edited(machine={"cpu": "another"}), "it was measured on {'cpu': 'another'}"),
        (edited(costs=None), "it has no table 'costs'"),
        (lambda path: path.write_text("[]"), "its format is 'list'"),
        (bad_price, "complex64: steps.pairs is -1"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy_and_left_out(cache, spoil, reason) -> None:
    path = write_table(this_machine("baseline"), changed(tile_bits=13), {})
    spoil(path)
    with pytest.warns(RuntimeWarning) as caught:
        assert measured_table("baseline").name == BUILT_IN
    message = str(caught[0].message)
    assert message.startswith(f"the cost table {path} is not used: ")
    assert reason in message
    assert "qfast bench --tune; or delete the file" in message


def test_a_spoilt_file_is_told_of_once_for_an_engine(cache) -> None:
    isa = isas()[-1]
    write_table(this_machine(isa), changed(), {}).write_text("{}")
    with pytest.warns(RuntimeWarning):
        first = engines.select("native", isa)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert engines.select("native", isa) is first
        engines.select("native", isa, plan="portable")


def test_a_table_is_written_whole_or_not_at_all(cache, monkeypatch) -> None:
    machine = this_machine("baseline")
    path = write_table(machine, changed(tile_bits=13), {})
    before = path.read_bytes()

    def fail(*arguments: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_table(machine, changed(tile_bits=12), {})
    assert path.read_bytes() == before
    assert list(cache.iterdir()) == [path]


def test_prices_that_are_not_allowed_are_not_written(cache) -> None:
    with pytest.raises(InputError, match="tile_bits is 99"):
        write_table(this_machine("baseline"), changed(tile_bits=99), {})
    assert list(cache.iterdir()) == []


def test_the_cache_folder_follows_the_platform(monkeypatch) -> None:
    monkeypatch.undo()
    machine = cost_tables.Machine("Some CPU @ 3 GHz (x86_64, L1 32K)", "avx2", 4)
    monkeypatch.setattr(cost_tables, "_cache_folder", FOLDER)
    monkeypatch.setattr("sys.platform", "linux")
    name = "costs-some-cpu-3-ghz-x86-64-l1-32k-avx2-4.json"
    assert table_path(machine, {"XDG_CACHE_HOME": "/c"}) == Path("/c/qfast") / name
    assert table_path(machine, {}) == Path.home() / ".cache" / "qfast" / name
    monkeypatch.setattr("sys.platform", "win32")
    assert table_path(machine, {"LOCALAPPDATA": "/l"}) == Path("/l/qfast/cache") / name


FOLDER = cost_tables._cache_folder  # before the session's fixture takes its place
