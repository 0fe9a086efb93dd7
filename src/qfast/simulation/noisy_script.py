"""A circuit with its noise as a script: gates, channels, measurements and what is misread, in the order they happen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qfast.circuit import AnyCircuit, Circuit
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.engines.bits import Wiring
from qfast.errors import CircuitError, InputError
from qfast.noise import NoiseModel, Place, ReadoutError
from qfast.simulation.script import Measure, Script, _Builder, _final_measurements, script_of

__all__ = ["Misread", "Noise", "final_measurements", "is_straight", "noisy_script", "places_of", "readout_groups"]

_MEASURE, _RESET, _BARRIER = OPCODES["measure"], OPCODES["reset"], OPCODES["barrier"]


@dataclass(slots=True)
class Noise:
    """A channel acts."""

    place: Place


@dataclass(slots=True)
class Misread:
    """A classical bit that a measurement has just written may be flipped."""

    bit: int
    error: ReadoutError


Places = tuple[tuple[Place, ...], tuple[Place, ...]]
"""What acts before and after an instruction."""


def places_of(circuit: AnyCircuit, noise: NoiseModel) -> list[Places]:
    """Return what acts before and after each instruction, idling included.

    Raises
    ------
    InputError
        A channel does not fit its gate, or acts on a qubit that the circuit does not have.
    """
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


def final_measurements(circuit: AnyCircuit, noise: NoiseModel) -> set[int]:
    """Return the rows of the measurements that may wait until the end: none, if noise acts on a qubit after its own."""
    final = _final_measurements(circuit)
    measured: set[int] = set()
    for row, (before, after) in enumerate(places_of(circuit, noise)):
        for place in before + after:
            if not measured.isdisjoint(place.qubits):
                return set()
        if row in final:
            measured.add(circuit.qubits[circuit.qubit_end[row] - 1])
    return final


def is_straight(circuit: AnyCircuit, final: set[int]) -> bool:
    """Whether a circuit is gates, barriers and measurements that may wait until the end."""
    return all(opcode < NUM_GATES or opcode == _BARRIER or row in final for row, opcode in enumerate(circuit.opcodes))


def noisy_script(circuit: AnyCircuit, noise: NoiseModel) -> tuple[Script, list[Circuit]]:
    """Flatten a circuit and its noise; see `script_of`. Some steps are `Noise` or `Misread`."""
    final = final_measurements(circuit, noise)
    plain, _ = script_of(circuit)
    builder = _NoisyBuilder(noise)
    builder.add_block(circuit, skipped=final)
    pairs = [(circuit.qubits[circuit.qubit_end[row] - 1], circuit.data[row]) for row in sorted(final)]
    wiring = Wiring(pairs, circuit.num_clbits)
    if not any(opcode == _MEASURE for opcode in circuit.opcodes):
        wiring = plain.wiring
        pairs = [(run.source + k, 0) for run in wiring.runs for k in range(run.width)]
    script = Script(
        steps=tuple(builder.steps),
        wiring=wiring,
        measured=tuple(dict.fromkeys(qubit for qubit, _ in pairs)),
        registers=plain.registers,
        variables=plain.variables,
        is_static=False,
    )
    return script, builder.segments


class _NoisyBuilder(_Builder):
    """Puts channels and misreadings between the steps of a circuit."""

    def __init__(self, noise: NoiseModel) -> None:
        super().__init__()
        self._noise = noise

    def add_block(self, circuit: AnyCircuit, skipped: set[int] | None = None) -> None:
        gates: list[int] = []
        for row, (before, after) in enumerate(places_of(circuit, self._noise)):
            opcode = circuit.opcodes[row]
            if before:
                self._flush(circuit, gates)
                self.steps += [Noise(place) for place in before]  # type: ignore[misc]
            if opcode < NUM_GATES:
                gates.append(row)
            elif opcode != _BARRIER and not (skipped and row in skipped):
                self._flush(circuit, gates)
                self._add_row(circuit, row, opcode)
                self._add_misread()
            if after:
                self._flush(circuit, gates)
                self.steps += [Noise(place) for place in after]  # type: ignore[misc]
        self._flush(circuit, gates)

    def _add_misread(self) -> None:
        step = self.steps[-1] if self.steps else None
        if not isinstance(step, Measure) or step.bit is None:
            return
        found = self._noise.readout_of(step.qubit)
        if found is None:
            return
        error, group = found
        if len(group) > 1:
            raise CircuitError(
                f"the readout error on qubits {list(group)} needs all of them measured at the end of the circuit, but "
                f"qubit {step.qubit} is measured in the middle; give it a readout error of its own"
            )
        self.steps.append(Misread(step.bit, error))  # type: ignore[arg-type]


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
