"""Providers: their endpoints and tokens, and the default provider and device."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from qfast.config.registry import Conflict, Registry, Resolved, Source
from qfast.config.tokens import FoundToken, Store, Token, TokenStore, provider_variable
from qfast.errors import ConfigError

__all__ = ["Endpoint", "Providers", "split_device"]

_PROVIDER = re.compile(r"[A-Za-z_][\w.-]*")
_DEVICE = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a provider; None where nothing is configured."""

    provider: str
    base_url: str | None
    api_version: str | None
    token: Token | None


def split_device(device: str, default_provider: str) -> tuple[str, str]:
    """Split ``provider::name``; a bare name belongs to the default provider.

    Raises
    ------
    ConfigError
        The text is neither.

    Examples
    --------
    >>> split_device("hpc::node7", "local"), split_device("statevector", "local")
    (('hpc', 'node7'), ('local', 'statevector'))
    """
    provider, separator, name = str(device).partition("::")
    if not separator:
        provider, name = default_provider, provider
    if not _PROVIDER.fullmatch(provider) or not _DEVICE.fullmatch(name):
        raise ConfigError(f"device {device!r} is not valid; write 'provider::name', such as 'local::statevector'")
    return provider, name


class Providers:
    """Endpoints, tokens and defaults on top of a `Registry`. Thread-safe."""

    def __init__(self, registry: Registry, tokens: TokenStore) -> None:
        self._registry = registry
        self._tokens = tokens
        self._lock = threading.Lock()
        self._endpoints: dict[tuple[str, str], str] = {}

    # --- tokens -------------------------------------------------------------------------------------------------------
    def set_token(
        self, token: str, *, provider: str | None = None, device: str | None = None, store: Store = "memory"
    ) -> None:
        """Keep the token of a device, or of a provider.

        Parameters
        ----------
        token : str
            The secret. It never shows in repr, logs, errors or pickles.
        provider : str, optional
            Default: the default provider.
        device : str, optional
            ``name`` or ``provider::name``: the token serves this device only.
        store : {"memory", "keyring", "file"}
            Where it is kept; the file has mode 0600.
        """
        provider, device = self._owner(provider, device)
        self._tokens.set(device or provider, token, store)

    def unset_token(self, *, provider: str | None = None, device: str | None = None) -> None:
        """Forget a token that `set_token` kept in memory or in the auth file."""
        provider, device = self._owner(provider, device)
        self._tokens.unset(device or provider)

    def get_token(self, *, provider: str | None = None, device: str | None = None) -> Token | None:
        """Return the token for a device or a provider; None where there is none.

        Looked up: device → provider, each in memory → environment ``QFAST_<PROVIDER>_TOKEN`` → keyring → auth file.
        """
        found = self.find_tokens(provider=provider, device=device)
        return found[0].token if found else None

    def find_tokens(self, *, provider: str | None = None, device: str | None = None) -> list[FoundToken]:
        """Return every token that could serve, with its place, the one that wins first."""
        return self._tokens.candidates(*self._owner(provider, device))

    def _owner(self, provider: str | None, device: str | None) -> tuple[str, str | None]:
        default = provider or self.get_default_provider()
        if device is None:
            if not _PROVIDER.fullmatch(default):
                raise ConfigError(f"provider {provider!r} is not a valid name; use letters, digits, '_', '-' and '.'")
            return default, None
        owner, name = split_device(device, default)
        if provider is not None and owner != provider:
            raise ConfigError(f"device {device!r} is not one of provider {provider!r}; leave one of the two out")
        return owner, f"{owner}::{name}"

    # --- endpoints ----------------------------------------------------------------------------------------------------
    def set_endpoint(self, provider: str, *, base_url: str | None = None, api_version: str | None = None) -> None:
        """Set how this process reaches a provider; None leaves a part as it is."""
        self._owner(provider, None)
        with self._lock:
            if base_url is not None:
                self._endpoints[provider, "base_url"] = base_url
            if api_version is not None:
                self._endpoints[provider, "api_version"] = api_version

    def endpoint(self, provider: str | None = None) -> Endpoint:
        """Return a provider's address, API version and token from every source."""
        provider, _ = self._owner(provider, None)
        parts = {}
        for key in ("base_url", "api_version"):
            given = self._endpoint_candidates(provider, key)
            parts[key] = given[0].value if given else None
        return Endpoint(provider, parts["base_url"], parts["api_version"], self.get_token(provider=provider))

    def endpoint_sources(self, provider: str) -> list[Resolved]:
        """Return what is configured of an endpoint, token included (masked): the values that win, and their places."""
        return [given[0] for given in self._all_candidates(provider) if given]

    def _all_candidates(self, provider: str) -> list[list[Resolved]]:
        tokens = [
            Resolved(f"{provider}.token", t.token, Source.SET, t.place) for t in self.find_tokens(provider=provider)
        ]
        return [*(self._endpoint_candidates(provider, key) for key in ("base_url", "api_version")), tokens]

    def _endpoint_candidates(self, provider: str, key: str) -> list[Resolved]:
        name = f"{provider}.{key}"
        found = []
        with self._lock:
            if (value := self._endpoints.get((provider, key))) is not None:
                found.append(Resolved(name, value, Source.SET, "config.set_endpoint"))
        variable = provider_variable(provider, key.upper())
        if value := self._registry.environment(variable):
            found.append(Resolved(name, value, Source.ENVIRONMENT, f"environment {variable}"))
        file = self._registry.file()
        if value := file.providers.get(provider, {}).get(key):
            found.append(Resolved(name, value, Source.FILE, f"file {file.path}"))
        return found

    def conflicts(self, provider: str) -> list[Conflict]:
        """Return the parts of an endpoint, tokens included (masked), on which sources disagree."""
        return [
            Conflict(given[0].name, None, tuple(given))
            for given in self._all_candidates(provider)
            if any(r.value != given[0].value for r in given[1:])
        ]

    def known(self) -> list[str]:
        """Return the providers that any source but the environment names; ``local`` is always among them."""
        with self._lock:
            named = {provider for provider, _ in self._endpoints}
        tokens = {owner.partition("::")[0] for owner in self._tokens.owners()}
        return sorted({"local", self.get_default_provider(), *named, *tokens, *self._registry.file().providers})

    def after_fork(self) -> None:
        """Make a new lock in a forked child; see `Registry.after_fork`."""
        self._lock = threading.Lock()

    # --- defaults -----------------------------------------------------------------------------------------------------
    def set_default(self, *, provider: str | None = None, device: str | None = None) -> None:
        """Set the provider and the device that serve when none is named; None leaves one as it is."""
        if device is not None:
            owner, name = split_device(device, provider or self.get_default_provider())
            if provider is not None and owner != provider:
                raise ConfigError(f"device {device!r} is not one of provider {provider!r}; leave one of the two out")
            self._registry.set_together({"default_provider": owner, "default_device": name})
        elif provider is not None:
            self._registry.set_together({"default_provider": provider})

    def get_default_provider(self) -> str:
        """Return the provider of a device that is named without one."""
        return str(self._registry.get("default_provider"))

    def get_default_device(self) -> str:
        """Return the device that serves when none is named, as ``provider::name``."""
        settings = self._registry.snapshot()  # both of one moment
        return "::".join(split_device(settings["default_device"], settings["default_provider"]))
