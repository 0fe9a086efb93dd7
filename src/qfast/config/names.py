"""Global names: the package, its default types, the array back ends and their aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypeGuard

from qfast.config.suggestions import nearest
from qfast.errors import ConfigError

__all__ = [
    "DEFAULT_COMPLEX_DTYPE_STR",
    "DEFAULT_REAL_DTYPE_STR",
    "PACKAGE_NAME",
    "SUPPORTED_BACKENDS",
    "BackendName",
    "VectorizationPolicy",
    "default_dtypes",
    "is_valid_vectorization_policy",
    "normalize_backend_name",
]

PACKAGE_NAME = "qfast"
DEFAULT_COMPLEX_DTYPE_STR = "complex128"
DEFAULT_REAL_DTYPE_STR = "float64"

if TYPE_CHECKING:
    BackendName: TypeAlias = Literal["numpy", "pytorch", "cupynumeric"]
    VectorizationPolicy: TypeAlias = Literal["auto", "force", "off"]
else:

    class _NameKind(type):
        """The class of classes whose instances are certain texts; their subscript-free use as types is `Literal`'s."""

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, str) and instance in cls.names

    class BackendName(metaclass=_NameKind):
        """The canonical name of an array back end: ``isinstance("numpy", BackendName)`` is true."""

        names = ("numpy", "pytorch", "cupynumeric")

    class VectorizationPolicy(metaclass=_NameKind):
        """A vectorization policy: ``isinstance("auto", VectorizationPolicy)`` is true."""

        names = ("auto", "force", "off")


SUPPORTED_BACKENDS: tuple[BackendName, ...] = ("numpy", "pytorch", "cupynumeric")

_BACKEND_ALIASES: dict[str, BackendName] = {
    "numpy": "numpy",
    "cpu": "numpy",
    "pytorch": "pytorch",
    "torch": "pytorch",
    "pt": "pytorch",
    "cupynumeric": "cupynumeric",
    "gpu": "cupynumeric",
}


def normalize_backend_name(name: str) -> BackendName:
    """Return the canonical name of an array back end.

    Parameters
    ----------
    name : str
        A canonical name or an alias: ``numpy | cpu``, ``pytorch | torch | pt``, ``cupynumeric | gpu``. Case and
        surrounding blanks do not matter.

    Raises
    ------
    ConfigError
        The name is none of these.

    Examples
    --------
    >>> normalize_backend_name("Torch")
    'pytorch'
    """
    canonical = _BACKEND_ALIASES.get(str(name).strip().lower())
    if canonical is None:
        raise ConfigError(
            f"array back end {name!r} does not exist; allowed: {', '.join(_BACKEND_ALIASES)}"
            f"{nearest(str(name), _BACKEND_ALIASES)}"
        )
    return canonical


def is_valid_vectorization_policy(value: object) -> TypeGuard[VectorizationPolicy]:
    """Tell whether ``value`` is ``"auto"``, ``"force"`` or ``"off"``.

    Examples
    --------
    >>> is_valid_vectorization_policy("force"), is_valid_vectorization_policy("on")
    (True, False)
    """
    return isinstance(value, str) and value in ("auto", "force", "off")


def default_dtypes() -> tuple[str, str]:
    """Return the default complex and real dtype names.

    Examples
    --------
    >>> default_dtypes()
    ('complex128', 'float64')
    """
    return DEFAULT_COMPLEX_DTYPE_STR, DEFAULT_REAL_DTYPE_STR
