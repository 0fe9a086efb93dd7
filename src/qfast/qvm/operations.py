"""The operations of a job graph: one row each, read by the loader, the certification, the JSON Schema and the docs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = [
    "CAPABILITIES",
    "DEFAULT_CAPABILITIES",
    "OPERATIONS",
    "Argument",
    "Kind",
    "Operation",
    "Profile",
    "parse_profile",
]


class Kind(Enum):
    """What an operation does; the certification and the lowering go by it."""

    ALLOC = "alloc"
    FREE = "free"
    GATE = "gate"
    MEASURE = "measure"
    RESET = "reset"
    PAULI = "pauli"
    BARRIER = "barrier"
    OPEN = "open"
    USE = "use"
    CLOSE = "close"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Argument:
    """One entry of ``args``.

    Attributes
    ----------
    kind : {"number", "integer", "text"}
    least, most : float
        Bounds of a number, both allowed.
    pattern : str
        Of a text, matched whole.
    is_required : bool
    says : str
        What is allowed, in words, for error messages.
    """

    kind: str
    says: str
    least: float = -math.inf
    most: float = math.inf
    pattern: str = ""
    is_required: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether a value read from JSON is allowed."""
        if self.kind == "text":
            return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "integer" else (int, float)):
            return False
        # A whole number of hundreds of digits compares with a float, but has no float of its own.
        return self.least <= value <= self.most and (isinstance(value, int) or math.isfinite(value))


@dataclass(frozen=True, slots=True)
class Operation:
    """One row.

    Attributes
    ----------
    name : str
    kind : Kind
    doc : str
    qubits : tuple of int
        Least and most qubits; the order matters where two are needed.
    channels : int
        Exactly so many.
    inputs : tuple of int
        Least and most events read besides the guard's.
    produces : tuple of int
        The allowed numbers of events written.
    arguments : dict of str to Argument
    capability : str or None
        What the caller must hold.
    allows_guard : bool
    gate : str or None
        The circuit's name of a gate.
    """

    name: str
    kind: Kind
    doc: str
    qubits: tuple[int, int] = (0, 0)
    channels: int = 0
    inputs: tuple[int, int] = (0, 0)
    produces: tuple[int, ...] = (0,)
    arguments: dict[str, Argument] = field(default_factory=dict)
    capability: str | None = None
    allows_guard: bool = True
    gate: str | None = None


_MANY = 1 << 20

ALLOC, COMPUTE, MEASURE = "CAP_ALLOC", "CAP_COMPUTE", "CAP_MEASURE"
LINK, TELEPORT, MAGIC = "CAP_LINK", "CAP_TELEPORT", "CAP_MAGIC"

CAPABILITIES: dict[str, str] = {
    ALLOC: "allocate logical qubits",
    COMPUTE: "apply gates, resets and Paulis",
    MEASURE: "measure",
    LINK: "open channels",
    TELEPORT: "apply a CNOT through a channel",
    MAGIC: "inject magic states",
}
DEFAULT_CAPABILITIES: frozenset[str] = frozenset({ALLOC, COMPUTE, MEASURE})

_ANGLE = Argument("number", "a finite number of radians", is_required=True)
_PAULI = Argument("text", "letters of I, X, Y, Z: one for all qubits, or one each", pattern=r"[IXYZ]+")


def _gate(name: str, gate: str, num_qubits: int, doc: str, **arguments: Argument) -> Operation:
    return Operation(
        name, Kind.GATE, doc, (num_qubits, num_qubits), arguments=arguments, capability=COMPUTE, gate=gate
    )  # fmt: skip


def _measure(name: str, num_qubits: int, produces: tuple[int, ...], doc: str, **arguments: Argument) -> Operation:
    return Operation(
        name, Kind.MEASURE, doc, (num_qubits, num_qubits), produces=produces, arguments=arguments, capability=MEASURE
    )  # fmt: skip


