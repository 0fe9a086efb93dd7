"""Circuits as data: gates, parameters, observables, classical control."""

from __future__ import annotations

from qfast.circuit.circuit import Circuit
from qfast.circuit.gates import GATES, GateFlag, GateRow, find_gate
from qfast.circuit.instruction import Instruction, Register
from qfast.circuit.parameter import Parameter, ParameterExpression, ParameterVector

__all__ = [
    "GATES",
    "Circuit",
    "GateFlag",
    "GateRow",
    "Instruction",
    "Parameter",
    "ParameterExpression",
    "ParameterVector",
    "Register",
    "find_gate",
]
