"""The registry: settings from several sources, resolved by a fixed order, each value with its source.

Reads take no lock. What a reader sees is one immutable table per device, built under the lock when anything has
changed: a ``config.set``, the file, or the environment, which is compared on every read (a dictionary comparison of
under a microsecond) because programs change it at run time.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from qfast.config.files import ConfigFile, check_owner, default_config_path
from qfast.config.settings import SETTINGS, find_setting
from qfast.config.suggestions import nearest
from qfast.errors import ConfigError

__all__ = ["Conflict", "Options", "Registry", "Resolved", "Snapshot", "Source"]


class Source(IntEnum):
    """Where a value comes from; the smaller number wins."""

    ARGUMENT = 0
    OVERRIDE = 1
    SESSION = 2
    SET = 3
    ENVIRONMENT = 4
    FILE = 5
    DEFAULT = 6


@dataclass(frozen=True, slots=True)
class Resolved:
    """A value of a setting, its source, and the place in that source."""

    name: str
    value: Any
    source: Source
    place: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Sources that give one setting different values; the first of ``values`` wins."""

    name: str
    device: str | None
    values: tuple[Resolved, ...]

    def __str__(self) -> str:
        device = f" of {self.device}" if self.device else ""
        winner, *others = (f"{r.value!r} from {r.place}" for r in self.values)
        return f"{self.name}{device}: {winner} wins over {', '.join(others)}"


class Snapshot(dict[str, Any]):
    """All settings as they stood at one moment: an immutable, picklable mapping from name to value.

    A dictionary, because every job reads a dozen of them.
    """

    __slots__ = ("_rows",)

    def __init__(self, rows: dict[str, Resolved]) -> None:
        super().__init__({name: row.value for name, row in rows.items()})
        self._rows = rows

    def __missing__(self, name: str) -> Any:
        find_setting(name)  # the error that names the nearest right name
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Like ``[]``: a name that does not exist is an error, not a default."""
        return self[name]

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a snapshot of the settings does not change; take a new one, or use config.override")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def lookup(self, name: str) -> Resolved:
        """Return the value of a setting with its source."""
        row = self._rows.get(name)
        return self._rows[find_setting(name).name] if row is None else row

    def overlaid(self, *layers: Mapping[str, Resolved]) -> Snapshot:
        """Return a snapshot on top of which ``layers`` lie, the last one uppermost."""
        rows = self._rows
        for layer in layers:
            if layer:
                rows = {**rows, **layer}
        return self if rows is self._rows else Snapshot(rows)

    def __reduce__(self) -> tuple[type[Snapshot], tuple[dict[str, Resolved]]]:
        return Snapshot, (self._rows,)

    def __repr__(self) -> str:
        changed = ", ".join(f"{r.name}={r.value!r}" for r in self._rows.values() if r.source != Source.DEFAULT)
        return f"Snapshot({changed})"


class Options(dict[str, Resolved]):
    """Checked options of a session. They remember their last snapshot: while nothing changes, all jobs share one."""

    _last: tuple[Snapshot, Snapshot] | None = None

    def over(self, table: Snapshot) -> Snapshot:
        """Return the snapshot of ``table`` with the options on top."""
        last = self._last
        if last is None or last[0] is not table:
            self._last = last = (table, table.overlaid(self))
        return last[1]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a ``with`` block lays over the registry in this context: overrides, and a job's snapshot under them."""

    overrides: Mapping[str, Resolved]
    snapshot: Snapshot | None


# Values that are not settings but belong to a provider, or to the build and to where the files are.
_PROVIDER_VARIABLE = re.compile(r"QFAST_[A-Z0-9_]+_(BASE_URL|API_VERSION|TOKEN)")
_OTHER_VARIABLES = frozenset({"QFAST_CONFIG_FILE", "QFAST_AUTH_FILE", "QFAST_PURE"})


