"""Results in files: samples, values and primitive results as one ``.npz`` of JSON text and arrays, without pickles."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from qfast._typing import AnyArray
from qfast.errors import InputError
from qfast.jobs.circuit_work import ListResult
from qfast.jobs.results import EstimatorPubResult, PrimitiveResult, SamplerPubResult
from qfast.jobs.values import with_metadata
from qfast.simulation import DensityMatrix, Samples, Statevector
from qfast.simulation.samples import BitRegister

__all__ = ["load_result", "save_result"]

_FORMAT = "qfast result 1"

# What numpy, zipfile and the reader raise for files that are cut off or hold something else.
_DAMAGES = (OSError, KeyError, TypeError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error)


def save_result(result: Any, path: str | os.PathLike[str]) -> None:
    """Write a result to a file; a reader sees the old file or the new one, never a half.

    Parameters
    ----------
    result : Samples, Statevector, DensityMatrix, ListResult, a primitive's result, float, complex or ndarray
        Of a job or not, with its metadata: log, telemetry, seed.
    path : path
        With the suffix ``.npz``.

    Raises
    ------
    InputError
        Another suffix, or a result of another kind.

    Examples
    --------
    >>> import tempfile, qfast
    >>> samples = qfast.sample(qfast.Circuit(1).x(0), 10, 7)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_result(samples, f"{folder}/samples.npz")
    ...     load_result(f"{folder}/samples.npz") == samples
    True
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise InputError(f"a result cannot be saved as {target.name!r}; the suffix must be .npz")
    arrays: dict[str, AnyArray] = {}
    tree = _encoded(result, arrays, is_result=True)
    header = np.array(json.dumps({"format": _FORMAT, "result": tree}))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, header=header, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def load_result(path: str | os.PathLike[str]) -> Any:
    """Read a result that `save_result` wrote.

    Raises
    ------
    InputError
        The file is damaged or holds something else.
    OSError
        It cannot be read.
    """
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with np.load(content, allow_pickle=False) as file:
            arrays = dict(file)
        header = json.loads(str(arrays["header"]))
        if header["format"] != _FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
        return _decoded(header["result"], arrays)
    except _DAMAGES as error:
        raise InputError(f"{os.fspath(path)} holds no result of qfast, or is damaged: {error}") from error


# --- to text and arrays -----------------------------------------------------------------------------------------------
def _encoded(value: Any, arrays: dict[str, AnyArray], *, is_result: bool = False) -> Any:
    """Return a value as JSON, a list of its kind and its parts; arrays go into ``arrays``."""
    if value is None or isinstance(value, (bool, str)):
        return value

    def parts(*inner: Any) -> list[Any]:
        return [_encoded(part, arrays) for part in inner]

    metadata = getattr(value, "metadata", None)
    match value:
        case Samples():
            registers = [[r.name, r.first, r.size] for r in value.registers]
            state = value.__getstate__()
            return ["samples", registers, *parts(state["rows"], state["histogram"], value.metadata)]
        case Statevector():
            return ["state", *parts(np.array(value.amplitudes), dict(value.metadata))]
        case DensityMatrix():
            return ["density matrix", *parts(np.array(value.matrix), dict(value.metadata))]
        case ListResult():
            return ["results", *parts(list(value), metadata)]
        case SamplerPubResult():
            return ["sampler pub", *parts(value.samples.ravel().tolist(), list(value.shape), value.shots, metadata)]
        case EstimatorPubResult():
            return ["estimator pub", *parts(value.expectation, value.standard_error, value.shots, metadata)]
        case PrimitiveResult():
            return ["primitive", *parts(list(value), metadata)]
        case np.ndarray() if value.dtype != object:
            name = f"array_{len(arrays)}"
            arrays[name] = np.asarray(value)
            return ["array", name, _encoded(metadata, arrays)]
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return ["float", float(value).hex(), _encoded(metadata, arrays)]
        case complex() | np.complexfloating():
            return ["complex", float(value.real).hex(), float(value.imag).hex(), _encoded(metadata, arrays)]
    if is_result:
        _refuse(value)
    match value:
        case dict():
            return {"entries": [[str(key), _encoded(entry, arrays)] for key, entry in value.items()]}
        case tuple():
            return ["tuple", *parts(*value)]
        case list():
            return ["list", *parts(*value)]
    return str(value)  # of the metadata: told, not kept


def _refuse(value: Any) -> NoReturn:
    raise InputError(
        f"a {type(value).__name__} cannot be saved; allowed: Samples, Statevector, results of primitives, numbers and "
        "arrays"
    )


# --- and back ---------------------------------------------------------------------------------------------------------
def _decoded(tree: Any, arrays: dict[str, AnyArray]) -> Any:
    if isinstance(tree, dict):
        return {key: _decoded(entry, arrays) for key, entry in tree["entries"]}
    if not isinstance(tree, list):
        return tree
    kind, *rest = tree
    if kind == "array":
        return _told(arrays[rest[0]], _decoded(rest[1], arrays))
    if kind == "float":
        return _told(float.fromhex(rest[0]), _decoded(rest[1], arrays))
    if kind == "complex":
        return _told(complex(float.fromhex(rest[0]), float.fromhex(rest[1])), _decoded(rest[2], arrays))
    if kind == "samples":
        registers, (rows, histogram, metadata) = rest[0], [_decoded(part, arrays) for part in rest[1:]]
        return Samples([BitRegister(*r) for r in registers], rows=rows, histogram=histogram, metadata=metadata)
    return _MAKERS[kind](*[_decoded(part, arrays) for part in rest])


def _told(value: Any, metadata: dict[str, Any] | None) -> Any:
    if metadata is None:
        return value
    value = with_metadata(value)
    value.add_metadata(**metadata)
    return value


def _sampler_pub(samples: list[Samples], shape: list[int], shots: int, metadata: dict[str, Any]) -> SamplerPubResult:
    made = np.empty(len(samples), dtype=object)
    made[:] = samples
    return SamplerPubResult(made.reshape(shape), shots, metadata)


def _state(amplitudes: AnyArray, metadata: dict[str, Any]) -> Statevector:
    state = Statevector(amplitudes)
    state.add_metadata(**metadata)
    return state


def _density_matrix(matrix: AnyArray, metadata: dict[str, Any]) -> DensityMatrix:
    state = DensityMatrix(matrix)
    state.add_metadata(**metadata)
    return state


_MAKERS: dict[str, Callable[..., Any]] = {
    "sampler pub": _sampler_pub,
    "estimator pub": EstimatorPubResult,
    "primitive": PrimitiveResult,
    "state": _state,
    "density matrix": _density_matrix,
    "results": lambda results, metadata: ListResult(results, None, metadata),
    "tuple": lambda *parts: tuple(parts),
    "list": lambda *parts: list(parts),
}
