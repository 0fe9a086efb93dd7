"""Many circuits that begin alike: each common prefix is simulated once.

The instructions of every circuit, with its parameter values, are numbered by content; circuits sorted by these numbers
make a compressed trie, which is walked depth first. At a branch the state is copied for each child but the last, which
takes it over. Children with fewer descendants go first, so that at most 1 + log2(circuits) states are alive at a time;
where the budget allows fewer, the one that is cheapest to compute again is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qfast._typing import AnyArray, FloatArray, IntArray
from qfast.circuit import Circuit
from qfast.circuit.expressions import expression_table
from qfast.circuit.gates import NUM_GATES
from qfast.circuit.transforms import take
from qfast.engines import CancelToken, PreparedCircuit
from qfast.engines.memory import allocate_state, check_memory, memory_limits, state_bytes
from qfast.simulation.packing import Packing
from qfast.simulation.request import Request
from qfast.simulation.run_settings import RunSettings

__all__ = ["PrefixStatistics", "shared_states"]

T = TypeVar("T")


@dataclass(slots=True)
class PrefixStatistics:
    """What sharing saved.

    Attributes
    ----------
    circuits : int
    instructions : int
        Gates of all circuits: what running them one by one takes.
    simulated : int
        Gates that were run.
    pieces : int
        Runs of an engine.
    copies : int
        States that were copied at a branch.
    evictions : int
        States that were given up for lack of memory, and computed again.
    peak_states : int
        States that were held at the same time.
    """

    circuits: int = 0
    instructions: int = 0
    simulated: int = 0
    pieces: int = 0
    copies: int = 0
    evictions: int = 0
    peak_states: int = 0

    @property
    def saved(self) -> float:
        """The share of the gates that did not have to be run."""
        return 1 - self.simulated / self.instructions if self.instructions else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "saved": self.saved}


def shared_states(
    requests: Sequence[Request],
    settings: RunSettings,
    use: Callable[[int, AnyArray, Packing], T],
    *,
    budget_bytes: int | None = None,
    cancel: CancelToken | None = None,
) -> tuple[list[T], PrefixStatistics]:
    """Run many circuits and simulate what they have in common at their beginning once.

    Parameters
    ----------
    requests : sequence of Request
        Without noise and initial states, of circuits that measure at their end only, all over the same number of
        qubits; what they ask plays no part.
    settings : RunSettings
    use : callable
        ``use(i, state, packing)`` is called once for each circuit, in the order of the trie, and its result is kept.
        The state is one of the packing's qubits, those that any circuit touches. It is only lent: its memory is used
        again as soon as `use` returns.
    budget_bytes : int, optional
        Memory for states; by default half of what is available. One state is always held.
    cancel : CancelToken, optional

    Returns
    -------
    results : list, of length m
        What `use` returned, in the order of the circuits.
    statistics : PrefixStatistics

    Raises
    ------
    CapacityError, CancelledRunError
        As for `qfast.simulate`.

    Notes
    -----
    States are equal to those of `qfast.simulate` up to rounding: gates are not fused across a branch. m parameter-shift
    circuits of one gate order cost a little more than half of what they cost one by one, which is all that their
    structure allows.
    """
    if not requests:
        return [], PrefixStatistics()
    circuits = {id(request.circuit): request.circuit for request in requests}
    gates = {key: np.flatnonzero(np.asarray(one.opcodes) < NUM_GATES).tolist() for key, one in circuits.items()}
    touched: set[int] = set()
    for key, circuit in circuits.items():
        touched.update(np.unique(np.asarray(take(circuit, gates[key]).qubits)).tolist())
    packing = Packing(tuple(sorted(touched)), requests[0].circuit.num_qubits)
    made = {key: _Gates(take(one, gates[key], qubits=packing.qubits)) for key, one in circuits.items()}
    listed = [_Shared(made[id(request.circuit)], request.values) for request in requests]
    run = _SharedRun(listed, settings, budget_bytes, cancel)
    results: dict[int, T] = {}
    for index, state in run.states():
        results[index] = use(index, state, packing)
    return [results[index] for index in range(len(listed))], run.statistics


@dataclass(slots=True, eq=False)
class _Gates:
    """The gates of one circuit, which many requests may share, and the pieces of it that were prepared."""

    circuit: Circuit
    pieces: dict[tuple[int, int], tuple[PreparedCircuit, IntArray]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Shared:
    gates: _Gates
    values: FloatArray

    @property
    def length(self) -> int:
        return len(self.gates.circuit)


# --- which instructions are the same ----------------------------------------------------------------------------------
def _numbered(requests: Sequence[_Shared]) -> list[IntArray]:
    """Return for each request one number per gate; equal numbers are equal gates with equal parameters, bit for bit."""
    circuits = {id(request.gates): request.gates.circuit for request in requests}
    widest = max((_lengths(c.qubit_end).max(initial=0) for c in circuits.values()), default=0)
    most = max((_lengths(c.param_end).max(initial=0) for c in circuits.values()), default=0)
    items: dict[Any, int] = {}
    numbers: dict[bytes, int] = {}
    templates = {key: _Template(circuit, int(widest), int(most), items, numbers) for key, circuit in circuits.items()}
    return [templates[id(request.gates)].numbered(request.values) for request in requests]


class _Template:
    """A circuit whose gates without free parameters are numbered; the others are, for each set of values."""

    def __init__(
        self, circuit: Circuit, widest: int, most: int, items: dict[Any, int], numbers: dict[bytes, int]
    ) -> None:
        self._table = expression_table(circuit)
        self._params = np.array(circuit.params, dtype=np.float64)
        self._all_numbers = numbers
        fixed = _fixed_columns(circuit, widest, items)
        ends = np.array(circuit.param_end, dtype=np.int64)
        self._free = np.unique(np.searchsorted(ends, self._table.slots, side="right"))
        # A slot of `params` for each cell of the matrix of parameters; the last one is a slot that nobody has.
        cells = _padded(np.arange(self._params.size), ends, most, blank=self._params.size)
        bits = np.append(self._params, 0.0).view(np.int64)
        bits[-1] = -1
        self._numbers = self._number(fixed, bits[cells])
        self._cells, self._fixed = cells[self._free], fixed[self._free]

    def numbered(self, values: FloatArray) -> IntArray:
        """Return the number of each gate at these values."""
        if not self._free.size:
            return self._numbers
        params = np.append(self._params, 0.0)
        params[self._table.slots] = self._table.evaluate(values)
        bits = params.view(np.int64)
        bits[-1] = -1
        result = self._numbers.copy()
        result[self._free] = self._number(self._fixed, bits[self._cells])
        return result

    def _number(self, fixed: IntArray, params: IntArray) -> IntArray:
        rows = np.ascontiguousarray(np.concatenate([fixed, params], axis=1))
        words = rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel().tolist()
        known = self._all_numbers
        return np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int64)


def _fixed_columns(circuit: Circuit, widest: int, items: dict[Any, int]) -> IntArray:
    """Columns that no parameter value changes, int64 of shape (gates, 4 + widest)."""
    content = []
    for item in circuit.data_items:
        array = np.asarray(item)
        content.append(items.setdefault((array.dtype.str, array.shape, array.tobytes()), len(items)))
    data = np.array(circuit.data, dtype=np.int64)
    if content:
        data = np.where(data >= 0, np.array(content)[data], -1)
    columns = [
        circuit.opcodes,
        circuit.num_controls,
        np.array(circuit.ctrl_states, dtype=np.uint64).view(np.int64),
        data,
    ]
    stacked = np.stack([np.array(column, dtype=np.int64) for column in columns], axis=1)
    return np.concatenate(
        [stacked, _padded(np.array(circuit.qubits, dtype=np.int64), circuit.qubit_end, widest)], axis=1
    )


def _lengths(ends: Any) -> IntArray:
    lengths = np.array(ends, dtype=np.int64)
    lengths[1:] -= lengths[:-1].copy()
    return lengths


def _padded(values: IntArray, ends: Any, width: int, blank: int = -1) -> IntArray:
    """A ragged column as a matrix; `blank` stands where a row is shorter."""
    lengths = _lengths(ends)
    result = np.full((lengths.size, width), blank, dtype=np.int64)
    result[np.arange(width) < lengths[:, None]] = values
    return result


# --- the trie ---------------------------------------------------------------------------------------------------------
@dataclass(slots=True, eq=False)
class _Node:
    """A prefix: the gates 0 … `end` - 1 of request `request`, and whatever begins with them."""

    request: int
    end: int
    finished: list[int] = field(default_factory=list)
    children: list[_Node] = field(default_factory=list)
    weight: int = 1  # runs below


def _trie(numbers: Sequence[IntArray]) -> _Node:
    """Build the trie; its root is the empty prefix."""
    order = sorted(range(len(numbers)), key=lambda i: numbers[i].tolist())
    common = np.array([_common_length(numbers[a], numbers[b]) for a, b in pairwise(order)], dtype=np.int64)
    root = _Node(order[0], 0)
    waiting = [(root, 0, len(order))]
    while waiting:
        parent, low, high = waiting.pop()
        while low < high and numbers[order[low]].size == parent.end:  # sorting puts the shortest first
            parent.finished.append(order[low])
            low += 1
        if low == high:
            continue
        breaks = low + 1 + np.flatnonzero(common[low : high - 1] <= parent.end)
        for first, last in zip([low, *breaks.tolist()], [*breaks.tolist(), high], strict=True):
            alone = last - first == 1
            end = numbers[order[first]].size if alone else int(common[first : last - 1].min())
            child = _Node(order[first], end)
            parent.children.append(child)
            waiting.append((child, first, last))
    return root


def _common_length(a: IntArray, b: IntArray) -> int:
    size = min(a.size, b.size)
    different = np.flatnonzero(a[:size] != b[:size])
    return int(different[0]) if different.size else size


def _cut_cost(num_qubits: int) -> int:
    """What stopping in the middle of a circuit costs, in gates: planning and starting a piece, a copy, a pass over the
    state, and gates that cannot be fused across the cut.

    On 18 qubits in complex128 with AVX-512 and one thread, a piece costs 0.3 ms and 0.01 to 0.03 ms a gate (November
    2026, benchmarks/prefix_sharing.py). Smaller states make gates cheaper, but not the planning.
    """
    return 16 + (1 << max(0, 22 - num_qubits))


def _coarsened(root: _Node, cut_cost: int) -> None:
    """Drop branches that cost more than they save: their children start from the branch before."""
    ordered = [root]
    for node in ordered:
        kept: list[_Node] = []
        waiting = list(reversed(node.children))
        while waiting:
            child = waiting.pop()
            again = len(child.children) - 1
            if child.children and not child.finished and again * (child.end - node.end) < cut_cost:
                waiting.extend(reversed(child.children))
            else:
                kept.append(child)
        node.children = kept
        ordered.extend(kept)
    for node in reversed(ordered):
        node.weight = max(1, sum(child.weight for child in node.children))
        node.children.sort(key=lambda child: child.weight)


# --- the walk ---------------------------------------------------------------------------------------------------------
@dataclass(slots=True, eq=False)
class _Frame:
    """A node on the path from the root to where the walk is."""

    node: _Node
    state: AnyArray | None
    next_child: int = 0


class _SharedRun:
    def __init__(
        self, requests: Sequence[_Shared], settings: RunSettings, budget_bytes: int | None, cancel: CancelToken | None
    ) -> None:
        self._requests = requests
        self._settings = settings
        self._cancel = cancel
        self._num_qubits = requests[0].gates.circuit.num_qubits
        size = state_bytes(self._num_qubits, settings.precision)
        what = f"a state of {self._num_qubits} qubits in {settings.precision}"
        check_memory(size, what, amplitude_bytes=size >> self._num_qubits, limit_bytes=settings.max_bytes)
        if budget_bytes is None:
            budget_bytes = memory_limits().available_bytes // 2 if size > 1 << 20 else 1 << 28
            budget_bytes = min(budget_bytes, settings.max_bytes or budget_bytes)
        self._max_states = max(1, budget_bytes // size)
        self._free: list[AnyArray] = []
        self._num_states = 0
        self.statistics = PrefixStatistics(len(requests), sum(request.length for request in requests))

    def states(self) -> Any:
        """Yield (index, state) of every request; the state may be read until the next one is asked for."""
        root = _trie(_numbered(self._requests))
        _coarsened(root, _cut_cost(self._num_qubits))
        path = [_Frame(root, None)]
        if root.finished:
            yield from self._finished(root, self._zero_state())
        while path:
            frame = path[-1]
            if frame.next_child == len(frame.node.children):
                path.pop()
                if frame.state is not None:
                    self._free.append(frame.state)
                continue
            child = frame.node.children[frame.next_child]
            frame.next_child += 1
            state = self._advance(path, child)
            yield from self._finished(child, state)
            path.append(_Frame(child, state))

    def _finished(self, node: _Node, state: AnyArray) -> Any:
        for index in node.finished:
            yield index, state

    def _zero_state(self) -> AnyArray:
        state = allocate_state(self._num_qubits, self._settings.precision)
        state[:] = 0
        state[0] = 1
        return state

    def _advance(self, path: list[_Frame], child: _Node) -> AnyArray:
        """Return the state of a child of the last node of the path, in memory of its own."""
        source = next((frame for frame in reversed(path) if frame.state is not None), None)
        if source is None:
            state = self._buffer(path, None)
            assert state is not None  # nobody holds a state
            self._run(child, 0, state)
            return state
        is_last = source is path[-1] and source.next_child == len(source.node.children)
        state = None if is_last else self._buffer(path, source)
        if state is None:  # taken over: nobody needs it any more, or there is no room for two
            state, source.state = source.state, None
            assert state is not None
            self.statistics.evictions += not is_last
        else:
            assert source.state is not None
            np.copyto(state, source.state)
            self.statistics.copies += 1
        self._run(child, source.node.end, state)
        return state

    def _buffer(self, path: list[_Frame], source: _Frame | None) -> AnyArray | None:
        """Return memory for a state; None where only `source` could give it."""
        if self._free:
            return self._free.pop()
        if self._num_states < self._max_states:
            self._num_states += 1
            self.statistics.peak_states = self._num_states
            return allocate_state(self._num_qubits, self._settings.precision)
        cheapest: tuple[int, _Frame] | None = None
        before = 0  # where the nearest state before this one ends
        for frame in path:
            if frame.state is None:
                continue
            if frame is not source and (cheapest is None or frame.node.end - before < cheapest[0]):
                cheapest = frame.node.end - before, frame
            before = frame.node.end
        if cheapest is None:
            return None
        state, cheapest[1].state = cheapest[1].state, None
        self.statistics.evictions += 1
        return state

    def _run(self, node: _Node, begin: int, state: AnyArray) -> None:
        """Apply the gates `begin` … `node.end` - 1 of a node's circuit; from |0…0⟩ where they are its first."""
        request = self._requests[node.request]
        key = (begin, node.end)
        found = request.gates.pieces.get(key)
        if found is None:
            found = request.gates.pieces[key] = self._prepared(request.gates.circuit, *key)
        prepared, order = found
        prepared.run(
            state, request.values[order], from_zero=begin == 0, threads=self._settings.threads, cancel=self._cancel
        )
        self.statistics.pieces += 1
        self.statistics.simulated += node.end - begin

    def _prepared(self, circuit: Circuit, begin: int, end: int) -> tuple[PreparedCircuit, NDArray[np.int64]]:
        piece = take(circuit, range(begin, end))
        place = {parameter.name: number for number, parameter in enumerate(circuit.parameters)}
        order = np.array([place[parameter.name] for parameter in piece.parameters], dtype=np.int64)
        return self._settings.engine.prepare(piece, precision=self._settings.precision), order
