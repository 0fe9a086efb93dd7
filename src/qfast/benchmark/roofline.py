"""The machine's limits, and how near to them a run came.

A circuit cannot take less time than its arithmetic at the peak rate of fused multiply-adds, nor less than reading and
writing its state once at the bandwidth that a state of this size has. The roofline fraction is the larger of the two
times over the time measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from qfast._typing import Precision
from qfast.engines import AMPLITUDE_BYTES
from qfast.errors import EngineError
from qfast.extension import core, missing_reason

__all__ = ["Limits", "measure_limits"]


@dataclass(frozen=True)
class Limits:
    """What this machine can do with a state of a certain size, measured.

    Attributes
    ----------
    num_qubits : int
        Size of the state.
    precision : {"complex64", "complex128"}
    threads : int
    bandwidth : float
        Bytes a second, read and written in place over a buffer of the state's size; a byte counts once as read and once
        as written.
    peak_flops : float
        Additions and multiplications a second of fused multiply-adds in registers.
    """

    num_qubits: int
    precision: Precision
    threads: int
    bandwidth: float
    peak_flops: float

    def least_seconds(self, flops_per_amplitude: float) -> float:
        """Return the time below which a circuit cannot go.

        Parameters
        ----------
        flops_per_amplitude : float
            Usually `qfast.benchmark.canonical.canonical_flops`.
        """
        amplitudes = 1 << self.num_qubits
        compute_s = flops_per_amplitude * amplitudes / self.peak_flops
        memory_s = 2 * amplitudes * AMPLITUDE_BYTES[self.precision] / self.bandwidth
        return max(compute_s, memory_s)


def measure_limits(
    num_qubits: int, precision: Precision, threads: int, *, isa: str | None = None, repeats: int = 7
) -> Limits:
    """Measure the limits for a state of `num_qubits` qubits; about a tenth of a second.

    Parameters
    ----------
    num_qubits : int
    precision : {"complex64", "complex128"}
    threads : int
    isa : {"baseline", "avx2", "avx512"}, optional
        Instruction set of the measuring loops; by default that of the native engine.
    repeats : int, default 7
        The best measurement counts: noise only ever slows one down.

    Raises
    ------
    EngineError
        There is no native core, so there are no loops to measure with.
    """
    if core is None:
        raise EngineError(f"the machine's limits are measured by the native core, which is absent: {missing_reason}")
    size_bytes = AMPLITUDE_BYTES[precision] << num_qubits
    return Limits(
        num_qubits,
        precision,
        threads,
        core.measure_bandwidth(size_bytes, threads, repeats, isa),
        core.measure_fma_peak(precision, threads, repeats, isa),
    )
