"""Compare qfast with other simulators; see README.md in the folder above and ``--help``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.command import main

if __name__ == "__main__":
    sys.exit(main())
