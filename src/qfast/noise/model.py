"""A noise model: which channel follows which gate on which qubits, what idling does, how measurements are misread."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Self

from qfast.circuit import AnyCircuit
from qfast.circuit.checks import as_index, as_tuple
from qfast.circuit.gates import GATES, OPCODES, find_gate
from qfast.errors import InputError
from qfast.noise.channel import Channel, checked_qubits
from qfast.noise.idle import IdleNoise, idle_windows
from qfast.noise.readout import ReadoutError

__all__ = ["NoiseModel", "Place", "Rule"]

_NOISY_NON_GATES = ("measure", "reset")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a noise model; see `NoiseModel.add` for what its fields mean."""

    channel: Channel
    gates: frozenset[str] | None
    qubits: tuple[tuple[int, ...], ...] | None
    on: tuple[int, ...] | None
    before: bool
    fallback: bool

    def matches(self, label: str, qubits: tuple[int, ...]) -> bool:
        """Whether the rule speaks of a gate on some qubits."""
        if self.gates is None:
            if label in _NOISY_NON_GATES or (self.on is None and len(qubits) != self.channel.num_qubits):
                return False
        elif label not in self.gates:
            return False
        return self.qubits is None or qubits in self.qubits


@dataclass(frozen=True, slots=True)
class Place:
    """A channel on certain qubits."""

    channel: Channel
    qubits: tuple[int, ...]


