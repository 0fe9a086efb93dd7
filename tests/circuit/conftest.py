"""A pure build has no core whose table could be compared."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("qfast._core") else ["test_core_gate_table.py"]
