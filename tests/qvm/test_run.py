"""Graphs run with their physical meaning, and end with everything given back."""

from __future__ import annotations

import math
import pickle
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import qfast
from qfast import qvm
from qfast.errors import CapacityError, InputError, JobError, LifecycleError, VerificationError
from qfast.jobs import JobStatus
from tests.qvm.dense import outcomes
from tests.qvm.graphs import alloc, bell, graph, node

ENGINES = ["native", "numba", "reference"]
ALL = frozenset(qvm.CAPABILITIES)


def exact(data: dict[str, Any]) -> dict[str, float]:
    order = {each.id: place for place, each in enumerate(qvm.certify(qvm.from_dict(data), ALL).order)}
    nodes = sorted(data["program"]["nodes"], key=lambda one: order[one["id"]])
    return outcomes(nodes, data["resources"]["events"])


def check_counts(counts: dict[str, int], wanted: dict[str, float], shots: int) -> None:
    """Within five standard errors of each probability; nothing that is impossible."""
    assert set(counts) <= {key for key, p in wanted.items() if p > 1e-12}
    for key, p in wanted.items():
        assert abs(counts.get(key, 0) - shots * p) <= 5 * math.sqrt(shots * p * (1 - p)) + 1e-6, key


def random_graph(seed: int) -> dict[str, Any]:
    """A valid graph of many operations: names are allocated again, guards and exclusive-ors read earlier events."""
    draw = random.Random(seed)
    nodes: list[dict[str, Any]] = []
    alive: list[str] = []
    events: list[str] = []  # that certainly have a value
    for number in range(draw.randint(8, 24)):
        name = f"n{number}"
        if len(alive) < 2 or (len(alive) < 4 and draw.random() < 0.15):
            free = [q for q in ("a", "b", "c", "d", "e") if q not in alive]
            alive.append(draw.choice(free))
            nodes.append(alloc(name, alive[-1]))
            continue
        one, two = draw.sample(alive, 2)
        guard: dict[str, Any] = {}
        if events and draw.random() < 0.3:
            conditions = [
                {"event": event, "equals": draw.randint(0, 1)}
                for event in draw.sample(events, min(len(events), draw.randint(1, 2)))
            ]
            kind = draw.choice(["and", "or"])
            guard = {"guard": conditions[0] if len(conditions) == 1 else {"type": kind, "conditions": conditions}}
        kind = draw.choice(["one", "one", "turn", "two", "two", "measure", "bell", "reset", "pauli", "free"])
        if kind == "one":
            op = draw.choice(["H", "S", "SDG", "X", "Y", "Z", "T", "TDG"])
            nodes.append(node(name, f"APPLY_{op}", one, **guard))
        elif kind == "turn":
            args = {"theta": draw.uniform(-4, 4)}
            nodes.append(node(name, f"APPLY_R{draw.choice('XYZ')}", one, args=args, **guard))
        elif kind == "two":
            nodes.append(node(name, draw.choice(["APPLY_CNOT", "APPLY_CZ", "APPLY_SWAP"]), one, two, **guard))
        elif kind == "measure":
            op = draw.choice(["Z", "X", "Y", "ANGLE"])
            args = {"args": {"angle": draw.uniform(-4, 4)}} if op == "ANGLE" else {}
            nodes.append(node(name, f"MEASURE_{op}", one, produces=[f"e{number}"], **args, **guard))
            events += [] if guard else [f"e{number}"]
        elif kind == "bell":
            produced = [f"e{number}", f"f{number}"]
            nodes.append(node(name, "MEASURE_BELL", one, two, produces=produced))
            events += produced
        elif kind == "reset":
            nodes.append(node(name, "RESET", one, **guard))
        elif kind == "pauli" and events:
            inputs = draw.sample(events, min(len(events), 2))
            args = {draw.choice(["mask", "pauli"]): draw.choice(["X", "ZY", "IX"])}
            nodes.append(node(name, "COND_PAULI", one, two, inputs=inputs, args=args, **guard))
        elif kind == "free" and len(alive) > 2:
            alive.remove(one)
            nodes.append(node(name, "FREE_LQ", one))
    return graph(*nodes)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_have_their_exact_distribution(seed: int) -> None:
    data = random_graph(seed)
    result = qvm.Executor().execute(data, shots=4000, seed=seed)
    check_counts(result["counts"], exact(data), 4000)
    assert result["telemetry"] == {"logical_qubits": 0, "physical_qubits": 0, "channels": 0}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_counts(engine: str) -> None:
    data = random_graph(3)
    with qfast.config.override(engine=engine):
        counts = qvm.Executor().execute(data, shots=500, seed=11)["counts"]
    with qfast.config.override(engine="reference"):
        assert counts == qvm.Executor().execute(data, shots=500, seed=11)["counts"]


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, 2.5, -1.0])
def test_an_angle_is_measured_in_the_plane_of_z_and_x(angle: float) -> None:
    data = graph(alloc("a", "q"), node("m", "MEASURE_ANGLE", "q", args={"angle": angle}, produces=["x"]),
                 node("n", "MEASURE_ANGLE", "q", args={"angle": angle}, produces=["y"]))  # fmt: skip
    counts = qvm.Executor().execute(data, shots=4000, seed=5)["counts"]
    assert set(counts) <= {"00", "11"}  # it has collapsed to the eigenstate
    check_counts(counts, {"00": math.cos(angle / 2) ** 2, "11": math.sin(angle / 2) ** 2}, 4000)


