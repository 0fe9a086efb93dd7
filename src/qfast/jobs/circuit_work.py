"""Requests as work: a circuit's state, shots or expectation values, or those of a list of circuits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import FloatArray, Precision
from qfast.circuit import Observable, PauliSum
from qfast.circuit.value import AnyCircuit, CircuitValue
from qfast.engines import CancelToken
from qfast.engines.memory import check_qubits, density_bytes, state_bytes
from qfast.errors import InputError, ObservableError, QfastError
from qfast.estimation import Estimate
from qfast.jobs.device_check import check_fits_device
from qfast.jobs.mitigated import (
    check_exact,
    check_no_mitigation,
    check_samplable,
    job_target,
    mitigated_exact,
    mitigated_samples_of,
)
from qfast.jobs.values import with_metadata
from qfast.jobs.work import Requirements
from qfast.mitigation import Mitigation
from qfast.noise import NoiseModel
from qfast.simulation import Program, Samples
from qfast.simulation.asks import Ask, Expectation, Shots, State
from qfast.simulation.circuit_lists import run_list
from qfast.simulation.door import run
from qfast.simulation.packing import num_touched
from qfast.simulation.request import Method, Request, checked_circuit, checked_noise, table_of
from qfast.simulation.run_settings import RunSettings, run_settings
from qfast.simulation.seeds import chosen_seed, derived_seed
from qfast.simulation.shared_prefix import PrefixStatistics
from qfast.simulation.ways.means import Means

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.devices import Device
    from qfast.jobs.context import JobContext

__all__ = ["ListResult", "ListWork", "RequestWork", "circuit_cost", "engine_arguments", "make_work", "samples_bytes"]

# Amplitude updates that count as one small job in the fair share: some 0.1 ms of an engine's time.
_UPDATES_PER_COST = 1 << 18
# Up to these, a run takes some 0.1 ms, even on the slowest engine not much more.
_SHORT_UPDATES = 1 << 12
_SHORT_SHOTS = 1 << 13
# Below this, engines use one thread anyway.
_THREADED_QUBITS = 14
# A request does not know its precision before its job knows its settings.
_UNKNOWN: Precision = "complex128"


class RequestWork:
    """One request, at its own values or at each row of a table of them.

    With noise, its own or the device's, a state is a density matrix, and expectation values are its exact ones. With
    the setting ``error_mitigation`` expectation values are `Estimate`, and samples tell in their metadata what was
    done.
    """

    __slots__ = ("_cost", "_is_short", "_num_qubits", "_placed", "_takes_noise", "name", "request", "table")

    def __init__(self, request: Request, table: FloatArray | None = None, takes_noise: bool = True) -> None:
        self.request = request
        self.table = table
        self._takes_noise = takes_noise
        self._placed = request
        circuit, ask = request.circuit, request.ask
        self._num_qubits = circuit.num_qubits if isinstance(ask, State) else num_touched(circuit)
        rows = 1 if table is None else len(table)
        self._cost = circuit_cost(len(circuit) * rows, self._num_qubits)
        shots = ask.shots if isinstance(ask, Shots) else 0
        self._is_short = (
            len(circuit) * rows << self._num_qubits <= _SHORT_UPDATES
            and shots <= _SHORT_SHOTS
            and not circuit.data_items
            and request.noise is None
            and request.initial is None
        )
        self.name = "samples" if isinstance(ask, Shots) else ask.what

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`."""
        precision: Precision = settings["precision"]
        check_qubits(self._num_qubits, precision)
        ask, num_qubits = self.request.ask, self.request.circuit.num_qubits
        rows = 1 if self.table is None else len(self.table)
        shots = ask.shots * rows if isinstance(ask, Shots) else 0
        fixed = samples_bytes(self.request.circuit, shots)
        size_bytes = state_bytes(self._num_qubits, precision) + fixed
        if settings["error_mitigation"]:
            if self.table is not None:
                check_no_mitigation(settings, "a table of values")
            return Requirements(num_qubits, self._mitigated_shots(settings), size_bytes, self._cost, fixed_bytes=fixed)
        return Requirements(num_qubits, shots, size_bytes, self._cost, self._is_short, fixed)

    def requirements_on(self, settings: Snapshot, device: Device) -> Requirements:
        """See `Work`: under noise, its own or the device's, exact values and states take a density matrix."""
        needed = self.requirements(settings)
        is_noisy = device.is_noisy if self._takes_noise else self.request.noise is not None
        if is_noisy and not isinstance(self.request.ask, Shots) and not settings["error_mitigation"]:
            check_qubits(2 * self._num_qubits, settings["precision"])
            needed.size_bytes, needed.growth = density_bytes(self._num_qubits, settings["precision"]), 4
            needed.cost, needed.is_short = circuit_cost(len(self.request.circuit), 2 * self._num_qubits), False
        return needed

    def fingerprint(self) -> bytes:
        """Return a digest of all that the result depends on, besides seed, device and settings."""
        digest = hashlib.blake2b(self.request.digest, digest_size=32, person=b"qfast circ work")
        digest.update(b"" if self.table is None else repr(self.table.shape).encode() + self.table.tobytes())
        return digest.digest()

    def _mitigated_shots(self, settings: Snapshot) -> int:
        """Return the shots with those of the calibration, or refuse methods that cannot work."""
        ask = self.request.ask
        if isinstance(ask, State):
            check_no_mitigation(settings, "a state")
        mitigation = Mitigation.from_settings(settings)
        if not isinstance(ask, Shots):
            check_exact(mitigation)
            return 0
        check_samplable(mitigation)
        return mitigation.total_shots(ask.shots)

    def load(self, context: JobContext) -> None:
        """Look at the circuit from the device's side, and take over what the job knows better than the request."""
        check_fits_device(self.request.circuit, context.device)
        self._placed = placed(self.request, context, takes_noise=self._takes_noise)

    def execute(self, context: JobContext) -> Any:
        """Run it on the device's engine."""
        if context.config["error_mitigation"]:
            if self.request.initial is not None:
                raise InputError("error mitigation begins with |0…0⟩; leave initial_state or error_mitigation out")
            return self._execute_mitigated(context)
        # A token would cost more than a short run, which is over long before anybody could ask it to stop.
        cancel = None if self._is_short else context.token_with_progress()
        settings = run_settings(**engine_arguments(context, self._num_qubits))
        if self.table is None:
            return _plain(run(self._placed, settings, cancel))
        return with_metadata(_run_table(self._placed, self.table, settings, cancel))

    def _execute_mitigated(self, context: JobContext) -> Samples | Estimate | list[Estimate]:
        mitigation, request = Mitigation.from_settings(context.config), self._placed
        circuit = request.circuit.bind(request.values.tolist()) if request.values.size else request.circuit.copy()
        total = self._mitigated_shots(context.config)
        arguments = engine_arguments(context, circuit.num_qubits)
        target = job_target(context, request.noise or NoiseModel(), context.seed, total, **arguments)
        ask = request.ask
        if isinstance(ask, Shots):
            return mitigated_samples_of(circuit, ask.shots, mitigation, target)
        assert isinstance(ask, Expectation)
        sums = [observable for observable in ask.observables if isinstance(observable, PauliSum)]
        if len(sums) < len(ask.observables):
            raise ObservableError("error mitigation takes Pauli sums only; DenseOperator.to_pauli_sum() makes one")
        found = mitigated_exact(circuit, sums, mitigation, target)
        return found if ask.shape else found[0]

    def unload(self, context: JobContext) -> None:
        """Nothing is held: what is prepared stays with the door, for the next job of the same circuit."""


