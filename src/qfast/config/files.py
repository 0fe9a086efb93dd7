"""The configuration file: TOML, read whole and edited line by line so that comments stay.

::

    threads = 8                                # general settings
    [devices."local::statevector"]             # settings of one device
    precision = "complex64"
    [providers.hpc]                            # base_url and api_version, and settings of all its devices;
    base_url = "https://hpc.example.org"       # tokens stand in the auth file
    run_timeout_s = 3600
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qfast.config.settings import SETTINGS, find_setting
from qfast.config.suggestions import nearest
from qfast.errors import ConfigError

if sys.platform != "win32":  # there, replacing is atomic, too, but of two changes at once one may be lost
    import fcntl

__all__ = [
    "ConfigFile",
    "check_owner",
    "default_auth_path",
    "default_config_path",
    "edit_setting",
    "locked_for_change",
    "write_text_atomically",
]

_log = logging.getLogger("qfast.config")

_PROVIDER_KEYS = ("base_url", "api_version")


def _config_folder(environ: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "qfast"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "qfast"
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "qfast"


def default_config_path(environ: Mapping[str, str]) -> Path:
    """Return ``QFAST_CONFIG_FILE``, or ``qfast/config.toml`` in the platform's folder for settings."""
    named = environ.get("QFAST_CONFIG_FILE")
    return Path(named) if named else _config_folder(environ) / "config.toml"


def default_auth_path(environ: Mapping[str, str]) -> Path:
    """Return ``QFAST_AUTH_FILE``, or ``qfast/auth.json`` in the platform's folder for settings."""
    named = environ.get("QFAST_AUTH_FILE")
    return Path(named) if named else _config_folder(environ) / "auth.json"


@dataclass(frozen=True)
class ConfigFile:
    """The checked content of one file; an absent file is an empty one."""

    path: Path
    general: Mapping[str, Any] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    providers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    of_providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, *, must_exist: bool = False) -> ConfigFile:
        """Read and check a file; ``must_exist``: somebody has named it.

        Raises
        ------
        ConfigError
            It cannot be read, is not TOML, or holds an unknown name or a bad value.
        """
        data = _load(path, must_exist=must_exist)
        place = f"file {path}"
        devices, providers = data.pop("devices", {}), data.pop("providers", {})
        for name, table in (("devices", devices), ("providers", providers)):
            if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
                raise ConfigError(f"{place}: {name!r} must be a table of tables, such as [{name}.example]")
        for device in devices:
            check_owner(device, place)
        for provider in providers:
            check_owner(provider, place)
        return cls(
            path,
            _checked(data, place),
            {device: _checked(table, f"{place}, device {device}") for device, table in devices.items()},
            {name: _checked_endpoint(name, table, place) for name, table in providers.items()},
            {name: _checked(_settings_of(table), f"{place}, provider {name}") for name, table in providers.items()},
        )

    def settings(self, owner: str | None) -> Mapping[str, Any]:
        """Return the settings of a device or a provider, or the general ones for None."""
        if owner is None:
            return self.general
        return self.devices.get(owner, {}) if "::" in owner else self.of_providers.get(owner, {})


def _load(path: Path, *, must_exist: bool = False) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        if must_exist:
            _log.warning("QFAST_CONFIG_FILE names %s, which does not exist; no settings are read from it", path)
        return {}
    except OSError as error:
        raise ConfigError(f"file {path} cannot be read: {error.strerror}; set QFAST_CONFIG_FILE to another") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"file {path} is not valid TOML: {error}") from error


def _checked(table: Mapping[str, Any], place: str) -> dict[str, Any]:
    return {name: find_setting(name, place).check(value, place) for name, value in table.items()}


def _settings_of(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _PROVIDER_KEYS}


def _checked_endpoint(provider: str, table: Mapping[str, Any], place: str) -> dict[str, str]:
    """Return where a provider is reached; refuse a token, and what is neither that nor a setting."""
    for key, value in table.items():
        if key == "token":
            raise ConfigError(
                f"{place}: provider {provider!r} holds a token, and this file may be read by others; remove it and use "
                "config.set_token(token, provider=..., store='file'), which writes the auth file with mode 0600"
            )
        if key not in _PROVIDER_KEYS:
            if key not in SETTINGS:
                allowed = ", ".join(_PROVIDER_KEYS)
                raise ConfigError(
                    f"{place}: provider {provider!r} has no {key!r}; allowed: {allowed}, and settings"
                    f"{nearest(key, [*_PROVIDER_KEYS, *SETTINGS])}"
                )
        elif not isinstance(value, str) or not value:
            raise ConfigError(f"{place}: provider {provider!r}, {key} = {value!r} must be text")
    return {key: table[key] for key in _PROVIDER_KEYS if key in table}


