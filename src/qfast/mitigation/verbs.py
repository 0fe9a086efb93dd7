"""`expectation`: the value of an observable, exact, from shots, over noisy trajectories, or with error mitigation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from qfast._typing import PrecisionLike
from qfast.circuit import AnyCircuit, Observable, PauliSum
from qfast.circuit.binding import ParameterValues
from qfast.circuit.operators import check_hermitian
from qfast.circuit.shot_plan import positive_count
from qfast.engines import CancelToken
from qfast.errors import InputError, ObservableError
from qfast.estimation import (
    Allocation,
    Estimate,
    Grouping,
    Outcomes,
    Policy,
    coefficient_shares,
    group_settings,
    measure,
)
from qfast.mitigation.expectation import exact_values, sampled_value
from qfast.mitigation.options import Mitigation
from qfast.mitigation.target import Target, check_target
from qfast.noise import NoiseModel
from qfast.simulation.asks import Expectation, State
from qfast.simulation.basis_counts import readout_of
from qfast.simulation.door import run
from qfast.simulation.provenance import Provenance
from qfast.simulation.request import DEFAULT_LIMITS, Method, Request
from qfast.simulation.run_settings import RunSettings, run_settings
from qfast.simulation.seeds import chosen_seed, derived_seed
from qfast.simulation.ways.means import Means

__all__ = ["expectation"]

Mitigating = Mitigation | Iterable[str] | Mapping[str, Any] | None


@overload
def expectation(
    circuit: AnyCircuit,
    observables: Observable,
    *,
    parameters: ParameterValues | None = None,
    shots: int | None = None,
    trajectories: int | None = None,
    noise: NoiseModel | None = None,
    mitigation: Mitigating = None,
    seed: int | None = None,
    allocation: Allocation = "coefficient",
    grouping: Grouping = "qubit_wise",
    target_error: float | None = None,
    initial_state: Any = None,
    method: Method = "auto",
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    cancel: CancelToken | None = None,
) -> Estimate: ...
@overload
def expectation(
    circuit: AnyCircuit,
    observables: Sequence[Observable],
    *,
    parameters: ParameterValues | None = None,
    shots: int | None = None,
    trajectories: int | None = None,
    noise: NoiseModel | None = None,
    mitigation: Mitigating = None,
    seed: int | None = None,
    allocation: Allocation = "coefficient",
    grouping: Grouping = "qubit_wise",
    target_error: float | None = None,
    initial_state: Any = None,
    method: Method = "auto",
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    cancel: CancelToken | None = None,
) -> list[Estimate]: ...
def expectation(
    circuit: AnyCircuit,
    observables: Observable | Sequence[Observable],
    *,
    parameters: ParameterValues | None = None,
    shots: int | None = None,
    trajectories: int | None = None,
    noise: NoiseModel | None = None,
    mitigation: Mitigating = None,
    seed: int | None = None,
    allocation: Allocation = "coefficient",
    grouping: Grouping = "qubit_wise",
    target_error: float | None = None,
    initial_state: Any = None,
    method: Method = "auto",
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    cancel: CancelToken | None = None,
) -> Estimate | list[Estimate]:
    """Return the expectation value of an observable in the state that a circuit leaves.

    Parameters
    ----------
    circuit : Circuit
        Measurements at its end are left out; over the outcomes of those in the middle the value is averaged.
    observables : PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator, or a sequence of them
        Hermitian; Pauli sums, if shots or mitigation are asked for.
    parameters, engine, precision, threads, isa, initial_state, cancel
        As for `qfast.simulate`.
    shots : int, optional
        Estimate from so many shots, readout errors included, as a device would; with `target_error` the most, with
        mitigation those at each scale factor. By default the value is exact.
    trajectories : int, optional
        The mean over so many noisy trajectories of their exact values: where the density matrix, which the exact value
        needs, is too large.
    noise : NoiseModel, optional
    mitigation : Mitigation, names of methods, or a dictionary with the arguments of a Mitigation, optional
        Error mitigation; `qfast.Mitigation` says which there are.
    seed : int, optional
        Of shots and trajectories; by default the setting `seed`, or fresh entropy.
    allocation : {"uniform", "coefficient", "variance"}
        How measurement settings share the shots; see `ShotPlan.for_observable`.
    grouping : {"qubit_wise", "general"}
        Which terms are measured together.
    target_error : float, optional
        Stop as soon as the standard error is not above it.
    method : str
        As for `qfast.sample`.

    Returns
    -------
    Estimate
        ``expectation``, ``standard_error`` (0 for exact values), ``shots``, ``metadata``; for a sequence a list.

    Raises
    ------
    ObservableError
        Not Hermitian; it acts on a qubit that the circuit does not have; no Pauli sum where one is needed.
    InputError
        Arguments that exclude each other; too few shots; a method that cannot work here.
    CapacityError
        A state, or a density matrix of 4**n amplitudes, does not fit.

    Examples
    --------
    >>> from qfast import Circuit, NoiseModel, PauliSum, channels
    >>> bell, zz = Circuit(2).h(0).cx(0, 1), PauliSum([("ZZ", [0, 1])])
    >>> round(expectation(bell, zz).expectation, 12), expectation(bell, zz).is_exact
    (1.0, True)
    >>> noise = NoiseModel().add(channels.depolarizing(0.1, num_qubits=2), gates=["cx"])
    >>> found = expectation(bell, zz, noise=noise, shots=10_000, seed=7)
    >>> exact = expectation(bell, zz, noise=noise).expectation
    >>> abs(found.expectation - exact) < 4 * found.standard_error < 0.05
    True
    >>> found = expectation(bell, zz, noise=noise, mitigation=["zne"], shots=100_000, seed=7)
    >>> abs(found.expectation - 1) < 4 * found.standard_error
    True
    """
    own_seed = None if trajectories is None else chosen_seed(seed)
    ask = Expectation.of(observables, trajectories=trajectories, seed=own_seed)
    if len(ask.shape) > 1:
        raise ObservableError(f"an observable or a flat sequence of them is needed, shape {ask.shape} given")
    for observable in ask.observables:
        check_hermitian(observable, "expectation")
    settings = run_settings(engine, precision, threads, isa)
    request = Request.of(
        ask, circuit, parameters, settings.precision, noise=noise, initial_state=initial_state, method=method,
        limits=DEFAULT_LIMITS,
    )  # fmt: skip
    chosen = Mitigation.of(mitigation)
    _check_together(shots, trajectories, chosen, target_error, initial_state)
    if chosen.names:
        target = Target(NoiseModel() if noise is None else noise, settings, chosen_seed(seed), cancel=cancel)
        found = _mitigated(request, ask.observables, chosen, target, shots, grouping)
    elif shots is not None:
        rounds = _Rounds(request, settings, chosen_seed(seed), grouping, allocation, target_error, cancel)
        found = [rounds.measure(_pauli_sum(one), shots, number) for number, one in enumerate(ask.observables)]
    else:
        found = _of_means(run(request, settings, cancel), trajectories or 0)
    return found if ask.shape else found[0]


def _check_together(
    shots: int | None, trajectories: int | None, mitigation: Mitigation, target_error: float | None, initial_state: Any
) -> None:
    """Refuse arguments that exclude each other."""
    if shots is not None and trajectories is not None:
        raise InputError("shots and trajectories were both given: shots draw outcomes, trajectories exact values")
    if mitigation.names and (trajectories is not None or initial_state is not None or target_error is not None):
        raise InputError("error mitigation goes with shots or exact values, from |0…0⟩ and without a target_error")
    if target_error is not None and shots is None:
        raise InputError("target_error needs shots: the most that may be taken")


def _pauli_sum(observable: Observable) -> PauliSum:
    if not isinstance(observable, PauliSum):
        raise ObservableError(
            f"{type(observable).__name__} cannot be measured by shots; pass a PauliSum (DenseOperator.to_pauli_sum() "
            "makes one), or leave shots and mitigation out"
        )
    return observable


def _of_means(means: Means, trajectories: int) -> list[Estimate]:
    metadata = means.made.as_dict()
    pairs = zip(means.values, means.standard_errors, strict=True)
    return [Estimate(complex(value).real, error, trajectories, metadata=dict(metadata)) for value, error in pairs]


def _mitigated(
    request: Request,
    observables: Sequence[Observable],
    mitigation: Mitigation,
    target: Target,
    shots: int | None,
    grouping: Grouping,
) -> list[Estimate]:
    circuit = request.circuit.bind(request.values.tolist()) if request.values.size else request.circuit.copy()
    check_target(mitigation, target.noise, circuit)
    sums = [_pauli_sum(one) for one in observables]
    for one in sums:
        one.masks(circuit.num_qubits)
    if shots is None:
        return exact_values(circuit, sums, mitigation, target)
    found = []
    for one in sums:
        settings, constant = group_settings(one, grouping)
        shares = coefficient_shares(settings, positive_count(shots, "shots"))
        found.append(sampled_value(circuit, settings, shares, constant, mitigation, target))
    return found


@dataclass(frozen=True, slots=True)
class _Rounds:
    """Shots of one circuit, in rounds that a policy asks for."""

    request: Request
    settings: RunSettings
    seed: int
    grouping: Grouping
    allocation: Allocation
    target_error: float | None
    cancel: CancelToken | None

    def measure(self, observable: PauliSum, shots: int, number: int) -> Estimate:
        """Measure one observable; each of several has a key of its own."""
        observable.masks(self.request.circuit.num_qubits)
        settings, constant = group_settings(observable, self.grouping)
        seed = derived_seed(self.seed, "observable", number)
        made = Provenance(self.settings, None, seed=self.seed)
        if not settings:
            return Estimate(constant, metadata=made.as_dict())
        policy = Policy.make(len(settings), shots, self.allocation, self.target_error)
        reader = readout_of(self.request.asking(State()), self.settings, settings, self.cancel)

        def draw(setting: int, first_shot: int, count: int) -> Outcomes:
            return Outcomes(*reader.counts(setting, count, seed, first_shot))

        found = measure(settings, constant, policy, draw)
        found.add_metadata(**{key: value for key, value in made.as_dict().items() if key != "plan"})
        return found