def _plain(found: Any) -> Any:
    """Return expectation values as numbers, and anything else as it is."""
    return with_metadata(found.array()) if isinstance(found, Means) else found


def _run_table(request: Request, table: FloatArray, settings: RunSettings, cancel: CancelToken | None) -> Any:
    """Serve a request at rows of values: a list of samples, or an array."""
    program, ask = Program(request.circuit, settings), request.ask
    options: dict[str, Any] = {"initial_state": request.initial, "cancel": cancel}
    if isinstance(ask, Shots):
        return program.sample(table, ask.shots, ask.seed, noise=request.noise, method=request.method, **options)
    if isinstance(ask, Expectation):
        observables = np.array([*ask.observables, None], dtype=object)[:-1].reshape(ask.shape)
        wanted = observables if ask.shape else ask.observables[0]
        return program.expectation(table, wanted, noise=request.noise, **options)
    return program.simulate(table, **options)


def placed(request: Request, context: JobContext, *, takes_noise: bool) -> Request:
    """Return a request with what its job decides: precision, seed, and the device's noise if it takes that.

    It does where the caller named no noise model; an empty one means none.
    """
    ask: Ask = request.ask
    if isinstance(ask, (State, Shots)) and ask.seed is None:
        ask = replace(ask, seed=chosen_seed(context.seed))
    noise = request.noise
    if takes_noise and context.device.noise is not None:
        noise = checked_noise(context.device.noise)
    return replace(request, ask=ask, noise=noise, precision=context.config["precision"])


