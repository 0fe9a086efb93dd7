"""Tests of the conversion need Qiskit, an optional extra."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("qiskit") else ["test_*.py"]
