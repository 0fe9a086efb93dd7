"""Circuits to and from Qiskit (the extra ``qfast-sim[qiskit]``).

Both packages number qubits alike (qubit k is bit k of the amplitude index), so nothing is reversed on the way.

Examples
--------
>>> import qiskit
>>> qc = qiskit.QuantumCircuit(2)
>>> _ = qc.h(0), qc.cx(0, 1)
>>> from_qiskit(qc).count_ops()
{'h': 1, 'cx': 1}
"""

from __future__ import annotations

try:
    import qiskit as _qiskit  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"qfast.qiskit needs Qiskit, which cannot be imported ({error}); "
        "install it with: pip install 'qfast-sim[qiskit]'"
    ) from error

from qfast.qiskit.from_circuit import from_qiskit
from qfast.qiskit.to_circuit import to_qiskit

__all__ = ["from_qiskit", "to_qiskit"]
