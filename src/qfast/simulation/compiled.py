"""A circuit prepared for an engine, kept for as long as the circuit lives and does not change."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from qfast._typing import FloatArray, Precision
from qfast.circuit import Circuit
from qfast.circuit.binding import ParameterValues, resolve_values
from qfast.circuit.classical_run import ClassicalProgram
from qfast.engines import Engine, PreparedCircuit
from qfast.engines.memory import check_memory, check_qubits, format_bytes, state_bytes
from qfast.errors import InputError, ParameterError
from qfast.simulation.liveness import Live, liveness_of
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import Script, script_of
from qfast.simulation.script_code import ScriptCode, encode_script

_NO_VALUES: FloatArray = np.zeros(0)


class Compiled:
    """A script whose stretches of gates are prepared: the circuit's own, or another one made of it.

    Attributes
    ----------
    script : Script
        Without its stretches of gates.
    segments : list of PreparedCircuit
    segment_names : list of tuple of str
        The parameters of each stretch, in its order; classical variables of the circuit are among them.
    segment_sizes : list of int
        Their gates.
    state_bytes : int
        Of the largest state on the way.
    parameters : tuple of Parameter
        The circuit's.
    prepare_s : float
        Seconds it took.
    """

    def __init__(
        self,
        circuit: Circuit,
        engine: Engine,
        precision: Precision,
        script: Script | None = None,
    ) -> None:
        check_qubits(circuit.num_qubits, precision)
        begun = time.perf_counter()
        self.num_qubits = circuit.num_qubits
        self.num_clbits = circuit.num_clbits
        self.precision: Precision = precision
        self.parameters = circuit.parameters
        self.parameter_names = tuple(parameter.name for parameter in self.parameters)
        script = script_of(circuit) if script is None else script
        segments = script.segments
        self.script = replace(script, segments=())  # which may be the circuit itself, and must not keep it alive
        self.state_bytes = state_bytes(max(script.widths()), precision)
        self.segment_sizes = [len(segment) for segment in segments]
        self.segments: list[PreparedCircuit] = [engine.prepare(segment, precision=precision) for segment in segments]
        self.segment_names = [tuple(parameter.name for parameter in segment.parameters) for segment in segments]
        self.workspace_bytes = max((segment.workspace_bytes for segment in self.segments), default=0)
        self.prepare_s = time.perf_counter() - begun
        self._copy: Circuit | None = None

    @cached_property
    def liveness(self) -> list[Live]:
        """What is live in front of each step of the script."""
        return liveness_of(self.script, self.segment_names)

    @cached_property
    def code(self) -> ScriptCode:
        """The script as arrays."""
        return encode_script(self.script, self.liveness, self.segment_names, self.parameter_names)

    @cached_property
    def classical(self) -> ClassicalProgram:
        """The classical code of the script, to be run in Python."""
        return ClassicalProgram(self.code.classical)

    def copy_of(self, circuit: Circuit) -> Circuit:
        """Return a copy of the circuit that this was made of, for reading: all programs of one circuit share it."""
        if self._copy is None:
            self._copy = circuit.copy()
        return self._copy

    def values(self, parameters: ParameterValues | None) -> FloatArray:
        """Return the parameter values in order, float64 of shape (p,).

        Raises
        ------
        ParameterError
            A parameter is unbound or unknown, or a value is not a finite real number.
        """
        names = self.parameter_names
        if not names and not parameters:
            return _NO_VALUES
        if isinstance(parameters, Mapping) and len(parameters) == len(names):
            try:  # the common case, names and floats; whatever is amiss is named by the slow way below
                found = np.array([parameters[name] for name in names], dtype=np.float64)
            except (KeyError, TypeError, ValueError):
                pass
            else:
                if found.ndim == 1 and np.isfinite(found).all():
                    return found
        resolved = resolve_values(self.parameters, {} if parameters is None else parameters)
        for name, value in resolved.items():
            if not isinstance(value, float):
                raise ParameterError(f"the value of parameter '{name}' is the expression {value}; a number is needed")
        return np.array([resolved[name] for name in names], dtype=np.float64)

    def named(self, values: FloatArray) -> dict[str, float]:
        """Pair parameter names with their values."""
        return dict(zip(self.parameter_names, values.tolist(), strict=True))

    def table(self, values: Any) -> FloatArray:
        """Return values as float64 of shape (p,) or (m, p), C-contiguous; a mapping is taken for (p,).

        Raises
        ------
        ParameterError
            As for `values`; the shape is another, or the values are no real numbers.
        """
        number = len(self.parameter_names)
        if values is None or hasattr(values, "keys"):
            return self.values(values)
        try:
            given = np.asarray(values)
            if given.dtype.kind not in "biufO":
                raise TypeError(f"values of dtype {given.dtype} were given")
            table = given.astype(np.float64, copy=False)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"parameter values are real numbers of shape (p,) or (m, p): {error}") from error
        if table.ndim not in (1, 2) or table.shape[-1] != number:
            names = ", ".join(self.parameter_names[:8]) + (", …" if number > 8 else "")
            raise ParameterError(
                f"parameter values of shape {table.shape} were given; ({number},) or (m, {number}) is needed, "
                f"in the order {names or '(no parameters)'}"
            )
        if not np.isfinite(table).all():
            place = np.argwhere(~np.isfinite(table))[0]
            name = self.parameter_names[place[-1]]
            row = f" in row {place[0]}" if table.ndim == 2 else ""
            raise ParameterError(f"the value of parameter '{name}'{row} is {table[tuple(place)]}, which is not finite")
        return np.ascontiguousarray(table)

    def check_memory(self, settings: RunSettings, *, states: int = 1, more_bytes: int = 0) -> int:
        """Refuse a run that does not fit; return the bytes it needs at its peak.

        Parameters
        ----------
        settings : RunSettings
        states : int
            States that the run allocates itself.
        more_bytes : int
            What else it allocates.
        """
        size = state_bytes(self.num_qubits, self.precision)
        needed = states * size + self.workspace_bytes + more_bytes
        what = f"a run of {self.num_qubits} qubits in {self.precision} on engine {settings.engine.name!r}"
        if self.workspace_bytes >= size:
            what += f", with {format_bytes(self.workspace_bytes)} of scratch besides its state,"
        check_memory(needed, what, amplitude_bytes=size >> self.num_qubits, limit_bytes=settings.max_bytes)
        return needed


class _Entry:
    """What is kept of one circuit."""

    __slots__ = ("compiled", "reference", "size")

    def __init__(self, reference: weakref.ref[Circuit], size: tuple[int, ...]) -> None:
        self.reference = reference
        self.size = size
        self.compiled: dict[tuple[Engine, Precision], Compiled] = {}


# By id(): circuits can change, so they have no hash. The reference's callback removes the entry with the circuit.
_entries: dict[int, _Entry] = {}


def compiled_for(circuit: Circuit, engine: Engine, precision: Precision) -> Compiled:
    """Return the circuit prepared for an engine; the same object until the circuit changes or dies.

    Instructions are only ever appended, so a circuit's sizes tell whether it has changed.

    Raises
    ------
    InputError
        `circuit` is no circuit.
    """
    number = id(circuit)
    entry = _entries.get(number)
    if entry is None or entry.reference() is not circuit:
        if not isinstance(circuit, Circuit):
            raise InputError(f"a qfast.Circuit is needed, {type(circuit).__name__} given")
        entry = _entries[number] = _new_entry(circuit, number)
    size = (len(circuit.opcodes), circuit.num_qubits, circuit.num_clbits, len(circuit.variables))
    if entry.size != size:
        entry = _entries[number] = _new_entry(circuit, number)
    compiled = entry.compiled.get((engine, precision))
    if compiled is None:
        compiled = entry.compiled[engine, precision] = Compiled(circuit, engine, precision)
    return compiled


def _new_entry(circuit: Circuit, number: int) -> _Entry:
    def forget(reference: weakref.ref[Circuit], entries: dict[int, Any] = _entries) -> None:
        entry = entries.get(number)
        if entry is not None and entry.reference is reference:
            del entries[number]

    size = (len(circuit.opcodes), circuit.num_qubits, circuit.num_clbits, len(circuit.variables))
    return _Entry(weakref.ref(circuit, forget), size)
