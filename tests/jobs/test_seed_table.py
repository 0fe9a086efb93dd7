"""The table of the seeds' claims names tests and places that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs" / "seeds.md").read_text()


def test_every_test_that_the_table_names_exists() -> None:
    named = set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", TABLE))
    assert len(named) > 60
    missing = [
        f"{file}::{name}" for file, name in sorted(named) if f"def {name}(" not in (ROOT / "tests" / file).read_text()
    ]
    assert missing == []


def test_every_row_has_a_test_a_script_or_the_word_planned() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith("| claim")]
    assert len(rows) > 80
    bare = [row for row in rows if not re.search(r"::test_|`benchmarks/|planned", row.rsplit("|", 2)[1])]
    assert bare == []


def test_every_file_that_the_table_names_exists() -> None:
    named = re.findall(r"`((?:examples|benchmarks)/\w+\.py)`", TABLE)
    assert [name for name in named if not (ROOT / name).exists()] == []
