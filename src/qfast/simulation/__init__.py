"""Running circuits: states, shots, exact distributions, programs."""

from __future__ import annotations

from qfast.simulation.density_matrix import DensityMatrix
from qfast.simulation.program import Program, compile
from qfast.simulation.samples import BitRegister, Counts, Samples
from qfast.simulation.statevector import Statevector
from qfast.simulation.verbs import amplitudes, distribution, sample, simulate

__all__ = [
    "BitRegister",
    "Counts",
    "DensityMatrix",
    "Program",
    "Samples",
    "Statevector",
    "amplitudes",
    "compile",
    "distribution",
    "sample",
    "simulate",
]
