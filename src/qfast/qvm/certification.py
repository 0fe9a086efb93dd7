"""Certification: everything that can be known about a graph before anything is allocated, and the order of its nodes.

A node runs after every node listed ahead of it that shares a qubit or a channel with it, after the producers of the
events it reads, and after the barriers listed ahead of it; among nodes that may run, the one listed first does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from qfast.qvm.faults import Fault, check_no_faults
from qfast.qvm.graph import Graph, Node
from qfast.qvm.operations import CAPABILITIES, DEFAULT_CAPABILITIES, Kind, Operation, Profile, parse_profile

__all__ = ["Certificate", "Limits", "certify"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one graph may use.

    Attributes
    ----------
    logical_qubits, physical_qubits, channels, nodes : int
        Alive at the same time; nodes in all.
    state_qubits : int or None
        Qubits of the largest state that fits; None: not known here.
    """

    logical_qubits: int = 100
    physical_qubits: int = 10_000
    channels: int = 10
    nodes: int = 1 << 20
    state_qubits: int | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What certification found out about a graph without faults.

    Attributes
    ----------
    order : tuple of Node
        The nodes as they run.
    alive : tuple of int
        Logical qubits alive behind each node of `order`.
    peak_qubits, peak_physical_qubits, peak_channels : int
    warnings : tuple of Fault
        What is odd, but does no harm: a qubit never freed, a capability used without being declared.
    """

    order: tuple[Node, ...]
    alive: tuple[int, ...]
    peak_qubits: int
    peak_physical_qubits: int
    peak_channels: int
    warnings: tuple[Fault, ...]


def certify(
    graph: Graph,
    capabilities: Iterable[str] = DEFAULT_CAPABILITIES,
    limits: Limits | None = None,
    tenant: str = "local",
) -> Certificate:
    """Check a graph against every rule; see `qfast.qvm.RULES`.

    Parameters
    ----------
    graph : Graph
    capabilities : iterable of str
        What the caller holds.
    limits : Limits, optional
    tenant : str
        Owner of the qubits that `graph.owners` does not name.

    Returns
    -------
    Certificate

    Raises
    ------
    VerificationError
        All faults at once, each with node and rule; nothing was allocated.

    Notes
    -----
    Time: linear in the nodes and their operands, 10 to 20 µs a node.
    """
    check = _Check(graph, frozenset(capabilities), limits or Limits(), tenant)
    certificate = check.run()
    check_no_faults(check.faults)
    return certificate


_UNITS = {"qubits": "qubits are alive", "physical": "physical qubits are charged", "channels": "channels are open"}


class _Check:
    """One pass over the nodes as they stand, one along the order that comes out of it."""

    def __init__(self, graph: Graph, capabilities: frozenset[str], limits: Limits, tenant: str) -> None:
        self.graph = graph
        self.held = capabilities
        self.limits = limits
        self.tenant = tenant
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.producers: dict[str, int] = {}

    def run(self) -> Certificate:
        nodes = self.graph.nodes
        if len(nodes) > self.limits.nodes:
            self._fault("limit-nodes", None, f"{len(nodes)} nodes; allowed: at most {self.limits.nodes}")
        well_formed = True
        for place, node in enumerate(nodes):
            before = len(self.faults)
            self._check_node(node, node.operation)
            well_formed &= len(self.faults) == before
            for event in node.produces:
                if self.producers.setdefault(event, place) != place:
                    first = nodes[self.producers[event]].id
                    self._fault("event-once", node.id, f"event '{event}' is produced by node '{first}' already")
        self._check_events()
        self._check_capabilities()
        order = self._ordered()
        if not well_formed or order is None:  # lives along an order that is not there would only repeat the faults
            return Certificate((), (), 0, 0, 0, ())
        return self._follow(order)

    def _fault(self, rule: str, node: str | None, message: str) -> None:
        self.faults.append(Fault(rule, node, message))

    # --- one node -----------------------------------------------------------------------------------------------------

    def _check_node(self, node: Node, row: Operation) -> None:
        self._check_arity(node, row)
        for name, value in node.arguments.items():
            argument = row.arguments.get(name)
            if argument is None:
                allowed = ", ".join(row.arguments) or "none"
                self._fault("arguments", node.id, f"{row.name} has no argument '{name}'; allowed: {allowed}")
            elif not argument.accepts(value):
                self._fault("arguments", node.id, f"{name} is {value!r:.60}; allowed: {argument.says}")
        for name, argument in row.arguments.items():
            if argument.is_required and name not in node.arguments:
                self._fault("arguments", node.id, f"{row.name} needs the argument '{name}': {argument.says}")
        if node.guard is not None and not row.allows_guard:
            self._fault("guard", node.id, f"{row.name} takes no guard: what is alive must not depend on outcomes")
        if row.kind is Kind.ALLOC:
            self._check_alloc(node)
        elif row.kind is Kind.PAULI:
            self._check_pauli(node)

    def _check_arity(self, node: Node, row: Operation) -> None:
        least, most = row.qubits
        if not least <= len(node.qubits) <= most:
            needed = f"{least}" if least == most else f"at least {least}" if most > 2 else f"{least} to {most}"
            self._fault("arity", node.id, f"{row.name} has {len(node.qubits)} vqs; needed: {needed}")
        if len(set(node.qubits)) < len(node.qubits):
            self._fault("arity", node.id, f"{row.name} names a qubit twice: {', '.join(node.qubits)[:80]}")
        if len(node.channels) != row.channels:
            self._fault("arity", node.id, f"{row.name} has {len(node.channels)} chs; needed: {row.channels}")
        if not row.inputs[0] <= len(node.inputs) <= row.inputs[1]:
            self._fault("arity", node.id, f"{row.name} reads no inputs; {len(node.inputs)} given")
        if len(node.produces) not in row.produces:
            needed = " or ".join(map(str, row.produces))
            self._fault("arity", node.id, f"{row.name} produces {needed} events; {len(node.produces)} given")
        if len(set(node.produces)) < len(node.produces):
            self._fault("event-once", node.id, f"{row.name} produces an event twice")

    def _check_alloc(self, node: Node) -> None:
        number = node.arguments.get("n", len(node.qubits))
        if isinstance(number, int) and number != len(node.qubits):
            self._fault("alloc-count", node.id, f"n is {number}, but there are {len(node.qubits)} vqs")
        profile = node.arguments.get("profile")
        if isinstance(profile, str) and parse_profile(profile) is None:
            allowed = node.operation.arguments["profile"].says
            self._fault("profile", node.id, f"profile {profile!r:.60} is not known; allowed: {allowed}")

    def _check_pauli(self, node: Node) -> None:
        given = [node.arguments[name] for name in ("mask", "pauli") if name in node.arguments]
        if len(given) != 1:
            self._fault("arguments", node.id, f"COND_PAULI needs one of mask and pauli; {len(given)} given")
        elif isinstance(given[0], str) and len(given[0]) not in (1, len(node.qubits)):
            self._fault(
                "arguments", node.id, f"Pauli {given[0]!r:.60} has {len(given[0])} letters for {len(node.qubits)} vqs"
            )
        if not node.inputs and node.guard is None:
            self._fault(
                "arity", node.id, "COND_PAULI needs inputs or a guard; for a Pauli without condition use APPLY_X, Y, Z"
            )

    # --- events and capabilities --------------------------------------------------------------------------------------

    def _check_events(self) -> None:
        nodes = self.graph.nodes
        for node in nodes:
            if not node.inputs and node.guard is None:
                continue
            for event in node.events_read:
                if event not in self.producers:
                    self._fault("event-produced", node.id, f"event '{event}' is read, but no node produces it")
                    continue
                producer = nodes[self.producers[event]]
                if producer.guard is not None and not _entails(node, producer):
                    message = (
                        f"event '{event}' comes from node '{producer.id}', which its guard may skip; "
                        f"give '{node.id}' all of that guard's conditions, too"
                    )
                    self._fault("event-certain", node.id, message)
            for event in node.inputs:
                if event in self.producers and _is_index(nodes[self.producers[event]]):
                    self._fault("event-kind", node.id, f"event '{event}' is a Bell index, not a bit; produce two bits")
            if node.guard is not None:
                for condition in node.guard.conditions:
                    place = self.producers.get(condition.event)
                    if place is not None and condition.equals > (3 if _is_index(nodes[place]) else 1):
                        message = f"event '{condition.event}' is a bit and never {condition.equals}; allowed: 0, 1"
                        self._fault("guard", node.id, message)

    def _check_capabilities(self) -> None:
        for node in self.graph.nodes:
            needed = node.operation.capability
            asked = dict.fromkeys((*node.capabilities, *(() if needed is None else (needed,))))
            for name in asked:
                if name not in CAPABILITIES:
                    allowed = ", ".join(CAPABILITIES)
                    self._fault("capability", node.id, f"capability {name!r:.60} is not known; allowed: {allowed}")
                elif name not in self.held:
                    message = (
                        f"Missing capabilities for {node.op}: {name} ({CAPABILITIES[name]}); ask the executor's owner"
                    )
                    self._fault("capability", node.id, message)
        declared = {*self.graph.capabilities, *(name for node in self.graph.nodes for name in node.capabilities)}
        for name in self.graph.capabilities:
            if name not in CAPABILITIES:
                self._fault(
                    "capability", None, f"capability {name!r:.60} is not known; allowed: {', '.join(CAPABILITIES)}"
                )
            elif name not in self.held:
                self._fault("capability", None, f"the graph declares {name}, which the caller does not hold")
        used = dict.fromkeys(node.operation.capability for node in self.graph.nodes)
        for needed in used:
            if needed is not None and needed not in declared and needed != "CAP_COMPUTE":
                self.warnings.append(Fault("capability", None, f"{needed} is used, but not declared in caps"))

    # --- order --------------------------------------------------------------------------------------------------------

    def _ordered(self) -> list[Node] | None:
        """The nodes as they run; None, and a fault, where some wait for each other."""
        nodes = self.graph.nodes
        followers: list[list[int]] = [[] for _ in nodes]
        waits = [0] * len(nodes)

        def follows(later: int, earlier: int) -> None:
            followers[earlier].append(later)
            waits[later] += 1

        last: dict[tuple[str, str], int] = {}
        barrier, since_barrier = -1, list[int]()
        for place, node in enumerate(nodes):
            if node.operation.kind is Kind.BARRIER:
                for earlier in since_barrier:
                    follows(place, earlier)
                if barrier >= 0:
                    follows(place, barrier)
                barrier, since_barrier = place, []
            else:
                if barrier >= 0:
                    follows(place, barrier)
                since_barrier.append(place)
                for key in {*(("q", name) for name in node.qubits), *(("c", name) for name in node.channels)}:
                    if last.get(key, -1) > barrier:
                        follows(place, last[key])
                    last[key] = place
            for event in node.events_read:
                if event in self.producers:
                    follows(place, self.producers[event])
        ready = [place for place, count in enumerate(waits) if not count]
        order = []
        while ready:
            place = heapq.heappop(ready)
            order.append(nodes[place])
            for later in followers[place]:
                waits[later] -= 1
                if not waits[later]:
                    heapq.heappush(ready, later)
        if len(order) == len(nodes):
            return order
        stuck = [node.id for node, count in zip(nodes, waits, strict=True) if count]
        shown = ", ".join(f"'{name}'" for name in stuck[:8]) + (", …" if len(stuck) > 8 else "")
        message = f"nodes wait for one another: {shown}; an event must be produced before the nodes that read it"
        self._fault("cycle", stuck[0], message)
        return None

    # --- lives --------------------------------------------------------------------------------------------------------

    def _follow(self, order: list[Node]) -> Certificate:
        """Follow qubits and channels from birth to death."""
        lives = _Lives(self)
        alive = []
        for node in order:
            lives.take(node)
            alive.append(len(lives.alive))
        for qubit in lives.alive:
            self.warnings.append(Fault("freed", None, f"qubit '{qubit}' is never freed; UNLOAD frees it"))
        for channel in lives.channels:
            self.warnings.append(Fault("channel-open", None, f"channel '{channel}' is never closed; UNLOAD closes it"))
        lives.check_limits()
        return Certificate(
            tuple(order), tuple(alive), lives.peak_qubits, lives.peak_physical, lives.peak_channels,
            tuple(self.warnings),
        )  # fmt: skip


class _Lives:
    """Which qubits are alive, as what they are charged, and which channels are open."""

    def __init__(self, check: _Check) -> None:
        self._check = check
        self.alive: dict[str, int] = {}  # physical qubits of each
        self.channels: dict[str, tuple[str, ...]] = {}
        self._freed: set[str] = set()
        self._has_allocated = False
        self._physical = 0
        self.peak_qubits = self.peak_physical = self.peak_channels = 0
        self._peaks: dict[str, str] = {}

    def _fault(self, rule: str, node: Node, message: str) -> None:
        self._check.faults.append(Fault(rule, node.id, message))

    def take(self, node: Node) -> None:
        """Take one node."""
        kind = node.operation.kind
        if kind is Kind.ALLOC:
            self._allocate(node)
        elif kind is Kind.FREE:
            self._free(node)
        elif kind is Kind.POLICY:
            if self._has_allocated and ("seed" in node.arguments or "shots" in node.arguments):
                self._fault("policy", node, "seed and shots are set before the first ALLOC_LQ; move the node up")
        elif kind is not Kind.BARRIER:
            for qubit in node.qubits:
                if qubit not in self.alive:
                    self._not_alive(node, qubit)
            if node.channels:
                self._use_channel(node, kind)
            elif len(node.qubits) == 2:
                self._check_tenants(node)

    def _allocate(self, node: Node) -> None:
        self._has_allocated = True
        text = node.arguments.get("profile")
        charge = (Profile() if text is None else parse_profile(text) or Profile()).physical_qubits
        for qubit in node.qubits:
            if qubit in self.alive:
                self._fault("allocated-twice", node, f"qubit '{qubit}' is allocated already; free it first")
                continue
            self.alive[qubit] = charge
            self._freed.discard(qubit)
            self._physical += charge
        if len(self.alive) > self.peak_qubits:
            self.peak_qubits = len(self.alive)
            self._peaks["qubits"] = node.id
        if self._physical > self.peak_physical:
            self.peak_physical = self._physical
            self._peaks["physical"] = node.id

    def _free(self, node: Node) -> None:
        for qubit in node.qubits:
            if qubit in self.alive:
                self._physical -= self.alive.pop(qubit)
                self._freed.add(qubit)
            elif qubit not in self._freed:
                self._not_alive(node, qubit)

    def _not_alive(self, node: Node, qubit: str) -> None:
        if qubit in self._freed:
            self._fault("freed", node, f"qubit '{qubit}' was freed; move the node up, or allocate the qubit again")
        else:
            self._fault(
                "allocated", node, f"qubit '{qubit}' is not allocated; list an ALLOC_LQ of it ahead of the node"
            )

    def _use_channel(self, node: Node, kind: Kind) -> None:
        (channel,) = node.channels
        ends = self.channels.get(channel)
        if kind is Kind.OPEN:
            if ends is not None:
                self._fault("channel-opened-twice", node, f"channel '{channel}' is open already; close it first")
            self.channels[channel] = node.qubits
            if len(self.channels) > self.peak_channels:
                self.peak_channels = len(self.channels)
                self._peaks["channels"] = node.id
        elif ends is None:
            self._fault(
                "channel-open", node, f"channel '{channel}' is not open; list an OPEN_CHAN of it ahead of the node"
            )
        else:
            if not set(node.qubits) <= set(ends):
                message = f"channel '{channel}' links {' and '.join(ends)}, not {' and '.join(node.qubits)}"
                self._fault("channel-ends", node, message)
            if kind is Kind.CLOSE:
                del self.channels[channel]

    def _check_tenants(self, node: Node) -> None:
        owners = self._check.graph.owners
        if owners:
            first, second = (owners.get(qubit, self._check.tenant) for qubit in node.qubits)
            if first != second:
                message = f"{node.op} would entangle qubits of '{first}' and '{second}'; use TELEPORT_CNOT on a channel"
                self._fault("tenant", node, message)

    def check_limits(self) -> None:
        """Compare the peaks with what is allowed."""
        limits = self._check.limits
        for rule, what, peak, limit in (
            ("limit-qubits", "qubits", self.peak_qubits, limits.logical_qubits),
            ("limit-physical", "physical", self.peak_physical, limits.physical_qubits),
            ("limit-channels", "channels", self.peak_channels, limits.channels),
            ("limit-memory", "qubits", self.peak_qubits, limits.state_qubits),
        ):  # fmt: skip
            if limit is not None and peak > limit:
                remedy = "; free some earlier" if what == "qubits" else "; ask for a larger quota"
                message = f"{peak} {_UNITS[what]} behind this node; allowed: {limit}{remedy}"
                self._check.faults.append(Fault(rule, self._peaks.get(what), message))


def _is_index(producer: Node) -> bool:
    """Whether a node's event is a Bell index."""
    return producer.op == "MEASURE_BELL" and len(producer.produces) == 1


def _entails(reader: Node, producer: Node) -> bool:
    """Whether the reader runs only where the producer has run, as far as the guards say so."""
    assert producer.guard is not None
    if reader.guard is None:
        return False
    if reader.guard == producer.guard:
        return True
    are_joined = producer.guard.type == "and" or len(producer.guard.conditions) == 1
    is_joined = reader.guard.type == "and" or len(reader.guard.conditions) == 1
    return are_joined and is_joined and set(producer.guard.conditions) <= set(reader.guard.conditions)
