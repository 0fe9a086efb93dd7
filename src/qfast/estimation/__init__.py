"""Expectation values with their errors: what is measured together, who gets the shots, what counts tell."""

from __future__ import annotations

from qfast.estimation.estimate import Estimate

__all__ = ["Estimate"]
