"""Shot plans and their counts in files: one ``.npz`` of JSON text and arrays, read without pickles."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import AnyArray
from qfast.circuit import Circuit, PauliSum
from qfast.circuit.byte_stream import ByteReader, ByteWriter
from qfast.circuit.observable_encoding import read_observable, write_observable
from qfast.circuit.shot_plan import Segment, positive_count
from qfast.errors import ShotPlanError
from qfast.estimation.policy import Policy
from qfast.estimation.settings import group_settings
from qfast.estimation.tallies import Outcomes
from qfast.simulation.seeds import MAX_SEED

if TYPE_CHECKING:
    from qfast.jobs.shots import ShotPlan

__all__ = ["PlanFile", "plan_arrays", "read_plan_file", "write_plan_file"]

_FORMAT = "qfast shot plan 2"
# What a file that is none can raise, numpy's and zip's readers included.
_MALFORMED = (
    KeyError, IndexError, TypeError, AttributeError, ValueError, ArithmeticError, EOFError, RecursionError, SyntaxError,
    MemoryError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

Parts = Sequence[tuple[Segment, Outcomes]]


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What a file holds; ``seed`` is None before the plan has run.

    ``run`` is the digest of the request that the counts are of, in hexadecimal digits; empty where none are.
    """

    plan: ShotPlan
    seed: int | None
    parts: tuple[tuple[Segment, Outcomes], ...]
    metadata: dict[str, Any]
    run: str


def plan_arrays(plan: ShotPlan) -> dict[str, AnyArray]:
    """Return a plan as arrays: equal plans give equal arrays."""
    header: dict[str, Any] = {
        "format": _FORMAT,
        "segments": [[s.shots, s.basis, list(s.qubits), s.first_shot] for s in plan.segments],
        "policy": None if plan.policy is None else asdict(plan.policy),
        "grouping": plan.grouping,
        "max_shots_per_segment": plan.max_shots_per_segment,
    }
    arrays: dict[str, AnyArray] = {}
    if plan.observable is not None:
        out = ByteWriter()
        write_observable(out, plan.observable)
        arrays["observable"] = np.frombuffer(out.content(), dtype=np.uint8)
    if plan.circuit is not None:
        arrays["circuit"] = np.frombuffer(plan.circuit.to_bytes(), dtype=np.uint8)
    return {"plan": np.array(json.dumps(header, sort_keys=True)), **arrays}


