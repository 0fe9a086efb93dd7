"""From JSON to a `Graph`: the form is checked whole, and every fault of it is told at once.

Time and memory are bounded whatever comes: texts above `MAX_TEXT_BYTES` are not read on, data nests at most `MAX_DEPTH`
deep, and of lists longer than `MAX_NODES` nothing is read.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from qfast.config.suggestions import nearest
from qfast.errors import InputError
from qfast.qvm.faults import Fault, check_no_faults
from qfast.qvm.graph import VERSION, Condition, Graph, Guard, Node
from qfast.qvm.operations import OPERATIONS

__all__ = ["MAX_NODES", "MAX_TEXT_BYTES", "from_dict", "from_file", "from_json"]

MAX_TEXT_BYTES = 64 << 20
MAX_NODES = 1 << 20
MAX_DEPTH = 32
MAX_NAME = 256
_MAX_VALUES = 1 << 12  # of one object of arguments or metadata
_MAX_FAULTS = 1000
_MAX_HINTS = 20  # faults whose message looks for the name that was meant

_NAME = re.compile(r"[A-Za-z_]\w*")
_GRAPH_FIELDS = ("version", "program", "resources", "caps", "description", "metadata")
_NODE_FIELDS = ("id", "op", "args", "vqs", "chs", "inputs", "produces", "caps", "guard", "metadata")
_RESOURCE_FIELDS = ("vqs", "chs", "events", "owners")


def from_file(path: str | os.PathLike[str]) -> Graph:
    """Read a graph from a JSON file.

    Raises
    ------
    VerificationError
        With every fault of its form: rule, node, what is allowed.
    OSError
        The file cannot be read.
    """
    with Path(path).open("rb") as file:
        text = file.read(MAX_TEXT_BYTES + 1)  # an endless file, too, is read to the bound only
    return from_json(text)


def from_json(text: str | bytes) -> Graph:
    """Read a graph from JSON text; errors as for `from_file`.

    Examples
    --------
    >>> from_json('{"version": "0.2", "program": {"nodes": []}, "resources": {}}')
    Traceback (most recent call last):
        ...
    qfast.errors.VerificationError: the graph has 1 fault; nothing was allocated
      graph [version]: version '0.2' is not known; allowed: '0.1'
    """
    if len(text) > MAX_TEXT_BYTES:
        check_no_faults([Fault("json", None, f"the text is longer than {MAX_TEXT_BYTES} bytes; split the graph")])
    faults = []
    data = None
    try:
        if isinstance(text, bytes):
            text = text.decode()
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        faults.append(Fault("json", None, f"the text nests deeper than {MAX_DEPTH} levels"))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError among them
        faults.append(Fault("json", None, f"the text is not JSON: {error}"))
    if not faults and not isinstance(data, dict):
        faults.append(Fault("schema", None, f"a graph is a JSON object, {_shown(data)} given"))
    check_no_faults(faults)
    assert isinstance(data, dict)
    return from_dict(data)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {_shown(twice)} twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def from_dict(data: Mapping[str, Any] | Graph) -> Graph:
    """Read a graph from plain data, which is copied; errors as for `from_file`.

    Raises
    ------
    InputError
        `data` is no mapping.
    """
    if isinstance(data, Graph):
        return data
    reader = _Reader()
    if not isinstance(data, Mapping):
        raise InputError(f"a graph is a mapping or a qvm.Graph, {type(data).__name__} given; read files with from_file")
    graph = reader.graph(data)
    check_no_faults(reader.faults)
    return graph


def _shown(value: Any) -> str:
    """A value in an error message: short, and without running foreign code of objects that JSON cannot hold."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "…")
    if value is None or isinstance(value, (bool, float)):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else "a number of more than 30 digits"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)} items"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


