"""A pure build has no core to test."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("qfast._core") else ["test_*.py"]
