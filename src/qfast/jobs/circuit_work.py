"""A circuit as work: its state, its shots, or expectation values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast import simulation
from qfast._typing import Precision
from qfast.circuit import Circuit, Observable, PauliSum
from qfast.circuit.checks import has_no_order
from qfast.engines.memory import check_qubits, state_bytes
from qfast.errors import CircuitError, InputError, ObservableError
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
from qfast.simulation import Samples
from qfast.simulation.density import density_bytes, simulate_density

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.devices import Device
    from qfast.jobs.context import JobContext

__all__ = [
    "CircuitWork",
    "check_circuit",
    "check_noise",
    "check_unchanged",
    "circuit_cost",
    "copied_values",
    "engine_arguments",
    "make_circuit_work",
    "samples_bytes",
]

# Amplitude updates that count as one small job in the fair share: some 0.1 ms of an engine's time.
_UPDATES_PER_COST = 1 << 18
# Up to these, a run takes some 0.1 ms, even on the slowest engine not much more.
_SHORT_UPDATES = 1 << 12
_SHORT_SHOTS = 1 << 13
# Below this, engines use one thread anyway.
_THREADED_QUBITS = 14


class CircuitWork:
    """One circuit, with one set of parameter values.

    ``observables`` given: expectation values; ``shots`` given: samples; neither: the state. With noise, its own or the
    device's, expectation values are exact ones of the density matrix, and there is no state. With the setting
    ``error_mitigation`` expectation values are `Estimate`, and samples tell in their metadata what was done.
    """

    __slots__ = (
        "_cost", "_is_short", "_length", "_num_qubits", "_program", "circuit", "initial_state", "name", "noise",
        "observables", "parameters", "shots",
    )  # fmt: skip

    def __init__(
        self,
        circuit: Circuit,
        shots: int | None,
        parameters: Any,
        observables: Observable | Sequence[Observable] | None,
        noise: NoiseModel | None,
        initial_state: Any = None,
    ) -> None:
        self.initial_state = initial_state
        self.circuit = circuit
        self.noise = noise
        self.shots = shots
        self.parameters = parameters
        self.observables = observables
        self._length = len(circuit)
        self._num_qubits = circuit.num_qubits
        self._cost = circuit_cost(self._length, self._num_qubits)
        updates = self._length << self._num_qubits
        self._is_short = (
            updates <= _SHORT_UPDATES
            and (shots or 0) <= _SHORT_SHOTS
            and not circuit.data_items
            and noise is None
            and initial_state is None
        )
        self._program: simulation.Program | None = None
        self.name = "expectation" if observables is not None else "state" if shots is None else "samples"

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`."""
        precision: Precision = settings["precision"]
        check_qubits(self._num_qubits, precision)
        fixed = 0 if self.shots is None else samples_bytes(self.circuit, self.shots)
        size_bytes = state_bytes(self._num_qubits, precision) + fixed
        if settings["error_mitigation"]:
            shots = self._mitigated_shots(settings)
            return Requirements(self._num_qubits, shots, size_bytes, self._cost, fixed_bytes=fixed)
        return Requirements(self._num_qubits, self.shots or 0, size_bytes, self._cost, self._is_short, fixed)

    def requirements_on(self, settings: Snapshot, device: Device) -> Requirements:
        """See `Work`: under noise, its own or the device's, exact expectation values take a density matrix."""
        needed = self.requirements(settings)
        if self.observables is None or settings["error_mitigation"]:
            return needed
        if device.is_noisy if self.noise is None else not self.noise.is_empty:
            check_qubits(2 * self._num_qubits, settings["precision"])
            needed.size_bytes, needed.growth = density_bytes(self._num_qubits, settings["precision"]), 4
            needed.cost, needed.is_short = circuit_cost(self._length, 2 * self._num_qubits), False
        return needed

    def fingerprint(self) -> bytes:
        """Return a digest of all that the result depends on, besides seed, device and settings.

        Raises
        ------
        InputError
            An observable of a kind that has no digest.
        """
        digest = hashlib.blake2b(digest_size=32, person=b"qfast circ work")
        digest.update(self.circuit.digest)
        digest.update(b"" if self.noise is None else self.noise.digest)
        values = self.parameters
        if isinstance(values, Mapping):
            values = sorted((getattr(key, "name", str(key)), np.asarray(v).tolist()) for key, v in values.items())
        told = values.tolist() if isinstance(values, np.ndarray) else values
        digest.update(repr((self.name, self.shots, told)).encode())
        if self.initial_state is not None:
            digest.update(np.asarray(getattr(self.initial_state, "amplitudes", self.initial_state)).tobytes())
        listed = [self.observables] if isinstance(self.observables, Observable) else self.observables or []
        for observable in listed:
            if not isinstance(observable, PauliSum):
                raise InputError(f"a {type(observable).__name__} has no fingerprint; use a PauliSum")
            digest.update(b"".join(np.ascontiguousarray(part).tobytes() for part in observable.masks()))
        return digest.digest()

    def _mitigated_shots(self, settings: Snapshot) -> int:
        """Return the shots with those of the calibration, or refuse methods that cannot work."""
        if self.shots is None and self.observables is None:
            check_no_mitigation(settings, "a state")
        mitigation = Mitigation.from_settings(settings)
        if self.shots is None:
            check_exact(mitigation)
            return 0
        check_samplable(mitigation)
        return mitigation.total_shots(self.shots)

    def load(self, context: JobContext) -> None:
        """Plan the circuit; a plan of the same circuit is found again."""
        check_unchanged(self.circuit, self._length)
        check_fits_device(self.circuit, context.device)
        self._program = simulation.compile(self.circuit, **engine_arguments(context, self._num_qubits))

    def execute(self, context: JobContext) -> Any:
        """Run it on the device's engine."""
        found = self._execute(context)
        return found if self.observables is None else with_metadata(found)

    def _execute(self, context: JobContext) -> Any:
        assert self._program is not None
        if context.config["error_mitigation"]:
            if self.initial_state is not None:
                raise InputError("error mitigation begins with |0…0⟩; leave initial_state or error_mitigation out")
            return self._execute_mitigated(context)
        noise = context.device.noise if self.noise is None else self.noise
        if noise is not None and not noise.is_empty:
            return self._execute_with(noise, context)
        # A token would cost more than a short run, which is over long before anybody could ask it to stop.
        cancel = None if self._is_short else context.token_with_progress()
        if self.initial_state is not None:
            return self._execute_from(self.initial_state, context)
        if self.observables is not None:
            return self._program.expectation(self.parameters, self.observables, cancel=cancel)
        if self.shots is not None:
            return self._program.sample(self.parameters, self.shots, context.seed, cancel=cancel)
        return simulation.simulate(
            self.circuit,
            parameters=self.parameters,
            seed=context.seed,
            cancel=cancel,
            **engine_arguments(context, self._num_qubits),
        )

    def _execute_from(self, initial_state: Any, context: JobContext) -> Any:
        """Go on from a state."""
        arguments = {
            "parameters": self.parameters,
            "initial_state": initial_state,
            "cancel": context.cancel_token,
            **engine_arguments(context, self._num_qubits),
        }
        if self.shots is not None:
            return simulation.sample(self.circuit, self.shots, context.seed, **arguments)
        state = simulation.simulate(self.circuit, seed=context.seed, **arguments)
        return state if self.observables is None else state.expectation(self.observables)

    def _execute_with(self, noise: NoiseModel, context: JobContext) -> Any:
        arguments = {
            "parameters": self.parameters,
            "cancel": context.cancel_token,
            **engine_arguments(context, self._num_qubits),
        }
        if self.shots is not None:
            return simulation.sample(
                self.circuit, self.shots, context.seed, noise=noise, initial_state=self.initial_state, **arguments
            )
        if self.initial_state is not None:
            raise InputError("a density matrix begins with |0…0⟩; leave initial_state out, or ask for shots")
        if self.observables is None:
            raise InputError("noise leaves no state vector; ask for shots or for observables")
        density = simulate_density(self.circuit, noise, **arguments)
        if isinstance(self.observables, Observable):
            return density.expectation(self.observables)
        return np.array([density.expectation(observable) for observable in self.observables])

    def _execute_mitigated(self, context: JobContext) -> Samples | Estimate | list[Estimate]:
        mitigation = Mitigation.from_settings(context.config)
        circuit = self.circuit if self.parameters is None else self.circuit.bind(self.parameters)
        total = self._mitigated_shots(context.config)
        target = job_target(context, self.noise, context.seed, total, **engine_arguments(context, self._num_qubits))
        if self.shots is not None:
            return mitigated_samples_of(circuit, self.shots, mitigation, target)
        is_single = isinstance(self.observables, Observable)
        listed = [self.observables] if isinstance(self.observables, Observable) else self.observables or []
        sums = [observable for observable in listed if isinstance(observable, PauliSum)]
        if len(sums) < len(listed):
            raise ObservableError("error mitigation takes Pauli sums only; DenseOperator.to_pauli_sum() makes one")
        found = mitigated_exact(circuit, sums, mitigation, target)
        return found[0] if is_single else found

    def unload(self, context: JobContext) -> None:
        """Let go of the program; the engine keeps the plan for the next job of the same structure."""
        self._program = None