def test_a_bell_measurement_gives_phase_and_parity_or_their_index() -> None:
    for phase in (0, 1):
        for parity in (0, 1):
            prepare = [alloc("a", "p", "q"), node("h", "APPLY_H", "p"), node("cx", "APPLY_CNOT", "p", "q")]
            prepare += [node("z", "APPLY_Z", "p")] * phase + [node("x", "APPLY_X", "q")] * parity
            bits = graph(*prepare, node("m", "MEASURE_BELL", "p", "q", produces=["phase", "parity"]))
            assert qvm.Executor().execute(bits)["events"] == {"phase": phase, "parity": parity}
            index = graph(*prepare, node("m", "MEASURE_BELL", "p", "q", produces=["index"]))
            assert qvm.Executor().execute(index)["events"] == {"index": phase + 2 * parity}


@pytest.mark.parametrize("theta", [0.3, 1.2, 2.9])
def test_teleportation_carries_the_state_whatever_the_corrections(theta: float) -> None:
    builder = qvm.GraphBuilder()
    with builder.allocate(3) as (message, here, there):
        builder.ry(theta, message)
        builder.h(here)
        builder.cx(here, there)
        phase, parity = builder.measure_bell(message, here)
        with builder.when(parity):
            builder.x(there)
        with builder.when(phase):
            builder.z(there)
        builder.measure(there, theta)
    counts = qvm.Executor().execute(builder.graph(), shots=2000, seed=1)["counts"]
    assert {key[0] for key in counts} == {"0"}
    assert len(counts) == 4


def test_a_thousand_qubits_in_turn_live_in_a_small_state() -> None:
    builder = qvm.GraphBuilder()
    last = None
    for _ in range(1000):
        with builder.allocate() as (q,):
            builder.h(q)
            if last is not None:
                builder.pauli("X", (q,), (last,))
            last = builder.measure(q)
    result = qvm.Executor().execute(builder.graph(), seed=2)
    assert result["peak_resources"]["logical_qubits"] == 1
    assert result["peak_resources"]["bytes"] < 1 << 16
    assert sum(result["events"].values()) in range(400, 600)


def test_a_freed_qubit_that_is_entangled_is_measured_out_and_the_log_says_so() -> None:
    entangled = graph(alloc("a", "p", "q"), node("h", "APPLY_H", "p"), node("cx", "APPLY_CNOT", "p", "q"),
                      node("f", "FREE_LQ", "p"), node("m", "MEASURE_Z", "q", produces=["x"]))  # fmt: skip
    result = qvm.Executor().execute(entangled, shots=1000, seed=1)
    assert ("EXECUTE", "node_f_measured_out") in result["execution_log"]
    check_counts(result["counts"], {"0": 0.5, "1": 0.5}, 1000)
    assert ("EXECUTE", "node_f_measured_out") not in qvm.Executor().execute(bell())["execution_log"]


