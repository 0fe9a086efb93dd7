"""Through which Python files one call goes: `sample`, `session.run`, a noisy `sample`, each prepared beforehand.

    python benchmarks/trace_rooms.py [--calls]

A stay in a file begins with a call into it from another file. A return is a stay in a file that was left before: that
another file was entered since. Returning to a caller is no stay. Files outside the package do not count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import qfast
from qfast import Circuit, NoiseModel, channels

ROOT = Path(qfast.__file__).parent
SHOTS, SEED = 1000, 7


def files_of(call: Callable[[], object]) -> list[tuple[str, str]]:
    """Return file and function of every Python call into the package, in order."""
    seen: list[tuple[str, str]] = []

    def look(frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            seen.append((str(path.relative_to(ROOT)), frame.f_code.co_name))

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


def stays_of(calls: list[tuple[str, str]]) -> list[str]:
    """Return the files in the order in which they are entered."""
    stays: list[str] = []
    for file, _ in calls:
        if not stays or stays[-1] != file:
            stays.append(file)
    return stays


def main() -> None:
    """Trace the three calls."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", action="store_true", help="list every call")
    options = parser.parse_args()
    bell = Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
    noise = NoiseModel().add(channels.depolarizing(0.01, num_qubits=2), gates=["cx"])
    session = qfast.Session("local::statevector")
    cases: dict[str, Callable[[], object]] = {
        "sample": lambda: qfast.sample(bell, SHOTS, SEED),
        "session.run": lambda: session.run(bell, shots=SHOTS, seed=SEED).result(),
        "noisy sample": lambda: qfast.sample(bell, SHOTS, SEED, noise=noise),
    }
    for name, call in cases.items():
        call()
        calls = files_of(call)
        stays = stays_of(calls)
        files = list(dict.fromkeys(stays))
        print(f"{name}: {len(calls)} calls, {len(files)} files, {len(stays)} stays, {len(stays) - len(files)} returns")
        print("   ", " ".join(files))
        for file, function in calls if options.calls else ():
            print("       ", file, function)


if __name__ == "__main__":
    main()
