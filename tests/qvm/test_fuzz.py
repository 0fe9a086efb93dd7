"""A few hundred mutated graphs, of the many that the fuzzer makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FUZZER = Path(__file__).parents[2] / "fuzz" / "graph_fuzz.py"


def test_mutated_graphs_run_or_name_their_rule() -> None:
    ended = subprocess.run(
        [sys.executable, str(FUZZER), "--graphs", "400", "--seed", "5"], capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert "'accepted and run'" in ended.stdout
