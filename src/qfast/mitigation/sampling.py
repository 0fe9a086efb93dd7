"""Samples with error mitigation: twirled and decoupled circuits, and misreadings undone in the distribution."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from qfast._typing import IntArray
from qfast.circuit import AnyCircuit, Circuit
from qfast.circuit.control_flow import Block, bodies_of
from qfast.circuit.gates import OPCODES
from qfast.circuit.shot_plan import split_shots
from qfast.errors import InputError
from qfast.mitigation.options import Mitigation
from qfast.mitigation.readout import QuasiDistribution, ReadoutCalibration, mitigated_distribution
from qfast.mitigation.target import Target
from qfast.mitigation.twirling import twirl
from qfast.simulation.samples import Samples
from qfast.simulation.script import script_of
from qfast.simulation.seeds import derived_seed

__all__ = ["check_samplable", "mitigated_samples"]

_MEASURE = OPCODES["measure"]


def check_samplable(mitigation: Mitigation) -> None:
    """Raise ``InputError`` for methods that need an expectation value."""
    if mitigation.zne:
        raise InputError(
            "zero-noise extrapolation ('zne') works on expectation values, not on shots; ask for observables (an "
            "Estimator, a ShotPlan), or leave it out"
        )


def mitigated_samples(circuit: Circuit, shots: int, mitigation: Mitigation, target: Target) -> Samples:
    """Sample a bound circuit.

    Parameters
    ----------
    circuit : Circuit
    shots : int
        Shared by the randomisations, if it is twirled.
    mitigation : Mitigation
    target : Target

    Returns
    -------
    Samples
        The shots as they were read. ``metadata["mitigation"]``: ``methods``, ``cost``, and with readout mitigation
        ``quasi_distribution``, a `QuasiDistribution`, and ``readout``, the calibration.
    """
    check_samplable(mitigation)
    sources = _sources(circuit)
    calibration = _calibration(circuit, mitigation, target, sorted({q for q in sources if q >= 0}))
    parts = split_shots(shots, -(-shots // mitigation.randomizations)) if mitigation.twirling else [shots]
    drawn = []
    for number, part in enumerate(parts):
        variant = circuit
        if mitigation.twirling:
            variant, twirled = twirl(circuit, derived_seed(target.seed, "randomization", 0, 0, number))
            target.spent.gates_twirled = max(target.spent.gates_twirled, twirled)
        drawn.append(target.run(variant, mitigation, part))
    samples = drawn[0]
    if len(drawn) > 1:
        samples = Samples(
            samples.registers, rows=np.concatenate([part.packed() for part in drawn]), metadata=samples.metadata
        )
    report: dict[str, Any] = {"methods": list(mitigation.names), "cost": asdict(target.spent)}
    if calibration is not None:
        report["readout"] = calibration.to_dict()
        report["quasi_distribution"] = _distribution(samples, sources, calibration)
    samples.add_metadata(shots=shots, mitigation=report)
    return samples


def _sources(circuit: Circuit) -> list[int]:
    """Return the qubit that each bit was read from, at the end or in the middle; -1: none writes it."""
    found = list(script_of(circuit).wiring.sources)
    in_the_middle: dict[int, int] = {}
    _add_measurements(circuit, in_the_middle)
    return [in_the_middle.get(bit, -1) if qubit < 0 else qubit for bit, qubit in enumerate(found)]


def _add_measurements(circuit: AnyCircuit, qubit_of: dict[int, int]) -> None:
    """Note the qubit of each bit's last measurement: what a misreading changes is the bit, not the state."""
    for row, opcode in enumerate(circuit.opcodes):
        if opcode == _MEASURE:
            qubit_of[circuit.data[row]] = circuit._instruction(row).qubits[0]
        elif circuit.data[row] >= 0 and isinstance(block := circuit.data_items[circuit.data[row]], Block):
            for body in bodies_of(block):
                _add_measurements(body, qubit_of)


def _calibration(
    circuit: Circuit, mitigation: Mitigation, target: Target, qubits: list[int]
) -> ReadoutCalibration | None:
    if isinstance(mitigation.readout, ReadoutCalibration):
        return mitigation.readout
    if not mitigation.readout or not qubits:
        return None
    return target.calibrate(circuit.num_qubits, qubits, mitigation.calibration_shots)


def _distribution(samples: Samples, sources: Any, calibration: ReadoutCalibration) -> QuasiDistribution:
    """Bits that no measurement writes are taken as they are."""
    flips = np.zeros((samples.num_bits, 2))
    for bit, qubit in enumerate(sources):
        if qubit >= 0:
            flips[bit] = calibration.of([qubit])[0]
    rows, counts = samples.histogram()
    bits = np.unpackbits(rows, axis=1, count=samples.num_bits, bitorder="little")
    found: IntArray = counts
    return mitigated_distribution(bits, found, flips)
