"""Running circuits: states, shots, exact distributions, programs."""

from __future__ import annotations

from qfast.simulation.program import Program, compile
from qfast.simulation.samples import BitRegister, Counts, Samples
from qfast.simulation.statevector import Statevector
from qfast.simulation.verbs import distribution, sample, simulate

__all__ = [
    "BitRegister",
    "Counts",
    "Program",
    "Samples",
    "Statevector",
    "compile",
    "distribution",
    "sample",
    "simulate",
]
