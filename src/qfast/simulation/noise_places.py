"""Which channels act where in a circuit, and what is misread at its end."""

from __future__ import annotations

import numpy as np

from qfast.circuit import AnyCircuit
from qfast.circuit.analysis import clbits_of
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.engines.bits import Wiring
from qfast.errors import CircuitError, InputError
from qfast.noise import NoiseModel, Place, ReadoutError

__all__ = ["Places", "draws", "final_measurements", "is_straight", "places_of", "readout_groups"]

_MEASURE, _RESET, _BARRIER = OPCODES["measure"], OPCODES["reset"], OPCODES["barrier"]

Places = tuple[tuple[Place, ...], tuple[Place, ...]]
"""What acts before and after an instruction."""


def draws(place: Place) -> bool:
    """Whether a channel needs a random number: not a single operator that is no Pauli string."""
    return place.channel.is_pauli or len(place.channel.operators) > 1


def places_of(circuit: AnyCircuit, noise: NoiseModel | None) -> list[Places]:
    """Return what acts before and after each instruction, idling included.

    Raises
    ------
    InputError
        A channel does not fit its gate, or acts on a qubit that the circuit does not have.
    """
    if noise is None:
        return [((), ())] * len(circuit)
    found: list[Places] = []
    idle = noise.idle_places(circuit)
    for row, opcode in enumerate(circuit.opcodes):
        waited = tuple(idle.get(row, ()))
        if opcode >= NUM_GATES and opcode not in (_MEASURE, _RESET):
            found.append((waited, ()))
            continue
        step = circuit._instruction(row)
        before, after = noise.places_at(step.label, step.all_qubits)
        for place in before + after:
            if max(place.qubits) >= circuit.num_qubits:
                raise InputError(
                    f"the noise model puts {place.channel.name!r} on qubits {list(place.qubits)} at '{step.label}' "
                    f"(instruction {row}), but the circuit has {circuit.num_qubits} qubits"
                )
        found.append((waited + before, after))
    at_end = tuple(idle.get(len(circuit), ()))
    if at_end:
        before, after = found[-1]
        found[-1] = before, after + at_end
    return found


def final_measurements(circuit: AnyCircuit, noise: NoiseModel | None = None) -> set[int]:
    """Return the rows of the measurements that may wait until the end.

    Nothing touches their qubits afterwards and nothing reads their bits. If noise acts on a qubit after its own
    measurement, there are none.
    """
    final = _untouched_measurements(circuit)
    if noise is None:
        return final
    measured: set[int] = set()
    for row, (before, after) in enumerate(places_of(circuit, noise)):
        for place in before + after:
            if not measured.isdisjoint(place.qubits):
                return set()
        if row in final:
            measured.add(circuit.qubits[circuit.qubit_end[row] - 1])
    return final


def _untouched_measurements(circuit: AnyCircuit) -> set[int]:
    final: set[int] = set()
    if _MEASURE not in circuit.opcodes:
        return final
    touched: set[int] = set()  # qubits that a later instruction acts on
    blocked: set[int] = set()  # bits that a later instruction reads, or writes before the end
    columns = circuit.columns
    all_qubits, ends = columns.qubits.tolist(), columns.qubit_end.tolist()
    opcodes, data = columns.opcodes.tolist(), columns.data.tolist()
    end = len(all_qubits)
    for row in range(len(opcodes) - 1, -1, -1):
        begin = ends[row - 1] if row else 0
        qubits = all_qubits[begin:end]
        end = begin
        opcode, number = opcodes[row], data[row]
        if opcode == _MEASURE:
            if qubits[0] not in touched and number not in blocked:
                final.add(row)
            else:
                touched.add(qubits[0])
                blocked.add(number)
        elif opcode != _BARRIER:
            touched.update(qubits)
            if opcode >= NUM_GATES and number >= 0:
                blocked |= clbits_of(circuit.data_items[number])
        if len(touched) == circuit.num_qubits:
            break
    return final


def is_straight(circuit: AnyCircuit, final: set[int]) -> bool:
    """Whether a circuit is gates, barriers and measurements that may wait until the end."""
    return all(opcode < NUM_GATES or opcode == _BARRIER or row in final for row, opcode in enumerate(circuit.opcodes))


def readout_groups(wiring: Wiring, noise: NoiseModel) -> list[tuple[ReadoutError, tuple[int, ...]]]:
    """Return the readout errors of the measurements at the end, with the classical bits that each acts on.

    Raises
    ------
    CircuitError
        Qubits that are read together are not all measured, each into one bit.
    """
    bits_of: dict[int, list[int]] = {}
    for bit, qubit in enumerate(wiring.sources):
        if qubit >= 0:
            bits_of.setdefault(qubit, []).append(bit)
    found: list[tuple[ReadoutError, tuple[int, ...]]] = []
    for qubit, bits in bits_of.items():
        entry = noise.readout_of(qubit)
        if entry is None or np.array_equal(entry[0].probabilities, np.eye(len(entry[0].probabilities))):
            continue
        error, group = entry
        if len(group) == 1:
            found += [(error, (bit,)) for bit in bits]
            continue
        if any(len(bits_of.get(other, ())) != 1 for other in group):
            raise CircuitError(
                f"the readout error on qubits {list(group)} needs each of them measured into one classical bit at the "
                "end of the circuit; measure them, or give single qubits readout errors of their own"
            )
        if qubit == min(group):
            found.append((error, tuple(bits_of[other][0] for other in group)))
    return found