class _Reader:
    """Reads one graph and collects its faults; what is faulty is left out, so that reading goes on."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._values = 0

    def _fault(self, rule: str, node: str | None, message: str) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(Fault(rule, node, message))

    def _hint(self, name: Any, known: Collection[str]) -> str:
        """The nearest right name, where looking for it takes no time that matters."""
        if len(self.faults) >= _MAX_HINTS or len(known) > _MAX_VALUES or not isinstance(name, str):
            return ""
        return nearest(name[:MAX_NAME], known)

    def graph(self, data: Mapping[str, Any]) -> Graph:
        self._check_fields(data, _GRAPH_FIELDS, None, "the graph")
        version = data.get("version")
        if version != VERSION:
            self._fault("version", None, f"version {_shown(version)} is not known; allowed: '{VERSION}'")
        resources = self._object(data, "resources", None)
        self._check_fields(resources, _RESOURCE_FIELDS, None, "resources")
        qubits = self._declared(resources, "vqs")
        channels = self._declared(resources, "chs")
        events = self._declared(resources, "events")
        return Graph(
            nodes=self._nodes(data, set(qubits), set(channels), set(events)),
            qubits=qubits,
            channels=channels,
            events=events,
            owners=self._owners(resources, qubits),
            capabilities=self._names(data, "caps", None),
            description=self._text(data, "description"),
            metadata=self._plain_object(data, "metadata", None),
        )

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _nodes(self, data: Mapping[str, Any], *declared: set[str]) -> tuple[Node, ...]:
        program = self._object(data, "program", None)
        self._check_fields(program, ("nodes",), None, "program")
        listed = program.get("nodes")
        if not isinstance(listed, (list, tuple)):
            self._fault("schema", None, f"program.nodes is a list, {_shown(listed)} given")
            return ()
        if len(listed) > MAX_NODES:
            self._fault("limit-nodes", None, f"the graph has {len(listed)} nodes; allowed: at most {MAX_NODES}")
            return ()
        nodes: list[Node] = []
        seen: set[str] = set()
        for place, item in enumerate(listed):
            if not isinstance(item, Mapping):
                self._fault("schema", None, f"program.nodes[{place}] is an object, {_shown(item)} given")
                continue
            identifier = self._id(item, place, seen)
            node = self._node(item, identifier, declared)
            if node is not None:
                nodes.append(node)
        return tuple(nodes)

    def _id(self, item: Mapping[str, Any], place: int, seen: set[str]) -> str:
        value = item.get("id")
        if not isinstance(value, str) or len(value) > MAX_NAME or not _NAME.fullmatch(value):
            self._fault("node-id", None, f"program.nodes[{place}].id is {_shown(value)}; allowed: {_NAME.pattern}")
            return f"nodes[{place}]"
        if value in seen:
            self._fault("unique-id", value, f"program.nodes[{place}] has an id that an earlier node has; rename it")
        seen.add(value)
        return value

    def _node(self, item: Mapping[str, Any], identifier: str, declared: tuple[set[str], ...]) -> Node | None:
        self._check_fields(item, _NODE_FIELDS, identifier, "the node")
        name = item.get("op")
        row = OPERATIONS.get(name) if isinstance(name, str) else None
        qubits, channels = self._names(item, "vqs", identifier), self._names(item, "chs", identifier)
        inputs, produces = self._names(item, "inputs", identifier), self._names(item, "produces", identifier)
        guard = self._guard(item, identifier)
        arguments = self._plain_object(item, "args", identifier)
        if row is None:
            hint = self._hint(name, OPERATIONS)
            self._fault("known-op", identifier, f"op {_shown(name)} is not known{hint or '; see qfast.qvm.OPERATIONS'}")
            return None
        node = Node(
            identifier, row.name, arguments, qubits, channels, inputs, produces,
            self._names(item, "caps", identifier), guard, self._plain_object(item, "metadata", identifier),
        )  # fmt: skip
        for names, known, what in (
            (qubits, declared[0], "vqs"), (channels, declared[1], "chs"), (node.events_read, declared[2], "events"),
            (produces, declared[2], "events"),
        ):  # fmt: skip
            for one in names:
                if one not in known:
                    message = f"{_shown(one)} is not declared in resources.{what}{self._hint(one, known)}"
                    self._fault("declared", identifier, message)
        return node

    def _guard(self, item: Mapping[str, Any], node: str) -> Guard | None:
        value = item.get("guard")
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self._fault("schema", node, f"guard is an object, {_shown(value)} given")
            return None
        if "conditions" not in value and "type" not in value:
            condition = self._condition(value, node, "guard")
            return None if condition is None else Guard((condition,))
        self._check_fields(value, ("type", "conditions"), node, "guard")
        kind, listed = value.get("type"), value.get("conditions")
        if kind not in ("and", "or"):
            self._fault("schema", node, f"guard.type is {_shown(kind)}; allowed: 'and', 'or'")
        if not isinstance(listed, (list, tuple)) or not 1 <= len(listed) <= MAX_NAME:
            self._fault("schema", node, f"guard.conditions is a list of 1 to {MAX_NAME}, {_shown(listed)} given")
            return None
        conditions = [self._condition(one, node, "guard.conditions") for one in listed]
        return Guard(tuple(one for one in conditions if one is not None), "or" if kind == "or" else "and")

    def _condition(self, value: Any, node: str, where: str) -> Condition | None:
        if not isinstance(value, Mapping):
            self._fault("schema", node, f"{where}: a condition is an object, {_shown(value)} given")
            return None
        self._check_fields(value, ("event", "equals"), node, where)
        event, equals = value.get("event"), value.get("equals")
        if isinstance(event, str) and isinstance(equals, int) and not isinstance(equals, bool) and 0 <= equals <= 3:
            return Condition(event, equals)
        given = f"event {_shown(event)} equals {_shown(equals)}"
        self._fault("schema", node, f"{where}: {given}; needed: an event's name, and 0 or 1 (of a Bell index 0 … 3)")
        return None

    # --- fields -------------------------------------------------------------------------------------------------------

    def _check_fields(self, data: Mapping[str, Any], allowed: Collection[str], node: str | None, where: str) -> None:
        for name in data:
            if name not in allowed:
                hint = self._hint(name, allowed)
                self._fault("schema", node, f"{where} has no field {_shown(name)}{hint}; allowed: {', '.join(allowed)}")

    def _object(self, data: Mapping[str, Any], name: str, node: str | None) -> Mapping[str, Any]:
        value = data.get(name)
        if isinstance(value, Mapping):
            return value
        self._fault("schema", node, f"{name} is an object, {_shown(value)} given")
        return {}

    def _names(self, data: Mapping[str, Any], name: str, node: str | None) -> tuple[str, ...]:
        value = data.get(name, ())
        if not isinstance(value, (list, tuple)):
            self._fault("schema", node, f"{name} is a list of names, {_shown(value)} given")
            return ()
        for one in value:
            if not isinstance(one, str) or not 0 < len(one) <= MAX_NAME:
                self._fault(
                    "schema", node, f"{name} has {_shown(one)}; names of 1 to {MAX_NAME} characters are allowed"
                )
                return ()
        return tuple(value)

    def _declared(self, resources: Mapping[str, Any], name: str) -> tuple[str, ...]:
        found = self._names(resources, name, None)
        if len(set(found)) < len(found):
            seen: set[str] = set()
            twice = next(one for one in found if one in seen or seen.add(one))  # type: ignore[func-returns-value]
            self._fault("declared", None, f"resources.{name} declares {_shown(twice)} twice")
        return found

    def _owners(self, resources: Mapping[str, Any], qubits: tuple[str, ...]) -> Mapping[str, str]:
        value = resources.get("owners", {})
        if not isinstance(value, Mapping):
            self._fault("schema", None, f"resources.owners maps qubits to tenants, {_shown(value)} given")
            return {}
        for qubit, tenant in value.items():
            if qubit not in qubits or not isinstance(tenant, str) or not tenant:
                given = f"{_shown(qubit)}: {_shown(tenant)}"
                self._fault("schema", None, f"resources.owners has {given}; a declared qubit and a tenant are needed")
                return {}
        return MappingProxyType(dict(value))

    def _text(self, data: Mapping[str, Any], name: str) -> str:
        value = data.get(name, "")
        if isinstance(value, str):
            return value
        self._fault("schema", None, f"{name} is a text, {_shown(value)} given")
        return ""

    def _plain_object(self, data: Mapping[str, Any], name: str, node: str | None) -> Mapping[str, Any]:
        value = data.get(name)
        if value is None or (isinstance(value, Mapping) and not value):
            return MappingProxyType({})
        if not isinstance(value, Mapping):
            self._fault("schema", node, f"{name} is an object, {_shown(value)} given")
            return MappingProxyType({})
        self._values = 0
        try:
            copied: dict[str, Any] = self._plain(value, 0)
        except ValueError as error:
            self._fault("schema", node, f"{name}: {error}")
            return MappingProxyType({})
        return MappingProxyType(copied)

    def _plain(self, value: Any, depth: int) -> Any:
        """Copy data that JSON can hold."""
        self._values += 1
        if self._values > _MAX_VALUES:
            raise ValueError(f"it holds more than {_MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise ValueError(f"it nests deeper than {MAX_DEPTH} levels")
        if value is None or isinstance(value, (str, bool, int)):
            return value
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError(f"{value} is no JSON number")
            return value
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                raise ValueError("its keys are not all texts")
            return {key: self._plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._plain(item, depth + 1) for item in value]
        raise ValueError(f"it holds {_shown(value)}, which JSON does not have")
