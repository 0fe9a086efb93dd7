"""A script whose stretches of gates are prepared for an engine."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from qfast._typing import AnyArray, FloatArray, Precision
from qfast.circuit import Parameter
from qfast.circuit.classical_run import ClassicalProgram
from qfast.engines import CancelToken, Engine, PreparedCircuit
from qfast.engines.interface import BatchedCircuit
from qfast.engines.memory import check_memory, check_qubits, format_bytes, state_bytes
from qfast.simulation.liveness import Live, liveness_of
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import Script
from qfast.simulation.script_code import ScriptCode, encode_script

if TYPE_CHECKING:
    from qfast.engines.native import NativeEngine

__all__ = ["Compiled"]


class Compiled:
    """A script, ready to run. With `is_density` its states are density matrices: of its qubits the first half is the
    ket's, the other the bra's, and the stretches of gates act on both.

    Attributes
    ----------
    script : Script
        Without its stretches of gates.
    walks_natively : bool
        The core walks the script itself: the stretches are not prepared unless somebody asks for `segments`.
    segment_names : list of tuple of str
        The parameters of each stretch, in its order; classical variables of the circuit are among them.
    segment_sizes : list of int
        Their gates.
    num_qubits : int
    state_bytes : int
        Of the largest state on the way.
    parameters : tuple of Parameter
        The circuit's.
    prepare_s : float
        Seconds it took.
    """

    def __init__(
        self,
        script: Script,
        parameters: tuple[Parameter, ...],
        engine: Engine,
        precision: Precision,
        *,
        is_density: bool = False,
    ) -> None:
        check_qubits(script.num_qubits, precision)
        begun = time.perf_counter()
        self.num_qubits = script.num_qubits
        self.precision: Precision = precision
        self.parameters = parameters
        self.script = replace(script, segments=())
        self._engine, self._stretches, self._is_density = engine, script.segments, is_density
        widths = script.widths()
        self.state_bytes = state_bytes(max(widths), precision)
        can_walk = len(set(widths)) == 1 if is_density else not script.is_static
        self.walks_natively = can_walk and engine.max_walk_qubits > 0 and max(widths) <= engine.max_walk_qubits
        self.segment_sizes = [len(segment) for segment in script.segments]
        self.segment_names = [tuple(parameter.name for parameter in part.parameters) for part in script.segments]
        self.prepare_s = time.perf_counter() - begun
        if not self.walks_natively:
            _ = self.segments

    @cached_property
    def segments(self) -> list[PreparedCircuit]:
        """The stretches of gates, prepared."""
        begun = time.perf_counter()
        found = [self._engine.prepare(part, precision=self.precision) for part in self._stretches]
        self.prepare_s += time.perf_counter() - begun
        return found

    @property
    def workspace_bytes(self) -> int:
        """What a run of a stretch allocates besides the state, where it may be much."""
        return max((segment.workspace_bytes for segment in self.segments), default=0)

    @cached_property
    def walk_plan(self) -> Any:
        """The script in the core; only if `walks_natively`."""
        begun = time.perf_counter()
        script = self.script
        found = cast("NativeEngine", self._engine).prepare_script(
            self.code,
            self._stretches,
            script.wiring.sources,
            [(bits, error.probabilities) for error, bits in script.readout],
            [variable.name for variable in script.variables],
            precision=self.precision,
            is_density=self._is_density,
        )
        self.prepare_s += time.perf_counter() - begun
        return found

    @cached_property
    def liveness(self) -> list[Live]:
        """What is live in front of each step of the script."""
        return liveness_of(self.script, self.segment_names)

    @cached_property
    def code(self) -> ScriptCode:
        """The script as arrays."""
        names = tuple(parameter.name for parameter in self.parameters)
        return encode_script(self.script, self.liveness, self.segment_names, names)

    @cached_property
    def classical(self) -> ClassicalProgram:
        """The classical code of the script, to be run in Python."""
        return ClassicalProgram(self.code.classical)

    @property
    def only_segment(self) -> PreparedCircuit | None:
        """The gates of a circuit that measures at its end only; None if it has none."""
        return self.segments[0] if self.segments else None

    def batch(self) -> BatchedCircuit | None:
        """Return the engine's way to run many rows of values at once; None where it runs them one by one."""
        return self.segments[0].batch() if len(self.segments) == 1 else None

    def named(self, values: FloatArray) -> dict[str, float]:
        """Pair parameter names with their values."""
        return dict(zip((parameter.name for parameter in self.parameters), values.tolist(), strict=True))

    def run_static(
        self, state: AnyArray, values: FloatArray, from_zero: bool, threads: int, cancel: CancelToken | None
    ) -> None:
        """Run a script that is one stretch of gates, or none."""
        if self.segments:
            self.segments[0].run(state, values, from_zero=from_zero, threads=threads, cancel=cancel)
        elif from_zero:
            state[:] = 0
            state[0] = 1

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
        size = self.state_bytes
        needed = states * size + self.workspace_bytes + more_bytes
        what = f"a run of {self.num_qubits} qubits in {self.precision} on engine {settings.engine.name!r}"
        if self.workspace_bytes >= size:
            what += f", with {format_bytes(self.workspace_bytes)} of scratch besides its state,"
        check_memory(needed, what, amplitude_bytes=size >> self.num_qubits or 1, limit_bytes=settings.max_bytes)
        return needed
