"""A user's script: mypy and pyright see what it uses, lazy names included. Checked with the package, never run."""

from __future__ import annotations

from typing import assert_type

import numpy as np

import qfast

circuit = qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
H = qfast.PauliSum([("ZZ", [0, 1], 1.0)])
noise = qfast.NoiseModel().add(qfast.channels.depolarizing(0.01), gates=["h"])

assert_type(qfast.simulate(circuit, precision=np.complex64), qfast.Statevector)
assert_type(qfast.simulate(circuit, noise=noise), qfast.DensityMatrix)
assert_type(qfast.sample(circuit, 100, seed=7, noise=noise, method="frames"), qfast.Samples)
assert_type(qfast.sample(circuit, 100).get_counts(), qfast.Counts)
assert_type(qfast.distribution(circuit), dict[str, float])
assert_type(qfast.expectation(circuit, H, shots=100), qfast.Estimate)
assert_type(qfast.expectation(circuit, [H, H]), list[qfast.Estimate])
assert_type(qfast.expectation(circuit, H).standard_error, float)
assert_type(qfast.compile(circuit), qfast.Program)
assert_type(noise, qfast.NoiseModel)

with qfast.Session("local::statevector", max_ttl=600) as session:
    assert_type(session, qfast.Session)
    assert_type(session.run(circuit, shots=100, seed=7), qfast.Job)
    assert_type(session.run([circuit, qfast.compile(circuit)], shots=100), qfast.Job)
with qfast.Batch() as batch:
    assert_type(batch, qfast.Batch)
assert_type(qfast.run(circuit, shots=10), qfast.Job)
assert_type(qfast.ShotPlan.for_observable(circuit, H, shots=100), qfast.ShotPlan)