_ROWS = (
    Operation(
        "ALLOC_LQ", Kind.ALLOC, "brings the named qubits into the state as |0⟩", (1, _MANY),
        arguments={
            "n": Argument("integer", "a whole number from 1, the number of vqs", 1, _MANY),
            "profile": Argument(
                "text", "a code as 'logical:Surface(d=9)'; families: Surface, SHYPS, BaconShor, QLDPC(d=…,rate=…)",
                pattern=r"[^\x00-\x1f]{1,100}",
            ),
        },
        capability=ALLOC, allows_guard=False,
    ),
    Operation("FREE_LQ", Kind.FREE, "gives the qubits back: the state shrinks at once", (1, _MANY), allows_guard=False),
    _gate("APPLY_H", "h", 1, "Hadamard"),
    _gate("APPLY_S", "s", 1, "phase of π/2"),
    _gate("APPLY_SDG", "sdg", 1, "phase of -π/2"),
    _gate("APPLY_X", "x", 1, "Pauli X"),
    _gate("APPLY_Y", "y", 1, "Pauli Y"),
    _gate("APPLY_Z", "z", 1, "Pauli Z"),
    _gate("APPLY_T", "t", 1, "phase of π/4"),
    _gate("APPLY_TDG", "tdg", 1, "phase of -π/4"),
    _gate("APPLY_RX", "rx", 1, "rotation about X", theta=_ANGLE),
    _gate("APPLY_RY", "ry", 1, "rotation about Y", theta=_ANGLE),
    _gate("APPLY_RZ", "rz", 1, "rotation about Z", theta=_ANGLE),
    _gate("APPLY_CNOT", "cx", 2, "flips the second qubit where the first is 1"),
    _gate("APPLY_CZ", "cz", 2, "controlled Z"),
    _gate("APPLY_SWAP", "swap", 2, "exchanges two qubits"),
    _measure("MEASURE_Z", 1, (1,), "measures Z"),
    _measure("MEASURE_X", 1, (1,), "measures X; 0 is |+⟩"),
    _measure("MEASURE_Y", 1, (1,), "measures Y; 0 is |+i⟩"),
    _measure("MEASURE_ANGLE", 1, (1,), "measures cos(angle) Z + sin(angle) X", angle=_ANGLE),
    _measure(
        "MEASURE_BELL", 2, (1, 2),
        "measures two qubits in the Bell basis: the phase bit, then the parity bit, or their index phase + 2 parity",
    ),
    Operation("RESET", Kind.RESET, "puts qubits to |0⟩; they stay usable", (1, _MANY), capability=COMPUTE),
    Operation(
        "COND_PAULI", Kind.PAULI,
        "applies a Pauli where the exclusive-or of its inputs is 1; without inputs, where its guard holds",
        (1, _MANY), inputs=(0, _MANY), arguments={"mask": _PAULI, "pauli": _PAULI}, capability=COMPUTE,
    ),
    Operation("FENCE_EPOCH", Kind.BARRIER, "nothing listed after it runs before anything listed ahead", (0, _MANY)),
    Operation(
        "BAR_REGION", Kind.BARRIER, "the same, with a name", (0, _MANY),
        arguments={"tag": Argument("text", "a text of at most 1000 characters", pattern=r"(?s).{0,1000}")},
    ),
    Operation(
        "OPEN_CHAN", Kind.OPEN, "opens a channel between two qubits", (2, 2), channels=1,
        arguments={"fidelity": Argument("number", "a number from 0.25 to 1", 0.25, 1.0)}, capability=LINK,
    ),
    Operation("USE_CHAN", Kind.USE, "counts a use of an open channel", (0, 2), channels=1, capability=LINK),
    Operation("CLOSE_CHAN", Kind.CLOSE, "closes a channel", (0, 2), channels=1, capability=LINK),
    Operation(
        "TELEPORT_CNOT", Kind.GATE, "CNOT of the two ends of a channel, through it", (2, 2), channels=1,
        capability=TELEPORT, gate="cx",
    ),
    Operation("INJECT_T_STATE", Kind.GATE, "T by a magic state", (1, 1), capability=MAGIC, gate="t"),
    Operation(
        "SET_POLICY", Kind.POLICY, "changes the job's policy from here on; seed and shots before the first ALLOC_LQ",
        arguments={
            "priority": Argument("integer", "a whole number from -8 to 8", -8, 8),
            "deadline_s": Argument("number", "seconds from the job's start, above 0", math.ulp(0.0), 1e9),
            "timeout_s": Argument("number", "seconds of run time, above 0", math.ulp(0.0), 1e9),
            "seed": Argument("integer", "a whole number from 0 to 2**64 - 1", 0, 2**64 - 1),
            "shots": Argument("integer", "a whole number from 1", 1, 2**62),
        },
        allows_guard=False,
    ),
)  # fmt: skip

OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
"""All rows by name."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A code that a logical qubit is charged as.

    Attributes
    ----------
    family : str
    distance : int
    rate : float or None
        Logical for each physical qubit, of QLDPC codes.
    """

    family: str = "Surface"
    distance: int = 9
    rate: float | None = None

    @property
    def physical_qubits(self) -> int:
        """Physical qubits of one logical qubit.

        Examples
        --------
        >>> Profile("Surface", 7).physical_qubits, Profile("SHYPS", 9).physical_qubits
        (98, 121)
        """
        squared = self.distance**2
        if self.family == "Surface":
            return 2 * squared
        if self.family == "SHYPS":
            return 3 * squared // 2
        if self.family == "BaconShor":
            return squared
        assert self.rate is not None
        return math.ceil(squared / self.rate)


_PROFILE = re.compile(
    r"logical:(?P<family>[A-Za-z][A-Za-z-]*)\(d=(?P<d>[0-9]{1,4})(?:,\s*rate=(?P<rate>[0-9.]{1,20}))?\)"
)
_FAMILIES = {"surface": "Surface", "shyps": "SHYPS", "baconshor": "BaconShor", "qldpc": "QLDPC"}


def parse_profile(text: str) -> Profile | None:
    """Read a profile; None for what is none.

    Examples
    --------
    >>> parse_profile("logical:Bacon-Shor(d=5)")
    Profile(family='BaconShor', distance=5, rate=None)
    >>> parse_profile("logical:QLDPC(d=12, rate=0.1)").physical_qubits
    1440
    """
    found = _PROFILE.fullmatch(text)
    family = _FAMILIES.get(found["family"].lower().replace("-", "")) if found else None
    if found is None or family is None or not int(found["d"]):
        return None
    if (family == "QLDPC") != (found["rate"] is not None):
        return None
    if found["rate"] is None:
        return Profile(family, int(found["d"]))
    try:
        rate = float(found["rate"])
    except ValueError:
        return None
    return Profile(family, int(found["d"]), rate) if 1e-6 <= rate <= 1 else None
