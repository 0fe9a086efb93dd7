"""Error mitigation: readout calibration, zero-noise extrapolation, Pauli twirling, dynamical decoupling.

`Mitigation` says which methods a run uses. The functions that change circuits and numbers stand alone, too.
"""

from __future__ import annotations

from qfast.mitigation.decoupling import decouple
from qfast.mitigation.extrapolation import Extrapolation, extrapolate
from qfast.mitigation.folding import fold_global, fold_local
from qfast.mitigation.options import Mitigation
from qfast.mitigation.readout import QuasiDistribution, ReadoutCalibration, calibration_circuits, mitigated_distribution
from qfast.mitigation.rewriting import in_gates_of
from qfast.mitigation.twirling import TWIRLED_GATES, twirl

__all__ = [
    "TWIRLED_GATES",
    "Extrapolation",
    "Mitigation",
    "QuasiDistribution",
    "ReadoutCalibration",
    "calibration_circuits",
    "decouple",
    "extrapolate",
    "fold_global",
    "fold_local",
    "in_gates_of",
    "mitigated_distribution",
    "twirl",
]