def test_the_log_has_the_phases_in_order_and_skips() -> None:
    data = graph(alloc("a", "q"), node("m", "MEASURE_Z", "q", produces=["x"]),
                 node("no", "APPLY_X", "q", guard={"event": "x", "equals": 1}),
                 node("yes", "APPLY_X", "q", guard={"event": "x", "equals": 0}),
                 node("n", "MEASURE_Z", "q", produces=["y"], guard={"event": "x", "equals": 1}))  # fmt: skip
    result = qvm.Executor().execute(data)
    assert result["execution_log"] == (
        ("CERTIFIED", "static_verification_passed"),
        ("LOAD", "graph_loaded_and_verified"),
        ("EXECUTE", "node_a_completed"),
        ("EXECUTE", "node_m_completed"),
        ("SKIP", "no", "guard_failed"),
        ("EXECUTE", "node_yes_completed"),
        ("SKIP", "n", "guard_failed"),
        ("UNLOAD", "freed_1_qubits"),
        ("UNLOAD", "resources_released"),
    )
    assert result["events"] == {"x": 0, "y": None}
    assert result["counts"] == {"-0": 1}
    assert result["node_counts"]["no"] == 0


def test_shots_are_counted_by_outcome_and_by_node() -> None:
    data = graph(alloc("a", "q"), node("h", "APPLY_H", "q"), node("m", "MEASURE_Z", "q", produces=["x"]),
                 node("fix", "APPLY_X", "q", guard={"event": "x", "equals": 1}))  # fmt: skip
    result = qvm.Executor().execute(data, shots=1000, seed=4)
    assert result["events"]["x"] == {int(key): count for key, count in result["counts"].items()}
    assert result["node_counts"] == {"a": 1000, "h": 1000, "m": 1000, "fix": result["counts"]["1"]}


# --- noise ------------------------------------------------------------------------------------------------------------


def test_noise_of_the_run_acts_at_gates_and_readings() -> None:
    noise = qfast.NoiseModel().add(qfast.channels.bit_flip(0.2), gates=["x"])
    noise = noise.add_readout(qfast.ReadoutError.of_flips(0.0, 0.1))
    data = graph(alloc("a", "q"), node("x", "APPLY_X", "q"), node("m", "MEASURE_Z", "q", produces=["x"]))
    counts = qvm.Executor().execute(data, shots=20_000, seed=1, noise=noise)["counts"]
    check_counts(counts, {"1": 0.8 * 0.9, "0": 0.2 + 0.8 * 0.1}, 20_000)


def test_the_fidelity_of_a_channel_acts_where_the_run_has_noise_and_is_recorded_elsewhere() -> None:
    data = graph(
        alloc("a", "p", "q"), node("h", "APPLY_H", "p"),
        node("open", "OPEN_CHAN", "p", "q", chs=["c"], args={"fidelity": 0.7}),
        node("cx", "TELEPORT_CNOT", "p", "q", chs=["c"]), node("close", "CLOSE_CHAN", chs=["c"]),
        node("mx", "MEASURE_BELL", "p", "q", produces=["phase", "parity"]),
    )  # fmt: skip
    executor = qvm.Executor(capabilities=ALL)
    clean = executor.execute(data, shots=1000, seed=1)
    assert clean["counts"] == {"00": 1000}
    assert ("CHANNEL", "open", "fidelity_recorded") in clean["execution_log"]
    noise = qfast.NoiseModel().add(qfast.channels.bit_flip(0.5), gates=["sx"])  # noise, but none at these gates
    noisy = executor.execute(data, shots=20_000, seed=1, noise=noise)
    assert ("CHANNEL", "open", "fidelity_applied") in noisy["execution_log"]
    check_counts(noisy["counts"], {"00": 0.7, "01": 0.1, "10": 0.1, "11": 0.1}, 20_000)


# --- life -------------------------------------------------------------------------------------------------------------


