"""Where mitigated circuits run: a noise model, a device's gates, and the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from qfast._typing import IntArray, UIntArray
from qfast.circuit import AnyCircuit, Circuit, PauliSum
from qfast.circuit.control_flow import Block, bodies_of
from qfast.circuit.gates import OPCODES
from qfast.engines import CancelToken
from qfast.engines.bits import words_of_rows
from qfast.errors import CircuitError, InputError
from qfast.mitigation.decoupling import decouple
from qfast.mitigation.options import Mitigation
from qfast.mitigation.readout import ReadoutCalibration, calibration_circuits
from qfast.mitigation.rewriting import in_gates_of
from qfast.noise import NoiseModel
from qfast.simulation.asks import Ask, Expectation, Output, Shots
from qfast.simulation.basis_counts import Basis, measured
from qfast.simulation.door import run
from qfast.simulation.request import Request
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import Samples

__all__ = ["Spent", "Target", "check_target"]

_DECISIONS = frozenset(OPCODES[name] for name in ("if_else", "while_loop", "switch_case", "assign"))


@dataclass(slots=True)
class Spent:
    """What a mitigated value took.

    Attributes
    ----------
    circuits : int
        Different circuits that ran, those of the calibration and every measurement basis included.
    shots, calibration_shots : int
        Of the circuits of interest, and of the calibration.
    windows : int
        Idle windows that were filled with pulses.
    gates_twirled : int
    """

    circuits: int = 0
    shots: int = 0
    calibration_shots: int = 0
    windows: int = 0
    gates_twirled: int = 0


@dataclass(slots=True)
class Target:
    """What circuits run on. Shots are numbered in the order in which they are asked for: shot i depends on (seed, i).

    Attributes
    ----------
    noise : NoiseModel
        Empty: exact.
    settings : RunSettings
    seed : int
    gates : tuple of str
        The device's; empty: all.
    check : callable, optional
        Refuses circuits that the device cannot run.
    progress : callable, optional
        Told the number of shots that each circuit took.
    """

    noise: NoiseModel
    settings: RunSettings
    seed: int
    gates: tuple[str, ...] = ()
    check: Callable[[Circuit], None] | None = None
    cancel: CancelToken | None = None
    progress: Callable[[int], None] | None = None
    spent: Spent = field(default_factory=Spent)
    _next_shot: int = 0

    def outcomes(
        self, circuit: Circuit, basis: Basis, mitigation: Mitigation, shots: int
    ) -> tuple[UIntArray, IntArray]:
        """Return the distinct outcomes of a circuit in a basis, bit j for ``basis.qubits[j]``, and their counts."""
        samples = self.run(measured(circuit, basis), mitigation, shots, "counts")
        first = circuit.num_clbits
        rows, counts = samples.slice(bits=range(first, first + len(basis.qubits))).histogram()
        return words_of_rows(rows)[:, 0], counts

    def run(self, circuit: Circuit, mitigation: Mitigation, shots: int, output: Output = "bits") -> Samples:
        """Sample a circuit, decoupled if the mitigation says so."""
        ask = Shots(shots, self.seed, output, first_shot=self._next_shot)
        samples: Samples = run(self._request(ask, circuit, mitigation), self.settings, self.cancel)
        self._next_shot += shots
        self.spent.shots += shots
        self.spent.circuits += 1
        if self.progress is not None:
            self.progress(shots)
        return samples

    def exact(self, circuit: Circuit, observables: Sequence[PauliSum], mitigation: Mitigation) -> list[float]:
        """Return exact expectation values of the noisy state, which no readout errors touch."""
        request = self._request(Expectation.of(list(observables)), circuit, mitigation)
        found = run(request, self.settings, self.cancel)
        self.spent.circuits += 1
        return [float(np.real(value)) for value in found.values]

    def _request(self, ask: Ask, circuit: Circuit, mitigation: Mitigation) -> Request:
        ready = self._ready(circuit, mitigation)
        return Request.of(ask, ready, None, self.settings.precision, noise=self.noise)

    def _ready(self, circuit: Circuit, mitigation: Mitigation) -> Circuit:
        """Return the circuit as the device takes it."""
        circuit = in_gates_of(circuit, self.gates)
        if mitigation.decoupling:
            circuit, number = decouple(circuit, self.noise.duration_of, mitigation.sequence)
            self.spent.windows += number
            circuit = in_gates_of(circuit, self.gates)
        if self.check is not None:
            self.check(circuit)
        return circuit

    def calibrate(self, num_qubits: int, qubits: Sequence[int], shots: int) -> ReadoutCalibration:
        """Measure how often each qubit is misread."""
        circuits = calibration_circuits(num_qubits, qubits)
        readings = [self.run(circuit, Mitigation(), shots).to_bool_array() for circuit in circuits]
        self.spent.shots -= len(circuits) * shots
        self.spent.calibration_shots += len(circuits) * shots
        return ReadoutCalibration.of_readings(qubits, readings)


def check_target(mitigation: Mitigation, noise: NoiseModel, circuit: Circuit) -> None:
    """Refuse what cannot work on a target, before anything runs.

    Raises
    ------
    InputError
        Decoupling without durations of gates; readout mitigation of a circuit that acts on what it has read.
    CircuitError
        Parameters are free.
    """
    if mitigation.readout:
        _check_decides_nothing(circuit)
    if mitigation.decoupling and not noise.has_durations:
        raise InputError(
            "decoupling needs to know how long gates take, and the noise model does not say; "
            "see NoiseModel.set_durations"
        )
    if circuit.num_parameters:
        raise CircuitError(
            f"the circuit has free parameters ({circuit.parameters[0].name}, …); error mitigation needs numbers: bind "
            "them"
        )


def _check_decides_nothing(circuit: AnyCircuit) -> None:
    """Refuse circuits whose course depends on bits: what was done because of a misreading cannot be undone."""
    for place, instruction in enumerate(circuit):
        if instruction.opcode in _DECISIONS:
            raise InputError(
                f"readout mitigation corrects what is read, not what a circuit does because of it: instruction {place} "
                f"is {instruction.label!r}, which acts on bits that may be misread; leave 'readout' out"
            )
        if isinstance(instruction.data, Block):
            for body in bodies_of(instruction.data):
                _check_decides_nothing(body)
