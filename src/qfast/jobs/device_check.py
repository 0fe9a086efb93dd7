"""Whether a circuit can run on a device as it is."""

from __future__ import annotations

from qfast.circuit import Circuit
from qfast.circuit.control_flow import Block, bodies_of
from qfast.circuit.gates import OPCODES
from qfast.devices import Device
from qfast.errors import CircuitError

__all__ = ["check_fits_device"]


def check_fits_device(circuit: Circuit, device: Device) -> None:
    """Refuse a circuit with a gate or a pair of qubits that the device does not have: its noise would be missing.

    Raises
    ------
    CircuitError
        With the first instruction that does not fit.
    """
    if not device.is_restricted:
        return
    _check(circuit, device, {OPCODES[name] for name in device.gates}, "")


def _check(circuit: Circuit, device: Device, allowed: set[int], inside: str) -> None:
    for place, instruction in enumerate(circuit):
        where = f"instruction {place}{inside}"
        if instruction.opcode not in allowed or instruction.controls:
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
