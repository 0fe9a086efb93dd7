"""Call qfast from numba's nopython code: a loop of simulations that never returns to the interpreter.

numba calls C functions that cffi has opened. It knows pointers to numbers but not to structures of which only the name
is known, so handles are passed as 64-bit integers.

Run with ``python examples/numba_capi.py``.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from qfast.capi import load

ffi, lib = load()
state_reset = ffi.cast("int (*)(int64_t)", lib.qfast_state_reset)
state_run = ffi.cast("int (*)(int64_t, int64_t, double *, int32_t)", lib.qfast_state_run)
state_expectation = ffi.cast(
    "int (*)(int64_t, uint64_t *, uint64_t *, double *, int64_t, double *)", lib.qfast_state_expectation
)


@numba.njit(nogil=True)
def sweep(
    state: int,
    circuit: int,
    points: NDArray[np.float64],
    x_masks: NDArray[np.uint64],
    z_masks: NDArray[np.uint64],
    coefficients: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the expectation value of a Pauli sum at each row of `points`; NaN where a call failed."""
    values = np.full(points.shape[0], np.nan)
    result = np.empty(2)
    for i in range(points.shape[0]):
        point = points[i]
        status = state_reset(state)
        if status == 0:
            status = state_run(state, circuit, ffi.from_buffer(point), point.size)
        if status == 0:
            status = state_expectation(
                state, ffi.from_buffer(x_masks), ffi.from_buffer(z_masks), ffi.from_buffer(coefficients),
                x_masks.size, ffi.from_buffer(result),
            )  # fmt: skip
        if status == 0:
            values[i] = result[0]
    return values


def checked(status: int) -> None:
    """Raise on an error of the library."""
    if status != lib.QFAST_OK:
        raise RuntimeError(ffi.string(lib.qfast_last_error()).decode())


def main() -> None:
    text = b"""
    OPENQASM 3.0; include "stdgates.inc";
    input float theta; input float phi;
    qubit[2] q;
    ry(theta) q[0]; ry(phi) q[1]; cx q[0], q[1];
    """
    circuit, state = ffi.new("qfast_circuit **"), ffi.new("qfast_state **")
    checked(lib.qfast_circuit_from_qasm(text, circuit))
    checked(lib.qfast_state_create(2, lib.QFAST_COMPLEX128, state))

    points = np.random.default_rng(1).uniform(0, np.pi, (5, 2))
    values = sweep(
        int(ffi.cast("int64_t", state[0])),
        int(ffi.cast("int64_t", circuit[0])),
        points,
        np.array([0], dtype=np.uint64),
        np.array([0b10], dtype=np.uint64),  # Z on qubit 1
        np.array([1.0, 0.0]),
    )
    for (theta, phi), value in zip(points, values, strict=True):
        print(f"theta {theta:.3f} phi {phi:.3f}: <Z1> {value:+.6f}, cos*cos {np.cos(theta) * np.cos(phi):+.6f}")

    lib.qfast_state_free(state[0])
    lib.qfast_circuit_free(circuit[0])


if __name__ == "__main__":
    main()
