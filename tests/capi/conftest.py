"""A pure build has no C interface; `test_capi_of_a_pure_build.py` holds what it promises instead."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

IS_NATIVE = find_spec("qfast._core") is not None
collect_ignore_glob = [] if IS_NATIVE else ["test_c_*.py"]


class Library:
    """The C functions with their error codes turned into `Failure`."""

    def __init__(self) -> None:
        from qfast.capi import load

        self.ffi, self.lib = load()
        self._circuits: list[Any] = []
        self._states: list[Any] = []

    def __call__(self, function: str, *arguments: Any) -> None:
        status = getattr(self.lib, f"qfast_{function}")(*arguments)
        if status != self.lib.QFAST_OK:
            raise Failure(status, self.last_error())

    def last_error(self) -> str:
        return str(self.ffi.string(self.lib.qfast_last_error()).decode())

    def circuit(self, num_qubits: int) -> Any:
        handle = self.ffi.new("qfast_circuit **")
        self("circuit_create", num_qubits, handle)
        self._circuits.append(handle[0])
        return handle[0]

    def circuit_from_qasm(self, text: str) -> Any:
        handle = self.ffi.new("qfast_circuit **")
        self("circuit_from_qasm", text.encode(), handle)
        self._circuits.append(handle[0])
        return handle[0]

    def state(self, num_qubits: int, precision: str = "complex128") -> Any:
        handle = self.ffi.new("qfast_state **")
        self("state_create", num_qubits, self.lib.QFAST_COMPLEX64 if precision == "complex64" else 1, handle)
        self._states.append(handle[0])
        return handle[0]

    def append(self, circuit: Any, gate: str, qubits: list[int], *parameters: float) -> None:
        self("circuit_append", circuit, gate.encode(), qubits, len(qubits), list(parameters), len(parameters))

    def free(self) -> None:
        for state in self._states:
            self.lib.qfast_state_free(state)
        for circuit in self._circuits:
            self.lib.qfast_circuit_free(circuit)


class Failure(Exception):
    """What a C function returned, and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@pytest.fixture
def library() -> Iterator[Library]:
    opened = Library()
    yield opened
    opened.free()
