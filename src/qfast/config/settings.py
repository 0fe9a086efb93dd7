"""The settings: one row each, with its type, default, environment name and meaning.

A row is read by the registry, the command line, the tests and the docs. To add a setting, add a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qfast.config.machine import cpu_count
from qfast.config.names import normalize_backend_name
from qfast.config.suggestions import nearest
from qfast.errors import ConfigError

__all__ = ["SETTINGS", "Kind", "Setting", "find_setting"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of value.

    Attributes
    ----------
    label : str
        What is allowed, in words.
    check : callable
        Takes a Python or TOML value, returns the canonical one or raises ``ValueError``.
    parse : callable
        Takes the text of an environment variable or a command line, returns what ``check`` takes.
    """

    label: str
    check: Callable[[Any], Any]
    parse: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table; ``is_of_process``: a session or a job cannot have a value of its own."""

    name: str
    kind: Kind
    default: Any
    doc: str
    environment: str
    is_of_process: bool = False

    def check(self, value: object, place: str) -> Any:
        """Return the canonical value, or raise ``ConfigError`` that names the setting, the value and its place."""
        try:
            return self.kind.check(value)
        except (ValueError, TypeError):
            raise self._refusal(value, place) from None

    def parse(self, text: str, place: str) -> Any:
        """Like `check`, for text from the environment or the command line."""
        try:
            return self.kind.check(self.kind.parse(text.strip()))
        except (ValueError, TypeError):
            raise self._refusal(text, place) from None

    def default_value(self) -> Any:
        """Return the default; some are read off the machine."""
        return self.default() if callable(self.default) else self.default

    def _refusal(self, value: object, place: str) -> ConfigError:
        hint = nearest(value, self.kind.label.split(" | ")) if isinstance(value, str) else ""
        return ConfigError(
            f"setting {self.name!r} = {value!r} ({place}) is not valid; allowed: {self.kind.label}{hint}"
        )


def _choice(*names: str) -> Kind:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in names:
            raise ValueError
        return value.lower()

    return Kind(" | ".join(names), check, str)


def _dtype(*names: str) -> Kind:
    """A type of numbers by name, or as numpy has it, whose scalar types and dtypes know their names."""

    def check(value: Any) -> str:
        name = value if isinstance(value, str) else getattr(value, "__name__", None) or getattr(value, "name", None)
        if not isinstance(name, str) or name.lower() not in names:
            raise ValueError
        return name.lower()

    return Kind(" | ".join(names), check, str)


def _number(kind: type[int] | type[float], minimum: float, unit: str = "", maximum: float = float("inf")) -> Kind:
    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, kind)) or not minimum <= value <= maximum:
            raise ValueError
        if value == float("inf"):
            raise ValueError
        return kind(value)

    noun = "a whole number" if kind is int else "a number"
    most = "" if maximum == float("inf") else f" and <= {maximum:g}"
    return Kind(f"{noun}{unit} >= {minimum:g}{most}", check, kind)


def _optional(kind: Kind) -> Kind:
    def check(value: Any) -> Any:
        return None if value is None or value == "none" else kind.check(value)

    def parse(text: str) -> Any:
        return None if text.lower() == "none" else kind.parse(text)

    return Kind(f"{kind.label}, or none", check, parse)


def _or_auto(kind: Kind, automatic: Callable[[], Any]) -> Kind:
    def check(value: Any) -> Any:
        return automatic() if value == "auto" else kind.check(value)

    def parse(text: str) -> Any:
        return "auto" if text.lower() == "auto" else kind.parse(text)

    return Kind(f"{kind.label}, or auto", check, parse)


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]i?b?|b)?", re.IGNORECASE)


def _parse_bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError
    number, unit = float(match[1]), (match[2] or "b").lower()
    base = 1024 if "i" in unit else 1000
    return int(number * base ** " kmgtp".index(unit[0])) if unit != "b" else int(number)


def _check_bytes(value: Any) -> int:
    if isinstance(value, str):
        value = _parse_bytes(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError
    return value


_BYTES = Kind("bytes >= 1, as a whole number or text such as 8GiB", _check_bytes, _parse_bytes)

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def _check_switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _parse_switch(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError
    return text.lower() in _TRUE


_SWITCH = Kind("true | false", _check_switch, _parse_switch)

_MITIGATIONS = ("readout", "zne", "twirling", "decoupling")


def _check_mitigation(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or any(name not in _MITIGATIONS for name in value):
        raise ValueError
    return tuple(name for name in _MITIGATIONS if name in value)


def _parse_list(text: str) -> list[str]:
    return [] if text.lower() in ("", "none") else [part.strip().lower() for part in text.split(",")]


_MITIGATION = Kind(f"none, or a list of {', '.join(_MITIGATIONS)}", _check_mitigation, _parse_list)


def _check_scales(value: Any) -> tuple[float, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) < 2:
        raise ValueError
    scales = tuple(_number(float, 1).check(scale) for scale in value)
    if len(set(scales)) < len(scales):
        raise ValueError
    return scales


_SCALES = Kind(
    "a list of at least 2 different numbers >= 1", _check_scales, lambda text: [float(part) for part in text.split(",")]
)

_ARRAY_BACKEND = Kind("numpy | cpu | pytorch | torch | pt | cupynumeric | gpu", normalize_backend_name, str)


def _check_name(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"[A-Za-z_][\w.-]*", value) is None:
        raise ValueError
    return value


def _check_device(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"([A-Za-z_][\w.-]*::)?[\w.-]+", value) is None:
        raise ValueError
    return value


_NAME = Kind("a name of letters, digits, '_', '-' and '.'", _check_name, str)
_ANY_DEVICE = Kind("a device as provider::name, or its name alone", _check_device, str)
_COUNT = _number(int, 1)
_THREADS = _number(int, 1, maximum=65536)  # more than any machine runs, less than the core's 32 bits
_SEED = _number(int, 0)
_SECONDS = _number(float, 0, " of seconds")


def _check_seed(value: Any) -> int:
    seed = _SEED.check(value)
    if seed >= 2**64:
        raise ValueError
    return int(seed)


_ROWS: tuple[tuple[str, Kind, Any, str], ...] = (
    # name, kind, default, doc; the environment name is QFAST_ and the name in capitals unless _ENVIRONMENT says else
    ("engine", _choice("auto", "native", "numba", "reference"), "auto", "engine; a forced one never falls back"),
    ("isa", _choice("auto", "baseline", "avx2", "avx512"), "auto", "instruction set, fixed at first use"),
    (
        "threads",
        _or_auto(_THREADS, cpu_count),
        cpu_count,
        "threads of one simulation; auto: affinity, cgroup, SLURM, OMP_NUM_THREADS and MPI limits",
    ),
    ("precision", _dtype("complex64", "complex128"), "complex128", "type of the amplitudes"),
    ("vectorization", _choice("auto", "force", "off"), "auto", "how a batch of parameter sets runs"),
    (
        "plan",
        _choice("auto", "portable"),
        "auto",
        "prices that plans are made by; auto: those of qfast bench --tune, if any; portable: the built-in ones",
    ),
    ("array_backend", _ARRAY_BACKEND, "numpy", "array library of the reference engine"),
    ("progress", _choice("auto", "on", "off"), "auto", "progress of long runs on a terminal"),
    ("default_provider", _NAME, "local", "provider of a device that is named without one"),
    ("default_device", _ANY_DEVICE, "statevector", "device when none is named, with or without its provider"),
    ("execution_mode", _choice("sync", "async"), "async", "sync: run() returns a finished job"),
    ("default_shots", _COUNT, 1024, "shots of a sampler pub that names none"),
    (
        "seed",
        _optional(Kind("a whole number, 0 <= seed < 2**64", _check_seed, int)),
        None,
        "seed of jobs that name none; none: fresh entropy, reported in the result",
    ),
    ("error_mitigation", _MITIGATION, (), "error mitigation of jobs that name none"),
    ("readout_calibration_shots", _COUNT, 10_000, "shots of each of the two circuits that calibrate the readout"),
    ("zne_scale_factors", _SCALES, (1.0, 3.0, 5.0), "strengths of noise that are extrapolated to zero"),
    ("zne_folding", _choice("local", "global"), "local", "what is folded: gates one by one, or the circuit"),
    (
        "zne_extrapolator",
        _choice("linear", "polynomial", "richardson", "exponential"),
        "exponential",
        "curve through the values; the polynomial is of degree 2",
    ),
    ("twirling_randomizations", _COUNT, 32, "random circuits that share the shots of a twirled one"),
    ("decoupling_sequence", _choice("xx", "xy4"), "xy4", "pulses in idle windows"),
    ("max_job_bytes", _optional(_BYTES), None, "memory of one job; none: the device's"),
    ("max_total_bytes", _optional(_BYTES), None, "memory of all jobs and results; none: what the machine allows"),
    ("max_tenant_bytes", _optional(_BYTES), None, "memory of one tenant's jobs and results"),
    ("max_tenant_jobs", _optional(_COUNT), None, "jobs of one tenant that may run at the same time"),
    ("max_queued_jobs", _optional(_COUNT), None, "jobs that may wait for one device"),
    ("max_qubits", _optional(_COUNT), None, "qubits of one job"),
    ("max_shots", _optional(_COUNT), None, "shots of one job"),
    ("workers", _or_auto(_THREADS, cpu_count), cpu_count, "jobs that run at the same time on a local device"),
    ("queue_timeout_s", _optional(_SECONDS), None, "a job that waits longer fails"),
    ("run_timeout_s", _optional(_SECONDS), None, "an attempt that runs longer is stopped, and the job fails"),
    ("total_timeout_s", _optional(_SECONDS), None, "a job that is not done so long after its submission fails"),
    ("retry_attempts", _number(int, 0), 2, "how often a transient failure is tried again"),
    ("retry_delay_s", _SECONDS, 0.1, "wait before the first retry; it doubles from retry to retry"),
    ("retry_max_delay_s", _SECONDS, 10.0, "longest wait before a retry"),
    (
        "busy_policy",
        _choice("wait", "fail", "redirect"),
        "wait",
        "what happens when a device is busy or in maintenance",
    ),
    ("session_ttl_s", _optional(_SECONDS), None, "max_ttl of sessions and batches that name none"),
    (
        "max_dedicated_sessions",
        _optional(_COUNT),
        None,
        "dedicated sessions that a device serves at the same time; none: any number, in fair turns",
    ),
    (
        "session_policy",
        _choice("wait", "fail"),
        "wait",
        "a dedicated session above max_dedicated_sessions: its jobs wait for its turn, or it is refused",
    ),
    ("busy_redirect", _optional(_ANY_DEVICE), None, "device that takes the jobs when busy_policy is redirect"),
    ("recycle_buffers", _SWITCH, True, "keep state buffers for later jobs"),
)

# Variables whose name is not the setting's: those that the build and older scripts know.
_ENVIRONMENT = {"threads": "QFAST_NUM_THREADS"}

# What the process or the device as a whole goes by; a session's or a job's own value would have no effect.
_OF_PROCESS = frozenset(
    {
        "default_device", "default_provider", "isa", "max_dedicated_sessions", "max_queued_jobs", "max_tenant_bytes",
        "max_tenant_jobs", "max_total_bytes", "recycle_buffers", "session_policy", "session_ttl_s", "workers",
    }
)  # fmt: skip

SETTINGS: dict[str, Setting] = {
    name: Setting(name, kind, default, doc, _ENVIRONMENT.get(name, "QFAST_" + name.upper()), name in _OF_PROCESS)
    for name, kind, default, doc in _ROWS
}


def find_setting(name: str, place: str = "") -> Setting:
    """Return the row of a setting, or raise ``ConfigError`` with the nearest right name."""
    setting = SETTINGS.get(name)
    if setting is None:
        where = f" ({place})" if place else ""
        raise ConfigError(
            f"setting {name!r}{where} does not exist{nearest(str(name), SETTINGS)}; `qfast config list` shows them all"
        )
    return setting
