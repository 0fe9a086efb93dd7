"""Settings, tokens and endpoints.

A setting is read from, the first that has it: the argument of a call, ``with config.override(...)``, the session's
options, ``config.set(...)``, the environment (``QFAST_*``, read when asked), the configuration file, the default.

Examples
--------
>>> from qfast import config
>>> with config.override(precision="complex64"):
...     config.get("precision")
'complex64'
>>> config.get("thread")
Traceback (most recent call last):
    ...
qfast.errors.ConfigError: setting 'thread' does not exist; did you mean 'threads'?; `qfast config list` shows them all
"""

from __future__ import annotations

import os

from qfast.config.machine import (
    MemoryLimits,
    available_memory_bytes,
    cpu_count,
    cpu_limit,
    memory_limit_bytes,
    memory_limits,
)
from qfast.config.names import (
    DEFAULT_COMPLEX_DTYPE_STR,
    DEFAULT_REAL_DTYPE_STR,
    PACKAGE_NAME,
    SUPPORTED_BACKENDS,
    BackendName,
    VectorizationPolicy,
    default_dtypes,
    is_valid_vectorization_policy,
    normalize_backend_name,
)
from qfast.config.providers import Endpoint, Providers, split_device
from qfast.config.registry import Conflict, Options, Registry, Resolved, Snapshot, Source
from qfast.config.settings import SETTINGS, Setting
from qfast.config.tokens import Token, TokenStore
from qfast.errors import ConfigError

__all__ = [
    "DEFAULT_COMPLEX_DTYPE_STR",
    "DEFAULT_REAL_DTYPE_STR",
    "PACKAGE_NAME",
    "SETTINGS",
    "SUPPORTED_BACKENDS",
    "BackendName",
    "Conflict",
    "Endpoint",
    "MemoryLimits",
    "Options",
    "Resolved",
    "Setting",
    "Snapshot",
    "Source",
    "Token",
    "VectorizationPolicy",
    "available_memory_bytes",
    "check_conflicts",
    "check_options",
    "conflicts",
    "cpu_count",
    "cpu_limit",
    "default_dtypes",
    "endpoint",
    "endpoint_sources",
    "file_path",
    "find_tokens",
    "get",
    "get_default_device",
    "get_default_provider",
    "get_token",
    "is_valid_vectorization_policy",
    "known_providers",
    "lookup",
    "memory_limit_bytes",
    "memory_limits",
    "normalize_backend_name",
    "override",
    "process_snapshot",
    "reload",
    "resolve",
    "set",
    "set_default",
    "set_endpoint",
    "set_token",
    "snapshot",
    "split_device",
    "submission_snapshot",
    "unset",
    "unset_token",
    "use",
]

_registry = Registry()
_tokens = TokenStore()
_providers = Providers(_registry, _tokens)

if hasattr(os, "register_at_fork"):
    for _part in (_registry, _tokens, _providers):
        os.register_at_fork(after_in_child=_part.after_fork)

get = _registry.get
lookup = _registry.lookup
resolve = _registry.resolve
set = _registry.set
unset = _registry.unset
override = _registry.override
use = _registry.use
snapshot = _registry.snapshot
process_snapshot = _registry.process_snapshot
submission_snapshot = _registry.submission_snapshot
check_options = _registry.check_options
reload = _registry.reload
file_path = _registry.file_path

set_token = _providers.set_token
unset_token = _providers.unset_token
get_token = _providers.get_token
find_tokens = _providers.find_tokens
set_endpoint = _providers.set_endpoint
endpoint = _providers.endpoint
endpoint_sources = _providers.endpoint_sources
known_providers = _providers.known
set_default = _providers.set_default
get_default_provider = _providers.get_default_provider
get_default_device = _providers.get_default_device


def conflicts() -> list[Conflict]:
    """Return every setting, endpoint and token to which two sources give different values.

    Devices with settings of their own are listed apart where their values differ in themselves.
    """
    found = _registry.conflicts()
    for device in _registry.devices():
        found.extend(c for c in _registry.conflicts(device) if c.values not in [known.values for known in found])
    for provider in _providers.known():
        found.extend(_providers.conflicts(provider))
    return found


def check_conflicts() -> None:
    """Refuse sources that disagree; for programs that do not want the precedence to decide in silence.

    Raises
    ------
    ConfigError
        With every conflict, one a line.
    """
    found = conflicts()
    if found:
        listed = "\n".join(f"  {conflict}" for conflict in found)
        raise ConfigError(f"{len(found)} settings have values that disagree; remove all but one of each:\n{listed}")
