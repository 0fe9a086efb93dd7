"""The checked content of the gates whose content is data: matrices, diagonals, permutations, Pauli strings, states."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qfast._typing import AnyArray, ComplexArray, IntArray
from qfast.errors import CircuitError, GateError

__all__ = [
    "MAX_DATA_QUBITS",
    "MAX_TABLE_QUBITS",
    "checked_diagonal",
    "checked_item",
    "checked_pauli_letters",
    "checked_permutation",
    "checked_unitary",
    "data_matrix",
    "state_preparation_matrix",
]

MAX_DATA_QUBITS = 10
"""The widest `unitary` (a 16 MiB matrix)."""

MAX_TABLE_QUBITS = 26
"""The widest `diagonal` and `permutation` (a table of 1 GiB or 512 MiB)."""

_KEPT_TOLERANCE = 2e-5

_PAULI_CODES = {"I": 0, "X": 1, "Y": 2, "Z": 3}
_PAULI_MATRICES = (
    np.array([[1, 0], [0, 1]], dtype=np.complex128),
    np.array([[0, 1], [1, 0]], dtype=np.complex128),
    np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    np.array([[1, 0], [0, -1]], dtype=np.complex128),
)


def _complex_array(value: ArrayLike, place: str) -> tuple[ComplexArray, float]:
    """A read-only complex128 copy and the tolerance that the precision it came in allows."""
    try:
        given = np.asarray(value)
        single = given.dtype in (np.dtype(np.complex64), np.dtype(np.float32), np.dtype(np.float16))
        array = np.array(given, dtype=np.complex128, order="C", copy=True)
    except (TypeError, ValueError) as error:
        raise GateError(f"{place}: the content is not an array of numbers ({error})") from None
    if not np.isfinite(array).all():
        where = tuple(int(index) for index in np.argwhere(~np.isfinite(array))[0])
        raise GateError(f"{place}: the entry at {where} is {array[where]}, which is not finite")
    array.flags.writeable = False
    return array, 1e-5 if single else 1e-8


def checked_unitary(matrix: ArrayLike, num_qubits: int, place: str, tolerance: float | None = None) -> ComplexArray:
    """Return a read-only complex128 copy of a unitary matrix of shape (2**k, 2**k), 1 <= k <= 10.

    The largest entry of |U^dagger U - 1| must not exceed `tolerance`, by default 1e-8 (1e-5 for single-precision
    input).
    """
    if not 1 <= num_qubits <= MAX_DATA_QUBITS:
        raise GateError(f"{place}: a matrix acts on 1 to {MAX_DATA_QUBITS} qubits, {num_qubits} given")
    array, allowed = _complex_array(matrix, place)
    tolerance = allowed if tolerance is None else tolerance
    dim = 1 << num_qubits
    if array.shape != (dim, dim):
        raise GateError(f"{place}: {num_qubits} qubits need a matrix of shape ({dim}, {dim}), {array.shape} given")
    error = float(np.abs(array.conj().T @ array - np.eye(dim)).max())
    if not error <= tolerance:
        raise GateError(
            f"{place}: the matrix is not unitary: an entry of U†U differs from the identity by {error:.3g}, "
            f"{tolerance:g} is allowed"
        )
    return array


def checked_diagonal(values: ArrayLike, num_qubits: int, place: str, tolerance: float | None = None) -> ComplexArray:
    """Return a read-only complex128 copy of 2**k numbers of modulus 1.

    They may be off by `tolerance`, by default 1e-8 (1e-5 for single-precision input).
    """
    if not 1 <= num_qubits <= MAX_TABLE_QUBITS:
        raise GateError(f"{place}: a diagonal acts on 1 to {MAX_TABLE_QUBITS} qubits, {num_qubits} given")
    array, allowed = _complex_array(values, place)
    tolerance = allowed if tolerance is None else tolerance
    if array.shape != (1 << num_qubits,):
        raise GateError(f"{place}: {num_qubits} qubits need {1 << num_qubits} numbers, shape {array.shape} given")
    error = np.abs(np.abs(array) - 1)
    worst = int(error.argmax())
    if not error[worst] <= tolerance:
        raise GateError(
            f"{place}: entry {worst} is {array[worst]}, its modulus differs from 1 by {error[worst]:.3g}, "
            f"{tolerance:g} is allowed"
        )
    return array


def checked_permutation(images: ArrayLike, num_qubits: int, place: str) -> IntArray:
    """Return a read-only int64 copy of a permutation of 0 ... 2**k - 1."""
    if not 1 <= num_qubits <= MAX_TABLE_QUBITS:
        raise GateError(f"{place}: a permutation acts on 1 to {MAX_TABLE_QUBITS} qubits, {num_qubits} given")
    given = np.asarray(images)
    if given.dtype.kind not in "iu":
        raise GateError(f"{place}: a permutation is an array of integers, dtype {given.dtype} given")
    dim = 1 << num_qubits
    if given.shape != (dim,):
        raise GateError(f"{place}: {num_qubits} qubits need {dim} images, shape {given.shape} given")
    if int(given.min()) < 0 or int(given.max()) >= dim:
        raise GateError(f"{place}: the images run from 0 to {dim - 1}, {given.min()}…{given.max()} given")
    array: IntArray = np.array(given, dtype=np.int64, order="C", copy=True)
    counts = np.bincount(array, minlength=dim)
    if counts.max() > 1:
        repeated = int(counts.argmax())
        times = counts[repeated]
        raise GateError(f"{place}: {repeated} is the image of {times} basis states; it must be of exactly one")
    array.flags.writeable = False
    return array


def checked_pauli_letters(letters: str | Sequence[int], num_qubits: int, place: str) -> NDArray[np.uint8]:
    """Return read-only uint8 codes 0…3 = IXYZ; letter j belongs to listed qubit j."""
    codes: list[int] = []
    for letter in letters:
        code = _PAULI_CODES.get(letter) if isinstance(letter, str) else int(letter)
        if code is None or not 0 <= code <= 3:
            raise GateError(f"{place}: {letter!r} is not a Pauli letter; I, X, Y and Z are")
        codes.append(code)
    if len(codes) != num_qubits:
        raise GateError(f"{place}: {len(codes)} Pauli letters given for {num_qubits} qubits")
    array = np.array(codes, dtype=np.uint8)
    array.flags.writeable = False
    return array


def state_preparation_matrix(vector: ArrayLike, num_qubits: int, place: str) -> ComplexArray:
    """Return a unitary whose first column is the given state.

    It is a phase times one Householder reflection, so preparing costs one pass and no search: with v' = e^{-i phi} v
    and phi chosen such that v'_0 <= 0, the reflection along w = e_0 - v' sends e_0 to v'. That sign keeps
    |w|^2 = 2 + 2|v_0| away from zero (Golub and Van Loan, Matrix Computations, 5.1).

    Parameters
    ----------
    vector : array_like, complex, shape (2**k,)
        Normalised to 1e-8 (1e-5 in single precision), k <= 10.
    """
    if not 1 <= num_qubits <= MAX_DATA_QUBITS:
        raise GateError(
            f"{place}: prepare_state acts on 1 to {MAX_DATA_QUBITS} qubits, {num_qubits} given; "
            "start a larger state with simulate(..., initial_state=vector)"
        )
    array, tolerance = _complex_array(vector, place)
    dim = 1 << num_qubits
    if array.shape != (dim,):
        raise GateError(f"{place}: {num_qubits} qubits need a vector of {dim} amplitudes, shape {array.shape} given")
    norm = float(np.linalg.norm(array))
    if not abs(norm - 1) <= tolerance:
        raise GateError(
            f"{place}: the vector has norm {norm:.12g}, which must be 1 within {tolerance:g}; divide it by its norm"
        )
    phase = cmath.exp(1j * cmath.phase(complex(array[0]))) * -1
    state = array / (norm * phase)
    state[0] = -abs(state[0])
    w = -state
    w[0] += 1
    reflection = np.eye(dim) - np.outer(w, w.conj()) * (2 / float(np.vdot(w, w).real))
    matrix: ComplexArray = phase * reflection
    matrix.flags.writeable = False
    return matrix


def data_matrix(name: str, data: Any, params: Sequence[float] = ()) -> ComplexArray:
    """Return the matrix of a data gate over its own qubits, complex128 of shape (2**k, 2**k)."""
    if name == "unitary":
        return np.array(data, dtype=np.complex128)
    if name == "diagonal":
        return np.diag(np.asarray(data, dtype=np.complex128))
    if name == "permutation":
        matrix = np.zeros((len(data), len(data)), dtype=np.complex128)
        matrix[np.asarray(data), np.arange(len(data))] = 1
        return matrix
    if name == "pauli_rotation":
        pauli: AnyArray = np.ones((1, 1), dtype=np.complex128)
        for code in data:  # a later letter is a more significant qubit
            pauli = np.kron(_PAULI_MATRICES[int(code)], pauli)
        half = params[0] / 2
        return math.cos(half) * np.eye(len(pauli)) - 1j * math.sin(half) * pauli
    raise CircuitError(f"'{name}' holds no matrix")


_TABLES = {"unitary": np.complex128, "diagonal": np.complex128, "permutation": np.int64, "pauli_rotation": np.uint8}


def checked_item(name: str, item: Any, num_qubits: int, place: str) -> AnyArray:
    """Return a read-only copy of a data item that comes as an array, after a check of all its numbers.

    Matrices may be off by 2e-5, whatever precision they came in when they were first checked.
    """
    dtype = np.dtype(_TABLES[name])
    if not isinstance(item, np.ndarray) or item.dtype != dtype:
        found = f"{item.dtype} {item.shape}" if isinstance(item, np.ndarray) else type(item).__name__
        raise CircuitError(f"{place}: an array of {dtype} is needed, {found} given")
    if name == "unitary":
        return checked_unitary(item, num_qubits, place, _KEPT_TOLERANCE)
    if name == "diagonal":
        return checked_diagonal(item, num_qubits, place, _KEPT_TOLERANCE)
    if name == "permutation":
        return checked_permutation(item, num_qubits, place)
    if item.ndim != 1:
        raise GateError(f"{place}: Pauli letters of shape ({num_qubits},) are needed, {item.shape} given")
    return checked_pauli_letters(item.tolist(), num_qubits, place)
