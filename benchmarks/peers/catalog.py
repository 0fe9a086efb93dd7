"""The simulators that are compared: one row each, with the settings among which the best one is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PEERS", "Peer", "Setting"]


@dataclass(frozen=True)
class Setting:
    """One way to run a simulator.

    Attributes
    ----------
    name : str
        For tables.
    options : mapping
        Handed to the adapter.
    env : mapping
        Environment of its process, for what is read only once.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """One simulator.

    Attributes
    ----------
    title : str
        For tables.
    adapter : str
        Module of ``benchmarks.peers.adapters``.
    requirements : tuple of str
        What to install into its environment; empty: it runs in the interpreter of the harness (qfast itself).
    precisions : tuple of str
        What it computes in.
    state_settings : tuple of Setting
        Tried on every circuit of the families; the fastest is then measured against the others.
    tasks : Mapping of str to tuple of Setting
        The task kinds it can do, each with its settings.
    """

    title: str
    adapter: str
    requirements: tuple[str, ...]
    precisions: tuple[str, ...]
    state_settings: tuple[Setting, ...]
    tasks: Mapping[str, tuple[Setting, ...]]

    def settings(self, kind: str) -> tuple[Setting, ...]:
        """Settings for a kind of job; empty where the simulator cannot do it."""
        return self.state_settings if kind == "state" else self.tasks.get(kind, ())


BOTH = ("complex64", "complex128")
_DEFAULT = (Setting("default"),)


def _fusion(*sizes: int) -> tuple[Setting, ...]:
    return tuple(Setting(f"fusion {size}", {"fusion": size}) for size in sizes)


def _all_tasks(*kinds: str, **special: tuple[Setting, ...]) -> Mapping[str, tuple[Setting, ...]]:
    return {**dict.fromkeys(kinds, _DEFAULT), **special}


def _qfast(title: str, engine: str) -> Peer:
    settings = (Setting(engine, {"engine": engine}),)
    kinds = ("expectation", "sweep", "paulis", "gradient", "shots", "bits", "noisy")
    return Peer(title, "qfast_engine", (), BOTH, settings, dict.fromkeys(kinds, settings))


# PRISM-Q's guide advises to try other tile sizes where a core has more than 256 KiB of L2.
_PRISM_TILES = tuple(Setting(f"tile 2^{bits}", env={"PRISM_MULTI_2Q_TILE_BITS": str(bits)}) for bits in (15, 16))

PEERS: dict[str, Peer] = {
    "qfast": _qfast("qfast", "auto"),
    "numba": _qfast("qfast (numba)", "numba"),
    "reference": _qfast("qfast (reference)", "reference"),
    "prism": Peer(
        "PRISM-Q",
        "prism",
        ("prism-q==0.35.0",),
        ("complex128",),
        (*_DEFAULT, Setting("prepared", {"prepared": True}), *_PRISM_TILES),
        _all_tasks("expectation", "sweep", "paulis", "gradient", "shots", "bits", "noisy"),
    ),
    "qsim": Peer(
        "qsim",
        "qsim",
        ("qsimcirq==0.22.1", "cirq-core==1.7.0"),
        ("complex64",),
        _fusion(2, 3, 4),
        {
            **dict.fromkeys(("expectation", "sweep", "paulis", "noisy"), _fusion(2, 3)),
            "shots": _fusion(2, 3, 4),
        },
    ),
    "lightning": Peer(
        "Lightning",
        "lightning",
        ("pennylane-lightning==0.45.0", "pennylane==0.45.1"),
        BOTH,
        _DEFAULT,
        _all_tasks("expectation", "sweep", "paulis", "gradient", "shots"),
    ),
    "qulacs": Peer(
        "Qulacs",
        "qulacs",
        ("qulacs==0.6.14",),
        ("complex128",),
        (
            Setting("as built"),
            Setting("light", {"block": "light"}),
            Setting("block 2", {"block": 2}),
            Setting("block 4", {"block": 4}),
        ),
        {
            **_all_tasks("expectation", "sweep", "gradient", "noisy"),
            **dict.fromkeys(("paulis", "shots"), (Setting("light", {"block": "light"}),)),
        },
    ),
    "aer": Peer(
        "Aer",
        "aer",
        ("qiskit-aer==0.18.2", "qiskit==2.6.2"),
        BOTH,
        _fusion(3, 4, 5),
        {
            **_all_tasks("expectation", "paulis", "shots", "noisy"),
            "sweep": (Setting("circuits in parallel"), Setting("bound at run time", {"runtime_bind": True})),
        },
    ),
}
