"""Virtual environments of the simulators: one each, so that none can break another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.catalog import PEERS
from benchmarks.peers.protocol import ROOT, PeerError

__all__ = ["install", "interpreter", "thread_environment"]


def interpreter(key: str, folder: Path) -> Path:
    """Return the Python that runs a peer.

    Raises
    ------
    PeerError
        The peer has not been installed below `folder`.
    """
    if not PEERS[key].requirements:
        return Path(sys.executable)
    python = folder / key / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        raise PeerError(f"{key}: not installed below {folder}; run once with --install")
    return python


def install(key: str, folder: Path) -> None:
    """Install a peer into its own environment below `folder`; one that is complete is left as it is.

    Raises
    ------
    PeerError
        With the last words of pip.
    """
    peer = PEERS[key]
    if not peer.requirements:
        return
    home = folder / key
    if not (home / "pyvenv.cfg").exists():
        _run(key, [sys.executable, "-m", "venv", str(home)])
    python = str(interpreter(key, folder))
    _run(key, [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "numpy", *peer.requirements])


def thread_environment(threads: int) -> dict[str, str]:
    """Variables that hold the simulators, which read them at their start, to a number of threads."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "QFAST_NUM_THREADS")
    return dict.fromkeys(names, count) | {"PYTHONPATH": _python_path()}


def _python_path() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def _run(key: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=_clean_environment())
    if done.returncode:
        words = " | ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise PeerError(f"{key}: '{' '.join(command[1:4])} …' ended with code {done.returncode}: {words}")


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