def make_work(
    circuits: AnyCircuit | Program | Sequence[AnyCircuit | Program],
    *,
    shots: int | None = None,
    parameters: Any = None,
    observables: Observable | Sequence[Any] | None = None,
    noise: NoiseModel | None = None,
    initial_state: Any = None,
    method: Method = "auto",
) -> RequestWork | ListWork:
    """Check arguments, and keep what the caller may change before the job runs; see ``Session.run``.

    Raises
    ------
    InputError
        No circuit; shots that are not a positive number; shots and observables at once.
    ParameterError
        A parameter is unbound or unknown, or a value is not a finite real number.
    """
    ask = _ask_for(shots, observables)
    more: dict[str, Any] = {"noise": noise, "initial_state": initial_state, "method": method}
    if isinstance(circuits, (list, tuple)):
        return ListWork(_requests(ask, circuits, parameters, more), noise is None)
    value = _circuit_of(circuits)
    if parameters is None or hasattr(parameters, "keys") or np.ndim(parameters) < 2:
        return RequestWork(Request.of(ask, value, parameters, _UNKNOWN, **more).kept(), None, noise is None)
    table = np.array(table_of(value.parameters, parameters))
    if not len(table):
        raise InputError("there is no row of parameter values; pass at least one")
    return RequestWork(Request.of(ask, value, table[0], _UNKNOWN, **more).kept(), table, noise is None)


def _ask_for(shots: int | None, observables: Any) -> Ask:
    if shots is None:
        return State() if observables is None else Expectation.of(observables)
    if observables is not None:
        raise InputError(
            "observables and shots were both given; leave shots out for exact expectation values, or use an Estimator "
            "with a precision, a ShotPlan or qfast.expectation, for sampled ones"
        )
    return Shots(shots)


def _circuit_of(circuit: object) -> CircuitValue:
    return circuit.circuit if isinstance(circuit, Program) else checked_circuit(circuit)


def _requests(ask: Ask, circuits: Sequence[Any], parameters: Any, more: dict[str, Any]) -> list[Request]:
    if not circuits:
        raise InputError("there is no circuit; pass at least one")
    rows = [None] * len(circuits) if parameters is None else list(parameters)
    if len(rows) != len(circuits):
        raise InputError(f"{len(circuits)} circuits and {len(rows)} sets of parameter values were given")
    found = []
    for number, (circuit, values) in enumerate(zip(circuits, rows, strict=True)):
        try:
            found.append(Request.of(ask, _circuit_of(circuit), values, _UNKNOWN, **more).kept())
        except QfastError as error:
            raise type(error)(f"circuit {number}: {error}") from None
    return found


