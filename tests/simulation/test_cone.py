"""Expectation values of a few qubits of a large circuit: only the gates in their light cone are simulated."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast import Circuit, Parameter, PauliSum
from qfast.circuit.operators import Projector
from qfast.simulation.light_cone import light_cone


def brickwork(num_qubits: int, layers: int) -> Circuit:
    """Rotations and entangling gates of neighbours; every second rotation has a parameter of its own."""
    circuit = Circuit(num_qubits, 1)
    for layer in range(layers):
        for q in range(num_qubits):
            circuit.ry(Parameter(f"t{layer:02d}_{q:02d}") if q % 2 else 0.3 * q + layer, q).rz(0.1 * q, q)
        for q in range(layer % 2, num_qubits - 1, 2):
            circuit.append("fsim", [q, q + 1], [0.4, 0.2 * q])
    return circuit.barrier().measure(0, 0)


@pytest.mark.parametrize("qubits", [[0], [13], [6, 7], [0, 13]])
def test_the_cone_gives_what_the_whole_circuit_gives(where, rng, qubits) -> None:
    circuit = brickwork(14, 3)
    program = qfast.compile(circuit, **where)
    values = rng.normal(size=(3, len(program.parameters)))
    letters = "".join(rng.choice(list("XYZ"), len(qubits)))
    observable = PauliSum([(letters, qubits, 0.7), ("Z", [qubits[0]], -1.3), ("Y", [qubits[-1]], 0.2j)])
    wanted = [state.expectation(observable) for state in program.iter_simulate(values)]
    assert program.expectation(values, observable) == pytest.approx(np.array(wanted), abs=1e-13)
    assert program.expectation(values[0], observable) == pytest.approx(wanted[0], abs=1e-13)
    named = dict(zip([parameter.name for parameter in program.parameters], values[1].tolist(), strict=True))
    assert program.expectation(named, observable) == pytest.approx(wanted[1], abs=1e-13)


def test_a_cone_holds_the_qubits_that_gates_lead_to() -> None:
    circuit = brickwork(14, 3)
    cone = light_cone(circuit, circuit.parameters, 1 << 7)
    assert cone is not None
    assert cone.qubits.tolist() == [4, 5, 6, 7, 8, 9]
    assert [parameter.name for parameter in cone.circuit.parameters] == [
        circuit.parameters[column].name for column in cone.columns.tolist()
    ]
    assert light_cone(circuit, circuit.parameters, (1 << 14) - 1) is None
    assert light_cone(brickwork(4, 8), brickwork(4, 8).parameters, 1) is None


def test_a_few_qubits_of_a_circuit_too_large_for_a_state() -> None:
    """The state of the cone is all that has to fit."""
    circuit = brickwork(20, 2)
    with qfast.config.override(max_job_bytes=1 << 20):
        program = qfast.compile(circuit)
        values = np.zeros(len(program.parameters))
        with pytest.raises(qfast.errors.CapacityError):
            program.simulate(values)
        found = program.expectation(values, PauliSum([("ZZ", [9, 10])]))
    state = qfast.compile(circuit).simulate(values)
    assert found == pytest.approx(state.expectation(PauliSum([("ZZ", [9, 10])])), abs=1e-13)


def test_other_observables_and_starts_take_the_whole_circuit(where, rng) -> None:
    circuit = Circuit(13).h(0).cx(0, 1).ry(0.4, 12)
    program = qfast.compile(circuit, **where)
    assert program.expectation([], Projector("1", [0])) == pytest.approx(0.5)
    start = qfast.simulate(Circuit(13).x(0), **where)
    assert program.expectation([], PauliSum([("X", [0])]), initial_state=start) == pytest.approx(0.0, abs=1e-13)
    assert program.expectation([], PauliSum([("ZZ", [0, 1]), ("Z", [12])])) == pytest.approx(1 + np.cos(0.4))
    assert program.expectation([], PauliSum([("", [], 2.5)])) == pytest.approx(2.5)
