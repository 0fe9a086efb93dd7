"""Sampler and Estimator: many circuits, parameter sets and observables in one job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from qfast import config
from qfast.circuit import PauliSum
from qfast.devices import Device, get_device
from qfast.engines.memory import check_qubits, density_bytes, state_bytes
from qfast.errors import InputError
from qfast.estimation import Estimate, group_settings, planned_shots
from qfast.jobs.circuit_work import circuit_cost, engine_arguments, samples_bytes
from qfast.jobs.device_check import check_fits_device
from qfast.jobs.job import Job
from qfast.jobs.job_group import JobGroup
from qfast.jobs.mitigated import (
    check_exact,
    check_samplable,
    job_target,
    mitigated_exact,
    mitigated_sampled,
    mitigated_samples_of,
)
from qfast.jobs.pubs import EstimatorPub, ObjectArray, SamplerPub, make_estimator_pub, make_sampler_pub
from qfast.jobs.results import EstimatorPubResult, PrimitiveResult, SamplerPubResult
from qfast.jobs.runtime import submit
from qfast.jobs.sampled_values import sampled_pub
from qfast.jobs.work import Requirements
from qfast.mitigation import Mitigation
from qfast.simulation import Program, Samples, compile
from qfast.simulation.seeds import derived_seed, fresh_seed

if TYPE_CHECKING:
    from qfast._typing import AnyArray, FloatArray, Precision
    from qfast.config import Snapshot
    from qfast.jobs.context import JobContext

__all__ = ["Estimator", "EstimatorWork", "Sampler", "SamplerWork"]

Mode: TypeAlias = JobGroup | Device | str | None
P = TypeVar("P", bound=SamplerPub | EstimatorPub)


class _PubWork(Generic[P]):
    """Work over pubs: plans in LOAD, one pub after the other in EXECUTE."""

    name = ""

    def __init__(self, pubs: list[P]) -> None:
        self.pubs = pubs
        self._programs: list[Program] = []

    def _count(self, pub: P) -> int:
        """Return how many simulations a pub takes."""
        return len(pub.bindings.table)

    def _shots(self, mitigation: Mitigation | None) -> int:
        """Return the shots of all pubs, or refuse methods of mitigation that cannot work on them."""
        raise NotImplementedError

    def requirements(self, settings: Snapshot) -> Requirements:
        """See `Work`."""
        mitigation = Mitigation.from_settings(settings) if settings["error_mitigation"] else None
        precision: Precision = settings["precision"]
        num_qubits = max((pub.circuit.num_qubits for pub in self.pubs), default=0)
        check_qubits(num_qubits, precision)
        cost = sum(self._count(pub) * circuit_cost(len(pub.circuit), pub.circuit.num_qubits) for pub in self.pubs)
        fixed = self._result_bytes()
        size_bytes = state_bytes(num_qubits, precision) + fixed
        return Requirements(num_qubits, self._shots(mitigation), size_bytes, max(1.0, cost), fixed_bytes=fixed)

    def fingerprint(self) -> bytes:
        """Return a digest of all that the result depends on, besides seed, device and settings."""
        digest = hashlib.blake2b(digest_size=32, person=b"qfast pubs")
        digest.update(self.name.encode())
        for pub in self.pubs:
            digest.update(pub.circuit.digest)
            for array in (pub.bindings.table, *self._parts_of(pub)):
                digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return digest.digest()

    def _parts_of(self, pub: P) -> list[AnyArray]:
        """Return what else is in a pub, as arrays."""
        raise NotImplementedError

    def _result_bytes(self) -> int:
        """Return the memory of what is kept of every simulation."""
        return 0

    def load(self, context: JobContext) -> None:
        """Plan every circuit; plans of circuits seen before are found again."""
        for pub in self.pubs:
            check_fits_device(pub.circuit, context.device)
            self._programs.append(compile(pub.circuit, **engine_arguments(context, pub.circuit.num_qubits)))

    def unload(self, context: JobContext) -> None:
        """Let go of the programs; the engine keeps the plans."""
        self._programs.clear()


class SamplerWork(_PubWork[SamplerPub]):
    """Samples of every pub; simulation number i, counted over all pubs, draws from the key of (seed, "pub", i)."""

    name = "sampler"

    def _parts_of(self, pub: SamplerPub) -> list[AnyArray]:
        return [np.array(pub.shots), np.array(pub.bindings.shape)]

    def _result_bytes(self) -> int:
        return sum(samples_bytes(pub.circuit, pub.shots) * self._count(pub) for pub in self.pubs)

    def _shots(self, mitigation: Mitigation | None) -> int:
        if mitigation is None:
            return sum(pub.shots * self._count(pub) for pub in self.pubs)
        check_samplable(mitigation)
        return sum(mitigation.total_shots(pub.shots) * self._count(pub) for pub in self.pubs)

    def execute(self, context: JobContext) -> PrimitiveResult[SamplerPubResult]:
        """See `Work`."""
        seed = fresh_seed() if context.seed is None else context.seed
        total = sum(self._count(pub) for pub in self.pubs)
        done = 0
        results = []
        for pub, program in zip(self.pubs, self._programs, strict=True):
            samples = np.empty(len(pub.bindings.table), dtype=object)
            for i, values in enumerate(pub.bindings.table):
                samples[i] = _sample(pub, program, values, derived_seed(seed, "pub", done), context)
                done += 1
                context.progress(done, total)
            results.append(SamplerPubResult(samples.reshape(pub.bindings.shape), pub.shots, {"shots": pub.shots}))
        return PrimitiveResult(results, {"seed": seed, "engine": self._programs[0].engine})


class EstimatorWork(_PubWork[EstimatorPub]):
    """Expectation values of every pub, exact or to a standard error."""

    name = "estimator"

    def _parts_of(self, pub: EstimatorPub) -> list[AnyArray]:
        masks = [mask for observable in pub.observables for mask in observable.masks()]
        return [np.array(pub.precision), pub.of_binding, pub.of_observable, *masks]

    def requirements_on(self, settings: Snapshot, device: Device) -> Requirements:
        """See `Work`: exact values on a noisy device take a density matrix."""
        needed = self.requirements(settings)
        exact = [pub.circuit.num_qubits for pub in self.pubs if pub.precision == 0]
        if device.is_noisy and exact and not settings["error_mitigation"]:
            check_qubits(2 * max(exact), settings["precision"])
            density = density_bytes(max(exact), settings["precision"])
            if density > needed.size_bytes:
                needed.size_bytes, needed.growth = density, 4
        return needed

    def _shots(self, mitigation: Mitigation | None) -> int:
        total = 0
        for pub in self.pubs:
            if pub.precision == 0:
                if mitigation is not None:
                    check_exact(mitigation)
                continue
            settings = [group_settings(observable, "qubit_wise")[0] for observable in pub.observables]
            shots = [planned_shots(each, pub.precision) for each in settings]
            if mitigation is not None:
                shots = [mitigation.total_shots(number) if number else 0 for number in shots]
            total += sum(shots[k] for k in pub.of_observable.ravel().tolist())
        return total

    def execute(self, context: JobContext) -> PrimitiveResult[EstimatorPubResult]:
        """See `Work`."""
        seed = fresh_seed() if context.seed is None else context.seed
        if context.config["error_mitigation"]:
            return self._execute_mitigated(context, seed)
        results = []
        for number, (pub, program) in enumerate(zip(self.pubs, self._programs, strict=True)):
            if pub.precision == 0:
                results.append(_exact(pub, program, context))
            else:
                results.append(sampled_pub(pub, context, derived_seed(seed, "estimate", number)))
            context.progress(number + 1, len(self.pubs))
        return PrimitiveResult(results, {"seed": seed, "engine": self._programs[0].engine})

    def _execute_mitigated(self, context: JobContext, seed: int) -> PrimitiveResult[EstimatorPubResult]:
        mitigation = Mitigation.from_settings(context.config)
        results = []
        for number, pub in enumerate(self.pubs):
            shape = pub.of_binding.shape
            found = np.empty(shape, dtype=object)
            for element, place in enumerate(np.ndindex(shape)):
                key = derived_seed(seed, "estimate", number, element)
                found[place] = _mitigated(pub, place, mitigation, context, key)
            results.append(_mitigated_result(pub, found))
            context.progress(number + 1, len(self.pubs))
        return PrimitiveResult(results, {"seed": seed, "engine": self._programs[0].engine})


def _mitigated(
    pub: EstimatorPub, place: tuple[int, ...], mitigation: Mitigation, context: JobContext, seed: int
) -> Estimate:
    values = pub.bindings.table[pub.of_binding[place]]
    circuit = pub.circuit.bind(values.tolist()) if values.size else pub.circuit.copy()
    observable = pub.observables[pub.of_observable[place]]
    target = job_target(context, None, seed, None, **engine_arguments(context, circuit.num_qubits))
    if pub.precision == 0:
        return mitigated_exact(circuit, [observable], mitigation, target)[0]
    return mitigated_sampled(circuit, observable, pub.precision, mitigation, target)


def _mitigated_result(pub: EstimatorPub, found: ObjectArray) -> EstimatorPubResult:
    """Return the values as arrays; what was done to each stands in ``metadata["mitigation"]``, in C order."""
    listed: list[Estimate] = found.ravel().tolist()
    plain = [value.unmitigated.expectation for value in listed if value.unmitigated is not None]
    return EstimatorPubResult(
        np.array([value.expectation for value in listed]).reshape(found.shape),
        np.array([value.standard_error for value in listed]).reshape(found.shape),
        np.array([value.shots for value in listed], dtype=np.int64).reshape(found.shape),
        {
            "target_precision": pub.precision,
            "method": "mitigated",
            "unmitigated": np.array(plain).reshape(found.shape),
            "mitigation": [value.metadata for value in listed],
        },
    )


def _sample(pub: SamplerPub, program: Program, values: FloatArray, seed: int, context: JobContext) -> Samples:
    if context.config["error_mitigation"]:
        mitigation = Mitigation.from_settings(context.config)
        circuit = pub.circuit.bind(values.tolist()) if values.size else pub.circuit.copy()
        target = job_target(context, None, seed, None, **engine_arguments(context, circuit.num_qubits))
        return mitigated_samples_of(circuit, pub.shots, mitigation, target)
    samples: Samples = program.sample(values, pub.shots, seed, noise=context.device.noise, cancel=context.cancel_token)
    return samples


def _expectations(
    pub: EstimatorPub, program: Program, values: FloatArray, observables: list[PauliSum], context: JobContext
) -> FloatArray:
    """Return the exact expectation values of one set of values; on a noisy device those of its density matrix."""
    found = program.expectation(values, observables, noise=context.device.noise, cancel=context.cancel_token)
    return np.real(np.asarray(found)).astype(np.float64)


def _exact(pub: EstimatorPub, program: Program, context: JobContext) -> EstimatorPubResult:
    table = pub.bindings.table
    wanted = _wanted(pub)
    is_full = sum(map(len, wanted)) == len(table) * len(pub.observables)
    if is_full and context.device.noise is None:  # every pair: the engine's batched path
        found = program.expectation(table, pub.observables, cancel=context.cancel_token)
        values = np.asarray(found, dtype=np.float64).reshape(len(table), len(pub.observables))
    else:
        values = np.zeros((len(table), len(pub.observables)))
        for row, numbers in enumerate(wanted):
            chosen = [pub.observables[k] for k in numbers]
            values[row, numbers] = _expectations(pub, program, table[row], chosen, context)
    shape = pub.of_binding.shape
    return EstimatorPubResult(
        values[pub.of_binding, pub.of_observable],
        np.zeros(shape),
        np.zeros(shape, dtype=np.int64),
        {"target_precision": 0.0, "method": "exact"},
    )


def _wanted(pub: EstimatorPub) -> list[list[int]]:
    """Return for each set of values the observables that are needed with it, ascending."""
    wanted: list[set[int]] = [set() for _ in pub.bindings.table]
    for row, number in zip(pub.of_binding.ravel().tolist(), pub.of_observable.ravel().tolist(), strict=True):
        wanted[row].add(number)
    return [sorted(numbers) for numbers in wanted]


class _Primitive:
    """Where and with which settings pubs run."""

    def __init__(self, mode: Mode = None, *, options: Mapping[str, Any] | None = None) -> None:
        self.mode = mode
        self.options = dict(options or {})
        config.check_options(self.options, f"options of the {type(self).__name__}")

    def _settings(self) -> Snapshot:
        """Return the settings that a job submitted now runs on."""
        if isinstance(self.mode, JobGroup):
            return self.mode.settings(self.options)
        checked = config.check_options(self.options, f"options of the {type(self).__name__}")
        return config.submission_snapshot(checked, device=get_device(self.mode).name)

    def _submit(self, work: SamplerWork | EstimatorWork, seed: int | None, tags: Iterable[str]) -> Job:
        if not work.pubs:
            raise InputError("there is no pub; pass at least one")
        if isinstance(self.mode, JobGroup):
            return self.mode.submit(work, seed=seed, tags=tags, options=self.options)
        return submit(work, device=self.mode, seed=seed, tags=tags, options=self.options)


class Sampler(_Primitive):
    """Samples circuits, alone, in a session or in a batch.

    Parameters
    ----------
    mode : Session, Batch, device or None
        Where the jobs run; None: on the default device, without a session.
    options : dict, optional
        Settings of the jobs, by name.

    Examples
    --------
    >>> from qfast import Circuit, Parameter
    >>> theta = Parameter("theta")
    >>> circuit = Circuit(1).ry(theta, 0)
    >>> job = Sampler().run([(circuit, [[0.0], [3.141592653589793]], 100)], seed=7)
    >>> [job.result()[0].get_counts(i) for i in range(2)]
    [{'0': 100}, {'1': 100}]
    """

    def run(
        self, pubs: Sequence[Any], *, shots: int | None = None, seed: int | None = None, tags: Iterable[str] = ()
    ) -> Job:
        """Submit pubs; the job's result is a `PrimitiveResult` of `SamplerPubResult`.

        Parameters
        ----------
        pubs : sequence
            Each a circuit, ``(circuit, values)`` or ``(circuit, values, shots)``. Values: an array of shape
            ``(..., p)``, or a mapping from parameters or their names to arrays that broadcast together.
        shots : int, optional
            Of pubs that name none; default: the setting ``default_shots``.
        seed : int, optional
        tags : iterable of str

        Raises
        ------
        InputError, ParameterError
            A pub is wrong; the message says which.
        """
        default = self._settings()["default_shots"] if shots is None else shots
        made = [make_sampler_pub(pub, default, f"pub {i}") for i, pub in enumerate(_listed(pubs))]
        return self._submit(SamplerWork(made), seed, tags)


class Estimator(_Primitive):
    """Estimates expectation values, alone, in a session or in a batch; the parameters are those of `Sampler`.

    Examples
    --------
    >>> from qfast import Circuit, PauliSum
    >>> bell = Circuit(2).h(0).cx(0, 1)
    >>> sums = [PauliSum([("ZZ", [0, 1])]), PauliSum([("X", [0])], num_qubits=2)]
    >>> Estimator().run([(bell, sums)]).result()[0].expectation.round(12) + 0.0
    array([1., 0.])
    """

    def run(
        self, pubs: Sequence[Any], *, precision: float = 0.0, seed: int | None = None, tags: Iterable[str] = ()
    ) -> Job:
        """Submit pubs; the job's result is a `PrimitiveResult` of `EstimatorPubResult`.

        Parameters
        ----------
        pubs : sequence
            Each ``(circuit, observables)``, ``(circuit, observables, values)`` or ``(circuit, observables, values,
            precision)``. Observables: a `PauliSum` or nested lists of them, whose shape broadcasts with that of the
            sets of values, by numpy's rules.
        precision : float
            Of pubs that name none: the standard error that is aimed at, from shots with the device's noise and readout
            errors. 0: exact values.
        seed : int, optional
        tags : iterable of str

        Raises
        ------
        InputError, ParameterError, ObservableError
            A pub is wrong; the message says which.
        """
        made = [make_estimator_pub(pub, precision, f"pub {i}") for i, pub in enumerate(_listed(pubs))]
        return self._submit(EstimatorWork(made), seed, tags)


def _listed(pubs: Any) -> list[Any]:
    if not isinstance(pubs, (list, tuple)):
        raise InputError(f"pubs must be a list, {type(pubs).__name__} given; write run([pub]) for a single one")
    return list(pubs)