class ListWork:
    """Requests of a list of circuits, which share what they can; circuit i draws from (seed, "circuit", i)."""

    name = "circuits"

    def __init__(self, requests: list[Request], takes_noise: bool = True) -> None:
        self.requests = requests
        self._takes_noise = takes_noise
        self._num_qubits = max(
            one.circuit.num_qubits if isinstance(one.ask, State) else num_touched(one.circuit) for one in requests
        )

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`: two states are what a parameter-shift set needs; with less memory, prefixes are run again."""
        check_no_mitigation(settings, "a list of circuits")
        precision: Precision = settings["precision"]
        check_qubits(self._num_qubits, precision)
        cost = sum(circuit_cost(len(request.circuit), self._num_qubits) for request in self.requests)
        shots = sum(request.ask.shots for request in self.requests if isinstance(request.ask, Shots))
        states = 2 + sum(isinstance(request.ask, State) for request in self.requests)
        num_qubits = max(request.circuit.num_qubits for request in self.requests)
        return Requirements(num_qubits, shots, states * state_bytes(self._num_qubits, precision), max(1.0, cost))

    def load(self, context: JobContext) -> None:
        """Look at every circuit from the device's side."""
        for request in self.requests:
            check_fits_device(request.circuit, context.device)

    def fingerprint(self) -> bytes:
        """Return a digest of all that the results depend on, besides seed, device and settings."""
        digests = b"".join(request.digest for request in self.requests)
        return hashlib.blake2b(digests, digest_size=32, person=b"qfast circ list").digest()

    def execute(self, context: JobContext) -> ListResult:
        """See `Work`."""
        seed = chosen_seed(context.seed)
        requests = []
        for number, request in enumerate(self.requests):
            ask = request.ask
            if isinstance(ask, (Shots, State)):
                ask = replace(ask, seed=derived_seed(seed, "circuit", number))
            requests.append(placed(request.asking(ask), context, takes_noise=self._takes_noise))
        settings = run_settings(**engine_arguments(context, self._num_qubits))
        context.job.follow_progress(None)  # the job's progress counts circuits
        # The job's share of memory: what the requirements say.
        found, statistics = run_list(
            requests, settings, budget_bytes=2 * state_bytes(self._num_qubits, settings.precision),
            cancel=context.cancel_token, done=lambda number: context.progress(number, len(requests)),
        )  # fmt: skip
        metadata: dict[str, Any] = {"seed": seed}
        if statistics is not None:
            context.log(f"{statistics.simulated} of {statistics.instructions} gates were run")
            metadata["sharing"] = statistics.as_dict()
        return ListResult([_plain(one) for one in found], statistics, metadata)

    def unload(self, context: JobContext) -> None:
        """Nothing is held."""


class ListResult(Sequence[Any]):
    """One result per circuit, in their order, and what sharing saved.

    Attributes
    ----------
    statistics : PrefixStatistics or None
        None where the circuits have nothing that could be shared.
    metadata : dict
    """

    def __init__(self, results: list[Any], statistics: PrefixStatistics | None, metadata: dict[str, Any]) -> None:
        self._results = tuple(results)
        self.statistics = statistics
        self.metadata = metadata

    def __getitem__(self, index: Any) -> Any:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to `metadata`; the job layer tells here which job made the result."""
        self.metadata.update(entries)

    def __repr__(self) -> str:
        saved = "" if self.statistics is None else f", {self.statistics.saved:.0%} of the gates saved"
        return f"<ListResult of {len(self)} circuits{saved}>"


def samples_bytes(circuit: AnyCircuit, shots: int) -> int:
    """Return the memory of the outcomes of all shots: a bit for each classical bit, in words of eight bytes."""
    return shots * 8 * (-(-(circuit.num_clbits or circuit.num_qubits) // 64))


def circuit_cost(num_instructions: int, num_qubits: int) -> float:
    """Return what one run of a circuit costs in the fair share: instructions times amplitudes, at least 1."""
    return max(1.0, num_instructions * 2.0**num_qubits / _UPDATES_PER_COST)


def engine_arguments(context: JobContext, num_qubits: int) -> dict[str, Any]:
    """Return the arguments by which an entry point runs as this job's device and share of threads have it."""
    arguments: dict[str, Any] = {}
    if context.device.engine is not None:
        arguments["engine"] = context.device.engine
    if num_qubits >= _THREADED_QUBITS and context.threads != context.config["threads"]:
        arguments["threads"] = context.threads
    return arguments
