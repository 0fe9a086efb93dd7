"""Time evolution under a Pauli sum as a circuit: product formulas."""

from __future__ import annotations

from collections.abc import Iterable

from qfast.circuit.checks import as_index
from qfast.circuit.circuit import Circuit
from qfast.circuit.observable import PauliSum
from qfast.circuit.operators import check_hermitian
from qfast.circuit.parameter import ParameterExpression
from qfast.errors import CircuitError, ObservableError

__all__ = ["trotter_circuit"]

_Stage = tuple[int, float]  # group, part of the step's time


def trotter_circuit(
    hamiltonian: PauliSum,
    time: float | ParameterExpression,
    *,
    steps: int = 1,
    order: int = 2,
    num_qubits: int | None = None,
) -> Circuit:
    """Return a circuit that approximates exp(-i H t).

    Parameters
    ----------
    hamiltonian : PauliSum
        Hermitian.
    time : float, Parameter or expression
        Negative ones go back. With a parameter the circuit has a gradient by the time.
    steps : int, default 1
        The formula is repeated so many times, each for ``time / steps``.
    order : {1, 2, 4}
        The error falls as ``time * (time / steps)**order``.
    num_qubits : int, optional
        By default as many as the Hamiltonian is declared on.

    Returns
    -------
    Circuit
        A `pauli_rotation` for each term and stage, and a global phase for the identity.

    Raises
    ------
    ObservableError
        Not Hermitian, or no Pauli sum.
    CircuitError
        `steps`, `order` or `num_qubits` is not allowed.

    Notes
    -----
    Terms are put into groups that commute (`PauliSum.group_commuting`), within which the product is exact; neighbouring
    stages of one group are merged. Order 2 is the symmetric formula, order 4 Suzuki's recursion of it. Source: Suzuki
    1991, doi:10.1063/1.529425; errors: Childs et al. 2021, doi:10.1103/PhysRevX.11.011020.

    Examples
    --------
    >>> ising = PauliSum([("ZZ", [0, 1]), ("X", [0], 0.5), ("X", [1], 0.5)])
    >>> trotter_circuit(ising, 1.0, steps=10).count_ops()
    {'pauli_rotation': 31}
    """
    if not isinstance(hamiltonian, PauliSum):
        raise ObservableError(f"trotter_circuit: a PauliSum is needed, {type(hamiltonian).__name__} given")
    check_hermitian(hamiltonian, "trotter_circuit")
    count = as_index(steps)
    if count is None or count < 1:
        raise CircuitError(f"trotter_circuit: steps = {steps!r} must be a positive integer")
    width = hamiltonian.num_qubits if num_qubits is None else as_index(num_qubits)
    if width is None or width < hamiltonian.num_qubits:
        raise CircuitError(
            f"trotter_circuit: the Hamiltonian is declared on {hamiltonian.num_qubits} qubits, "
            f"num_qubits = {num_qubits!r} given"
        )
    constant, groups = _commuting_groups(hamiltonian)
    circuit = Circuit(width)
    for group, part in _merged(_stages(len(groups), order) * count):
        for letters, qubits, coefficient in groups[group]:
            circuit.pauli_rotation(letters, qubits, (2 * coefficient.real * part / count) * time)
    return circuit.gphase(-constant * time) if constant else circuit


def _commuting_groups(hamiltonian: PauliSum) -> tuple[float, list[PauliSum]]:
    """Return the coefficient of the identity, and the other terms in groups that commute."""
    constant = 0.0
    rest = []
    for letters, qubits, coefficient in hamiltonian.simplify():
        if qubits:
            rest.append((letters, qubits, coefficient.real))
        else:
            constant = coefficient.real
    return constant, PauliSum(rest).group_commuting(qubit_wise=False)


def _stages(num_groups: int, order: int) -> list[_Stage]:
    """Return the stages of one step, in the order in which they are applied."""
    forward = [(group, 1.0) for group in range(num_groups)]
    if order == 1:
        return forward
    symmetric = [(group, part / 2) for group, part in forward + forward[::-1]]
    if order == 2:
        return symmetric
    if order == 4:
        outer = 1 / (4 - 4 ** (1 / 3))
        parts = (outer, outer, 1 - 4 * outer, outer, outer)
        return [(group, part * scale) for scale in parts for group, part in symmetric]
    raise CircuitError(f"trotter_circuit: order {order!r} is unknown; 1, 2 and 4 are known")


def _merged(stages: Iterable[_Stage]) -> list[_Stage]:
    """Add up neighbouring stages of one group."""
    merged: list[_Stage] = []
    for group, part in stages:
        if merged and merged[-1][0] == group:
            merged[-1] = (group, merged[-1][1] + part)
        else:
            merged.append((group, part))
    return merged
