"""Job graphs: qubits that are allocated, used, measured and freed in the middle of a run, with a guaranteed end."""

from __future__ import annotations

from qfast.qvm.certification import Certificate, Limits, certify
from qfast.qvm.faults import RULES, Fault
from qfast.qvm.graph import Condition, Graph, Guard, Node
from qfast.qvm.operations import CAPABILITIES, DEFAULT_CAPABILITIES, OPERATIONS
from qfast.qvm.reading import from_dict, from_file, from_json

__all__ = [
    "CAPABILITIES",
    "DEFAULT_CAPABILITIES",
    "OPERATIONS",
    "RULES",
    "Certificate",
    "Condition",
    "Fault",
    "Graph",
    "Guard",
    "Limits",
    "Node",
    "certify",
    "from_dict",
    "from_file",
    "from_json",
]
