"""Numbers and arrays that a job returns, with metadata: which job they are of, its log and its telemetry."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ComplexExpectationValue", "ExpectationValue", "ExpectationValues", "with_metadata"]


class _Told:
    """A value that takes metadata: the job layer tells it which job it is of, and how that went."""

    metadata: dict[str, Any]

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to ``metadata``."""
        self.metadata = {**getattr(self, "metadata", {}), **entries}


class ExpectationValue(_Told, float):
    """An expectation value of a job: a float with ``metadata`` (job, device, log, telemetry)."""


class ComplexExpectationValue(_Told, complex):
    """An expectation value of an operator that is not Hermitian: a complex number with ``metadata``."""


class ExpectationValues(_Told, np.ndarray):
    """Expectation values of a job: an array with ``metadata``, which what is computed from it does not have."""


def with_metadata(value: Any) -> Any:
    """Return a bare number or array as one that takes metadata; anything else as it is."""
    if type(value) is float or isinstance(value, np.floating):
        return ExpectationValue(value)
    if type(value) is complex or isinstance(value, np.complexfloating):
        return ComplexExpectationValue(value)
    if type(value) is np.ndarray:
        return value.view(ExpectationValues)
    return value
