"""Noise models of Qiskit Aer, read from their own plain data; neither Qiskit nor Aer needs to be installed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from qfast._typing import ComplexArray
from qfast.circuit.gates import OPCODES, find_gate
from qfast.errors import InputError
from qfast.noise.channel import Channel, pauli_matrix
from qfast.noise.model import NoiseModel
from qfast.noise.readout import ReadoutError

__all__ = ["noise_from_qiskit"]


def noise_from_qiskit(model: Any, *, unknown: Literal["refuse", "skip"] = "refuse") -> NoiseModel:
    """Make a noise model of a ``qiskit_aer.noise.NoiseModel``.

    Parameters
    ----------
    model : qiskit_aer.noise.NoiseModel or mapping
        The object, or what its ``to_dict()`` returned, serializable or not.
    unknown : {"refuse", "skip"}
        What becomes of errors at instructions that qfast has no gate for, which no circuit of its own can meet.

    Returns
    -------
    NoiseModel
        Errors on all qubits are the fallback of those on named ones, as in Aer. Errors at ``delay`` act at ``id``: see
        the argument ``delays`` of ``from_qiskit``.

    Raises
    ------
    InputError
        An error holds an instruction that is no gate, no ``kraus`` and no ``reset``, or ``delay`` and ``id`` have
        different errors.

    Notes
    -----
    Source: the dictionary of ``NoiseModel.to_dict`` in qiskit-aer 0.18. Aer's Pauli strings have qubit 0 rightmost, and
    the first qubit of a matrix is the least significant bit, as here.
    """
    data: Any = model if isinstance(model, Mapping) else getattr(model, "to_dict", lambda: None)()
    if not isinstance(data, Mapping) or "errors" not in data:
        raise InputError(f"a qiskit_aer NoiseModel or its to_dict() is needed, {type(model).__name__} given")
    if unknown not in ("refuse", "skip"):
        raise InputError(f"noise_from_qiskit: unknown={unknown!r} is not known; allowed: 'refuse', 'skip'")
    _check_waiting(data["errors"])
    if unknown == "refuse":
        _check_known(data["errors"])
    result = NoiseModel()
    for place, error in enumerate(data["errors"]):
        where = f"error {place} of the Aer noise model"
        kind = error.get("type")
        if kind == "qerror":
            _add_quantum_error(result, error, where)
        elif kind == "roerror":
            table = np.asarray(error["probabilities"], dtype=np.float64)
            for qubits in error.get("gate_qubits") or [None]:
                result.add_readout(ReadoutError(table), None if qubits is None else list(qubits))
        else:
            raise InputError(f"{where} has type {kind!r}; 'qerror' and 'roerror' are known")
    return result


def _check_known(errors: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a model with errors at instructions that are no gates here, naming them all."""
    found = dict.fromkeys(name for error in errors if error.get("type") == "qerror" for name in error["operations"])
    strange = [name for name in found if name not in OPCODES and name != "delay"]
    if strange:
        raise InputError(
            f"the Aer noise model has errors at {', '.join(map(repr, strange))}, which are no gates of qfast; rename "
            "them to the gates that circuits have instead, or pass unknown='skip' to leave these errors out"
        )


def _check_waiting(errors: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a model in which waiting and the identity have errors of their own: both are ``id`` here."""
    at_delay, at_id = (
        [place for place, error in enumerate(errors) if name in error.get("operations", ())] for name in ("delay", "id")
    )
    if at_delay and at_id and at_delay != at_id:
        raise InputError(
            f"error {at_delay[0]} of the Aer noise model stands at 'delay' and error {at_id[0]} at 'id', which are one "
            "gate here; remove one of the two"
        )


def _add_quantum_error(result: NoiseModel, error: Mapping[str, Any], where: str) -> None:
    named = dict.fromkeys("id" if name == "delay" else name for name in error["operations"])
    gates = [name for name in named if name in OPCODES]
    if not gates:
        return
    channel = _channel(error["probabilities"], error["instructions"], where)
    targets = error.get("gate_qubits")
    for at_measure in (False, True):
        chosen = [name for name in gates if (name == "measure") == at_measure]
        if chosen:
            result.add(channel, chosen, None if targets is None else [list(t) for t in targets], fallback=not targets)


def _channel(probabilities: Sequence[float], circuits: Sequence[Sequence[Mapping[str, Any]]], where: str) -> Channel:
    """Make the channel of a probabilistic mixture of small circuits."""
    num_qubits = 1 + max((q for circuit in circuits for step in circuit for q in step["qubits"]), default=0)
    found: list[ComplexArray] = []
    for probability, circuit in zip(probabilities, circuits, strict=True):
        branches = [np.sqrt(probability) * np.eye(1 << num_qubits, dtype=np.complex128)]
        for step in circuit:
            operators = [_embedded(m, step["qubits"], num_qubits) for m in _operators(step, where)]
            branches = [operator @ branch for branch, operator in itertools.product(branches, operators)]
        found += branches
    return Channel.of_kraus(where, found).named("qiskit")


def _operators(step: Mapping[str, Any], where: str) -> list[ComplexArray]:
    """Kraus operators of one instruction on its own qubits."""
    name, params = step["name"], step.get("params", [])
    if name == "kraus":
        return [_matrix(matrix) for matrix in params]
    if name == "unitary":
        return [_matrix(params[0])]
    if name == "pauli":
        return [pauli_matrix(str(params[0])[::-1])]
    if name == "reset":
        return [np.array([[1, 0], [0, 0]], dtype=np.complex128), np.array([[0, 1], [0, 0]], dtype=np.complex128)]
    if name in OPCODES and find_gate(name).target_matrix is not None:
        return [find_gate(name).matrix([float(value) for value in params])]
    raise InputError(f"{where} holds instruction {name!r}; gates, 'pauli', 'unitary', 'kraus' and 'reset' are known")


def _matrix(given: Any) -> ComplexArray:
    """Read a matrix of complex numbers, or of pairs [real, imaginary] as ``to_dict(serializable=True)`` has them."""
    array = np.asarray(given)
    if array.ndim == 3 and array.shape[2] == 2:
        array = array[..., 0] + 1j * array[..., 1]
    return array.astype(np.complex128)


def _embedded(matrix: ComplexArray, qubits: Sequence[int], num_qubits: int) -> ComplexArray:
    """Extend a matrix on some qubits to all."""
    rest = [q for q in range(num_qubits) if q not in qubits]
    wide: ComplexArray = np.kron(np.eye(1 << len(rest)), matrix).astype(
        np.complex128
    )  # on the qubits in the order qubits, rest
    order = [*qubits, *rest]
    index = np.arange(1 << num_qubits)
    moved = np.zeros_like(index)
    for place, qubit in enumerate(order):
        moved |= (index >> qubit & 1) << place
    result: ComplexArray = wide[np.ix_(moved, moved)]
    return result
