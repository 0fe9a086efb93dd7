"""Type names that every layer shares."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AnyArray",
    "ComplexArray",
    "EngineName",
    "FloatArray",
    "IntArray",
    "Isa",
    "Precision",
    "PrecisionLike",
    "UIntArray",
]

ComplexArray: TypeAlias = NDArray[np.complex128]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
UIntArray: TypeAlias = NDArray[np.uint64]
AnyArray: TypeAlias = NDArray[Any]

Precision: TypeAlias = Literal["complex64", "complex128"]
PrecisionLike: TypeAlias = Precision | type[np.complex64] | type[np.complex128] | np.dtype[Any]
"""How a caller may name a precision."""
EngineName: TypeAlias = Literal["auto", "native", "numba", "reference"]
Isa: TypeAlias = Literal["baseline", "avx2", "avx512"]
