"""Requests are values: what they keep, their one encoding, and what their digest tells apart."""

from __future__ import annotations

import contextlib
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qfast
from qfast import (
    Circuit,
    DenseOperator,
    DiagonalOperator,
    NoiseModel,
    Parameter,
    PauliSum,
    Projector,
    ReadoutError,
    SparseOperator,
    channels,
)
from qfast.errors import InputError, ObservableError, QfastError
from qfast.simulation.asks import Amplitudes, Ask, Distribution, Expectation, Shots, State, Variance
from qfast.simulation.door import run
from qfast.simulation.request import Limits, Request
from qfast.simulation.run_settings import run_settings

SETTINGS = run_settings(engine="reference", precision="complex128")
H = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7)])
OBSERVABLES: list[Any] = [
    H,
    Projector("10"),
    Projector([0.6, 0.8j], [1]),
    DiagonalOperator([0.0, 1.0, 1.0, 2.0], [1, 0]),
    DenseOperator([[1, 2], [2, -1]], [1]),
    SparseOperator(([1, 2], [2, 1], [1.0, 1.0]), [0, 1]),
]


def circuit() -> Circuit:
    c = Circuit(2, 2).ry(2 * Parameter("t"), 0).unitary(np.eye(2), [1]).cx(0, 1).measure(0, 0)
    return c.if_test((0, 1), c.block().x(1)).measure(1, 1)


def noise() -> NoiseModel:
    model = NoiseModel().add(channels.depolarizing(0.1, num_qubits=2), gates=["cx"])
    return model.add(channels.amplitude_damping(0.2)).add_readout(ReadoutError.of_flips(0.01, 1 / 3))


def asks() -> list[Ask]:
    return [
        State(), State(5), Shots(10), Shots(10, 3, "counts", "multinomial", 7), Distribution(1e-9),
        Amplitudes((0, 3)), Expectation.of(H), Expectation.of([OBSERVABLES[:3], OBSERVABLES[3:]]),
        Expectation.of(H, trajectories=9, seed=2**64 - 1), Variance.of(OBSERVABLES),
    ]  # fmt: skip


def requests() -> list[Request]:
    start = np.array([0, 1, 0, 0], dtype=np.complex64)
    made = [Request.of(ask, circuit(), {"t": 0.3}, "complex128") for ask in asks()]
    made.append(Request.of(Shots(5, 1), circuit(), [0.3], "complex64", noise=noise(), initial_state=start))
    limits = Limits(50, 1 << 20)
    return [*made, Request.of(State(), circuit(), [0.3], "complex128", method="branches", limits=limits)]


# --- the encoding -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", range(len(requests())))
def test_what_is_read_back_is_the_same_request(number: int) -> None:
    request = requests()[number]
    content = request.to_bytes()
    again = Request.from_bytes(content)
    assert again.to_bytes() == content
    assert again.digest == request.digest
    assert pickle.loads(pickle.dumps(request)).digest == request.digest
    assert (again.ask.what, again.circuit, again.precision, again.method, again.limits) == (
        request.ask.what, request.circuit, request.precision, request.method, request.limits,
    )  # fmt: skip


def test_equal_requests_have_equal_digests_and_different_ones_different() -> None:
    digests = [request.digest for request in requests()]
    assert digests == [request.digest for request in requests()]
    base = requests()[2]
    other = [
        base.at(np.array([0.4])), base.asking(Shots(11)), base.asking(Shots(10, 4)),
        replace(base, precision="complex64"),
        replace(base, noise=noise().snapshot()), replace(base, noise=noise().add(channels.bit_flip(0.1)).snapshot()),
        replace(base, initial=np.array([1, 0, 0, 0])), replace(base, method="branches"),
        replace(base, limits=Limits(7)), replace(base, circuit=circuit().x(0).snapshot()),
    ]  # fmt: skip
    digests += [request.digest for request in other]
    assert len(set(digests)) == len(digests)


def test_requests_that_were_read_share_what_is_prepared() -> None:
    content = requests()[2].to_bytes()
    first, second = Request.from_bytes(content), Request.from_bytes(content)
    assert first.circuit is second.circuit
    noisy = requests()[-2].to_bytes()
    assert Request.from_bytes(noisy).noise is Request.from_bytes(noisy).noise is not None


