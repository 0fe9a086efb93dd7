"""Parts of a request as bytes: what is asked, and a state to start from."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from qfast._typing import AnyArray
from qfast.circuit.byte_stream import ByteReader, ByteWriter
from qfast.circuit.observable_encoding import read_observable, write_observable
from qfast.simulation.asks import Amplitudes, Ask, Distribution, Expectation, Shots, State, Variance

__all__ = ["read_ask", "read_optional", "read_state", "write_ask", "write_optional", "write_state"]

_KINDS: tuple[type[Ask], ...] = get_args(Ask)
_BY_NAME = {kind.what: kind for kind in _KINDS}
_MAX_NESTING = 32  # of observables: numpy has as many axes
_STATES = ("<c16", "<c8", "<f8", "<f4", "<i8")


def write_ask(out: ByteWriter, ask: Ask) -> None:
    """Write what is asked."""
    out.text(ask.what)
    if isinstance(ask, State):
        write_optional(out, ask.seed)
    elif isinstance(ask, Shots):
        out.integer(ask.shots)
        write_optional(out, ask.seed)
        out.text(ask.output)
        out.text(ask.draws)
        out.integer(ask.first_shot)
    elif isinstance(ask, Distribution):
        out.real(ask.cutoff)
    elif isinstance(ask, Amplitudes):
        out.number(len(ask.states), 8)
        for state in ask.states:
            out.integer(state)
    else:
        out.number(len(ask.shape), 1)
        for length in ask.shape:
            out.number(length, 8)
        out.number(len(ask.observables), 8)
        for observable in ask.observables:
            write_observable(out, observable)
        if isinstance(ask, Expectation):
            write_optional(out, ask.trajectories)
            write_optional(out, ask.seed)


def read_ask(source: ByteReader) -> Ask:
    """Read what is asked; raises ``InputError`` for what is none."""
    name = source.text()
    kind: Any = _BY_NAME.get(name)  # type: ignore[call-overload]
    if kind is None:
        raise source.fail(f"{name!r} is not among what can be asked: {', '.join(_BY_NAME)}")
    if kind is State:
        return State(_read_seed(source))
    if kind is Shots:
        shots, seed = source.integer(), _read_seed(source)
        return Shots(shots, seed, source.text(), source.text(), source.integer())  # type: ignore[arg-type]
    if kind is Distribution:
        return Distribution(source.real())
    if kind is Amplitudes:
        return Amplitudes(tuple(source.integer() for _ in range(source.count(5))))
    shape = tuple(source.number(8) for _ in range(source.number(1, _MAX_NESTING + 1)))
    observables = tuple(read_observable(source) for _ in range(source.count(1)))
    wanted = 1
    for length in shape:
        wanted *= length
    if wanted != len(observables):
        raise source.fail(f"{len(observables)} observables stand for shape {shape}")
    if kind is Variance:
        return Variance(observables, shape)
    trajectories = read_optional(source)
    if trajectories == 0:
        raise source.fail("0 trajectories are asked for")
    return Expectation(observables, shape, trajectories, _read_seed(source))


def _read_seed(source: ByteReader) -> int | None:
    return read_optional(source)  # 8 bytes hold all seeds


def write_optional(out: ByteWriter, value: int | None) -> None:
    """Write a number below 2**64, or None."""
    out.number(value is not None, 1)
    if value is not None:
        out.number(value, 8)


def read_optional(source: ByteReader) -> int | None:
    """Read a number below 2**64, or None."""
    return source.number(8) if source.number(1, 2) else None


def write_state(out: ByteWriter, state: AnyArray | None) -> None:
    """Write amplitudes in their own type, or None."""
    if state is None:
        out.number(0, 1)
        return
    code = next((k for k, dtype in enumerate(_STATES) if state.dtype == np.dtype(dtype)), None)
    if code is None:  # what is left converts without loss: small integers, other byte orders
        code = 0
    out.number(code + 1, 1)
    out.number(state.size, 8)
    out.column(state, _STATES[code])


def read_state(source: ByteReader) -> AnyArray | None:
    """Read amplitudes, or None."""
    code = source.number(1, len(_STATES) + 1)
    if code == 0:
        return None
    dtype = _STATES[code - 1]
    return source.column(source.count(np.dtype(dtype).itemsize), dtype)
