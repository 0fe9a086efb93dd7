"""A request is a value: what is asked, of which circuit, with which values, under which noise, in which way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args
from weakref import WeakValueDictionary

import numpy as np

from qfast._typing import AnyArray, FloatArray, Precision
from qfast.circuit import Circuit, Parameter
from qfast.circuit.binding import ParameterValues, resolve_values
from qfast.circuit.byte_stream import ByteReader, ByteWriter
from qfast.circuit.checks import as_index
from qfast.circuit.value import AnyCircuit, CircuitValue
from qfast.errors import InputError, ParameterError
from qfast.noise import NoiseModel
from qfast.simulation.ask_encoding import read_ask, read_optional, read_state, write_ask, write_optional, write_state
from qfast.simulation.asks import Ask, kept_ask
from qfast.simulation.working_states import initial_array

__all__ = [
    "DEFAULT_LIMITS",
    "MAX_LOOP_PASSES",
    "METHODS",
    "Limits",
    "Method",
    "Request",
    "checked_circuit",
    "checked_method",
    "checked_noise",
    "table_of",
    "values_of",
]

Method: TypeAlias = Literal["auto", "terminal", "branches", "frames", "trajectories", "density"]
"""The ways to serve a request; ``"auto"`` leaves the choice to `door.choose`."""

METHODS: tuple[Method, ...] = get_args(Method)

MAX_LOOP_PASSES = 100_000
"""A while loop that a shot passes more often than this is taken to be endless."""

_MAGIC, _VERSION = b"qfast request", 1
_NO_VALUES: FloatArray = np.zeros(0)

# By digest: what was read from bytes finds the prepared runs of its equals, for as long as anybody holds one.
_circuits: WeakValueDictionary[bytes, CircuitValue] = WeakValueDictionary()
_models: WeakValueDictionary[bytes, NoiseModel] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take at most.

    Attributes
    ----------
    loop_passes : int
        A while loop that passes more often is an error.
    branch_bytes : int or None
        Memory for branches that wait; None: half of what is available. Results do not depend on it.
    """

    loop_passes: int = MAX_LOOP_PASSES
    branch_bytes: int | None = None

    def __post_init__(self) -> None:
        if as_index(self.loop_passes) is None or self.loop_passes < 1:
            raise InputError(f"max_loop_passes = {self.loop_passes!r} must be a positive integer")
        if self.branch_bytes is not None and (as_index(self.branch_bytes) is None or self.branch_bytes < 0):
            raise InputError(f"branch_bytes = {self.branch_bytes!r} must be an integer from 0, or None")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What is asked of one circuit at one set of values.

    Made by `of`, which checks and takes snapshots. `engine`, threads and memory are not part of it: they belong to the
    place where it runs.

    Attributes
    ----------
    ask : Ask
    circuit : CircuitValue
    values : ndarray of float64, shape (p,)
        In the order of ``circuit.parameters``.
    noise : NoiseModel or None
        A snapshot; None where nothing acts.
    initial : ndarray, complex, shape (2**n,), or None
        None: |0…0⟩.
    precision : {"complex64", "complex128"}
    method : str
        A way, or ``"auto"``.
    limits : Limits
    """

    ask: Ask
    circuit: CircuitValue
    values: FloatArray
    noise: NoiseModel | None
    initial: AnyArray | None
    precision: Precision
    method: Method = "auto"
    limits: Limits = DEFAULT_LIMITS

    @classmethod
    def of(
        cls,
        ask: Ask,
        circuit: AnyCircuit,
        parameters: ParameterValues | None,
        precision: Precision,
        *,
        noise: NoiseModel | None = None,
        initial_state: Any = None,
        method: Method = "auto",
        limits: Limits = DEFAULT_LIMITS,
    ) -> Request:
        """Check arguments and take them as they are now.

        Raises
        ------
        InputError
            No circuit, no noise model, a bad initial state, an unknown method.
        ParameterError
            A parameter is unbound or unknown, or a value is not a finite real number.
        """
        value = checked_circuit(circuit)
        return cls(
            ask,
            value,
            values_of(value.parameters, parameters),
            None if noise is None else checked_noise(noise),
            None if initial_state is None else initial_array(initial_state, value.num_qubits),
            precision,
            method if method == "auto" else checked_method(method),
            limits,
        )

    def kept(self) -> Request:
        """Return the same request with arrays of its own, for those who keep it."""
        values, initial = _own(self.values), None if self.initial is None else _own(self.initial)
        return replace(self, ask=kept_ask(self.ask), values=values, initial=initial)

    def converted(self) -> Request:
        """Return the same request with an initial state as engines take it: of its precision, contiguous, native.

        A state that is so already is not copied: a run may continue in it.
        """
        initial = self.initial
        if initial is None or (initial.dtype == np.dtype(self.precision) and initial.flags.c_contiguous):
            return self
        return replace(self, initial=np.ascontiguousarray(initial, dtype=self.precision))

    def at(self, values: FloatArray) -> Request:
        """Return the same request at other values, shape (p,)."""
        return replace(self, values=values)

    def asking(self, ask: Ask) -> Request:
        """Return a request of something else of the same."""
        return replace(self, ask=ask)

    @property
    def digest(self) -> bytes:
        """BLAKE2b of `to_bytes`, 32 bytes: what stores and compares go by."""
        return hashlib.blake2b(self.to_bytes(), digest_size=32, person=b"qfast request").digest()

    def to_bytes(self) -> bytes:
        """Return the request as bytes: no pickle, with a version; equal requests, and only they, have equal bytes.

        Raises
        ------
        ObservableError
            An observable is a function, which has no bytes.
        """
        out = ByteWriter()
        out.raw(_MAGIC)
        out.number(_VERSION)
        out.text(self.method)
        out.text(self.precision)
        write_ask(out, self.ask)
        out.integer(self.limits.loop_passes)
        write_optional(out, self.limits.branch_bytes)
        out.block(self.circuit.to_bytes())
        out.number(self.values.size, 8)
        out.column(self.values, "<f8")
        out.block(b"" if self.noise is None else self.noise.to_bytes())
        write_state(out, self.initial)
        return out.content()

    @classmethod
    def from_bytes(cls, content: bytes | bytearray | memoryview) -> Request:
        """Read what `to_bytes` wrote; everything is checked again.

        Raises
        ------
        InputError
            The bytes hold no request, or one that would be refused; the message says where.
        """
        source = ByteReader(content, "a request")
        if bytes(source.raw(len(_MAGIC))) != _MAGIC:
            raise source.fail("they do not begin like one")
        version = source.number()
        if version != _VERSION:
            raise source.fail(f"they are of version {version}, version {_VERSION} is read here")
        method = checked_method(source.text())
        precision = source.text()
        if precision not in ("complex64", "complex128"):
            raise source.fail(f"precision {precision!r} is unknown")
        ask = read_ask(source)
        limits = Limits(source.integer(), read_optional(source))
        circuit = shared_circuit(Circuit.value_from_bytes(source.raw(source.number(8))))
        values = source.column(source.count(8), "<f8")
        noise = bytes(source.raw(source.number(8)))
        initial = read_state(source)
        source.end()
        return cls.of(
            ask, circuit, values.tolist(), precision,  # type: ignore[arg-type]  # the line above has looked
            noise=shared_noise(NoiseModel.from_bytes(noise)) if noise else None,
            initial_state=initial, method=method, limits=limits,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return Request.from_bytes, (self.to_bytes(),)


def shared_circuit(circuit: CircuitValue) -> CircuitValue:
    """Return the one of equal circuits that is already there."""
    return _circuits.setdefault(circuit.digest, circuit)


def shared_noise(noise: NoiseModel) -> NoiseModel:
    """Return the one of equal models that is already there, a snapshot."""
    return _models.setdefault(noise.digest, noise.snapshot())


def _own(array: Any) -> Any:
    if not array.flags.writeable and array.base is None:
        return array
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def checked_circuit(circuit: object) -> CircuitValue:
    """Return a circuit as it is now, or refuse what is none."""
    if not isinstance(circuit, AnyCircuit):
        raise InputError(f"a qfast.Circuit is needed, {type(circuit).__name__} given")
    return circuit.snapshot()


def checked_noise(noise: object) -> NoiseModel | None:
    """Return a noise model as it is now; None where it is empty; refuse what is none."""
    if not isinstance(noise, NoiseModel):
        raise InputError(
            f"noise must be a qfast.NoiseModel, {type(noise).__name__} given; a single channel becomes one with "
            "NoiseModel().add(channel, gates=[…])"
        )
    return None if noise.is_empty else noise.snapshot()


def checked_method(method: object) -> Method:
    """Return the name of a way, or refuse it."""
    if method not in METHODS:
        raise InputError(f"method {method!r} is unknown; allowed: {', '.join(map(repr, METHODS))}")
    return method


# --- values -----------------------------------------------------------------------------------------------------------
def values_of(parameters: tuple[Parameter, ...], given: ParameterValues | None) -> FloatArray:
    """Return parameter values in order, float64 of shape (p,).

    Raises
    ------
    ParameterError
        A parameter is unbound or unknown, or a value is not a finite real number.
    """
    if not parameters and (given is None or not len(given)):
        return _NO_VALUES
    if isinstance(given, Mapping) and len(given) == len(parameters):
        try:  # the common case, names and floats; whatever is amiss is named by the slow way below
            found = np.array([given[parameter.name] for parameter in parameters], dtype=np.float64)
        except (KeyError, TypeError, ValueError):
            pass
        else:
            if found.ndim == 1 and np.isfinite(found).all():
                return found
    resolved = resolve_values(parameters, {} if given is None else given)
    for name, value in resolved.items():
        if not isinstance(value, float):
            raise ParameterError(f"the value of parameter '{name}' is the expression {value}; a number is needed")
    return np.array([resolved[parameter.name] for parameter in parameters], dtype=np.float64)


def table_of(parameters: tuple[Parameter, ...], values: Any) -> FloatArray:
    """Return values as float64 of shape (p,) or (m, p), C-contiguous; a mapping is taken for (p,).

    Raises
    ------
    ParameterError
        As for `values_of`; the shape is another, or the values are no real numbers.
    """
    number = len(parameters)
    if values is None or hasattr(values, "keys"):
        return values_of(parameters, values)
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "biufO":
            raise TypeError(f"values of dtype {given.dtype} were given")
        table = given.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"parameter values are real numbers of shape (p,) or (m, p): {error}") from error
    if table.ndim not in (1, 2) or table.shape[-1] != number:
        names = ", ".join(parameter.name for parameter in parameters[:8]) + (", …" if number > 8 else "")
        raise ParameterError(
            f"parameter values of shape {table.shape} were given; ({number},) or (m, {number}) is needed, "
            f"in the order {names or '(no parameters)'}"
        )
    if not np.isfinite(table).all():
        place = np.argwhere(~np.isfinite(table))[0]
        name = parameters[place[-1]].name
        row = f" in row {place[0]}" if table.ndim == 2 else ""
        raise ParameterError(f"the value of parameter '{name}'{row} is {table[tuple(place)]}, which is not finite")
    return np.ascontiguousarray(table)
