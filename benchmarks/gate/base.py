"""The commit that a change is compared with, built beside it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

__all__ = ["ROOT", "base_commit", "build_base"]

ROOT = Path(__file__).resolve().parents[2]
_CORE = ("csrc", "cmake", "CMakeLists.txt", "src/qfast/_version.py")  # all that the compiled parts are made of


def base_commit(reference: str | None) -> str:
    """Return the commit to compare with: where HEAD left `reference`, by default main.

    On main itself that is the commit before HEAD.
    """
    names = [reference] if reference else ["origin/main", "main"]
    head = _git("rev-parse", "HEAD")
    for name in names:
        if subprocess.run(["git", "rev-parse", "-q", "--verify", name], cwd=ROOT, capture_output=True).returncode == 0:
            fork = _git("merge-base", "HEAD", name)
            return fork if fork != head or _git("status", "--porcelain") else _git("rev-parse", "HEAD^")
    raise SystemExit(f"there is no commit {' or '.join(names)} to compare with; fetch it, or pass --base COMMIT")


def build_base(commit: str, folder: Path) -> tuple[Path, Path]:
    """Install `commit` below `folder`, where it is not there yet.

    Returns
    -------
    tree, site : Path
        Its files, and the folder that holds its package ``qfast``.
    """
    tree, site = folder / commit / "tree", folder / commit / "site"
    if (site / "qfast").is_dir():
        return tree, site
    shutil.rmtree(tree.parent, ignore_errors=True)
    tree.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(tree, filter="data")
    compiled = _same_core(commit)
    made = site.with_name("site.tmp")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(made), str(tree)]
    subprocess.run(command, check=True, env=os.environ | ({"QFAST_PURE": "1"} if compiled else {}))
    for file in compiled:
        shutil.copy2(file, made / "qfast")
    made.rename(site)
    return tree, site


def _same_core(commit: str) -> list[Path]:
    """The compiled files of the qfast that is imported here, if `commit` would be compiled from the same sources."""
    import qfast

    if subprocess.run(["git", "diff", "--quiet", commit, "--", *_CORE], cwd=ROOT).returncode:
        return []
    package = Path(qfast.__file__).parent
    return [*package.glob("_core*.so"), *package.glob("libqfast*.so*")]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
