"""A fast quantum statevector simulator for CPUs."""

from __future__ import annotations

from qfast._version import __version__

__all__ = ["__version__"]
