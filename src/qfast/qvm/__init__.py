"""Job graphs: qubits that are allocated, used, measured and freed in the middle of a run, with a guaranteed end."""

from __future__ import annotations

from qfast.qvm.builder import GraphBuilder
from qfast.qvm.certification import Certificate, Limits, certify
from qfast.qvm.conversion import ConvertedCircuit, from_circuit, to_circuit
from qfast.qvm.executor import Client, Executor
from qfast.qvm.faults import RULES, Fault
from qfast.qvm.graph import Condition, Graph, Guard, Node
from qfast.qvm.operations import CAPABILITIES, DEFAULT_CAPABILITIES, OPERATIONS
from qfast.qvm.picture import plot_graph
from qfast.qvm.reading import from_dict, from_file, from_json
from qfast.qvm.resources import Holding, Quota, ResourceManager
from qfast.qvm.schema import schema
from qfast.qvm.work import GraphResult, GraphWork

__all__ = [
    "CAPABILITIES",
    "DEFAULT_CAPABILITIES",
    "OPERATIONS",
    "RULES",
    "Certificate",
    "Client",
    "Condition",
    "ConvertedCircuit",
    "Executor",
    "Fault",
    "Graph",
    "GraphBuilder",
    "GraphResult",
    "GraphWork",
    "Guard",
    "Holding",
    "Limits",
    "Node",
    "Quota",
    "ResourceManager",
    "certify",
    "from_circuit",
    "from_dict",
    "from_file",
    "from_json",
    "plot_graph",
    "schema",
    "to_circuit",
]
