"""Whether a circuit can run on a device as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qfast.circuit import AnyCircuit, Circuit
from qfast.circuit.control_flow import Block, bodies_of
from qfast.circuit.gates import OPCODES
from qfast.devices import Device
from qfast.errors import CircuitError
from qfast.mitigation.rewriting import in_gates_of
from qfast.simulation.basis_counts import Basis

__all__ = ["check_fits_device", "device_bases"]


def check_fits_device(circuit: AnyCircuit, device: Device) -> None:
    """Refuse a circuit with a gate or a pair of qubits that the device does not have: its noise would be missing.

    Raises
    ------
    CircuitError
        With the first instruction that does not fit.
    """
    if not device.is_restricted:
        return
    _check(circuit, device, {OPCODES[name] for name in device.gates}, "")


def _check(circuit: AnyCircuit, device: Device, allowed: set[int], inside: str) -> None:
    for place, instruction in enumerate(circuit):
        where = f"instruction {place}{inside}"
        if allowed and (instruction.opcode not in allowed or instruction.controls):
            raise CircuitError(
                f"gate {instruction.label!r} at {where} is not one of device {device.name}'s: "
                f"{', '.join(device.gates)}; transpile the circuit for the device first"
            )
        qubits = instruction.all_qubits
        if device.coupling is not None and instruction.is_gate and len(qubits) == 2 and qubits not in device.coupling:
            raise CircuitError(
                f"gate {instruction.label!r} at {where} acts on qubits {list(qubits)}, which device {device.name} does "
                "not couple; transpile the circuit for the device first"
            )
        if isinstance(instruction.data, Block):
            for body in bodies_of(instruction.data):
                _check(body, device, allowed, f" of a body at {where}")


@dataclass(frozen=True, slots=True)
class _DeviceBasis:
    """A measurement basis in the gates of a device."""

    basis: Basis
    gates: tuple[str, ...]

    @property
    def qubits(self) -> tuple[int, ...]:
        return self.basis.qubits

    def rotation(self, num_qubits: int) -> Circuit | None:
        rotation = self.basis.rotation(num_qubits)
        return None if rotation is None else in_gates_of(rotation, self.gates)


def device_bases(bases: Sequence[Basis], device: Device, circuit: AnyCircuit) -> list[Basis]:
    """Return measurement bases whose basis changes the device can make.

    Raises
    ------
    CircuitError
        It cannot: such as a Clifford basis change between qubits that are not coupled.
    """
    if not device.is_restricted:
        return list(bases)
    made = [_DeviceBasis(basis, device.gates) for basis in bases]
    for basis in made:
        rotation = basis.rotation(circuit.num_qubits)
        if rotation is not None:
            _check(rotation, device, {OPCODES[name] for name in device.gates}, " of a basis change")
    return list(made)
