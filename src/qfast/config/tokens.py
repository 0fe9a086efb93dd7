"""Tokens of devices and providers: where they are kept, and how they are found.

Looked up in this order: the device's own token, then the provider's, each first in memory (`TokenStore.set`), then in
the environment (providers only), the keyring and the auth file. A device's token never serves its provider.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import stat
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from qfast.config.files import default_auth_path, locked_for_change, write_text_atomically
from qfast.errors import ConfigError

__all__ = ["FoundToken", "Store", "Token", "TokenStore", "provider_variable"]

Store: TypeAlias = Literal["memory", "keyring", "file"]

_KEYRING_SERVICE = "qfast"


class Token:
    """A secret that shows itself only on request: in repr, str, formatted text, logs and pickles it is masked.

    Examples
    --------
    >>> token = Token("s3cret")
    >>> f"{token} {token!r}", token.reveal()
    ("**** Token('****')", 's3cret')
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str | None) -> None:
        self._secret = secret

    def reveal(self) -> str:
        """Return the secret itself, to be put into a request and nowhere else."""
        if self._secret is None:
            raise ConfigError("this token came out of a pickle, which does not carry secrets; set it in this process")
        return self._secret

    def __str__(self) -> str:
        return "****"

    def __repr__(self) -> str:
        return "Token('****')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._secret == other._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __reduce__(self) -> tuple[type[Token], tuple[None]]:
        return Token, (None,)

    def __copy__(self) -> Token:
        return self  # it does not change, and a copy stays in this process

    def __deepcopy__(self, memo: dict[int, object]) -> Token:
        return self


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token and the place it was found in."""

    token: Token
    owner: str
    place: str


def provider_variable(provider: str, what: str) -> str:
    """Return the environment variable of a provider: ``QFAST_<PROVIDER>_<WHAT>``."""
    return f"QFAST_{provider.upper().replace('-', '_').replace('.', '_')}_{what}"


class TokenStore:
    """Tokens in memory, in the environment, in the keyring and in the auth file.

    Thread-safe. An owner is a provider (``hpc``) or a device (``hpc::gpu4``).
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, path: Path | None = None) -> None:
        self._environ = environ
        self._path = path
        self._lock = threading.Lock()
        self._memory: dict[str, Token] = {}

    def __repr__(self) -> str:
        return f"TokenStore({', '.join(f'{owner}=****' for owner in sorted(self._memory))})"

    def set(self, owner: str, secret: str, store: Store = "memory") -> None:
        """Keep a token: in this process, in the keyring, or in the auth file (mode 0600)."""
        if not secret.strip():
            raise ConfigError(f"the token of {owner!r} is empty; pass the token as text")
        if store == "memory":
            with self._lock:
                self._memory[owner] = Token(secret)
        elif store == "keyring":
            _put_into_keyring(owner, secret)
        elif store == "file":
            with self._lock, locked_for_change(self.path()):
                self._write_file({**self._read_file(), owner: secret})
        else:
            raise ConfigError(f"token store {store!r} does not exist; allowed: memory, keyring, file")

    def unset(self, owner: str) -> None:
        """Forget a token in memory, in the keyring and in the auth file; the environment is not touched."""
        _remove_from_keyring(owner)
        with self._lock:
            self._memory.pop(owner, None)
            if owner in self._read_file():
                with locked_for_change(self.path()):
                    kept = self._read_file()
                    kept.pop(owner, None)
                    self._write_file(kept)

    def candidates(self, provider: str, device: str | None) -> list[FoundToken]:
        """Return every token that could serve, the one that wins first."""
        found = []
        for owner in ([device] if device is not None else []) + [provider]:
            found.extend(self._owned(owner, is_provider=owner == provider))
        return found

    def _owned(self, owner: str, *, is_provider: bool) -> list[FoundToken]:
        found = []
        with self._lock:
            if owner in self._memory:
                found.append(FoundToken(self._memory[owner], owner, "config.set_token"))
        if is_provider:
            variable = provider_variable(owner, "TOKEN")
            if secret := self._environ.get(variable):
                found.append(FoundToken(Token(secret), owner, f"environment {variable}"))
        if secret := _from_keyring(owner):
            found.append(FoundToken(Token(secret), owner, "keyring"))
        with self._lock:
            stored = self._read_file()
        if owner in stored:
            found.append(FoundToken(Token(stored[owner]), owner, f"file {self.path()}"))
        return found

    def owners(self) -> list[str]:
        """Return whose tokens are in memory and in the auth file."""
        with self._lock:
            return sorted({*self._memory, *self._read_file()})

    def path(self) -> Path:
        """Return where the auth file is, or would be."""
        return self._path or default_auth_path(self._environ)

    def _read_file(self) -> dict[str, str]:
        path = self.path()
        try:
            with open(path, encoding="utf-8") as file:
                _check_private(path, os.fstat(file.fileno()))
                tokens = json.load(file)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"auth file {path} cannot be read: {error.strerror}") from error
        except (json.JSONDecodeError, UnicodeDecodeError):
            # `from None`: the text at the place of the error may be a token
            raise ConfigError(f"auth file {path} is not valid JSON; it maps names to tokens") from None
        if not isinstance(tokens, dict) or not all(isinstance(secret, str) for secret in tokens.values()):
            raise ConfigError(f"auth file {path} must be one JSON object that maps names to tokens")
        return tokens

    def _write_file(self, tokens: Mapping[str, str]) -> None:
        write_text_atomically(self.path(), json.dumps(tokens, indent=1) + "\n", mode=0o600)

    def after_fork(self) -> None:
        """Make a new lock in a forked child; see `Registry.after_fork`."""
        self._lock = threading.Lock()


def _check_private(path: Path, status: os.stat_result) -> None:
    """Refuse a file that others can read; on Windows the profile folder's access list does that."""
    if sys.platform == "win32":
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"auth file {path} has mode {mode:04o}, so others can read its tokens; allowed: 0600; "
            f"run `chmod 600 {path}`, and replace the tokens if others could have read them"
        )
    if status.st_uid not in (os.getuid(), 0):
        raise ConfigError(f"auth file {path} belongs to user {status.st_uid}, not to you; allowed: your own or root's")


# --- the keyring, where it is installed -------------------------------------------------------------------------------
def _keyring() -> Any:
    """Return the keyring library (an extra), None where it is not installed."""
    if importlib.util.find_spec("keyring") is None:
        return None
    return importlib.import_module("keyring")


def _from_keyring(owner: str) -> str | None:
    keyring = _keyring()
    if keyring is None:
        return None
    try:
        secret: str | None = keyring.get_password(_KEYRING_SERVICE, owner)
    except keyring.errors.NoKeyringError:  # installed, but this machine has no store: there is nothing in it
        return None
    except keyring.errors.KeyringError as error:
        raise ConfigError(
            f"the keyring cannot be read: {error}; unlock it, or keep the token in the auth file"
        ) from None
    return secret


def _put_into_keyring(owner: str, secret: str) -> None:
    keyring = _keyring()
    if keyring is None:
        raise ConfigError("store='keyring' needs the keyring library; run `pip install 'qfast-sim[keyring]'`")
    try:
        keyring.set_password(_KEYRING_SERVICE, owner, secret)
    except keyring.errors.KeyringError as error:
        raise ConfigError(f"the keyring took no token: {error}; use store='file'") from None


def _remove_from_keyring(owner: str) -> None:
    if _from_keyring(owner) is not None:
        _keyring().delete_password(_KEYRING_SERVICE, owner)
