"""Exact density matrices, for tests to compare with."""

from __future__ import annotations

from typing import Any

import qfast
from qfast import DensityMatrix, NoiseModel


def density_of(circuit: qfast.Circuit, noise: NoiseModel | None = None, **options: Any) -> DensityMatrix:
    """Return what a circuit leaves, without noise too."""
    found = qfast.simulate(circuit, noise=noise, method="density", **options)
    assert isinstance(found, DensityMatrix)
    return found