def make_circuit_work(
    circuit: Circuit,
    *,
    shots: int | None = None,
    parameters: Any = None,
    observables: Observable | Sequence[Observable] | None = None,
    noise: NoiseModel | None = None,
    initial_state: Any = None,
) -> CircuitWork:
    """Check arguments and copy what the caller may change before the job runs.

    Raises
    ------
    InputError
        No circuit; shots that are not a positive number; shots and observables at once.
    """
    check_circuit(circuit)
    if shots is not None:
        if isinstance(shots, bool) or not hasattr(shots, "__index__") or shots.__index__() < 1:
            raise InputError(f"shots {shots!r} is not valid; allowed: whole numbers from 1")
        if observables is not None:
            raise InputError(
                "observables and shots were both given; leave shots out for exact expectation values, or use an "
                "Estimator with a precision, or a ShotPlan, for sampled ones"
            )
        shots = shots.__index__()
    if observables is not None and not isinstance(observables, Observable):
        if has_no_order(observables):
            raise InputError(f"observables are one or a list of them, {type(observables).__name__} given")
        observables = list(observables)
    if initial_state is not None and not isinstance(initial_state, simulation.Statevector):
        initial_state = np.array(initial_state)
    return CircuitWork(circuit, shots, copied_values(parameters), observables, check_noise(noise), initial_state)


def check_circuit(circuit: Any) -> None:
    """Raise ``InputError`` for anything but a circuit."""
    if not isinstance(circuit, Circuit):
        raise InputError(f"{type(circuit).__name__} is not a circuit; pass a qfast.Circuit")


def check_noise(noise: Any) -> NoiseModel | None:
    """Return a noise model as it is now, or None; raise ``InputError`` for anything else."""
    if noise is None:
        return None
    if isinstance(noise, NoiseModel):
        return noise.snapshot()
    raise InputError(f"{type(noise).__name__} is not a noise model; pass a qfast.NoiseModel")


def check_unchanged(circuit: Circuit, length: int) -> None:
    """Raise ``CircuitError`` when instructions were added to a circuit after its job was submitted."""
    if len(circuit) != length:
        raise CircuitError(
            f"the circuit had {length} instructions when its job was submitted and has {len(circuit)} now; "
            "submit a copy (circuit.copy()) if you go on building it"
        )


def copied_values(parameters: Any) -> Any:
    """Copy parameter values: an optimiser may write the next ones into the same array before the job runs."""
    if parameters is None:
        return None
    return dict(parameters) if isinstance(parameters, Mapping) else np.array(parameters)


def samples_bytes(circuit: Circuit, shots: int) -> int:
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