def test_ten_jobs_in_a_row_have_fresh_resources() -> None:
    executor = qvm.Executor()
    for _ in range(10):
        result = executor.execute(bell())
        assert result["status"] == "COMPLETED"
        assert result["telemetry"]["logical_qubits"] == 0
        assert result["telemetry"]["physical_qubits"] == 0
        assert ("LOAD", "graph_loaded_and_verified") in result["execution_log"]
        assert ("UNLOAD", "resources_released") in result["execution_log"]


def test_an_invalid_graph_is_refused_with_its_own_log_and_leaves_nothing() -> None:
    executor = qvm.Executor()
    before = executor.execute(bell())
    log = before["execution_log"]
    with pytest.raises(VerificationError) as caught:
        executor.execute(graph(node("h", "APPLY_H", "q")))
    assert caught.value.code == -32200
    assert [line[0] for line in caught.value.execution_log] == ["ERROR", "UNLOAD"]
    assert caught.value.telemetry == {"logical_qubits": 0, "physical_qubits": 0, "channels": 0}
    assert executor.resource_manager.get_telemetry()["logical_qubits"] == 0
    assert before["execution_log"] == log
    assert pickle.loads(pickle.dumps(caught.value)).code == -32200


def test_a_graph_runs_as_a_job_of_a_session() -> None:
    with qfast.Session("local::statevector", seed=3) as session:
        jobs = [session.submit(qvm.GraphWork(qvm.from_dict(bell()), shots=100)) for _ in range(3)]
        results = [job.result() for job in jobs]
    assert [result["metadata"]["session_id"] for result in results] == [jobs[0].session_id] * 3
    assert len({tuple(sorted(result["counts"].items())) for result in results}) > 1  # job i draws from (seed, i)


def test_the_policy_of_a_graph_gives_shots_and_seed_that_arguments_replace() -> None:
    data = graph(node("s", "SET_POLICY", args={"shots": 50, "seed": 9, "timeout_s": 30}), node("b", "FENCE_EPOCH"),
                 *bell()["program"]["nodes"])  # fmt: skip
    result = qvm.Executor().execute(data)
    assert (result["shots"], result["seed"]) == (50, 9)
    assert result["counts"] == qvm.Executor().execute(bell(), shots=50, seed=9)["counts"]
    assert qvm.Executor().execute(data, shots=7, seed=1)["shots"] == 7


def test_a_quota_that_one_graph_exceeds_is_refused_with_its_code() -> None:
    with pytest.raises(VerificationError, match="limit-qubits") as caught:
        qvm.Executor(quota=qvm.Quota(logical_qubits=1)).execute(bell())
    assert caught.value.code == -32201


def test_a_graph_that_does_not_fit_is_refused_before_anything_is_allocated() -> None:
    names = [f"q{k}" for k in range(60)]
    with pytest.raises(CapacityError):
        qvm.Executor().execute(graph(alloc("a", *names)))


def test_a_ledger_is_reset_when_idle_and_frees_nothing_of_a_running_graph() -> None:
    manager = qvm.Executor(tenant="idle").resource_manager
    manager.reset()
    manager.reset()
    manager.free_logical_qubits(["q", "q"])
    with pytest.raises(InputError, match="list of names"):
        manager.free_logical_qubits("q0")
    holding = qvm.Holding("idle", frozenset({"q"}), 1, 162, 0)
    manager.ledger.acquire("job", holding, manager.quota, lambda: None)
    try:
        with pytest.raises(LifecycleError, match="running"):
            manager.reset()
        with pytest.raises(LifecycleError, match="'q' belongs to the running graph job"):
            manager.free_logical_qubits(["q"])
        assert manager.get_telemetry() == {"logical_qubits": 1, "physical_qubits": 162, "channels": 0, "jobs": 1}
    finally:
        manager.ledger.release("job")
    assert manager.get_telemetry()["logical_qubits"] == 0


