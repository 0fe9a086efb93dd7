"""What a session saves: circuits of one structure are planned once, and their states lie in one buffer."""

from __future__ import annotations

from qfast import Circuit, _core
from qfast.jobs import Runtime, Session

WAIT_S = 20.0


def build(angle: float) -> Circuit:
    # Every qubit is touched: what few gates on few qubits leave is run without a plan.
    return Circuit(12).extend("h", range(12)).cx(0, 1).ry(angle, 2).rzz(2 * angle, 2, 3)


def test_a_circuit_built_anew_with_other_angles_plans_and_allocates_nothing() -> None:
    runtime = Runtime(budget_bytes=1 << 24)
    with Session("local::statevector", runtime=runtime, options={"engine": "native"}) as session:
        session.run(build(0.3), shots=10).result(WAIT_S)
        planned, buffers = _core.plan_cache_stats(), runtime.buffers.statistics()
        for step in range(1, 20):
            session.run(build(0.3 + 0.01 * step), shots=10).result(WAIT_S)
    planned_after, buffers_after = _core.plan_cache_stats(), runtime.buffers.statistics()
    assert planned_after["misses"] == planned["misses"]
    assert planned_after["hits"] == planned["hits"] + 19
    assert (buffers_after.created - buffers.created, buffers_after.reused - buffers.reused) == (0, 19)
    assert runtime.close(WAIT_S)
