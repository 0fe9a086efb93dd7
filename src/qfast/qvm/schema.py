"""The JSON Schema of graphs, made from the table of operations; ``qfast graph schema`` prints it."""

from __future__ import annotations

from typing import Any

from qfast.qvm.operations import CAPABILITIES, OPERATIONS, Argument, Operation
from qfast.qvm.reading import MAX_NAME, MAX_NODES

__all__ = ["schema"]

_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_UNBOUNDED = 1 << 20


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a graph's form; what no schema can say, `qfast.qvm.certify` checks.

    Examples
    --------
    >>> schema()["properties"]["version"]
    {'const': '0.1'}
    """
    condition = _closed(
        {"event": _NAME, "equals": {"type": "integer", "minimum": 0, "maximum": 3}}, ["event", "equals"]
    )
    compound = _closed(
        {
            "type": {"enum": ["and", "or"]},
            "conditions": {"type": "array", "items": condition, "minItems": 1, "maxItems": MAX_NAME},
        },
        ["type", "conditions"],
    )
    nodes = {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": MAX_NODES}
    resources = {"vqs": _names(), "chs": _names(), "events": _names()}
    resources["owners"] = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
    properties = {
        "version": {"const": "0.1"},
        "description": {"type": "string"},
        "program": _closed({"nodes": nodes}, ["nodes"]),
        "resources": _closed(resources, []),
        "caps": {"type": "array", "items": {"enum": list(CAPABILITIES)}},
        "metadata": {"type": "object"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A job graph of qubits that are allocated, used, measured and freed",
        **_closed(properties, ["version", "program", "resources"]),
        "$defs": {
            "guard": {"anyOf": [condition, compound]},
            "node": {"oneOf": [_operation(row) for row in OPERATIONS.values()]},
        },
    }


def _closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _names(least: int = 0, most: int = _UNBOUNDED) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "array", "items": _NAME, "uniqueItems": True}
    if least:
        found["minItems"] = least
    if most < _UNBOUNDED:
        found["maxItems"] = most
    return found


def _operation(row: Operation) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "id": {"type": "string", "pattern": r"^[A-Za-z_]\w*$", "maxLength": MAX_NAME},
        "op": {"const": row.name},
        "vqs": _names(*row.qubits),
        "chs": _names(row.channels, row.channels),
        "inputs": _names(*row.inputs),
        "produces": _names(min(row.produces), max(row.produces)),
        "caps": {"type": "array", "items": {"enum": list(CAPABILITIES)}},
        "metadata": {"type": "object"},
        "args": _closed(
            {name: _argument(each) for name, each in row.arguments.items()},
            [name for name, each in row.arguments.items() if each.is_required],
        ),
    }
    if row.allows_guard:
        properties["guard"] = {"$ref": "#/$defs/guard"}
    required = ["id", "op"]
    required += [] if not row.qubits[0] else ["vqs"]
    required += [] if not row.channels else ["chs"]
    required += [] if not min(row.produces) else ["produces"]
    required += ["args"] if any(each.is_required for each in row.arguments.values()) else []
    return {"description": row.doc, **_closed(properties, required)}


def _argument(argument: Argument) -> dict[str, Any]:
    if argument.kind == "text":
        return {"type": "string", "description": argument.says}
    found: dict[str, Any] = {"type": argument.kind, "description": argument.says}
    if argument.least > float("-inf"):
        found["minimum"] = argument.least
    if argument.most < float("inf"):
        found["maximum"] = argument.most
    return found