def test_a_client_finds_its_jobs_by_id() -> None:
    client = qvm.Client()
    job_id = client.submit_job(bell(), shots=10, seed=1)
    result = client.wait_for_job(job_id, timeout=30)
    assert client.status(job_id) is JobStatus.COMPLETED
    assert client.result(job_id) == result
    with pytest.raises(JobError, match="completed already") as caught:
        client.cancel(job_id)
    assert caught.value.code == -32303
    with pytest.raises(LifecycleError, match="no job 'nobody'") as unknown:
        client.status("nobody")
    assert unknown.value.code == -32300


def test_graphs_at_once_give_what_they_give_alone() -> None:
    graphs = [random_graph(seed) for seed in range(16)]
    executor = qvm.Executor()
    alone = [executor.execute(data, shots=50, seed=place)["counts"] for place, data in enumerate(graphs)]
    barrier = threading.Barrier(8)

    def run(place: int) -> dict[str, int]:
        if place < 8:
            barrier.wait()
        counts: dict[str, int] = executor.execute(graphs[place], shots=50, seed=place)["counts"]
        return counts

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(16))) == alone
    assert executor.resource_manager.get_telemetry()["jobs"] == 0


@pytest.mark.parametrize("error", [ValueError("boom"), MemoryError("boom"), CapacityError("boom")])
def test_a_failure_in_the_walk_gives_everything_back(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any) -> np.ndarray:
        raise error

    executor = qvm.Executor()
    with monkeypatch.context() as patch:
        patch.setattr("qfast.qvm.work.BranchWalk.rows", fail)
        with pytest.raises(type(error), match="boom") as caught:
            executor.execute(bell())
    assert executor.resource_manager.get_telemetry() == {
        "logical_qubits": 0, "physical_qubits": 0, "channels": 0, "jobs": 0,
    }  # fmt: skip
    assert executor.execute(bell())["status"] == "COMPLETED"
    assert caught.value.execution_log[-1] == ("UNLOAD", "resources_released")


# --- conversion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(15))
def test_a_graph_and_its_circuit_have_one_distribution(seed: int) -> None:
    data = random_graph(seed)
    converted = qvm.to_circuit(qvm.from_dict(data))
    assert converted.lost == ()
    certain = {key: p for key, p in exact(data).items() if p > 1e-12}
    if any("-" in key for key in certain):
        return  # a circuit's bit that was not written is 0
    found = qfast.distribution(converted.circuit)
    produced = [event for each in qvm.certify(qvm.from_dict(data)).order for event in each.produces]
    declared = data["resources"]["events"]
    for key, p in certain.items():
        values = dict(zip(reversed(declared), key, strict=True))
        assert found.get("".join(values[event] for event in reversed(produced)), 0.0) == pytest.approx(p, abs=1e-9)


def test_a_circuit_becomes_a_graph_and_back_with_the_same_distribution() -> None:
    circuit = qfast.Circuit(2, 2).h(0).ry(0.3, 1).cx(0, 1).measure(0, 0)
    body = circuit.block().x(1)
    circuit.if_test((0, 1), body, circuit.block().z(1)).measure(1, 1)
    made = qvm.from_circuit(circuit)
    back = qvm.to_circuit(made).circuit
    first, second = qfast.distribution(circuit), qfast.distribution(back)
    assert set(first) == set(second)
    assert all(first[key] == pytest.approx(second[key], abs=1e-12) for key in first)


def test_what_a_graph_cannot_say_is_named_with_its_instruction() -> None:
    with pytest.raises(InputError, match=r"'ccx' \(instruction 1\); 'rzz' \(instruction 2\)"):
        qvm.from_circuit(qfast.Circuit(3).h(0).ccx(0, 1, 2).rzz(0.1, 0, 1))


def test_what_a_circuit_cannot_say_is_named_with_its_node() -> None:
    data = graph(alloc("a", "p", "q"), node("open", "OPEN_CHAN", "p", "q", chs=["c"]),
                 node("cx", "TELEPORT_CNOT", "p", "q", chs=["c"]), node("t", "INJECT_T_STATE", "q"))  # fmt: skip
    lost = qvm.to_circuit(qvm.from_dict(data)).lost
    assert [text.split(":")[0] for text in lost] == ["node 'open'", "node 'cx'", "node 't'"]