def test_a_function_of_bits_has_no_bytes() -> None:
    request = Request.of(Expectation.of(DiagonalOperator(lambda k: k % 2, [0])), Circuit(1), None, "complex128")
    with pytest.raises(ObservableError, match="of a function cannot be written, sent or compared"):
        request.to_bytes()


def test_bytes_that_are_none_are_refused_with_the_place() -> None:
    content = requests()[2].to_bytes()
    for wrong in (b"", content[:-1], content + b"\0", b"x" + content[1:], content[:40], bytes(200)):
        with pytest.raises(InputError, match="these bytes hold no request"):
            Request.from_bytes(wrong)
    with pytest.raises(InputError, match="is read from bytes, str given"):
        Request.from_bytes("text")  # type: ignore[arg-type]
    version = bytearray(content)
    version[13] = 9
    with pytest.raises(InputError, match="of version 9, version 1 is read here"):
        Request.from_bytes(bytes(version))


@given(st.integers(0, len(requests()) - 1), st.randoms(use_true_random=False))
def test_mutated_bytes_are_refused_or_make_a_request_that_runs(number: int, random: Any) -> None:
    content = bytearray(CONTENTS[number])
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        place = random.randrange(len(content))
        how = random.randrange(4)
        if how == 0:
            content[place] ^= 1 << random.randrange(8)
        elif how == 1:
            content[place] = random.randrange(256)
        elif how == 2:
            del content[place : place + random.randrange(1, 9)]
        else:
            content[place:place] = bytes(random.randrange(256) for _ in range(random.randrange(1, 9)))
    try:
        request = Request.from_bytes(bytes(content))
    except QfastError:
        return
    assert Request.from_bytes(request.to_bytes()).digest == request.digest
    ask = request.ask
    if isinstance(ask, Shots) and ask.shots > 1000:
        return
    with contextlib.suppress(QfastError):
        run(request.asking(replace(ask, seed=1)) if isinstance(ask, Shots) else request, SETTINGS)


CONTENTS = [request.to_bytes() for request in requests()]


# --- what a request keeps ---------------------------------------------------------------------------------------------
def test_a_request_that_is_kept_follows_nobody() -> None:
    c, values, start = circuit(), np.array([0.3]), np.array([1, 0, 0, 0], dtype=complex)
    model, table = noise(), np.array([0.0, 1.0])
    ask = Expectation.of(DiagonalOperator(table, [0]))
    kept = Request.of(ask, c, values, "complex128", noise=model, initial_state=start).kept()
    before = kept.digest
    c.x(0)
    values[0], table[:], start[:] = 2.0, 5.0, [0, 0, 1, 0]
    model.add(channels.bit_flip(0.5))
    assert kept.digest == before
    for array in (kept.values, kept.initial):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"circuit": "h"}, r"a qfast\.Circuit is needed, str given"),
        ({"noise": 0.1}, r"noise must be a qfast\.NoiseModel, float given"),
        ({"method": "magic"}, "method 'magic' is unknown; allowed: 'auto', 'terminal'"),
        ({"initial_state": [1, 1, 0, 0]}, "not a normalised state"),
        ({"parameters": [0.1, 0.2]}, "2 parameter values given for 1 parameters"),
    ],
)
def test_arguments_are_checked_at_the_border(change: dict[str, Any], message: str) -> None:
    arguments = {"ask": State(), "circuit": circuit(), "parameters": [0.1], "precision": "complex128", **change}
    with pytest.raises(QfastError, match=message):
        Request.of(**arguments)


def test_a_program_and_a_job_of_it_pickle_what_was_asked() -> None:
    program = qfast.compile(circuit(), engine="reference", precision="complex64")
    again = pickle.loads(pickle.dumps(program))
    assert (again.circuit, again.precision, again.engine) == (program.circuit, "complex64", "reference")
    assert again.sample([0.3], 50, seed=2) == program.sample([0.3], 50, seed=2)
