"""Shot plans and their counts in files: one ``.npz`` of JSON text and arrays, read without pickles."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import AnyArray
from qfast.circuit import Circuit, Parameter, ParameterExpression, PauliSum
from qfast.circuit.control_flow import Block
from qfast.circuit.parameter import ExprOp
from qfast.circuit.shot_plan import Segment
from qfast.errors import ShotPlanError
from qfast.estimation.policy import Policy
from qfast.estimation.settings import group_settings
from qfast.estimation.tallies import Outcomes

if TYPE_CHECKING:
    from qfast.jobs.shots import ShotPlan

__all__ = ["PlanFile", "plan_arrays", "read_plan_file", "write_plan_file"]

_FORMAT = "qfast shot plan 1"
_COLUMNS = ("opcodes", "num_controls", "ctrl_states", "data", "qubit_end", "qubits", "param_end", "params")
_DTYPES = dict(zip(_COLUMNS, ("H", "H", "Q", "i4", "i8", "i4", "i8", "f8"), strict=True))

Parts = Sequence[tuple[Segment, Outcomes]]


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What a file holds; ``seed`` is None before the plan has run."""

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
        "circuit": None,
        "num_qubits_of_observable": None,
    }
    arrays: dict[str, AnyArray] = {}
    if plan.observable is not None:
        x, z, coefficients = plan.observable.masks()
        header["num_qubits_of_observable"] = plan.observable.num_qubits
        arrays |= {"observable_x": x, "observable_z": z, "observable_coefficients": coefficients}
    if plan.circuit is not None:
        header["circuit"] = _circuit_header(plan.circuit)
        arrays |= {f"circuit_{name}": np.array(getattr(plan.circuit, name), dtype=_DTYPES[name]) for name in _COLUMNS}
        arrays |= {f"item_{k}": np.asarray(item) for k, item in enumerate(plan.circuit.data_items)}
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

    ``run`` describes what the counts depend on besides plan and seed.
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
        parts = []
        begin = 0
        for place, end in zip(state["parts"], arrays["ends"].tolist(), strict=True):
            shots, basis, qubits, first_shot, setting = place
            segment = Segment(shots, basis, tuple(qubits), first_shot, setting)
            parts.append((segment, Outcomes(arrays["words"][begin:end], arrays["counts"][begin:end])))
            begin = end
    except (KeyError, TypeError, AttributeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ShotPlanError(f"{source} holds no shot plan, or is damaged: {error}; remove it to begin anew") from error
    return PlanFile(plan, state["seed"], tuple(parts), state["metadata"], state["run"])


def _plan_of(header: dict[str, Any], arrays: dict[str, AnyArray], plan_class: type[ShotPlan]) -> ShotPlan:
    circuit = None if header["circuit"] is None else _circuit_of(header["circuit"], arrays)
    if header["policy"] is None:
        keys = ("shots", "basis", "qubits", "first_shot")
        segments = [dict(zip(keys, row, strict=True)) for row in header["segments"]]
        return plan_class(segments, circuit=circuit)
    policy = Policy(**{**header["policy"], "checkpoints": tuple(header["policy"]["checkpoints"])})
    observable = PauliSum._from_masks(
        arrays["observable_x"], arrays["observable_z"], arrays["observable_coefficients"],
        header["num_qubits_of_observable"],
    )  # fmt: skip
    settings, constant = group_settings(observable, header["grouping"])
    return plan_class._of_policy(
        circuit, observable, settings, constant, policy, header["grouping"], header["max_shots_per_segment"]
    )


# --- circuits ---------------------------------------------------------------------------------------------------------
def _circuit_header(circuit: Circuit) -> dict[str, Any]:
    if any(isinstance(item, Block) for item in circuit.data_items):
        raise ShotPlanError(
            "a plan whose circuit has control flow cannot be saved with it; make the plan without a circuit "
            "(circuit=None), pass it to run(), and keep its OpenQASM beside the file"
        )
    return {
        "num_qubits": circuit.num_qubits,
        "num_clbits": circuit.num_clbits,
        "qubit_registers": [[r.name, r.size] for r in circuit.qubit_registers],
        "classical_registers": [[r.name, r.size] for r in circuit.classical_registers],
        "num_items": len(circuit.data_items),
        "expressions": [[slot, [_word(w) for w in e.code]] for slot, e in sorted(circuit.expressions.items())],
    }


def _word(word: float | Parameter | ExprOp) -> list[Any]:
    if isinstance(word, Parameter):
        return ["parameter", word.name]
    return ["op", word.name] if isinstance(word, ExprOp) else ["number", word]


def _circuit_of(header: dict[str, Any], arrays: dict[str, AnyArray]) -> Circuit:
    expressions = {slot: _expression([_unword(*word) for word in code]) for slot, code in header["expressions"]}
    columns: dict[str, Any] = {name: arrays[f"circuit_{name}"] for name in _COLUMNS}
    return Circuit.from_columns(
        num_qubits=header["num_qubits"],
        num_clbits=header["num_clbits"],
        data_items=[arrays[f"item_{k}"] for k in range(header["num_items"])],
        expressions=expressions,
        qubit_registers=[tuple(entry) for entry in header["qubit_registers"]],
        classical_registers=[tuple(entry) for entry in header["classical_registers"]],
        **columns,
    )


def _expression(code: list[float | Parameter | ExprOp]) -> ParameterExpression:
    return code[0] if len(code) == 1 and isinstance(code[0], Parameter) else ParameterExpression(tuple(code))


def _unword(kind: str, value: Any) -> float | Parameter | ExprOp:
    if kind == "parameter":
        return Parameter(value)
    return ExprOp[value] if kind == "op" else float(value)
