"""Walks prepared for a request: what the ways that follow branches have in common."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from qfast._typing import Precision
from qfast.circuit import Observable, Operator
from qfast.circuit.value import CircuitValue
from qfast.engines import Engine, PreparedCircuit
from qfast.engines.bits import row_bytes, strings_of
from qfast.engines.memory import memory_limits, state_bytes
from qfast.simulation.asks import Shots, State
from qfast.simulation.compiled import Compiled
from qfast.simulation.native_walk import NativeWalk
from qfast.simulation.packing import Packing, pack_script, touched_qubits
from qfast.simulation.populations import Shots as Shot
from qfast.simulation.pure_branch import PureBranch
from qfast.simulation.samples import Samples
from qfast.simulation.script import Script, writes_bits
from qfast.simulation.seeds import chosen_seed
from qfast.simulation.statevector import Statevector
from qfast.simulation.terminal_sampling import check_rows
from qfast.simulation.walk import BranchWalk, Walk
from qfast.simulation.ways.interface import Run
from qfast.simulation.working_states import working_state

__all__ = ["WalkedScript", "Walking"]

_UNASKED_BYTES = 1 << 20  # a state that is not worth a look at the memory limits
_ASSUMED_BYTES = 1 << 30


@dataclass(slots=True)
class Walking:
    """A walk that is about to begin, and the bytes it holds without the branches that wait."""

    walk: Walk
    compiled: Compiled
    peak_bytes: int


class WalkedScript:
    """A script prepared to be walked, on the qubits that something touches or on more.

    Attributes
    ----------
    script : Script
        Of the whole circuit, with its noise.
    """

    def __init__(self, circuit: CircuitValue, script: Script, engine: Engine, precision: Precision) -> None:
        self.script = script
        self._circuit = circuit
        self.engine, self.precision = engine, precision
        self.whole = Packing(tuple(range(script.num_qubits)), script.num_qubits)
        self.touched = touched_qubits(script)
        self._compiled: dict[tuple[int, ...], Compiled] = {}
        self.on(self.touched)

    def on(self, packing: Packing) -> Compiled:
        """Return the script on some qubits."""
        found = self._compiled.get(packing.qubits)
        if found is None:
            script = pack_script(self.script, packing)
            found = self._compiled[packing.qubits] = Compiled(
                script, self._circuit.parameters, self.engine, self.precision
            )
        return found

    @property
    def segments(self) -> list[PreparedCircuit]:
        """The prepared stretches of gates."""
        return self.on(self.touched).segments

    def packing_for(self, run: Run, observables: tuple[Observable, ...] = ()) -> Packing:
        """Return the qubits that a run needs."""
        if run.request.initial is not None:
            return self.whole
        wanted: set[int] = set()
        for observable in observables:
            if isinstance(observable, Operator):
                observable.check_fits(self.script.num_qubits)
                wanted.update(observable.qubits)
        if wanted <= set(self.touched.qubits):
            return self.touched
        return Packing(tuple(sorted(wanted.union(self.touched.qubits))), self.script.num_qubits)

    def walk(self, run: Run, packing: Packing, *, scratch_states: int = 0, keeps_branches: bool = True) -> Walking:
        """Return a walk, and the bytes it holds without the branches that wait.

        Parameters
        ----------
        scratch_states : int
            States beside that which is walked.
        keeps_branches : bool
            False: only one branch will be followed.
        """
        compiled, request, settings = self.on(packing), run.request, run.settings
        if compiled.walks_natively:
            native = NativeWalk(
                compiled, settings, request.values, request.initial, max_loop_passes=request.limits.loop_passes,
                cancel=run.cancel,
            )  # fmt: skip
            return Walking(native, compiled, compiled.state_bytes)
        size = state_bytes(compiled.num_qubits, self.precision)
        peak_bytes = compiled.check_memory(settings, states=run.out is None, more_bytes=scratch_states * size)
        budget = request.limits.branch_bytes if keeps_branches else 0
        if budget is None:
            available = memory_limits().available_bytes if size > _UNASKED_BYTES else _ASSUMED_BYTES
            free = available if settings.max_bytes is None else min(available, settings.max_bytes)
            budget = max(0, free - peak_bytes) // 2
        state = working_state(run.out, None, compiled.num_qubits, self.precision)
        branch = PureBranch(compiled, settings, state, request.initial, run.cancel)
        walk = BranchWalk(
            compiled, settings, compiled.named(request.values), branch, budget_bytes=budget,
            max_loop_passes=request.limits.loop_passes, cancel=run.cancel,
        )  # fmt: skip
        return Walking(walk, compiled, peak_bytes)

    def shots(self, run: Run, *, scratch_states: int = 0) -> tuple[Samples, Walk]:
        """Return what shots record, and the walk that it took."""
        ask = run.request.ask
        assert isinstance(ask, Shots)
        assert ask.seed is not None
        if ask.output == "bits":
            check_rows(ask.shots, self.script.num_bits)
        walking = self.walk(run, self.packing_for(run), scratch_states=scratch_states)
        walk = walking.walk
        begun = time.perf_counter()
        rows = histogram = None
        if ask.output == "bits":
            rows = walk.rows(ask.seed, ask.first_shot, ask.shots)
        else:
            histogram = walk.counts(ask.seed, ask.first_shot, ask.shots)
        made = run.made(
            None, seed=ask.seed, peak_bytes=walking.peak_bytes + walk.statistics.peak_kept_bytes,
            times={"prepare_s": walking.compiled.prepare_s, "run_s": time.perf_counter() - begun},
            shots=ask.shots, first_shot=ask.first_shot, draws=ask.draws, branches=walk.statistics.branches,
            replayed_branches=walk.statistics.replays,
        )  # fmt: skip
        return Samples(self.script.registers, rows=rows, histogram=histogram, metadata=made), walk

    def state(self, run: Run, *, scratch_states: int = 0) -> Statevector:
        """Return the state of shot 0, as it is in front of its measurements at the end.

        ``metadata["classical_bits"]`` is the whole row of that shot, these measurements included.
        """
        ask = run.request.ask
        assert isinstance(ask, State)
        seed = chosen_seed(ask.seed)
        walking = self.walk(run, self.whole, scratch_states=scratch_states, keeps_branches=False)
        begun = time.perf_counter()
        row = np.zeros((1, row_bytes(self.script.num_bits)), dtype=np.uint8)
        # One shot never divides, so the initial state is read once, before anything is written over it.
        (leaf,) = walking.walk.leaves(Shot.of(self.engine, seed, 0, row))
        if writes_bits(self._circuit):
            walking.walk.finish(leaf, row)
        state = leaf.state
        if run.out is not None and state is not run.out:
            run.out[:] = state
            state = run.out
        made = run.made(
            None, seed=seed, peak_bytes=walking.peak_bytes,
            times={"prepare_s": walking.compiled.prepare_s, "run_s": time.perf_counter() - begun},
            classical_bits=strings_of(row[:, : row_bytes(self._circuit.num_clbits)], self._circuit.num_clbits)[0],
        )  # fmt: skip
        return Statevector._of_run(state, run.settings, made)
