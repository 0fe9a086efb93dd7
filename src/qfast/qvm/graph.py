"""Job graphs as values: nodes that allocate, use, measure and free qubits, in an order that their resources give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from qfast.qvm.operations import OPERATIONS, Operation

__all__ = ["Condition", "Graph", "Guard", "Node"]

VERSION = "0.1"


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


def _thawed(value: Any) -> Any:
    """What pickles: a dictionary in place of a view of one."""
    return dict(value) if isinstance(value, MappingProxyType) else value


def _frozen(value: Any) -> Any:
    return MappingProxyType(value) if isinstance(value, dict) else value


def _node(*values: Any) -> Node:
    return Node(*map(_frozen, values))


def _graph(*values: Any) -> Graph:
    return Graph(*map(_frozen, values))


@dataclass(frozen=True, slots=True)
class Condition:
    """An event has a value."""

    event: str
    equals: int


@dataclass(frozen=True, slots=True)
class Guard:
    """When a node runs: where all conditions hold (``"and"``), or one of them (``"or"``)."""

    conditions: tuple[Condition, ...]
    type: str = "and"


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph.

    Attributes
    ----------
    id, op : str
    arguments : mapping
    qubits, channels : tuple of str
        Names; ``vqs`` and ``chs`` in JSON.
    inputs, produces : tuple of str
        Events read, besides the guard's, and written.
    capabilities : tuple of str
    guard : Guard or None
    metadata : mapping
        Carried along.
    """

    id: str
    op: str
    arguments: Mapping[str, Any] = field(default_factory=_nothing)
    qubits: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    guard: Guard | None = None
    metadata: Mapping[str, Any] = field(default_factory=_nothing)

    @property
    def operation(self) -> Operation:
        """The row of its op."""
        return OPERATIONS[self.op]

    @property
    def events_read(self) -> Iterator[str]:
        """Events of its inputs, then of its guard."""
        yield from self.inputs
        if self.guard is not None:
            for condition in self.guard.conditions:
                yield condition.event

    def to_dict(self) -> dict[str, Any]:
        """Return the node as JSON has it."""
        found: dict[str, Any] = {"id": self.id, "op": self.op}
        if self.arguments:
            found["args"] = dict(self.arguments)
        for key, names in (
            ("vqs", self.qubits), ("chs", self.channels), ("inputs", self.inputs), ("produces", self.produces),
            ("caps", self.capabilities),
        ):  # fmt: skip
            if names:
                found[key] = list(names)
        if self.guard is not None:
            conditions = [{"event": one.event, "equals": one.equals} for one in self.guard.conditions]
            is_simple = len(conditions) == 1 and self.guard.type == "and"
            found["guard"] = conditions[0] if is_simple else {"type": self.guard.type, "conditions": conditions}
        if self.metadata:
            found["metadata"] = dict(self.metadata)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return _node, tuple(_thawed(getattr(self, each.name)) for each in fields(self))


@dataclass(frozen=True, slots=True)
class Graph:
    """A job graph, version 0.1. Immutable; equal graphs have the same `digest`.

    Attributes
    ----------
    nodes : tuple of Node
        In the order in which they stand; what they share orders them, see `qfast.qvm.certify`.
    qubits, channels, events : tuple of str
        The declared resources.
    owners : mapping of str to str
        The tenant of a qubit that is not the caller's own.
    capabilities : tuple of str
        What the graph says it needs.
    description : str
    metadata : mapping

    Examples
    --------
    >>> from qfast import qvm
    >>> graph = qvm.from_dict({
    ...     "version": "0.1",
    ...     "program": {"nodes": [
    ...         {"id": "a", "op": "ALLOC_LQ", "args": {"n": 1}, "vqs": ["q"]},
    ...         {"id": "h", "op": "APPLY_H", "vqs": ["q"]},
    ...         {"id": "m", "op": "MEASURE_Z", "vqs": ["q"], "produces": ["bit"]},
    ...         {"id": "f", "op": "FREE_LQ", "vqs": ["q"]},
    ...     ]},
    ...     "resources": {"vqs": ["q"], "events": ["bit"]},
    ... })
    >>> graph
    <Graph: 4 nodes, 1 qubits, 0 channels, 1 events>
    """

    nodes: tuple[Node, ...]
    qubits: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    owners: Mapping[str, str] = field(default_factory=_nothing)
    capabilities: tuple[str, ...] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=_nothing)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, which `qfast.qvm.from_dict` reads."""
        found: dict[str, Any] = {"version": VERSION}
        if self.description:
            found["description"] = self.description
        found["program"] = {"nodes": [node.to_dict() for node in self.nodes]}
        resources: dict[str, Any] = {
            "vqs": list(self.qubits), "chs": list(self.channels), "events": list(self.events)
        }  # fmt: skip
        if self.owners:
            resources["owners"] = dict(self.owners)
        found["resources"] = resources
        if self.capabilities:
            found["caps"] = list(self.capabilities)
        if self.metadata:
            found["metadata"] = dict(self.metadata)
        return found

    def to_json(self, indent: int | None = 2) -> str:
        """Return JSON text, which `qfast.qvm.from_json` reads."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    @property
    def digest(self) -> str:
        """BLAKE2b of its canonical JSON, 32 bytes as hexadecimal text."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.blake2b(canonical.encode(), digest_size=32, person=b"qfast graph 0.1").hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return _graph, tuple(_thawed(getattr(self, each.name)) for each in fields(self))

    def __repr__(self) -> str:
        return (
            f"<Graph: {len(self.nodes)} nodes, {len(self.qubits)} qubits, {len(self.channels)} channels, "
            f"{len(self.events)} events>"
        )
