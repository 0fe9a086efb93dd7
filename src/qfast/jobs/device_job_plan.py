"""``device_job_plan``: a plan as a dictionary in, a dictionary out, as TyxonQ's ``execute_plan`` has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qfast.devices import Device
from qfast.errors import ShotPlanError
from qfast.jobs.job_group import JobGroup
from qfast.jobs.shots import ShotPlan

__all__ = ["device_job_plan"]

_KEYS = ("circuit", "segments")


def device_job_plan(device: str | Device | JobGroup | None, plan: Mapping[str, Any], **how: Any) -> dict[str, Any]:
    """Run a segmented shot plan and aggregate its results.

    Parameters
    ----------
    device : str, Device, Session or Batch
    plan : mapping
        ``circuit``: a `Circuit`. ``segments``: a list of dictionaries with ``shots``, and optionally ``basis`` (one
        letter of IXYZ per wire, or one for all; Z by default), ``wires`` (all by default) and ``basis_map``
        (wire → letter, instead of the two).
    **how
        As for `ShotPlan.submit`: ``seed``, ``session``, ``parameters``, ``checkpoint``, ``progress``, ``tags``,
        ``options``.

    Returns
    -------
    dict
        ``expectations``: mean of the sign of each Pauli string that was measured, ``{"X0 Z2": 0.25}``; ``counts``: its
        counts, bit j for the j-th of its wires, ascending; ``metadata``: ``per_segment``, a list of dictionaries with
        ``index``, ``shots``, ``basis``, ``wires``, ``basis_map``, ``expectation``, ``standard_error``, ``seed`` and
        ``first_shot``, and ``total_shots``.

    Raises
    ------
    ShotPlanError
        The plan is wrong; the message tells which segment.

    Notes
    -----
    Differences from the source system, on purpose: expectations of segments that measure the same are shot-weighted
    means, not sums; counts are kept and merged; the basis of each segment is really applied; segments of zero or
    negative shots are refused. Measuring Y applies S† and then H. A wire with letter I is not measured.

    Source: TyxonQ, ``devices/session.py``.

    Examples
    --------
    >>> from qfast.circuit import Circuit
    >>> segments = [{"shots": 30, "basis": "Z", "wires": [0, 1]}, {"shots": 70, "basis": "ZZ"}]
    >>> found = device_job_plan(None, {"circuit": Circuit(2).h(0).cx(0, 1), "segments": segments}, seed=7)
    >>> found["expectations"], found["metadata"]["total_shots"]
    ({'Z0 Z1': 1.0}, 100)
    """
    if not isinstance(plan, Mapping):
        raise ShotPlanError(f"the plan is {type(plan).__name__}; a dictionary with 'circuit' and 'segments' is needed")
    for key in plan:
        if key not in _KEYS:
            raise ShotPlanError(f"the plan has an unknown key {key!r}; allowed: 'circuit', 'segments'")
    for key in _KEYS:
        if key not in plan:
            raise ShotPlanError(f"the plan has no {key!r}; a dictionary with 'circuit' and 'segments' is needed")
    result = ShotPlan(plan["segments"], circuit=plan["circuit"]).run(device, **how)
    metadata = {key: result.metadata[key] for key in ("per_segment", "total_shots")}
    return {
        "expectations": result.expectations,
        "counts": {label: dict(counts) for label, counts in result.counts.items()},
        "metadata": metadata,
    }