def write_plan_file(
    path: str | os.PathLike[str],
    plan: ShotPlan,
    *,
    seed: int | None = None,
    parts: Parts = (),
    metadata: Mapping[str, Any] | None = None,
    run: str = "",
) -> None:
    """Write a plan, and what has run of it; a reader sees the old file or the new one, never a half.

    ``run`` is the digest of the request that the counts are of: without it no run goes on from them.
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise ShotPlanError(f"a shot plan cannot be saved as {target.name!r}; the suffix must be .npz")
    places = [[s.shots, s.basis, list(s.qubits), s.first_shot, s.setting] for s, _ in parts]
    state = {"seed": seed, "metadata": dict(metadata or {}), "run": run, "parts": places}
    empty = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
    words, counts = ([o.words for _, o in parts], [o.counts for _, o in parts]) if parts else empty
    arrays: dict[str, Any] = {
        **plan_arrays(plan),
        "state": np.array(json.dumps(state, default=str)),
        "words": np.concatenate(words),
        "counts": np.concatenate(counts),
        "ends": np.cumsum([len(o.words) for _, o in parts], dtype=np.int64),
    }
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def read_plan_file(path: str | os.PathLike[str], plan_class: type[ShotPlan]) -> PlanFile:
    """Read what `write_plan_file` wrote.

    Raises
    ------
    ShotPlanError
        The file holds something else.
    OSError
        It cannot be read.
    """
    source = Path(path)
    try:
        with open(source, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = dict(file)
        header = json.loads(str(arrays["plan"]))
        if header["format"] != _FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
        plan = _plan_of(header, arrays, plan_class)
        state = json.loads(str(arrays["state"]))
        seed, run = state["seed"], str(state["run"])
        if seed is not None and not (type(seed) is int and 0 <= seed <= MAX_SEED):
            raise ValueError(f"its seed is {seed!r}")
        parts = _parts_of(plan, state["parts"], arrays["words"], arrays["counts"], arrays["ends"].tolist())
        metadata = dict(state["metadata"])
    except _MALFORMED as error:
        raise ShotPlanError(f"{source} holds no shot plan, or is damaged: {error}; remove it to begin anew") from error
    return PlanFile(plan, seed, parts, metadata, run)


def _plan_of(header: dict[str, Any], arrays: dict[str, AnyArray], plan_class: type[ShotPlan]) -> ShotPlan:
    circuit = Circuit.value_from_bytes(arrays["circuit"].tobytes()) if "circuit" in arrays else None
    if header["policy"] is None:
        keys = ("shots", "basis", "qubits", "first_shot")
        segments = [dict(zip(keys, row, strict=True)) for row in header["segments"]]
        return plan_class(segments, circuit=circuit)
    source = ByteReader(arrays["observable"].tobytes(), "an observable")
    observable = read_observable(source)
    source.end()
    if not isinstance(observable, PauliSum):
        raise ValueError("its observable is no Pauli sum")
    if circuit is not None:
        observable.masks(circuit.num_qubits)
    settings, constant = group_settings(observable, header["grouping"])
    policy = _policy_of(header["policy"], len(settings))
    limit = header["max_shots_per_segment"]
    if limit is not None:
        limit = positive_count(limit, "max_shots_per_segment")
    return plan_class._of_policy(circuit, observable, settings, constant, policy, header["grouping"], limit)


def _policy_of(data: dict[str, Any], num_settings: int) -> Policy:
    """Return a policy that `Policy.make` could have made."""
    points = [positive_count(point, "a checkpoint") for point in data["checkpoints"]]
    allocation, target, skips = data["allocation"], data["target_error"], data["skips"]
    if type(skips) is not bool:
        raise ValueError(f"its skips are {skips!r}")
    if allocation == "variance" or target is not None:
        made = Policy.make(num_settings, data["shots"], allocation, target, points[0], points[1:])
        found = replace(made, skips=skips)
    else:
        found = Policy.make(num_settings, data["shots"], allocation)
    if list(found.checkpoints) != points:
        raise ValueError(f"its checkpoints are {points}")
    return found


def _parts_of(
    plan: ShotPlan, places: list[Any], words: AnyArray, counts: AnyArray, ends: list[int]
) -> tuple[tuple[Segment, Outcomes], ...]:
    """Return segments with their counts, each as many as its shots."""
    if words.dtype != np.uint64 or counts.dtype != np.int64 or words.shape != counts.shape or words.ndim != 1:
        raise ValueError("its outcomes and counts are no two columns of one length")
    if len(ends) != len(places) or [*ends, words.size][0] < 0 or (ends or [0])[-1] != words.size:
        raise ValueError("its counts are not divided among its segments")
    parts = []
    begin = 0
    for number, ((shots, basis, qubits, first_shot, setting), end) in enumerate(zip(places, ends, strict=True)):
        numbers = (shots, first_shot, setting, *qubits)
        if not all(type(value) is int and value >= 0 for value in numbers) or not isinstance(basis, str):
            raise ValueError(f"segment {number} is {places[number]!r}")
        measured = plan.settings[setting]
        if measured.basis != basis or measured.qubits != tuple(qubits):
            raise ValueError(f"segment {number} measures another setting than {setting}")
        found = Outcomes(words[begin:end], counts[begin:end])
        if not begin <= end or found.shots != shots or (found.counts < 1).any() or (np.diff(found.words) == 0).any():
            raise ValueError(f"segment {number} has {found.shots} counts for {shots} shots")
        if found.words.size and int(found.words.max()) >> len(qubits):
            raise ValueError(f"segment {number} has an outcome of more than {len(qubits)} bits")
        parts.append((Segment(shots, basis, tuple(qubits), first_shot, setting), found))
        begin = end
    return tuple(parts)
