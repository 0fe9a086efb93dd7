"""The one door: a request becomes a prepared run that has chosen its way.

The choice depends on what is asked, on the structure of the circuit and its noise, and on fixed constants: never on
free memory, timings, a measured table, the number of shots or the values of parameters. Memory only refuses. Whoever
runs a circuit (the verbs, programs, jobs, primitives, plans, mitigation) enters here.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

from qfast._typing import AnyArray, Precision
from qfast.circuit.value import CircuitValue
from qfast.engines import CancelToken, Engine
from qfast.errors import InputError
from qfast.noise import NoiseModel
from qfast.simulation.asks import Ask, Expectation, Shots, What
from qfast.simulation.noise_places import Places, final_measurements, is_straight, places_of
from qfast.simulation.request import METHODS, Method, Request
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import Script, script_of
from qfast.simulation.ways.branches import Branches
from qfast.simulation.ways.density import Density
from qfast.simulation.ways.frames import Frames, why_not_frames
from qfast.simulation.ways.interface import Run, Way
from qfast.simulation.ways.terminal import Terminal
from qfast.simulation.ways.trajectories import Trajectories

__all__ = ["CircuitRuns", "Prepared", "prepare", "run", "runs_of"]

_WAYS: dict[Method, Any] = {way.method: way for way in (Terminal, Branches, Frames, Trajectories, Density)}
assert set(_WAYS) | {"auto"} == set(METHODS)

# Instructions of the circuits whose prepared runs are kept: some 100 MB if none of them has anything in common.
_KEPT_INSTRUCTIONS = 1 << 19
_KEPT_CIRCUITS = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A way that was chosen for what is asked of a circuit, and why; good for any values, seeds and shots."""

    way: Way
    why: str

    def run(
        self, request: Request, settings: RunSettings, cancel: CancelToken | None = None, out: AnyArray | None = None
    ) -> Any:
        """Serve a request of the same kind, of the same circuit and noise."""
        way = self.way
        if request.initial is not None:
            request = request.converted()
        return getattr(way, request.ask.what)(Run(request, settings, way.method, self.why, cancel, out))


class CircuitRuns:
    """What has been prepared for one circuit under one noise model, on one engine in one precision."""

    def __init__(self, circuit: CircuitValue, noise: NoiseModel | None, engine: Engine, precision: Precision) -> None:
        self.circuit, self.noise = circuit, noise
        self.engine, self.precision = engine, precision
        self.weight = 1 + len(circuit)
        self.was_used = False  # since the last look for what may go
        self._prepared: dict[tuple[What, Method, object], Prepared] = {}
        self._ways: dict[Method, Way] = {}
        self._script: Script | None = None
        self._places: list[Places] | None = None

    def prepare(self, ask: Ask, method: Method = "auto") -> Prepared:
        """Return the way for what is asked; the same object every time.

        Raises
        ------
        InputError
            The method cannot serve this, and why.
        CircuitError, CapacityError
            The circuit cannot be prepared.
        """
        kind = ask.draws if isinstance(ask, Shots) else isinstance(ask, Expectation) and ask.trajectories is not None
        key = ask.what, method, kind
        found = self._prepared.get(key)
        if found is None:
            if method == "auto":
                method, why = self._choose(ask)
            else:
                why = "asked for"
            self._check(ask, method)
            found = self._prepared[key] = Prepared(self._way(method), why)
        return found

    @property
    def script(self) -> Script:
        """The circuit with its noise as a script."""
        if self._script is None:
            self._script = script_of(self.circuit, self.noise)
        return self._script

    def terminal(self) -> Terminal:
        """Return the way of circuits that measure at their end only, which programs read rows of values with."""
        self._check_feasible("terminal")
        way = self._way("terminal")
        assert isinstance(way, Terminal)
        return way

    def _choose(self, ask: Ask) -> tuple[Method, str]:
        """The table of what is served how."""
        if self.noise is None:
            if self.script.is_static:
                return "terminal", "the circuit measures at its end only"
            return "branches", "the circuit measures, resets or decides in the middle"
        if isinstance(ask, Shots) or (isinstance(ask, Expectation) and ask.trajectories is not None):
            reason = self._why_not_frames()
            if reason is None:
                return "frames", "all noise is Pauli mixtures, and the circuit measures at its end only"
            return "trajectories", reason
        return "density", "noise acts, and the exact state is a density matrix"

    def _check(self, ask: Ask, method: Method) -> None:
        """Refuse a way that cannot serve what is asked."""
        self._check_feasible(method)
        way = _WAYS[method]
        if ask.what not in way.asks:
            served = ", ".join(name for name, other in _WAYS.items() if ask.what in other.asks)
            raise InputError(f"method {method!r} does not return {_named(ask.what)}; these do: {served}")
        if isinstance(ask, Shots) and ask.draws != "philox" and method != "terminal":
            raise InputError(
                f"draws={ask.draws!r} draws from one final state, which method {method!r} does not have "
                f"({self._why_not_terminal()}); use draws='philox'"
            )
        averages = isinstance(ask, Expectation) and ask.trajectories is not None
        if averages and method not in ("frames", "trajectories"):
            raise InputError(f"method {method!r} returns exact values; leave trajectories out, or the method")
        if isinstance(ask, Expectation) and not averages and method in ("frames", "trajectories"):
            raise InputError(f"method {method!r} returns means over trajectories; say how many: trajectories=…")

    def _check_feasible(self, method: Method) -> None:
        reason = None
        if method == "terminal":
            reason = self._why_not_terminal()
        elif method == "branches" and self.noise is not None:
            reason = "noise acts; 'trajectories' follows branches under noise"
        elif method == "frames":
            reason = self._why_not_frames()
        if reason is not None:
            raise InputError(f"method {method!r} cannot serve this circuit: {reason}")

    def _why_not_terminal(self) -> str | None:
        if self.noise is not None:
            return "noise acts"
        return None if self.script.is_static else "the circuit measures, resets or decides in the middle"

    def _why_not_frames(self) -> str | None:
        straight = is_straight(self.circuit, final_measurements(self.circuit, self.noise))
        return why_not_frames(self.script, self._all_places(), straight)

    def _all_places(self) -> list[Places]:
        if self._places is None:
            self._places = places_of(self.circuit, self.noise)
        return self._places

    def _way(self, method: Method) -> Way:
        found = self._ways.get(method)
        if found is None:
            found = self._ways[method] = self._make(method)
        return found

    def _make(self, method: Method) -> Way:
        if method == "density":
            return Density(self.circuit, self.noise, self.engine, self.precision)
        if method == "frames":
            return Frames(self.circuit, self.script, self._all_places(), self.engine, self.precision)
        way: Way = _WAYS[method](self.circuit, self.script, self.engine, self.precision)
        return way


