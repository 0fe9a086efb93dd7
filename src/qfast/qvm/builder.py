"""Graphs written in Python: a qubit lives as long as its ``with`` block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from qfast.errors import InputError
from qfast.qvm.graph import Condition, Graph
from qfast.qvm.operations import OPERATIONS
from qfast.qvm.reading import from_dict

__all__ = ["GraphBuilder"]


class GraphBuilder:
    """Writes a graph node by node; every method returns what the node produces.

    Parameters
    ----------
    description : str

    Examples
    --------
    >>> builder = GraphBuilder()
    >>> with builder.allocate(2) as (a, b):
    ...     builder.h(a)
    ...     builder.cx(a, b)
    ...     outcome = builder.measure(a)
    ...     with builder.when(outcome):
    ...         builder.x(b)
    ...     last = builder.measure(b)
    >>> [node.op for node in builder.graph().nodes][-3:]
    ['APPLY_X', 'MEASURE_Z', 'FREE_LQ']
    """

    def __init__(self, description: str = "") -> None:
        self._description = description
        self._nodes: list[dict[str, Any]] = []
        self._guards: list[Condition] = []
        self._names: dict[str, dict[str, None]] = {"vqs": {}, "chs": {}, "events": {}}

    def graph(self) -> Graph:
        """Return what was written so far.

        Raises
        ------
        VerificationError
            As for `qfast.qvm.from_dict`.
        """
        return from_dict(
            {
                "version": "0.1",
                "description": self._description,
                "program": {"nodes": self._nodes},
                "resources": {key: list(names) for key, names in self._names.items()},
            }
        )

    def add(
        self,
        op: str,
        qubits: tuple[str, ...] = (),
        *,
        arguments: Mapping[str, Any] | None = None,
        channel: str | None = None,
        inputs: tuple[str, ...] = (),
        num_events: int = 0,
    ) -> tuple[str, ...]:
        """Add a node of any operation, under the open `when` blocks; return the names of its events.

        Raises
        ------
        InputError
            `op` is no operation.
        """
        if op not in OPERATIONS:
            raise InputError(f"{op!r} is no operation of a graph; allowed: {', '.join(OPERATIONS)}")
        number = len(self._nodes)
        events = tuple(f"e{number}" if num_events == 1 else f"e{number}_{place}" for place in range(num_events))
        node: dict[str, Any] = {"id": f"n{number}", "op": op, "vqs": list(qubits)}
        if arguments:
            node["args"] = dict(arguments)
        if channel is not None:
            node["chs"] = [channel]
            self._names["chs"][channel] = None
        if inputs:
            node["inputs"] = list(inputs)
        if events:
            node["produces"] = list(events)
            self._names["events"].update(dict.fromkeys(events))
        if self._guards and OPERATIONS[op].allows_guard:
            conditions = [{"event": one.event, "equals": one.equals} for one in self._guards]
            node["guard"] = conditions[0] if len(conditions) == 1 else {"type": "and", "conditions": conditions}
        self._names["vqs"].update(dict.fromkeys(qubits))
        self._nodes.append(node)
        return events

    # --- life ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def allocate(self, num_qubits: int = 1, profile: str | None = None) -> Iterator[tuple[str, ...]]:
        """Allocate qubits for a ``with`` block; they are freed at its end.

        Yields
        ------
        tuple of str
            Their names.

        Raises
        ------
        InputError
            Inside `when`: what is alive must not depend on outcomes.
        """
        if self._guards:
            raise InputError("allocate stands inside when, but what is alive must not depend on outcomes; move it out")
        first = len(self._names["vqs"])
        names = tuple(f"q{first + place}" for place in range(num_qubits))
        arguments: dict[str, Any] = {"n": num_qubits}
        if profile is not None:
            arguments["profile"] = profile
        self.add("ALLOC_LQ", names, arguments=arguments)
        yield names
        self.add("FREE_LQ", names)

    @contextmanager
    def channel(self, first: str, second: str, fidelity: float = 1.0) -> Iterator[str]:
        """Open a channel between two qubits for a ``with`` block, which gets its name."""
        name = f"c{len(self._names['chs'])}"
        self.add("OPEN_CHAN", (first, second), arguments={"fidelity": fidelity}, channel=name)
        yield name
        self.add("CLOSE_CHAN", channel=name)

    @contextmanager
    def when(self, event: str, equals: int = 1) -> Iterator[None]:
        """Guard the nodes of a ``with`` block; blocks inside one another must all hold."""
        self._guards.append(Condition(event, equals))
        try:
            yield
        finally:
            self._guards.pop()

    def barrier(self, tag: str | None = None) -> None:
        """Order what was written before ahead of what follows."""
        if tag is None:
            self.add("FENCE_EPOCH")
        else:
            self.add("BAR_REGION", arguments={"tag": tag})

    # --- gates --------------------------------------------------------------------------------------------------------

    def h(self, qubit: str) -> None:
        """Hadamard."""
        self.add("APPLY_H", (qubit,))

    def s(self, qubit: str) -> None:
        """Phase of π/2."""
        self.add("APPLY_S", (qubit,))

    def sdg(self, qubit: str) -> None:
        """Phase of -π/2."""
        self.add("APPLY_SDG", (qubit,))

    def x(self, qubit: str) -> None:
        """Pauli X."""
        self.add("APPLY_X", (qubit,))

    def y(self, qubit: str) -> None:
        """Pauli Y."""
        self.add("APPLY_Y", (qubit,))

    def z(self, qubit: str) -> None:
        """Pauli Z."""
        self.add("APPLY_Z", (qubit,))

    def t(self, qubit: str) -> None:
        """Phase of π/4."""
        self.add("APPLY_T", (qubit,))

    def tdg(self, qubit: str) -> None:
        """Phase of -π/4."""
        self.add("APPLY_TDG", (qubit,))

    def rx(self, theta: float, qubit: str) -> None:
        """Rotation about X by `theta` radians."""
        self.add("APPLY_RX", (qubit,), arguments={"theta": theta})

    def ry(self, theta: float, qubit: str) -> None:
        """Rotation about Y by `theta` radians."""
        self.add("APPLY_RY", (qubit,), arguments={"theta": theta})

    def rz(self, theta: float, qubit: str) -> None:
        """Rotation about Z by `theta` radians."""
        self.add("APPLY_RZ", (qubit,), arguments={"theta": theta})

    def cx(self, control: str, target: str) -> None:
        """Flip the target where the control is 1."""
        self.add("APPLY_CNOT", (control, target))

    def cz(self, first: str, second: str) -> None:
        """Controlled Z."""
        self.add("APPLY_CZ", (first, second))

    def swap(self, first: str, second: str) -> None:
        """Exchange two qubits."""
        self.add("APPLY_SWAP", (first, second))

    def inject_t(self, qubit: str) -> None:
        """T by a magic state."""
        self.add("INJECT_T_STATE", (qubit,))

    def teleport_cx(self, control: str, target: str, channel: str) -> None:
        """CNOT through a channel."""
        self.add("TELEPORT_CNOT", (control, target), channel=channel)

    def pauli(self, letters: str, qubits: tuple[str, ...], inputs: tuple[str, ...]) -> None:
        """Apply a Pauli where the exclusive-or of events is 1."""
        self.add("COND_PAULI", qubits, arguments={"pauli": letters}, inputs=inputs)

    def reset(self, *qubits: str) -> None:
        """Put qubits to |0⟩."""
        self.add("RESET", qubits)

    # --- measurements -------------------------------------------------------------------------------------------------

    def measure(self, qubit: str, basis: str | float = "Z") -> str:
        """Measure in a basis: "Z", "X", "Y", or an angle in radians from Z towards X; return the event."""
        if isinstance(basis, str):
            if basis not in ("X", "Y", "Z"):
                raise InputError(f"basis {basis!r} is not known; allowed: 'X', 'Y', 'Z', or an angle in radians")
            (event,) = self.add(f"MEASURE_{basis}", (qubit,), num_events=1)
        else:
            (event,) = self.add("MEASURE_ANGLE", (qubit,), arguments={"angle": basis}, num_events=1)
        return event

    def measure_bell(self, first: str, second: str) -> tuple[str, str]:
        """Measure in the Bell basis; return the events of the phase bit and of the parity bit."""
        phase, parity = self.add("MEASURE_BELL", (first, second), num_events=2)
        return phase, parity
