"""What is wrong with a graph: every fault with its node and its rule, in one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qfast.errors import VerificationError

__all__ = ["INVALID_GRAPH", "NO_CAPABILITY", "OUT_OF_RESOURCES", "OVER_QUOTA", "RULES", "Fault", "check_no_faults"]

INVALID_GRAPH, NO_CAPABILITY, OVER_QUOTA, OUT_OF_RESOURCES = -32200, -32001, -32201, -32202
JOB_NOT_FOUND, ACCESS_DENIED, TIMED_OUT, ALREADY_COMPLETED = -32300, -32301, -32302, -32303

RULES: dict[str, str] = {
    "json": "the text is JSON, within the bounds of size and depth, and no object names a key twice",
    "schema": "every field has its type, and no field is unknown",
    "version": "the version is 0.1",
    "node-id": "an id is a name: a letter or _, then letters, digits and _",
    "unique-id": "no two nodes have the same id",
    "declared": "qubits, channels and events are declared in resources, each once",
    "known-op": "the op is one of the table",
    "arity": "the op has its number of qubits, channels, inputs and produced events, and no qubit twice",
    "arguments": "the op has its arguments, with allowed values, and no others",
    "profile": "the profile is a code that qfast can charge",
    "alloc-count": "args.n is the number of vqs",
    "guard": "a guard may stand here, and asks for values that its events can have",
    "event-once": "an event is produced by one node",
    "event-produced": "an event that is read is produced",
    "event-certain": "an event that is read was produced whenever the reader runs",
    "event-kind": "the exclusive-or takes bits, not an index of four values",
    "cycle": "no node waits for itself",
    "allocated": "a qubit is allocated before it is used",
    "freed": "a qubit is not used after it was freed",
    "allocated-twice": "a qubit is not allocated while it is",
    "channel-open": "a channel is open when it is used or closed",
    "channel-opened-twice": "a channel is not opened while it is open",
    "channel-ends": "a channel links the qubits that use it",
    "capability": "the caller holds what the op needs",
    "tenant": "qubits of two tenants are entangled through a channel only",
    "policy": "seed and shots are set before the first qubit is allocated",
    "limit-nodes": "the graph has no more nodes than allowed",
    "limit-qubits": "no more qubits are alive than the device or the quota allows",
    "limit-physical": "no more physical qubits are charged than the quota allows",
    "limit-channels": "no more channels are open than the quota allows",
    "limit-memory": "the state fits the job's memory",
}
"""All rules of the certification and what each demands."""

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, or, as a warning, odd.

    Attributes
    ----------
    rule : str
        A key of `RULES`.
    node : str or None
        The id of the node; None: the graph as a whole.
    message : str
        The offending value, what is allowed and what to do.
    """

    rule: str
    node: str | None
    message: str

    def __str__(self) -> str:
        where = "graph" if self.node is None else f"node '{self.node}'"
        return f"{where} [{self.rule}]: {self.message}"


_CODES = {"capability": NO_CAPABILITY, "limit-qubits": OVER_QUOTA, "limit-physical": OVER_QUOTA}
_CODES |= {"limit-channels": OVER_QUOTA, "limit-memory": OUT_OF_RESOURCES}


def check_no_faults(faults: Iterable[Fault]) -> None:
    """Raise if there are faults.

    Raises
    ------
    VerificationError
        Its message lists the first faults, its attribute ``faults`` all of them; its ``code`` is that of a missing
        capability, of a quota or of resources where all faults are of that kind, and -32200 otherwise.
    """
    found = tuple(faults)
    if not found:
        return
    lines = [f"  {fault}" for fault in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more: see the error's attribute 'faults'")
    number = "1 fault" if len(found) == 1 else f"{len(found)} faults"
    error = VerificationError(f"the graph has {number}; nothing was allocated\n" + "\n".join(lines), found)
    codes = {_CODES.get(fault.rule, INVALID_GRAPH) for fault in found}
    error.code = codes.pop() if len(codes) == 1 else INVALID_GRAPH
    raise error