class Registry:
    """Settings from ``config.set``, the environment, a file and the defaults, under overrides of the context.

    Parameters
    ----------
    environ : mapping, default ``os.environ``
        Read whenever a value is asked for.
    path : Path or None
        The TOML file; None: ``QFAST_CONFIG_FILE`` or the platform's place, looked up when the file is first needed.

    Notes
    -----
    Thread-safe. `get` costs about half a microsecond.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, path: Path | None = None) -> None:
        self._environ = environ
        # os.environ looks up by encoding and may raise inside; its dictionary is compared as a whole instead.
        self._raw: Mapping[Any, Any] = getattr(environ, "_data", environ)
        self._path = path
        self._lock = threading.RLock()
        self._set: dict[str | None, dict[str, Resolved]] = {}
        self._file: ConfigFile | None = None
        self._seen: dict[Any, Any] | None = None
        self._tables: dict[str | None, Snapshot] = {}
        self._scope: ContextVar[_Scope | None] = ContextVar("qfast_config_scope", default=None)

    # --- reading ------------------------------------------------------------------------------------------------------
    def get(self, name: str, *, device: str | None = None) -> Any:
        """Return the value of a setting.

        Parameters
        ----------
        name : str
            A name of `SETTINGS`.
        device : str, optional
            ``provider::name``: values set for this device come before those of its provider, and these before general
            ones of the same source.

        Raises
        ------
        ConfigError
            The name does not exist; or a source holds an unknown name or a bad value.
        """
        if self._seen == self._raw and self._scope.get() is None:
            table = self._tables.get(device)
            if table is not None:
                return table[name]
        return self.lookup(name, device=device).value

    def resolve(self, name: str, argument: Any = None, *, device: str | None = None) -> Any:
        """Return ``argument`` if it is not None, checked like the setting; else the setting's value."""
        if argument is None:
            return self.get(name, device=device)
        return find_setting(name).check(argument, "argument")

    def lookup(self, name: str, *, device: str | None = None) -> Resolved:
        """Return the value of a setting with its source and place."""
        return self.snapshot(device=device).lookup(name)

    def snapshot(self, options: Options | None = None, *, device: str | None = None) -> Snapshot:
        """Return all settings as they stand in this context, with a session's ``options`` in their place.

        The options come from `check_options`. Cost: about a microsecond when nothing has changed.
        """
        scope = self._scope.get()
        table = scope.snapshot if scope is not None and scope.snapshot is not None else self._table(device)
        if scope is None:
            return table if options is None else options.over(table)
        return table.overlaid(options or {}, scope.overrides)

    def process_snapshot(self, *, device: str | None = None) -> Snapshot:
        """Return all settings as they stand for the whole process: without overrides and a job's snapshot."""
        return self._table(device)

    def submission_snapshot(self, options: Options | None = None, *, device: str | None = None) -> Snapshot:
        """Return the settings of a job that is submitted in this context.

        Like `snapshot`, but inside a job that one's own settings do not count: what is submitted there is a job of its
        own, on a device of its own.
        """
        scope, table = self._scope.get(), self._table(device)
        if scope is None or not scope.overrides:
            return table if options is None else options.over(table)
        return table.overlaid(options or {}, scope.overrides)

    def check_options(self, options: Mapping[str, Any], place: str) -> Options:
        """Check the options of a session or a job once, so that every job can lay them over the settings.

        Raises
        ------
        ConfigError
            A name does not exist, a value is not valid, or the setting would have no effect there.
        """
        for name in options:
            if find_setting(name, place).is_of_process:
                raise ConfigError(
                    f"setting {name!r} ({place}) is one of the process or the device, and has no effect on a job; "
                    f"use config.set({name!r}, ...), for a device with device="
                )
        return Options(
            {
                name: Resolved(name, find_setting(name, place).check(value, place), Source.SESSION, place)
                for name, value in options.items()
            }
        )

    def conflicts(self, device: str | None = None) -> list[Conflict]:
        """Return the settings to which two sources (defaults aside) give different values."""
        found = []
        with self._lock:
            for name in SETTINGS:
                given = [r for r in self._candidates(name, device) if r.source is not Source.DEFAULT]
                if any(r.value != given[0].value for r in given[1:]):
                    found.append(Conflict(name, device, tuple(given)))
        return found

    def devices(self) -> list[str]:
        """Return the devices and providers for which a value of their own is set."""
        with self._lock:
            named = (*self._set, *self._load_file().devices, *self._load_file().of_providers)
            return sorted({owner for owner in named if owner is not None})

    # --- writing ------------------------------------------------------------------------------------------------------
    def set(self, name: str, value: Any, *, device: str | None = None, provider: str | None = None) -> None:
        """Set a value for this process: for one device, for all of a provider, or for all.

        Raises
        ------
        ConfigError
            The name does not exist, the value is not valid, or nothing can be called so; nothing has been changed.
        """
        place = f"config.set at {_caller()}"
        checked = find_setting(name, place).check(value, place)
        owner = _owner(device, provider, place)
        with self._lock:
            self._set.setdefault(owner, {})[name] = Resolved(name, checked, Source.SET, place)
            self._forget()

    def set_together(self, values: Mapping[str, Any]) -> None:
        """Set several values in one step: nobody reads some of them without the others."""
        place = f"config.set_default at {_caller(depth=3)}"
        rows = {
            name: Resolved(name, find_setting(name, place).check(value, place), Source.SET, place)
            for name, value in values.items()
        }
        with self._lock:
            self._set[None] = {**self._set.get(None, {}), **rows}
            self._forget()

    def unset(self, name: str, *, device: str | None = None, provider: str | None = None) -> None:
        """Remove what `set` has set; without a value that is no error."""
        find_setting(name)
        owner = _owner(device, provider, "config.unset")
        with self._lock:
            self._set.get(owner, {}).pop(name, None)
            self._forget()

    @contextmanager
    def override(self, **values: Any) -> Iterator[None]:
        """Give settings other values inside a ``with`` block, in this thread or task only.

        Examples
        --------
        >>> registry = Registry(environ={})
        >>> with registry.override(threads=1):
        ...     registry.get("threads")
        1
        """
        place = f"config.override at {_caller(depth=3)}"
        checked = {
            name: Resolved(name, find_setting(name, place).check(value, place), Source.OVERRIDE, place)
            for name, value in values.items()
        }
        scope = self._scope.get() or _Scope({}, None)
        token = self._scope.set(_Scope({**scope.overrides, **checked}, scope.snapshot))
        try:
            yield
        finally:
            self._scope.reset(token)

    def use(self, snapshot: Snapshot) -> None:
        """Read from ``snapshot`` for the rest of this context: a job, which runs in a context of its own, reads the
        settings it was submitted with."""
        self._scope.set(_Scope({}, snapshot))

    def reload(self) -> None:
        """Read the file and the machine's limits again."""
        with self._lock:
            self._file = None
            self._forget()

    def file(self) -> ConfigFile:
        """Return the configuration file as it was read."""
        with self._lock:
            return self._load_file()

    def file_path(self) -> Path:
        """Return where the configuration file is, or would be."""
        return self._path or default_config_path(self._environ)

    def environment(self, name: str) -> str | None:
        """Return an environment variable, read now."""
        return self._environ.get(name)

    # --- inside -------------------------------------------------------------------------------------------------------
    def _forget(self) -> None:
        self._tables = {}

    def after_fork(self) -> None:
        """Make a new lock in a forked child: another thread of the parent may have held the old one."""
        self._lock = threading.RLock()

    def _load_file(self) -> ConfigFile:
        if self._file is None:
            named = self._path is None and bool(self._environ.get("QFAST_CONFIG_FILE"))
            self._file = ConfigFile.read(self.file_path(), must_exist=named)
        return self._file

    def _table(self, device: str | None) -> Snapshot:
        """Return the resolved settings of a device, without overrides."""
        if self._seen == self._raw:
            table = self._tables.get(device)
            if table is not None:
                return table
        with self._lock:
            seen = dict(self._raw)
            if seen != self._seen:
                self._check_environment()
                self._forget()
            rows = {name: next(self._candidates(name, device, scoped=False)) for name in SETTINGS}
            table = Snapshot(rows)
            self._tables = {**self._tables, device: table}
            self._seen = seen
            return table

    def _candidates(self, name: str, device: str | None, *, scoped: bool = True) -> Iterator[Resolved]:
        """Yield every value that a source gives to a setting, the one that wins first."""
        setting = SETTINGS[name]
        scope = self._scope.get() if scoped else None
        if scope is not None:
            if name in scope.overrides:
                yield scope.overrides[name]
            if scope.snapshot is not None:
                yield scope.snapshot.lookup(name)
                return
        owners = _owners(device)
        for owner in owners:
            if (row := self._set.get(owner, {}).get(name)) is not None:
                yield row
        if (text := self._environ.get(setting.environment)) is not None:
            place = f"environment {setting.environment}"
            yield Resolved(name, setting.parse(text, place), Source.ENVIRONMENT, place)
        file = self._load_file()
        for owner in owners:
            if (entry := file.settings(owner).get(name)) is not None:
                yield Resolved(name, entry, Source.FILE, f"file {file.path}")
        yield Resolved(name, setting.default_value(), Source.DEFAULT, "default")

    def _check_environment(self) -> None:
        known = {setting.environment for setting in SETTINGS.values()} | _OTHER_VARIABLES
        for name in self._environ:
            if name.startswith("QFAST_") and name not in known and not _PROVIDER_VARIABLE.fullmatch(name):
                # Without its value: that may be a token.
                raise ConfigError(
                    f"environment variable {name} is not one that qfast knows{nearest(name, known)}; unset it, or see "
                    "`qfast config list` for the right names"
                )


def _owner(device: str | None, provider: str | None, place: str) -> str | None:
    """Return whose value it is: a device's, a provider's, or everybody's (None)."""
    if device is not None and provider is not None:
        raise ConfigError(f"device {device!r} and provider {provider!r} were both given ({place}); leave one out")
    if device is not None and "::" not in str(device):
        raise ConfigError(f"device {device!r} ({place}) is not valid; write 'provider::name'")
    owner = device if provider is None else provider
    if owner is None:
        return None
    if provider is not None and "::" in str(provider):
        raise ConfigError(f"provider {provider!r} ({place}) is a device's name; pass it as device=")
    return check_owner(owner, place)


def _owners(device: str | None) -> tuple[str | None, ...]:
    """Return whose values count for a device, the strongest first: its own, its provider's, everybody's."""
    if device is None:
        return (None,)
    provider, separator, _ = device.partition("::")
    return (device, provider, None) if separator else (device, None)


def _caller(depth: int = 2) -> str:
    """Return ``file:line`` of the code that called the method which calls this."""
    frame = sys._getframe(depth)
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
