"""States that come from the caller: checks, and the buffer a run works in."""

from __future__ import annotations

from typing import Any

import numpy as np

from qfast._typing import AnyArray, Precision
from qfast.engines.memory import allocate_state
from qfast.errors import InputError

# How far from 1 the squared norm of a state may be: what rounding leaves after a deep circuit.
_NORM_TOLERANCE = {np.dtype(np.complex64): 1e-4, np.dtype(np.float32): 1e-4}
_DEFAULT_NORM_TOLERANCE = 1e-8
_BLOCK = 1 << 16


def checked_state(array: AnyArray, name: str, num_qubits: int | None = None) -> AnyArray:
    """Return a state that the caller gave, unchanged, or refuse it.

    Parameters
    ----------
    array : ndarray
    name : str
        The argument, for messages.
    num_qubits : int, optional
        Required number; by default any.

    Raises
    ------
    InputError
        Wrong shape or type, an amplitude that is not finite, or not normalised.
    """
    if array.dtype.kind not in "fciu":
        raise InputError(f"{name} has dtype {array.dtype}; numbers are needed, complex64 or complex128 at best")
    wanted = "(2**n,)" if num_qubits is None else f"({1 << num_qubits},) for {num_qubits} qubits"
    if array.ndim != 1 or array.size == 0 or array.size & (array.size - 1):
        raise InputError(f"{name} has shape {array.shape}; it must be {wanted}")
    if num_qubits is not None and array.size != 1 << num_qubits:
        raise InputError(f"{name} has shape {array.shape}; it must be {wanted}")
    norm_squared = sum(
        float(np.square(np.abs(array[i : i + _BLOCK], dtype=np.float64)).sum()) for i in range(0, array.size, _BLOCK)
    )
    tolerance = _NORM_TOLERANCE.get(array.dtype, _DEFAULT_NORM_TOLERANCE)
    if not abs(norm_squared - 1) <= tolerance:  # NaN and infinity fail here too
        raise InputError(
            f"{name} is not a normalised state: the sum of |amplitude|² is {norm_squared:.12g}, "
            f"which differs from 1 by more than {tolerance:g}; divide it by its norm"
        )
    return array


def initial_array(initial_state: Any, num_qubits: int) -> AnyArray | None:
    """Return the amplitudes to start from; None for |0…0⟩.

    Parameters
    ----------
    initial_state : None, Statevector or array_like of shape (2**n,)
    """
    if initial_state is None:
        return None
    amplitudes = getattr(initial_state, "amplitudes", None)  # a Statevector, whose module imports this one
    if amplitudes is None:
        try:
            amplitudes = np.asarray(initial_state)
        except ValueError as error:
            raise InputError(f"initial_state is no array of amplitudes: {error}") from error
    return checked_state(amplitudes, "initial_state", num_qubits)


def checked_out(out: Any, num_qubits: int, precision: Precision) -> AnyArray:
    """Return the caller's buffer for the result, or refuse it.

    Raises
    ------
    InputError
        Not a writable, aligned, C-contiguous array of the run's precision and size.
    """
    if not isinstance(out, np.ndarray):
        raise InputError(f"out must be a numpy array, {type(out).__name__} given")
    if out.dtype != np.dtype(precision):
        raise InputError(f"out has dtype {out.dtype}; this run needs {precision} (native byte order)")
    if out.shape != (1 << num_qubits,):
        raise InputError(f"out has shape {out.shape}; it must be ({1 << num_qubits},) for {num_qubits} qubits")
    if not out.flags.c_contiguous or not out.flags.aligned:
        raise InputError("out must be C-contiguous and aligned; numpy.ascontiguousarray makes such a copy")
    if not out.flags.writeable:
        raise InputError("out is read-only; the result is written into it")
    return out


def working_state(out: Any, initial: AnyArray | None, num_qubits: int, precision: Precision) -> AnyArray:
    """Return the buffer to run in, holding the initial state if there is one."""
    state = allocate_state(num_qubits, precision) if out is None else checked_out(out, num_qubits, precision)
    if initial is not None and not (
        initial.ctypes.data == state.ctypes.data and initial.dtype == state.dtype and initial.flags.c_contiguous
    ):
        np.copyto(state, initial, casting="same_kind")
    return state
