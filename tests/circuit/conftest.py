"""A pure build has no core whose table could be compared or which could read OpenQASM."""

from __future__ import annotations

from importlib.util import find_spec

_NEED_THE_CORE = [
    "test_core_gate_table.py", "test_qasm_flow.py", "test_qasm_read.py", "test_qasm_refuse.py", "test_qasm_write.py",
]  # fmt: skip

collect_ignore = [] if find_spec("qfast._core") else _NEED_THE_CORE