_OWNER = re.compile(r"[A-Za-z_][\w.-]*(::[\w.-]+)?")


def check_owner(owner: object, place: str) -> str:
    """Return the name of a provider or a device, or raise ``ConfigError``."""
    if not isinstance(owner, str) or _OWNER.fullmatch(owner) is None:
        raise ConfigError(
            f"{owner!r} ({place}) names neither a device nor a provider; write 'provider::name', such as "
            "'local::statevector', or 'provider'"
        )
    return owner


def edit_setting(path: Path, name: str, value: Any, *, device: str | None = None) -> None:
    """Write one setting into a file, or remove it with ``value=None``; other lines and comments stay as they are.

    Raises
    ------
    ConfigError
        The name or the value is not valid, or the file is laid out so that a line cannot be changed safely.
    """
    setting = find_setting(name)
    if value is not None:
        setting.check(value, f"file {path}")
    with locked_for_change(path):
        _edit_setting(path, name, value, device)


def _edit_setting(path: Path, name: str, value: Any, device: str | None) -> None:
    wanted = _load(path)
    table = wanted if device is None else wanted.setdefault("devices", {}).setdefault(device, {})
    if value is None:
        table.pop(name, None)
    else:
        table[name] = list(value) if isinstance(value, tuple) else value
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    edited = _edit_line(text, name, table.get(name), device)
    if _without_empty(tomllib.loads(edited)) != _without_empty(wanted):
        raise ConfigError(f"file {path} writes {name!r} in a form that cannot be edited safely; edit it by hand")
    write_text_atomically(path, edited, mode=0o644)


def _without_empty(data: dict[str, Any]) -> dict[str, Any]:
    """Drop empty tables: an edit may leave a header without lines, or may not yet have one."""
    kept = {}
    for key, value in data.items():
        inner = _without_empty(value) if isinstance(value, dict) else value
        if inner != {}:
            kept[key] = inner
    return kept


def _edit_line(text: str, name: str, value: Any, device: str | None) -> str:
    lines = text.splitlines()
    start, end = _section(lines, device)
    if start is None:
        if value is None:
            return text
        if lines and lines[-1].strip():
            lines.append("")
        lines.append(f"[devices.{json.dumps(device)}]")
        start = end = len(lines)
    line = None if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}"
    assignment = re.compile(rf"\s*{re.escape(name)}\s*=")
    at = next((i for i in range(start, end) if assignment.match(lines[i])), None)
    if at is not None:
        lines[at : at + 1] = [] if line is None else [line]
    elif line is not None:
        while end > start and not lines[end - 1].strip():
            end -= 1
        lines.insert(end, line)
    return "\n".join(lines) + "\n" if lines else ""


def _section(lines: list[str], device: str | None) -> tuple[int | None, int]:
    """Return the first line after a section's header and the line of the next header."""
    headers = [i for i, line in enumerate(lines) if line.lstrip().startswith("[")]
    if device is None:
        return 0, headers[0] if headers else len(lines)
    wanted = re.compile(rf"\s*\[\s*devices\s*\.\s*([\"']){re.escape(device)}\1\s*\]")
    for number, i in enumerate(headers):
        if wanted.match(lines[i]):
            return i + 1, headers[number + 1] if number + 1 < len(headers) else len(lines)
    return None, len(lines)


@contextmanager
def locked_for_change(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file between reading and replacing it: what they wrote would be lost.

    What is locked is its folder, because the file itself is replaced.
    """
    folder = _real(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _real(path: Path) -> Path:
    """Return where a symbolic link leads: it is the file that is replaced, not the link."""
    return Path(os.path.realpath(path))


def write_text_atomically(path: Path, text: str, *, mode: int) -> None:
    """Write a file so that a reader sees the old content or the new, never a part; it is never wider than ``mode``."""
    path = _real(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # mode 0600 from the start
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
