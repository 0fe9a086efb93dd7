"""Small graphs as plain data, for the tests to change."""

from __future__ import annotations

from typing import Any


def node(identifier: str, op: str, *qubits: str, **more: Any) -> dict[str, Any]:
    """One node; `args`, `produces`, `inputs`, `guard`, `chs`, `caps` as keywords."""
    found: dict[str, Any] = {"id": identifier, "op": op}
    if qubits:
        found["vqs"] = list(qubits)
    return found | more


def alloc(identifier: str, *qubits: str, **more: Any) -> dict[str, Any]:
    return node(identifier, "ALLOC_LQ", *qubits, args={"n": len(qubits)} | more.pop("args", {}), **more)


def graph(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A graph that declares all that its nodes name."""
    names: dict[str, dict[str, None]] = {"vqs": {}, "chs": {}, "events": {}}
    for one in nodes:
        names["vqs"].update(dict.fromkeys(one.get("vqs", ())))
        names["chs"].update(dict.fromkeys(one.get("chs", ())))
        names["events"].update(dict.fromkeys(one.get("produces", ())))
    resources: dict[str, Any] = {key: list(found) for key, found in names.items()}
    resources.update(more.pop("resources", {}))
    return {"version": "0.1", "program": {"nodes": list(nodes)}, "resources": resources, **more}


def bell() -> dict[str, Any]:
    """Two entangled qubits, measured and freed."""
    return graph(
        alloc("a", "p", "q"),
        node("h", "APPLY_H", "p"),
        node("cx", "APPLY_CNOT", "p", "q"),
        node("mp", "MEASURE_Z", "p", produces=["x"]),
        node("mq", "MEASURE_Z", "q", produces=["y"]),
        node("f", "FREE_LQ", "p", "q"),
        caps=["CAP_ALLOC", "CAP_MEASURE"],
    )