class NoiseModel:
    """Rules, applied in the order in which they were added.

    Examples
    --------
    >>> from qfast.noise import ReadoutError, channels
    >>> model = NoiseModel().add(channels.depolarizing(0.01, num_qubits=2), gates=["cx"])
    >>> model = model.add_readout(ReadoutError.of_flips(0.01, 0.03))
    >>> model
    <NoiseModel: 1 rules, 1 readout errors>

    Notes
    -----
    Picklable; `to_dict` and `from_dict` go through JSON. Whoever keeps a model, a job for one, keeps its `snapshot`, so
    rules that are added later reach later runs only.
    """

    def __init__(self) -> None:
        self._is_frozen = False
        self._snapshot: NoiseModel | None = None
        self._digest: bytes | None = None
        self._rules: list[Rule] = []
        self._readout: list[tuple[ReadoutError, tuple[int, ...] | None]] = []
        self._places: dict[tuple[str, tuple[int, ...]], tuple[tuple[Place, ...], tuple[Place, ...]]] = {}
        self._durations: dict[tuple[str, tuple[int, ...] | None], float] = {}
        self._idle: dict[int | None, IdleNoise] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in order."""
        return tuple(self._rules)

    @property
    def readout(self) -> tuple[tuple[ReadoutError, tuple[int, ...] | None], ...]:
        """The readout errors, each with its qubits; None: every qubit that no other one names."""
        return tuple(self._readout)

    @property
    def digest(self) -> bytes:
        """BLAKE2b of all that the model means, 32 bytes: what stores and compares go by."""
        if self._digest is None:
            self._digest = hashlib.blake2b(self.to_bytes(), digest_size=32, person=b"qfast noise").digest()
        return self._digest

    def copy(self) -> NoiseModel:
        """Return an independent model (channels and errors, which nobody changes, are shared)."""
        made = NoiseModel()
        made._rules, made._readout = list(self._rules), list(self._readout)
        made._durations, made._idle = dict(self._durations), dict(self._idle)
        return made

    def snapshot(self) -> NoiseModel:
        """Return the model as it is now: one that nothing can be added to.

        The same object is returned until the model changes. `copy` makes a model of it that can grow again.

        Examples
        --------
        >>> from qfast.noise import channels
        >>> model = NoiseModel().add(channels.bit_flip(0.1), gates=["x"])
        >>> before = model.snapshot()
        >>> len(model.add(channels.bit_flip(0.2), gates=["h"]).rules), len(before.rules)
        (2, 1)
        """
        if self._is_frozen:
            return self
        if self._snapshot is None:
            made = self.copy()
            made._is_frozen = True
            self._snapshot = made
        return self._snapshot

    def _change(self) -> None:
        """Forget what was derived; refuse to change a snapshot."""
        if self._is_frozen:
            raise InputError(
                "this noise model is a snapshot, which a run may be using; add to the model it was taken of, or to its "
                "copy()"
            )
        self._snapshot = self._digest = None
        self._places = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added that acts."""
        return not self._rules and not self._readout and not self._idle

    @property
    def has_durations(self) -> bool:
        """Whether it says how long gates take."""
        return bool(self._durations)

    def add(
        self,
        channel: Channel,
        gates: Iterable[str] | str | None = None,
        qubits: Iterable[int] | Iterable[Iterable[int]] | int | None = None,
        *,
        on: Iterable[int] | int | None = None,
        before: bool = False,
        fallback: bool = False,
    ) -> Self:
        """Let a channel act at gates.

        Parameters
        ----------
        channel : Channel
            On the gate's qubits in their order. A channel of one qubit acts on each qubit of a wider gate.
        gates : str or iterable of str, optional
            Names (``"ctrl @ h"`` with extra controls, as `Circuit.count_ops` writes them), ``"measure"`` or
            ``"reset"``. By default every gate of as many qubits as the channel has; with `on`, every gate.
        qubits : int, iterable of int, or iterable of those, optional
            Only gates on exactly these qubits, in this order (controls first). By default on any.
        on : int or iterable of int, optional
            Crosstalk: the channel acts on these qubits instead of the gate's.
        before : bool, default False
            Act before the gate. A channel at ``"measure"`` always does.
        fallback : bool, default False
            Only where no rule that names qubits speaks of the same gate.

        Returns
        -------
        NoiseModel
            This one.

        Raises
        ------
        InputError
            An unknown gate, qubits that are no numbers, a channel that does not fit the gate.
        """
        if not isinstance(channel, Channel):
            raise InputError(
                f"a channel is needed, {type(channel).__name__} given; see qfast.channels, and add_readout for readout"
            )
        names = None if gates is None else frozenset(_gate_name(name) for name in _names(gates))
        places = None if qubits is None else _qubit_lists(qubits)
        spectators = None if on is None else checked_qubits(on, f"channel {channel.name!r}: on")
        if spectators is not None and len(spectators) != channel.num_qubits:
            raise InputError(
                f"channel {channel.name!r} acts on {channel.num_qubits} qubits, but on={list(spectators)} names "
                f"{len(spectators)}"
            )
        if spectators is None:
            for name in names or ():
                _check_fit(channel, name)
            for listed in places or ():
                _check_width(channel, len(listed), f"the gates on qubits {list(listed)}")
        at_measure = names is not None and "measure" in names
        if at_measure and len(names or ()) > 1 and not before:
            raise InputError("a channel at 'measure' acts before it, at gates after them: add two rules")
        self._change()
        self._rules.append(Rule(channel, names, places, spectators, before or at_measure, fallback))
        return self

    def add_readout(self, error: ReadoutError, qubits: Iterable[int] | int | None = None) -> Self:
        """Misread measurements.

        Parameters
        ----------
        error : ReadoutError
        qubits : int or iterable of int, optional
            Qubits that are read together, as many as the error has; several for an error of one qubit mean each of
            them. By default every qubit that no other readout error names, for an error of one qubit.

        Returns
        -------
        NoiseModel
            This one.
        """
        if not isinstance(error, ReadoutError):
            raise InputError(f"a ReadoutError is needed, {type(error).__name__} given")
        if qubits is None:
            if error.num_qubits != 1:
                raise InputError(f"a readout error of {error.num_qubits} qubits needs to be told which: qubits=[…]")
            self._change()
            self._readout = [*(entry for entry in self._readout if entry[1] is not None), (error, None)]
            return self
        listed = checked_qubits(qubits, "readout error")
        groups = [(qubit,) for qubit in listed] if error.num_qubits == 1 else [listed]
        if len(groups[0]) != error.num_qubits:
            raise InputError(
                f"a readout error of {error.num_qubits} qubits was given for {len(listed)}: {list(listed)}"
            )
        for group in groups:
            for _, other in self._readout:
                if other is not None and set(other) & set(group):
                    raise InputError(f"qubits {sorted(set(other) & set(group))} have a readout error already")
        self._change()
        self._readout += [(error, group) for group in groups]
        return self

    # --- idling -------------------------------------------------------------------------------------------------------

    def set_durations(self, durations: Mapping[str, float], qubits: Iterable[int] | int | None = None) -> Self:
        """Say how long gates take, in seconds: what they last, other qubits wait.

        Parameters
        ----------
        durations : mapping of str to float
            By gate name; gates without one are virtual. ``id`` is waiting of its length.
        qubits : int or iterable of int, optional
            Only on exactly these qubits, in this order. By default on any.

        Returns
        -------
        NoiseModel
            This one.
        """
        place = None if qubits is None else checked_qubits(qubits, "durations")
        if not isinstance(durations, Mapping):
            raise InputError(f"the durations are a mapping from gate to seconds, {durations!r} given")
        for name, seconds in durations.items():
            if not 0 <= seconds < float("inf"):
                raise InputError(f"the duration of {name!r} is {seconds!r}; seconds from 0 are needed")
        named = {(_gate_name(name), place): float(s) for name, s in durations.items()}
        self._change()
        self._durations.update(named)
        return self

    def duration_of(self, label: str, qubits: tuple[int, ...]) -> float:
        """Return the seconds that a gate takes; 0 where nothing was said."""
        found = self._durations.get((label, qubits))
        return self._durations.get((label, None), 0.0) if found is None else found

    def add_idle(self, idle: IdleNoise, qubits: Iterable[int] | int | None = None) -> Self:
        """Let waiting act on qubits; how long they wait follows from `set_durations` (see `idle_windows`).

        Parameters
        ----------
        idle : IdleNoise
        qubits : int or iterable of int, optional
            By default every qubit that has none of its own.

        Returns
        -------
        NoiseModel
            This one.
        """
        if not isinstance(idle, IdleNoise):
            raise InputError(f"an IdleNoise is needed, {type(idle).__name__} given")
        places: tuple[int | None, ...] = (None,) if qubits is None else checked_qubits(qubits, "idle noise")
        self._change()
        self._idle.update(dict.fromkeys(places, idle))
        return self

    def idle_places(self, circuit: AnyCircuit) -> dict[int, list[Place]]:
        """Return what waiting does in a circuit, by the instruction before which it is over."""
        found: dict[int, list[Place]] = {}
        if not self._idle or not self._durations:
            return found
        known: dict[tuple[IdleNoise, float], tuple[Channel, ...]] = {}
        for window in idle_windows(circuit, self.duration_of):
            idle = self._idle.get(window.qubit, self._idle.get(None))
            if idle is None:
                continue
            key = idle, round(window.seconds, 13)
            if key not in known:
                known[key] = idle.channels(key[1])
            found.setdefault(window.row, []).extend(Place(channel, (window.qubit,)) for channel in known[key])
        return found

    # --- what acts where ----------------------------------------------------------------------------------------------

    def places_at(self, label: str, qubits: tuple[int, ...]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
        """Return what acts before and after a gate.

        Parameters
        ----------
        label : str
            The gate's name, with its extra controls.
        qubits : tuple of int
            Extra controls, then the gate's own qubits.

        Raises
        ------
        InputError
            A rule's channel does not fit the gate.
        """
        key = (label, qubits)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._find(label, qubits)
        return found

    def _find(self, label: str, qubits: tuple[int, ...]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
        matching = [rule for rule in self._rules if rule.matches(label, qubits)]
        is_local = any(rule.qubits is not None and not rule.fallback for rule in matching)
        before: list[Place] = []
        after: list[Place] = []
        for rule in matching:
            channel = rule.channel
            if channel.is_identity or (rule.fallback and is_local):
                continue
            targets = before if rule.before else after
            if rule.on is not None:
                targets.append(Place(channel, rule.on))
                continue
            _check_width(channel, len(qubits), f"gate '{label}' on qubits {list(qubits)}")
            if channel.num_qubits == len(qubits):
                targets.append(Place(channel, qubits))
            else:
                targets.extend(Place(channel, (qubit,)) for qubit in qubits)
        return tuple(before), tuple(after)

    def readout_of(self, qubit: int) -> tuple[ReadoutError, tuple[int, ...]] | None:
        """Return the readout error of a qubit and the qubits that are read together with it; None: read as it is."""
        common = None
        for error, group in self._readout:
            if group is None:
                common = (error, (qubit,))
            elif qubit in group:
                return error, group
        return common

    # --- plain data ---------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "rules": [
                {
                    "channel": rule.channel.to_dict(),
                    "gates": None if rule.gates is None else sorted(rule.gates),
                    "qubits": None if rule.qubits is None else [list(listed) for listed in rule.qubits],
                    "on": None if rule.on is None else list(rule.on),
                    "before": rule.before,
                    "fallback": rule.fallback,
                }
                for rule in self._rules
            ],
            "readout": [
                {**error.to_dict(), "qubits": None if group is None else list(group)} for error, group in self._readout
            ],
            "durations": [
                {"gate": name, "qubits": None if place is None else list(place), "seconds": seconds}
                for (name, place), seconds in self._durations.items()
            ],
            "idle": [{**idle.to_dict(), "qubit": qubit} for qubit, idle in self._idle.items()],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NoiseModel:
        """Make a model of what `to_dict` returned; everything is checked again."""
        model = cls()
        try:
            for rule in data["rules"]:
                model.add(
                    Channel.from_dict(rule["channel"]), rule["gates"], rule["qubits"],
                    on=rule["on"], before=bool(rule["before"]), fallback=bool(rule["fallback"]),
                )  # fmt: skip
            for entry in data["readout"]:
                model.add_readout(ReadoutError.from_dict(entry), entry["qubits"])
            for entry in data.get("durations", ()):
                model.set_durations({entry["gate"]: entry["seconds"]}, entry["qubits"])
            for entry in data.get("idle", ()):
                figures = {key: value for key, value in entry.items() if key != "qubit"}
                model.add_idle(IdleNoise.from_dict(figures), entry["qubit"])
        except (KeyError, TypeError) as error:
            raise InputError(
                f"a noise model's data lack or misplace {error}; NoiseModel.to_dict writes what is read"
            ) from None
        return model

    def to_bytes(self) -> bytes:
        """Return what `to_dict` says as JSON, in ASCII: equal models, and only they, have equal bytes."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_bytes(cls, content: bytes) -> NoiseModel:
        """Read what `to_bytes` wrote.

        Raises
        ------
        InputError
            The bytes hold no noise model; everything is checked again.
        """
        try:
            return cls.from_dict(json.loads(content.decode("ascii")))
        except InputError:
            raise
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
            raise InputError(f"these bytes hold no noise model: {error}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NoiseModel):
            return NotImplemented
        return (self._rules, self._readout, self._durations, self._idle) == (
            other._rules, other._readout, other._durations, other._idle,
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_places": {}, "_snapshot": None}

    def __repr__(self) -> str:
        idle = f", idle noise of {len(self._idle)}" if self._idle else ""
        return f"<NoiseModel: {len(self._rules)} rules, {len(self._readout)} readout errors{idle}>"


def _gate_name(name: str) -> str:
    """Return the name a gate has in circuits, for a name or an alias."""
    if name in _NOISY_NON_GATES or str(name).startswith("ctrl"):
        return name
    row = find_gate(name)
    if not row.is_gate:
        raise InputError(f"noise acts at gates, at 'measure' and at 'reset', not at {name!r}")
    return row.name


def _check_fit(channel: Channel, name: str) -> None:
    """Refuse a channel for a gate of another number of qubits; names with controls are looked at with their qubits."""
    opcode = OPCODES.get(name)
    num_qubits = None if opcode is None else GATES[opcode].num_qubits
    if num_qubits is not None:
        _check_width(channel, num_qubits, f"gate '{name}'")


def _check_width(channel: Channel, num_qubits: int, what: str) -> None:
    if channel.num_qubits not in (1, num_qubits):
        raise InputError(
            f"channel {channel.name!r} acts on {channel.num_qubits} qubits, but {what} has {num_qubits}; "
            "a channel fits a gate of as many qubits, and one of a single qubit fits all; on=[…] names other qubits"
        )


def _names(gates: Any) -> Iterable[Any]:
    """Return names of gates; a set of them is as good as a list, a mapping is refused as a name."""
    return gates if isinstance(gates, Set) else as_tuple(gates)


def _qubit_lists(qubits: Any) -> tuple[tuple[int, ...], ...]:
    """Return the qubit lists of a rule; one list may come without the outer one."""
    listed: Sequence[Any] = as_tuple(qubits)
    if all(as_index(entry) is not None for entry in listed):
        return (checked_qubits(listed, "a rule's qubits"),)
    return tuple(checked_qubits(entry, "a rule's qubits") for entry in listed)
