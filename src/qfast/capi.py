"""Where the C interface is, and a way to it from Python.

``libqfast`` and ``qfast.h`` are installed with the package. C and C++ programs compile against them::

    cc program.c -I$(python -c "import qfast; print(qfast.get_include())") \\
        $(python -c "import qfast; print(qfast.get_library())") \\
        -Wl,-rpath,$(python -c "import qfast, os; print(os.path.dirname(qfast.get_library()))")

and cffi calls them without a compiler; see `load`. Functions of the library can be called from numba's nopython code:
``examples/numba_capi.py``.
"""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path
from typing import Any

from qfast.errors import EngineError
from qfast.extension import core, missing_reason

__all__ = ["declarations", "get_include", "get_library", "load"]

_LIBRARY_NAMES = {"darwin": "libqfast.dylib", "win32": "qfast.dll"}
_BEGIN, _END = "/* ---- begin of declarations ---- */", "/* ---- end of declarations ---- */"


def get_include() -> str:
    """Return the folder of ``qfast.h``.

    Raises
    ------
    EngineError
        This is a pure build, which has no library.
    """
    return str(_installed("include/qfast.h").parent)


def get_library() -> str:
    """Return the path of the shared library; the Python extension uses the same one.

    Raises
    ------
    EngineError
        This is a pure build, which has no library.
    """
    return str(_installed(_LIBRARY_NAMES.get(sys.platform, "libqfast.so")))


def declarations() -> str:
    """Return the declarations of ``qfast.h`` as ``cffi.FFI().cdef`` takes them."""
    header = _installed("include/qfast.h").read_text(encoding="utf-8")
    body = header[header.index(_BEGIN) : header.index(_END)]
    return re.sub(r"\bQFAST_C_API ", "", body)


@functools.cache
def load() -> tuple[Any, Any]:
    """Open the library with cffi.

    Returns
    -------
    ffi : cffi.FFI
        Knows the declarations of ``qfast.h``.
    library
        Its functions: ``library.qfast_version()``. cffi gives the interpreter lock away during a call.

    Raises
    ------
    EngineError
        This is a pure build, or cffi is not installed.

    Examples
    --------
    >>> ffi, lib = load()
    >>> circuit = ffi.new("qfast_circuit **")
    >>> lib.qfast_circuit_create(-1, circuit) == lib.QFAST_ERROR_INPUT
    True
    >>> ffi.string(lib.qfast_last_error()).decode()
    'a circuit of -1 qubits was asked for; it may have 0 to 63'
    """
    try:
        import cffi
    except ImportError as error:
        raise EngineError("the C interface is called from Python by way of cffi: pip install cffi") from error
    ffi = cffi.FFI()
    ffi.cdef(declarations())
    return ffi, ffi.dlopen(get_library())


def _installed(name: str) -> Path:
    """A file that the build puts beside the extension (which an editable install keeps apart from the sources)."""
    if core is None:
        raise EngineError(f"there is no C interface: {missing_reason}")
    path = Path(core.__file__).parent / name
    if not path.exists():
        raise EngineError(f"{path} is missing from this installation; install qfast-sim again")
    return path
