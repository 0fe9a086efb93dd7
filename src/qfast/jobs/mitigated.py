"""Error mitigation in jobs: which methods a job uses, and the device that its circuits run on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qfast.circuit import Circuit, PauliSum
from qfast.errors import ConfigError
from qfast.estimation import Estimate, coefficient_shares, group_settings, planned_shots
from qfast.jobs.device_check import check_fits_device
from qfast.mitigation.expectation import check_exact, exact_values, sampled_value
from qfast.mitigation.options import Mitigation
from qfast.mitigation.sampling import check_samplable, mitigated_samples
from qfast.mitigation.target import Target, check_target
from qfast.noise import NoiseModel
from qfast.simulation import Samples
from qfast.simulation.run_settings import run_settings
from qfast.simulation.seeds import fresh_seed

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.jobs.context import JobContext

__all__ = [
    "check_exact",
    "check_no_mitigation",
    "check_samplable",
    "job_target",
    "mitigated_exact",
    "mitigated_sampled",
    "mitigated_samples_of",
]


def check_no_mitigation(settings: Snapshot, what: str) -> None:
    """Refuse the setting for work that cannot honour it, rather than return unmitigated values."""
    if settings["error_mitigation"]:
        methods = ", ".join(settings["error_mitigation"])
        raise ConfigError(f"error_mitigation is {methods}, but {what} cannot be mitigated; set it to none for it")


def job_target(
    context: JobContext,
    noise: NoiseModel | None,
    seed: int | None,
    total_shots: int | None,
    **engine: Any,
) -> Target:
    """Return where the circuits of a job run: its device, with the given noise or the device's own.

    With ``total_shots`` the job's progress counts shots.
    """
    device = context.device
    model = device.noise if noise is None else noise
    context.job.follow_progress(None)  # one run of an engine is no measure of the whole
    done = 0

    def progress(shots: int) -> None:
        nonlocal done
        context.check_cancelled()
        if total_shots is not None:
            done += shots
            context.progress(done, total_shots)

    return Target(
        NoiseModel() if model is None else model,
        run_settings(**engine),
        fresh_seed() if seed is None else seed,
        gates=device.gates if device.is_restricted else (),
        check=functools.partial(check_fits_device, device=device) if device.is_restricted else None,
        cancel=context.cancel_token,
        progress=progress,
    )


def mitigated_sampled(
    circuit: Circuit, observable: PauliSum, precision: float, mitigation: Mitigation, target: Target
) -> Estimate:
    """Estimate one observable of a bound circuit."""
    check_target(mitigation, target.noise, circuit)
    settings, constant = group_settings(observable, "qubit_wise")
    shares = coefficient_shares(settings, planned_shots(settings, precision))
    return sampled_value(circuit, settings, shares, constant, mitigation, target)


def mitigated_exact(
    circuit: Circuit, observables: Sequence[PauliSum], mitigation: Mitigation, target: Target
) -> list[Estimate]:
    """Return exact expectation values of a bound circuit, mitigated."""
    check_target(mitigation, target.noise, circuit)
    return exact_values(circuit, observables, mitigation, target)


def mitigated_samples_of(circuit: Circuit, shots: int, mitigation: Mitigation, target: Target) -> Samples:
    """Sample a bound circuit."""
    check_target(mitigation, target.noise, circuit)
    return mitigated_samples(circuit, shots, mitigation, target)
