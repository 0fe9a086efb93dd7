"""Lists of requests: circuits that begin alike are simulated together, all others one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qfast._typing import AnyArray
from qfast.engines import CancelToken
from qfast.engines.bits import Wiring
from qfast.engines.memory import allocate_state
from qfast.simulation.asks import Expectation, Shots, State
from qfast.simulation.door import prepare, run, runs_of
from qfast.simulation.packing import Packing
from qfast.simulation.prepared_observables import measurable
from qfast.simulation.provenance import Provenance
from qfast.simulation.request import Request
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import Samples
from qfast.simulation.shared_prefix import PrefixStatistics, shared_states
from qfast.simulation.statevector import Statevector
from qfast.simulation.terminal_sampling import draw_shots
from qfast.simulation.ways.means import Means

__all__ = ["run_list"]

_WHY = "beginnings that circuits of a list have in common are simulated once"


def run_list(
    requests: Sequence[Request],
    settings: RunSettings,
    *,
    budget_bytes: int | None = None,
    cancel: CancelToken | None = None,
    done: Callable[[int], None] = lambda number: None,
) -> tuple[list[Any], PrefixStatistics | None]:
    """Serve requests, and share what they have in common.

    Parameters
    ----------
    requests : sequence of Request
        Of one precision.
    settings : RunSettings
    budget_bytes : int, optional
        Memory for states that circuits share; by default half of what is available.
    cancel : CancelToken, optional
    done : callable
        Told how many are done.

    Returns
    -------
    results : list
        In the order of the requests.
    statistics : PrefixStatistics or None
        What sharing saved; None where nothing can be shared: a circuit is noisy, starts from a given state, measures in
        the middle, is asked for something else than a state, shots or expectation values, or has another number of
        qubits than the first.
    """
    count = 0

    def counted(result: Any) -> Any:
        nonlocal count
        count += 1
        done(count)
        return result

    if not _can_share(requests, settings):
        return [counted(run(request, settings, cancel)) for request in requests], None

    def use(index: int, state: AnyArray, packing: Packing) -> Any:
        return counted(_read(requests[index], settings, state, packing, cancel))

    return shared_states(requests, settings, use, budget_bytes=budget_bytes, cancel=cancel)


def _can_share(requests: Sequence[Request], settings: RunSettings) -> bool:
    if len(requests) < 2:
        return False
    width = requests[0].circuit.num_qubits
    for request in requests:
        is_plain = request.noise is None and request.initial is None and request.method in ("auto", "terminal")
        if not is_plain or request.circuit.num_qubits != width:
            return False
        if not isinstance(request.ask, (State, Shots, Expectation)):
            return False
        if not runs_of(request.circuit, None, settings.engine, settings.precision).script.is_static:
            return False
    return True


def _read(
    request: Request, settings: RunSettings, state: AnyArray, packing: Packing, cancel: CancelToken | None
) -> Any:
    """Return what is asked of a state that is only lent."""
    ask = request.ask
    if isinstance(ask, Shots):
        script = runs_of(request.circuit, None, settings.engine, settings.precision).script
        place = packing.place_of()
        pairs = [(place[qubit], bit) for bit, qubit in enumerate(script.wiring.sources) if qubit in place]
        begun = time.perf_counter()
        rows, histogram = draw_shots(settings, state, Wiring(pairs, script.num_bits), ask, cancel)
        more = {"shots": ask.shots, "first_shot": ask.first_shot, "draws": ask.draws, "method": "terminal", "why": _WHY}
        times = {"sample_s": time.perf_counter() - begun}
        made = Provenance(settings, None, seed=ask.seed, times=times, more=more)
        return Samples(script.registers, rows=rows, histogram=histogram, metadata=made)
    if isinstance(ask, Expectation) and all(_fits(one, packing) for one in ask.observables):
        found = []
        for observable in ask.observables:
            wanted = measurable(packing.observable(observable), settings.engine, len(packing.qubits))
            found.append(wanted.expectation(state, settings.threads, cancel))
        made = Provenance(settings, None, more={"method": "terminal", "why": _WHY})
        return Means.exact(found, ask.shape, made)
    if isinstance(ask, State) and packing.is_whole:
        own = allocate_state(packing.num_qubits, settings.precision)
        np.copyto(own, state)
        return Statevector._of_run(own, settings, Provenance(settings, None, more={"method": "terminal", "why": _WHY}))
    return prepare(request, settings).run(request, settings, cancel)


def _fits(observable: Any, packing: Packing) -> bool:
    """Whether an observable acts on no other qubits, or is 0 or 1 there."""
    return not hasattr(observable, "check_fits") or set(observable.qubits) <= set(packing.qubits)