def _named(what: What) -> str:
    return {"state": "a state", "shots": "shots", "distribution": "a distribution"}.get(what, f"{what} values")


class _Shelf:
    """The prepared runs that are kept, by identity: whoever keeps an entry keeps its circuit and noise, so their id()
    stays their own. Equal circuits that are built anew share the core's plans instead, which go by structure.

    One rule says what goes: the oldest, but what was used since the last look stays once more.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[int, int, Engine, Precision], CircuitRuns] = {}
        self.held = 0  # instructions
        self.lock = threading.Lock()

    def put(self, key: tuple[int, int, Engine, Precision], entry: CircuitRuns) -> CircuitRuns:
        """Add an entry; return the one of another thread, if there is one meanwhile."""
        with self.lock:
            found = self.entries.setdefault(key, entry)
            if found is entry:
                self.held += entry.weight
                self._make_room(key)
            return found

    def _make_room(self, newest: tuple[int, int, Engine, Precision]) -> None:
        while len(self.entries) > 1 and (self.held > _KEPT_INSTRUCTIONS or len(self.entries) > _KEPT_CIRCUITS):
            key = next(iter(self.entries))
            entry = self.entries.pop(key)
            if entry.was_used or key == newest:
                entry.was_used = False
                self.entries[key] = entry
            else:
                self.held -= entry.weight


_shelf = _Shelf()


def _after_fork() -> None:
    """Another thread of the parent may have held the lock."""
    _shelf.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def runs_of(circuit: CircuitValue, noise: NoiseModel | None, engine: Engine, precision: Precision) -> CircuitRuns:
    """Return what is prepared of a circuit; what was not used for long is forgotten."""
    key = (id(circuit), id(noise), engine, precision)
    found = _shelf.entries.get(key)
    if found is None:
        return _shelf.put(key, CircuitRuns(circuit, noise, engine, precision))
    found.was_used = True
    return found


def prepare(request: Request, settings: RunSettings) -> Prepared:
    """Return the way that serves a request on an engine.

    Raises
    ------
    InputError
        Its method cannot serve it; the message says why.
    """
    runs = runs_of(request.circuit, request.noise, settings.engine, request.precision)
    return runs.prepare(request.ask, request.method)


def run(request: Request, settings: RunSettings, cancel: CancelToken | None = None, out: AnyArray | None = None) -> Any:
    """Serve a request here and now."""
    return prepare(request, settings).run(request, settings, cancel, out)
