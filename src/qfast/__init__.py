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
from typing import Any

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
    "expectation": "qfast.mitigation",
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
