"""A fast quantum statevector simulator for CPUs.

Circuits, states and programs are loaded at once, and with them numpy and the compiled extension, no other package.
Devices, jobs, sessions and the adapters load when they are first asked for.

Examples
--------
>>> import qfast
>>> c = qfast.Circuit(2).h(0).cx(0, 1)
>>> sorted(qfast.simulate(c).sample(100, seed=7).get_counts())
['00', '11']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from qfast import circuit, config, engines, errors, simulation
from qfast._version import __version__
from qfast.circuit import (
    Circuit,
    DenseOperator,
    DiagonalOperator,
    Parameter,
    ParameterExpression,
    ParameterVector,
    PauliSum,
    Projector,
    SparseOperator,
    trotter_circuit,
)
from qfast.engines import CancelToken
from qfast.errors import QfastError
from qfast.simulation import (
    Counts,
    DensityMatrix,
    Program,
    Samples,
    Statevector,
    amplitudes,
    compile,
    distribution,
    sample,
    simulate,
)

__all__ = [
    "CancelToken",
    "Circuit",
    "Counts",
    "DenseOperator",
    "DensityMatrix",
    "DiagonalOperator",
    "Parameter",
    "ParameterExpression",
    "ParameterVector",
    "PauliSum",
    "Program",
    "Projector",
    "QfastError",
    "Samples",
    "SparseOperator",
    "Statevector",
    "__version__",
    "amplitudes",
    "circuit",
    "compile",
    "config",
    "distribution",
    "engines",
    "errors",
    "sample",
    "simulate",
    "simulation",
    "trotter_circuit",
]

if TYPE_CHECKING:  # what `_LAZY` finds, for those who check types; a test compares the two
    from qfast import capi as capi
    from qfast import devices as devices
    from qfast import jobs as jobs
    from qfast import mitigation as mitigation
    from qfast import plotting as plotting
    from qfast import pools as pools
    from qfast import qiskit as qiskit
    from qfast import qvm as qvm
    from qfast import torch as torch
    from qfast.benchmark.explain import explain as explain
    from qfast.capi import get_include as get_include
    from qfast.capi import get_library as get_library
    from qfast.devices import list_devices as list_devices
    from qfast.devices import list_properties as list_properties
    from qfast.estimation import Estimate as Estimate
    from qfast.jobs import Batch as Batch
    from qfast.jobs import Estimator as Estimator
    from qfast.jobs import Job as Job
    from qfast.jobs import Sampler as Sampler
    from qfast.jobs import Session as Session
    from qfast.jobs import get_session as get_session
    from qfast.jobs import run as run
    from qfast.jobs import submit as submit
    from qfast.jobs.device_job_plan import device_job_plan as device_job_plan
    from qfast.jobs.shots import ShotPlan as ShotPlan
    from qfast.mitigation import Mitigation as Mitigation
    from qfast.mitigation.verbs import expectation as expectation
    from qfast.noise import NoiseModel as NoiseModel
    from qfast.noise import ReadoutError as ReadoutError
    from qfast.noise import channels as channels
    from qfast.simulation.evolution import Evolution as Evolution

# What stands above layer 4: a name, and the module that has it; None: the name is a module of qfast itself.
_LAZY: dict[str, str | None] = {
    "Estimate": "qfast.estimation",
    "Evolution": "qfast.simulation.evolution",
    "NoiseModel": "qfast.noise",
    "ReadoutError": "qfast.noise",
    "channels": "qfast.noise",
    "Batch": "qfast.jobs",
    "Estimator": "qfast.jobs",
    "Job": "qfast.jobs",
    "Mitigation": "qfast.mitigation",
    "Sampler": "qfast.jobs",
    "Session": "qfast.jobs",
    "ShotPlan": "qfast.jobs.shots",
    "capi": None,
    "device_job_plan": "qfast.jobs.device_job_plan",
    "devices": None,
    "expectation": "qfast.mitigation.verbs",
    "explain": "qfast.benchmark.explain",
    "get_include": "qfast.capi",
    "get_library": "qfast.capi",
    "get_session": "qfast.jobs",
    "jax": None,
    "jobs": None,
    "list_devices": "qfast.devices",
    "list_properties": "qfast.devices",
    "mitigation": None,
    "plotting": None,
    "pools": None,
    "qvm": None,
    "run": "qfast.jobs",
    "submit": "qfast.jobs",
    # Extras: where the other package is not installed, an ImportError tells how to.
    "qiskit": None,
    "torch": None,
}


def __getattr__(name: str) -> Any:
    try:
        source = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module 'qfast' has no attribute {name!r}") from None
    if source is None:
        return importlib.import_module(f"qfast.{name}")
    value = getattr(importlib.import_module(source), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
