"""The compiled extension: the one place that knows it may be absent."""

from __future__ import annotations

import importlib
from typing import Any

core: Any = None
"""The module ``qfast._core``, or None in a pure build."""

missing_reason: str | None = None
"""Why `core` is None."""

try:
    core = importlib.import_module("qfast._core")
except ModuleNotFoundError:
    missing_reason = "this is a pure build without the compiled extension; install a wheel, or build with a compiler"
except ImportError as error:
    missing_reason = f"the compiled extension is installed but cannot be loaded: {error}"
