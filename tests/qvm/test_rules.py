"""Every rule of the certification: one graph that breaks it alone, and its nearest valid neighbour."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from qfast import qvm
from qfast.errors import VerificationError
from tests.qvm.graphs import alloc, bell, graph, node

ALL = frozenset(qvm.CAPABILITIES)
TELEPORT = (
    alloc("a", "p", "q"),
    node("open", "OPEN_CHAN", "p", "q", chs=["c"], args={"fidelity": 0.9}),
    node("cx", "TELEPORT_CNOT", "p", "q", chs=["c"]),
    node("close", "CLOSE_CHAN", chs=["c"]),
)


def changed(path: tuple[Any, ...], value: Any, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """A graph, `bell` by default, with one entry replaced; `...` takes it out."""
    found = copy.deepcopy(bell() if data is None else data)
    *way, last = path
    place: Any = found
    for key in way:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return found


def nodes_changed(number: int, key: str, value: Any) -> dict[str, Any]:
    return changed(("program", "nodes", number, key), value)


MEASURED = (alloc("a", "q"), node("m", "MEASURE_Z", "q", produces=["x"]))
GUARD = {"event": "x", "equals": 1}

# rule, a graph that breaks it, its valid neighbour
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("schema", changed(("program",), []), bell()),
    ("schema", changed(("comment",), "x"), changed(("metadata",), {"comment": "x"})),
    ("schema", nodes_changed(1, "qubits", ["p"]), nodes_changed(1, "metadata", {"qubits": ["p"]})),
    ("schema", nodes_changed(1, "vqs", "p"), nodes_changed(1, "vqs", ["p"])),
    ("schema", nodes_changed(1, "guard", [1]), bell()),
    ("schema", changed(("resources", "owners"), {"r": "lab"}), changed(("resources", "owners"), {"p": "local"})),
    ("version", changed(("version",), "0.2"), bell()),
    ("version", changed(("version",), ...), bell()),
    ("node-id", nodes_changed(1, "id", "1h"), nodes_changed(1, "id", "_1h")),
    ("node-id", nodes_changed(1, "id", ...), bell()),
    ("unique-id", nodes_changed(1, "id", "a"), nodes_changed(1, "id", "b")),
    ("declared", changed(("resources", "vqs"), ["p", "q", "q"]), changed(("resources", "vqs"), ["p", "q", "r"])),
    ("declared", changed(("resources", "events"), ["x"]), bell()),
    ("declared", graph(*TELEPORT, resources={"chs": []}), graph(*TELEPORT)),
    ("known-op", nodes_changed(1, "op", "APPLY_HH"), bell()),
    ("arity", nodes_changed(1, "vqs", ["p", "q"]), bell()),
    ("arity", nodes_changed(2, "vqs", ["p", "p"]), bell()),
    ("arity", nodes_changed(3, "produces", []), bell()),
    ("arity", graph(*MEASURED, node("z", "COND_PAULI", "q", args={"mask": "Z"})),
     graph(*MEASURED, node("z", "COND_PAULI", "q", args={"mask": "Z"}, inputs=["x"]))),
    ("arguments", graph(alloc("a", "q"), node("r", "APPLY_RX", "q", args={})),
     graph(alloc("a", "q"), node("r", "APPLY_RX", "q", args={"theta": 1}))),
    ("arguments", graph(alloc("a", "q"), node("r", "APPLY_RX", "q", args={"theta": "1"})),
     graph(alloc("a", "q"), node("r", "APPLY_RX", "q", args={"theta": 1.5}))),
    ("arguments", graph(alloc("a", "q"), node("h", "APPLY_H", "q", args={"theta": 1.0})),
     graph(alloc("a", "q"), node("h", "APPLY_H", "q"))),
    ("arguments", graph(*MEASURED, node("z", "COND_PAULI", "q", args={"mask": "ZZ"}, inputs=["x"])),
     graph(*MEASURED, node("z", "COND_PAULI", "q", args={"pauli": "Z"}, inputs=["x"]))),
    ("profile", graph(alloc("a", "q", args={"profile": "logical:Steane(d=3)"})),
     graph(alloc("a", "q", args={"profile": "logical:BaconShor(d=3)"}))),
    ("profile", graph(alloc("a", "q", args={"profile": "logical:QLDPC(d=3)"})),
     graph(alloc("a", "q", args={"profile": "logical:QLDPC(d=3, rate=0.5)"}))),
    ("alloc-count", graph(alloc("a", "q", args={"n": 2})), graph(alloc("a", "q", args={"n": 1}))),
    ("guard", graph(*MEASURED, alloc("b", "r", guard=GUARD)), graph(*MEASURED, node("b", "RESET", "q", guard=GUARD))),
    ("guard", graph(*MEASURED, node("f", "FREE_LQ", "q", guard=GUARD)), graph(*MEASURED, node("f", "FREE_LQ", "q"))),
    ("guard", graph(*MEASURED, node("s", "SET_POLICY", args={"priority": 1}, guard=GUARD)),
     graph(*MEASURED, node("s", "SET_POLICY", args={"priority": 1}))),
    ("guard", graph(*MEASURED, node("b", "RESET", "q", guard={"event": "x", "equals": 2})),
     graph(alloc("a", "p", "q"), node("m", "MEASURE_BELL", "p", "q", produces=["x"]),
           node("b", "RESET", "q", guard={"event": "x", "equals": 2}))),
    ("event-once", nodes_changed(4, "produces", ["x"]), bell()),
    ("event-produced", graph(alloc("a", "q"), node("x", "APPLY_X", "q", guard=GUARD), resources={"events": ["x"]}),
     graph(*MEASURED, node("x", "APPLY_X", "q", guard=GUARD))),
    ("event-certain",
     graph(*MEASURED, node("n", "MEASURE_Z", "q", produces=["y"], guard=GUARD),
           node("z", "APPLY_X", "q", guard={"event": "y", "equals": 1})),
     graph(*MEASURED, node("n", "MEASURE_Z", "q", produces=["y"], guard=GUARD),
           node("z", "APPLY_X", "q", guard={"type": "and", "conditions": [GUARD, {"event": "y", "equals": 1}]}))),
    ("event-kind",
     graph(alloc("a", "p", "q"), node("m", "MEASURE_BELL", "p", "q", produces=["x"]),
           node("z", "COND_PAULI", "p", args={"mask": "Z"}, inputs=["x"])),
     graph(alloc("a", "p", "q"), node("m", "MEASURE_BELL", "p", "q", produces=["x", "y"]),
           node("z", "COND_PAULI", "p", args={"mask": "Z"}, inputs=["x"]))),
    ("cycle",
     graph(alloc("a", "q"), node("z", "COND_PAULI", "q", args={"mask": "Z"}, inputs=["x"]),
           node("m", "MEASURE_Z", "q", produces=["x"])),
     graph(alloc("a", "q", "r"), node("z", "COND_PAULI", "r", args={"mask": "Z"}, inputs=["x"]),
           node("m", "MEASURE_Z", "q", produces=["x"]))),
    ("cycle",
     graph(alloc("a", "q", "r"), node("z", "COND_PAULI", "r", args={"mask": "Z"}, inputs=["x"]),
           node("fence", "FENCE_EPOCH"), node("m", "MEASURE_Z", "q", produces=["x"])),
     graph(alloc("a", "q", "r"), node("fence", "FENCE_EPOCH"), node("m", "MEASURE_Z", "q", produces=["x"]),
           node("z", "COND_PAULI", "r", args={"mask": "Z"}, inputs=["x"]))),
    ("allocated", graph(node("h", "APPLY_H", "q")), graph(alloc("a", "q"), node("h", "APPLY_H", "q"))),
    ("allocated", graph(node("f", "FREE_LQ", "q")),
     graph(alloc("a", "q"), node("f", "FREE_LQ", "q"), node("g", "FREE_LQ", "q"))),
    ("freed", graph(alloc("a", "q"), node("f", "FREE_LQ", "q"), node("h", "APPLY_H", "q")),
     graph(alloc("a", "q"), node("f", "FREE_LQ", "q"), alloc("b", "q"), node("h", "APPLY_H", "q"))),
    ("allocated-twice", graph(alloc("a", "q"), alloc("b", "q")),
     graph(alloc("a", "q"), node("f", "FREE_LQ", "q"), alloc("b", "q"))),
    ("channel-open", graph(*TELEPORT, node("use", "USE_CHAN", chs=["c"])),
     graph(*TELEPORT[:3], node("use", "USE_CHAN", chs=["c"]), TELEPORT[3])),
    ("channel-opened-twice", graph(*TELEPORT[:2], node("again", "OPEN_CHAN", "p", "q", chs=["c"])),
     graph(*TELEPORT, node("again", "OPEN_CHAN", "p", "q", chs=["c"]))),
    ("channel-ends",
     graph(alloc("b", "r"), *TELEPORT[:2], node("cx", "TELEPORT_CNOT", "p", "r", chs=["c"])),
     graph(alloc("b", "r"), *TELEPORT[:2], node("cx", "TELEPORT_CNOT", "q", "p", chs=["c"]))),
    ("tenant",
     graph(*TELEPORT[:1], node("cx", "APPLY_CNOT", "p", "q"), resources={"owners": {"q": "lab"}}),
     graph(*TELEPORT, resources={"owners": {"q": "lab"}})),
    ("policy", graph(alloc("a", "q"), node("s", "SET_POLICY", args={"seed": 3})),
     graph(node("s", "SET_POLICY", args={"seed": 3}), node("bar", "BAR_REGION"), alloc("a", "q"))),
    ("capability", changed(("caps",), ["CAP_FLY"]), changed(("caps",), ["CAP_MAGIC"])),
]  # fmt: skip


def broken_rules(data: dict[str, Any], **options: Any) -> set[str]:
    try:
        qvm.certify(qvm.from_dict(data), **{"capabilities": ALL, **options})
    except VerificationError as error:
        faults = error.faults
    else:
        faults = ()
    assert all(fault.node is None or fault.node in str(data) for fault in faults)
    return {fault.rule for fault in faults}


@pytest.mark.parametrize(("rule", "broken", "valid"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_a_graph_that_breaks_one_rule_is_refused_by_its_name_and_its_neighbour_is_not(
    rule: str, broken: dict[str, Any], valid: dict[str, Any]
) -> None:
    assert broken_rules(broken) == {rule}
    assert broken_rules(valid) == set()


LIMITS: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("limit-nodes", bell(), {"nodes": 6}),
    ("limit-qubits", bell(), {"logical_qubits": 2}),
    ("limit-physical", bell(), {"physical_qubits": 324}),
    ("limit-channels", graph(*TELEPORT), {"channels": 1}),
    ("limit-memory", bell(), {"state_qubits": 2}),
]


@pytest.mark.parametrize(("rule", "data", "enough"), LIMITS, ids=[case[0] for case in LIMITS])
def test_a_limit_refuses_one_too_many_and_takes_as_many_as_it_says(
    rule: str, data: dict[str, Any], enough: dict[str, int]
) -> None:
    (name, value), = enough.items()  # fmt: skip
    assert broken_rules(data, limits=qvm.Limits(**enough)) == set()
    assert broken_rules(data, limits=qvm.Limits(**{name: value - 1})) == {rule}


@pytest.mark.parametrize("missing", sorted(qvm.CAPABILITIES))
def test_a_capability_that_the_caller_lacks_is_named_with_the_node_that_needs_it(missing: str) -> None:
    data = graph(
        *TELEPORT, node("t", "INJECT_T_STATE", "p"), node("h", "APPLY_H", "p"),
        node("m", "MEASURE_Z", "p", produces=["x"]),
    )  # fmt: skip
    assert broken_rules(data) == set()
    with pytest.raises(VerificationError, match=missing) as caught:
        qvm.certify(qvm.from_dict(data), ALL - {missing})
    assert {fault.rule for fault in caught.value.faults} == {"capability"}
    assert caught.value.code == -32001


def test_every_rule_but_those_of_the_text_has_a_case() -> None:
    tested = {case[0] for case in CASES} | {case[0] for case in LIMITS} | {"capability"}
    assert tested | {"json"} == set(qvm.RULES)


def test_all_faults_are_told_at_once_with_node_and_rule() -> None:
    data = nodes_changed(1, "op", "APPLY_Q")
    data["program"]["nodes"][2]["vqs"] = ["p"]
    data["version"] = 3
    with pytest.raises(VerificationError) as caught:
        qvm.from_dict(data)
    assert {fault.rule for fault in caught.value.faults} == {"version", "known-op"}
    assert "node 'h' [known-op]: op 'APPLY_Q' is not known; did you mean" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}x", '{"version": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, b"\xff\xfe", "null", "1" * 5000, '"x"'],
)
def test_text_that_is_no_graph_is_refused(text: str | bytes) -> None:
    with pytest.raises(VerificationError, match=r"\[(json|schema)\]"):
        qvm.from_json(text)


def test_an_endless_file_is_read_to_the_bound_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qfast.qvm.reading.MAX_TEXT_BYTES", 1 << 16)
    with pytest.raises(VerificationError, match="longer than"):
        qvm.from_file("/dev/zero")


def test_data_that_refers_to_itself_is_refused() -> None:
    data = bell()
    data["metadata"] = {"again": data}
    assert broken_rules(data) == {"schema"}


def test_a_graph_is_a_value() -> None:
    data = bell()
    one, two = qvm.from_dict(data), qvm.from_json(json.dumps(data))
    assert one == two
    assert one.digest == two.digest
    assert qvm.from_json(one.to_json()) == one
    data["program"]["nodes"][1]["op"] = "APPLY_X"
    assert one == two
    assert qvm.from_dict(data).digest != one.digest


def test_a_qubit_that_is_never_freed_and_an_undeclared_capability_are_warnings() -> None:
    certificate = qvm.certify(qvm.from_dict(graph(*MEASURED)))
    assert {warning.rule for warning in certificate.warnings} == {"freed", "capability"}


def test_corrections_run_before_the_measurement_that_is_listed_behind_them() -> None:
    order = [each.id for each in qvm.certify(qvm.from_dict(graph(
        alloc("a", "p", "q"), node("m", "MEASURE_Z", "p", produces=["x"]),
        node("fix", "APPLY_X", "q", guard=GUARD), node("read", "MEASURE_Z", "q", produces=["y"]),
    ))).order]  # fmt: skip
    assert order == ["a", "m", "fix", "read"]
