"""Circuits as data: gates, parameters, observables, classical control."""

from __future__ import annotations

from qfast.circuit.circuit import Circuit
from qfast.circuit.control_flow import DEFAULT, Assign, ForLoop, IfElse, SwitchCase, WhileLoop
from qfast.circuit.expressions import ExpressionTable, expression_table
from qfast.circuit.gates import GATES, GateFlag, GateRow, find_gate
from qfast.circuit.instruction import Instruction, Register
from qfast.circuit.observable import PauliSum
from qfast.circuit.operators import DenseOperator, DiagonalOperator, Observable, Operator, Projector, SparseOperator
from qfast.circuit.parameter import Parameter, ParameterExpression, ParameterVector
from qfast.circuit.trotter import trotter_circuit
from qfast.circuit.value import AnyCircuit, CircuitValue

__all__ = [
    "DEFAULT",
    "GATES",
    "AnyCircuit",
    "Assign",
    "Circuit",
    "CircuitValue",
    "DenseOperator",
    "DiagonalOperator",
    "ExpressionTable",
    "ForLoop",
    "GateFlag",
    "GateRow",
    "IfElse",
    "Instruction",
    "Observable",
    "Operator",
    "Parameter",
    "ParameterExpression",
    "ParameterVector",
    "PauliSum",
    "Projector",
    "Register",
    "SparseOperator",
    "SwitchCase",
    "WhileLoop",
    "expression_table",
    "find_gate",
    "trotter_circuit",
]
