"""The harness that compares qfast with other simulators."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers.adapters._prepared import Prepared, ansatz_rows, matrix_of, z_means
from benchmarks.peers.catalog import PEERS, Peer, Setting
from benchmarks.peers.contest import Job, Policy, Workers, difference, hold
from benchmarks.peers.environment import interpreter, thread_environment
from benchmarks.peers.protocol import PeerError, WorkerProcess
from benchmarks.peers.report import tables
from benchmarks.peers.tasks import TASKS
from benchmarks.peers.worker import Worker
from qfast.benchmark.canonical import operation_matrix
from qfast.benchmark.families import Operation, ansatz_operations

PROCESS = {"python": Path(sys.executable), "env": thread_environment(1)}


def worker_with(run: Any) -> Worker:
    adapter = types.SimpleNamespace(versions=lambda: {"fake": "1"}, prepare=lambda *_: Prepared(run=run))
    worker = Worker(adapter)  # type: ignore[arg-type]
    worker.answer({"op": "prepare", "spec": {}, "precision": "complex128", "threads": 1, "options": {}})
    return worker


def test_a_worker_counts_its_runs_and_times_each(tmp_path: Path) -> None:
    seen: list[int] = []
    worker = worker_with(lambda i: (seen.append(i), np.arange(3.0))[1])
    reply = worker.answer({"op": "run", "times": 3})
    assert seen == [0, 1, 2]
    assert len(reply["run_s"]) == len(reply["fetch_s"]) == 3
    worker.answer({"op": "save", "path": str(tmp_path / "x.npy")})
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), [0, 1, 2])


def test_a_worker_without_a_job_says_so() -> None:
    worker = worker_with(lambda i: i)
    worker.answer({"op": "drop"})
    with pytest.raises(ValueError, match="no job has been prepared"):
        worker.answer({"op": "run", "times": 1})


def test_a_worker_that_cannot_start_is_reported_with_its_last_words() -> None:
    process = WorkerProcess(PROCESS["python"], "nonesuch", PROCESS["env"], timeout_s=60)
    with process, pytest.raises(PeerError, match=r"nonesuch: ended with code 1: .*ModuleNotFoundError"):
        process.request("hello")


def test_a_worker_that_does_not_answer_in_time_is_killed() -> None:
    process = WorkerProcess(PROCESS["python"], "qfast_engine", PROCESS["env"], timeout_s=1e-3)
    with process, pytest.raises(PeerError, match=r"no answer within 0\.001 s; killed"):
        process.request("hello")


def test_an_error_of_the_simulator_is_reported_and_the_worker_lives_on() -> None:
    with WorkerProcess(PROCESS["python"], "qfast_engine", PROCESS["env"], timeout_s=60) as process:
        with pytest.raises(PeerError, match="qfast_engine: ValueError: unknown request 'dance'"):
            process.request("dance")
        assert "qfast" in process.request("hello")["versions"]


def test_a_peer_that_is_not_installed_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match=r"prism: not installed below .*; run once with --install"):
        interpreter("prism", tmp_path)


def test_a_contest_reports_the_peer_that_fails_and_times_the_others(tmp_path: Path) -> None:
    job = Job("bind-4", TASKS["bind-4"].to_spec(), {"complex128": 1e-9})
    policy = Policy(threads=1, visits=2, burst_s=1e-3, pause_s=0.0, timeout_s=60)
    lines: list[str] = []
    with Workers(tmp_path, policy) as workers:
        entrants = [("reference", "complex128"), ("prism", "complex128")]
        ours, theirs = hold(job, entrants, workers, policy, tmp_path, lines.append)
    assert ours.error is None
    assert ours.difference == 0
    assert ours.median_s is not None
    assert ours.median_s > 0
    assert theirs.error is not None
    assert "not installed" in theirs.error
    assert theirs.median_s is None
    assert "FAILED" in lines[1]


def test_a_wrong_result_is_not_timed(tmp_path: Path) -> None:
    job = Job("bind-4", TASKS["bind-4"].to_spec(), {"complex128": 1e-9, "complex64": 1e-30})
    policy = Policy(threads=1, visits=1, burst_s=1e-3, pause_s=0.0, timeout_s=60)
    with Workers(tmp_path, policy) as workers:
        entrants = [("qfast", "complex128"), ("reference", "complex64")]
        _, single = hold(job, entrants, workers, policy, tmp_path, lambda line: None)
    assert single.error is not None
    assert "wrong result: differs by" in single.error
    assert single.run_s == []


def test_difference_of_states_ignores_a_global_phase_but_not_the_norm() -> None:
    rng = np.random.default_rng(1)
    state = rng.normal(size=64) + 1j * rng.normal(size=64)
    state /= np.linalg.norm(state)
    assert difference("state", state * np.exp(0.7j), state) < 1e-14
    assert difference("state", state * 1.1, state) == pytest.approx(0.21)
    assert difference("state", np.roll(state, 1), state) > 0.1
    assert difference("state", state[:32], state) == float("inf")


def test_every_peer_has_settings_for_states_and_an_adapter() -> None:
    folder = Path(sys.modules[Prepared.__module__].__file__ or "").parent
    for peer in PEERS.values():
        assert peer.settings("state")
        assert (folder / f"{peer.adapter}.py").is_file()
        assert peer.settings("levitation") == ()


def test_the_adapters_share_the_ansatz_and_the_matrices_of_qfast() -> None:
    angles = np.random.default_rng(3).uniform(-1, 1, (2, 2, 3))
    rows = ansatz_rows(3, 2, angles.ravel().tolist())
    expected = ansatz_operations(3, angles)
    assert [(name, tuple(qubits), tuple(params)) for name, qubits, params in rows] == [
        (operation.name, operation.qubits, operation.params) for operation in expected
    ]
    fsim = operation_matrix(Operation("fsim", (0, 1), (0.3, 0.4)))
    np.testing.assert_allclose(matrix_of("fsim", [0.3, 0.4], None), fsim, atol=1e-15)


def test_z_means_reads_qubit_0_from_the_lowest_bit() -> None:
    np.testing.assert_allclose(z_means({0b01: 3, 0b10: 1}, 2), [-0.5, 0.5])


def entry(peer: str, seconds: float | None, **more: Any) -> dict[str, Any]:
    return {
        "peer": peer,
        "precision": "complex128",
        "contest_precision": "complex128",
        "setting": "default",
        "median_s": seconds,
        "versions": {peer: "1"},
        "error": None if seconds else "broken",
    } | more


def test_the_table_names_the_rival_the_ratio_and_the_failures() -> None:
    contest = {"name": "qft-20", "kind": "state", "family": "qft", "num_qubits": 20, "precision": "complex128"}
    data = {
        "fingerprint": {"cpu": "c", "caches": ["L1"], "date": "d", "qfast": "0", "isa": "avx2"},
        "policy": {"threads": 2},
        "not_installed": {"qsim": "no wheel"},
        "contests": [
            contest
            | {
                "least_s": 0.001,
                "entries": [
                    entry("qfast", 0.002),
                    entry("reference", 0.001),  # qfast's own engines are no rivals
                    entry("prism", 0.008, setting="tile 2^15"),
                    entry("qulacs", 0.02),
                    entry("aer", None),
                ],
            }
        ],
    }
    text = tables(data)
    assert "| qft | 20 | 2 | 50 % | PRISM-Q | 4.00 | 1 | 8 (tile 2^15) | 20 | failed |" in text
    assert "Geometric mean of rival / qfast: 4.00" in text
    assert "- qft-20, aer: broken" in text
    assert "- installation, qsim: no wheel" in text


def test_a_setting_of_a_peer_can_have_its_own_environment() -> None:
    peer = Peer("t", "qfast_engine", (), ("complex64",), (Setting("a", env={"X": "1"}),), {})
    assert peer.settings("state")[0].env == {"X": "1"}
