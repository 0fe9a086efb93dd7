"""Results in files, sweeps that go on where they were stopped, checkpoints that are damaged or taken, and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qfast
from qfast.devices import Device
from qfast.errors import InputError, ShotPlanError
from qfast.jobs import (
    Batch,
    Estimator,
    Job,
    PrimitiveResult,
    Runtime,
    Sampler,
    Session,
    load_result,
    run,
    save_result,
    submit,
)
from qfast.jobs.file_claim import FileClaim
from qfast.jobs.shot_files import read_plan_file
from tests.jobs.works import WAIT_S, Gated, Plain

BELL = qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
ZZ = qfast.PauliSum([("ZZ", [0, 1])])


# --- results ----------------------------------------------------------------------------------------------------------
def test_samples_and_states_come_back_as_they_were(tmp_path: Path, runtime: Runtime, device: Device) -> None:
    for result in (
        run(BELL, shots=100, seed=7, device=device, runtime=runtime).result(WAIT_S),
        qfast.sample(BELL, 50, 7, output="counts"),
    ):
        save_result(result, tmp_path / "r.npz")
        found = load_result(tmp_path / "r.npz")
        assert found == result
        assert (found.registers, found.seed, found.has_bits) == (result.registers, 7, result.has_bits)
        assert found.metadata["tags" if "tags" in result.metadata else "seed"] is not None
    state = qfast.simulate(qfast.Circuit(2).h(0), precision="complex64")
    save_result(state, tmp_path / "r.npz")
    found = load_result(tmp_path / "r.npz")
    assert found.amplitudes.dtype == np.complex64
    assert found.amplitudes.tobytes() == state.amplitudes.tobytes()


def test_results_of_primitives_and_values_come_back_as_they_were(
    tmp_path: Path, runtime: Runtime, device: Device
) -> None:
    theta = qfast.Parameter("t")
    circuit = qfast.Circuit(1).ry(theta, 0)
    session = Session(device, runtime=runtime)
    sampled = Sampler(session).run([(circuit, [[0.1], [0.2]], 30), BELL], seed=3).result(WAIT_S)
    save_result(sampled, tmp_path / "s.npz")
    found: PrimitiveResult[Any] = load_result(tmp_path / "s.npz")
    assert [pub.shape for pub in found] == [(2,), ()]
    assert found[0].get_counts(1) == sampled[0].get_counts(1)
    assert found.metadata["job_id"] == sampled.metadata["job_id"]
    estimated = Estimator(session).run([(circuit, qfast.PauliSum([("Z", [0])]), [[0.1], [0.2]])]).result(WAIT_S)
    save_result(estimated, tmp_path / "e.npz")
    assert load_result(tmp_path / "e.npz")[0].expectation.tobytes() == estimated[0].expectation.tobytes()
    value = session.run(qfast.Circuit(2).h(0).cx(0, 1), observables=ZZ).result(WAIT_S)
    save_result(value, tmp_path / "v.npz")
    again = load_result(tmp_path / "v.npz")
    assert again == value
    assert again.metadata["telemetry"]["bytes"] == 0


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"PK\x03\x04" + b[40:]])
def test_a_damaged_file_is_told_of(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "r.npz"
    save_result(qfast.sample(BELL, 1000, 7), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="holds no result of qfast, or is damaged"):
        load_result(path)


def test_what_is_no_result_is_not_saved(tmp_path: Path) -> None:
    for wrong in (object(), {"a": 1}, [1.0]):
        with pytest.raises(InputError, match="cannot be saved; allowed"):
            save_result(wrong, tmp_path / "r.npz")
    with pytest.raises(InputError, match=r"the suffix must be \.npz"):
        save_result(1.0, tmp_path / "r.txt")
    assert list(tmp_path.iterdir()) == []


# --- sweeps that go on ------------------------------------------------------------------------------------------------
def sweep(batch: Batch) -> list[Any]:
    theta = qfast.Parameter("t")
    circuit = qfast.Circuit(1, 1).ry(theta, 0).measure(0, 0)
    return [batch.run(circuit, parameters={"t": 0.1 * k}, shots=200) for k in range(6)]


def found_in_checkpoint(jobs: list[Job]) -> list[bool]:
    return [("EXECUTE", "result_found_in_checkpoint") in job.execution_log for job in jobs]


def test_a_sweep_goes_on_from_its_folder(tmp_path: Path, runtime: Runtime, device: Device) -> None:
    plain = [job.result(WAIT_S).get_counts() for job in sweep(Batch(device, seed=5, runtime=runtime))]
    first = Batch(device, seed=5, runtime=runtime, checkpoint=tmp_path / "sweep")
    jobs = sweep(first)
    assert [job.result(WAIT_S).get_counts() for job in jobs] == plain
    assert not any(found_in_checkpoint(jobs))
    kept = sorted((tmp_path / "sweep").iterdir())
    assert len(kept) == 6
    kept[2].unlink()  # as if it had been stopped before
    again = sweep(Batch(device, seed=5, runtime=runtime, checkpoint=tmp_path / "sweep"))
    assert [job.result(WAIT_S).get_counts() for job in again] == plain
    assert sum(found_in_checkpoint(again)) == 5
    other = sweep(Batch(device, seed=6, runtime=runtime, checkpoint=tmp_path / "sweep"))
    assert [job.result(WAIT_S).shots for job in other] == [200] * 6
    assert not any(found_in_checkpoint(other))


def test_results_are_kept_under_all_that_they_depend_on(tmp_path: Path, runtime: Runtime, device: Device) -> None:
    batch = Batch(device, runtime=runtime, checkpoint=tmp_path)
    noise = qfast.NoiseModel().add(qfast.channels.bit_flip(0.1), gates=["h"])
    circuit = qfast.Circuit(2).h(0).cx(0, 1)
    variants: list[dict[str, Any]] = [
        {"seed": 1}, {"seed": 2, "shots": 5}, {"seed": 1, "shots": 5}, {"seed": 1, "observables": ZZ},
        {"seed": 1, "observables": [ZZ, ZZ]}, {"seed": 1, "shots": 5, "noise": noise},
        {"seed": 1, "options": {"precision": "complex64"}}, {"seed": 1, "initial_state": [0, 1, 0, 0]},
    ]  # fmt: skip
    for variant in variants:
        batch.run(circuit, **variant).result(WAIT_S)
    assert len(list(tmp_path.iterdir())) == len(variants)
    jobs = [batch.run(circuit, **variant) for variant in variants]
    for job in jobs:
        job.result(WAIT_S)
    assert all(found_in_checkpoint(jobs))
    for _ in range(2):
        job = Sampler(batch).run([BELL], seed=1)
        assert job.result(WAIT_S)[0].shots == 1024
    assert found_in_checkpoint([job]) == [True]


def test_what_cannot_be_found_again_is_refused(tmp_path: Path, runtime: Runtime, device: Device) -> None:
    batch = Batch(device, runtime=runtime, checkpoint=tmp_path)
    with pytest.raises(InputError, match="needs a seed"):
        batch.run(BELL, shots=5)
    with pytest.raises(InputError, match="'plain' has no fingerprint"):
        batch.submit(Plain(), seed=1)
    assert batch.close()


# --- checkpoints of plans ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:-40]])
def test_a_truncated_checkpoint_says_so(
    tmp_path: Path, runtime: Runtime, device: Device, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "plan.npz"
    plan = qfast.ShotPlan.for_observable(qfast.Circuit(2).h(0).cx(0, 1), ZZ, shots=100)
    session = Session(device, runtime=runtime)
    plan.run(session, seed=1, checkpoint=path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ShotPlanError, match="holds no shot plan, or is damaged"):
        plan.run(session, seed=1, checkpoint=path)


def test_two_jobs_do_not_write_one_file(tmp_path: Path, runtime: Runtime, device: Device) -> None:
    path = tmp_path / "plan.npz"
    plan = qfast.ShotPlan.for_observable(qfast.Circuit(2).h(0).cx(0, 1), ZZ, shots=100)
    claim = FileClaim(path)
    with pytest.raises(ShotPlanError, match="another job writes"):
        plan.run(Session(device, runtime=runtime), seed=1, checkpoint=path)
    claim.release()
    claim.release()
    result = plan.run(Session(device, runtime=runtime), seed=1, checkpoint=path)
    assert result.metadata["total_shots"] == 100
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.npz"]


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    code = "import sys, os; from pathlib import Path; from qfast.jobs.file_claim import FileClaim\n"
    code += "claim = FileClaim(Path(sys.argv[1])); os._exit(0)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.npz")], check=True, env=env)
    FileClaim(tmp_path / "x.npz").release()


# --- signals ----------------------------------------------------------------------------------------------------------
PROGRAM = """
    import sys, qfast
    from qfast.jobs import end_on_signals
    end_on_signals()
    circuit = qfast.Circuit(12)
    for k in range(12):
        circuit.ry(0.1 + k, k)
    H = qfast.PauliSum([("Z", [k]) for k in range(12)])
    plan = qfast.ShotPlan.for_observable(circuit, H, shots=int(sys.argv[2]), max_shots_per_segment=2000)

    def tell(done, total):
        print(done, flush=True)

    try:
        result = plan.submit("local::statevector", seed=7, checkpoint=sys.argv[1], progress=tell).result()
        print("result", result.expectation.hex(), flush=True)
    finally:
        print("finally", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_the_process_in_order_and_the_next_one_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    path, shots = tmp_path / "plan.npz", 400_000
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(path), str(shots)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        child.send_signal(number)
        told = first + child.stdout.read()
        assert child.wait(60) == 128 + number, told
    assert "finally" in told  # a worker may tell its progress meanwhile
    assert "Error" not in told
    kept = read_plan_file(path, qfast.ShotPlan).parts
    assert 0 < sum(segment.shots for segment, _ in kept) < shots
    again = subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout.splitlines()
    path.unlink()
    whole = subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout.splitlines()
    assert again[-2] == whole[-2]
    assert whole[-2].startswith("result ")


def test_signals_are_left_alone_unless_asked_for(runtime: Runtime, device: Device) -> None:
    before = signal.getsignal(signal.SIGTERM)
    gate = Gated()
    job = submit(gate, device=device, runtime=runtime)
    gate.let()
    job.result(WAIT_S)
    assert signal.getsignal(signal.SIGTERM) == before
