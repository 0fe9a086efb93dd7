"""The Python of the page on gradients."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parents[2] / "docs" / "gradients.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def run_page(hook: str = "") -> dict[str, Any]:
    """Run the blocks that need no other package, and that of a hook; return the names they leave behind."""
    names: dict[str, Any] = {}
    for block in BLOCKS:
        needed = re.findall(r"^import (torch|jax)$", block, re.MULTILINE)
        if not needed or needed == [hook]:
            exec(compile(block, "gradients.md", "exec"), names)
    return names
