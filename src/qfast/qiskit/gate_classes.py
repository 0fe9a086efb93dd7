"""Which gate of Qiskit's library is which row of the gate table; operands and parameters come in the same order."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import library

__all__ = ["CLASSES", "ROWS"]

CLASSES: dict[str, Any] = {
    "gphase": library.GlobalPhaseGate,
    "id": library.IGate,
    "x": library.XGate,
    "y": library.YGate,
    "z": library.ZGate,
    "h": library.HGate,
    "s": library.SGate,
    "sdg": library.SdgGate,
    "t": library.TGate,
    "tdg": library.TdgGate,
    "sx": library.SXGate,
    "sxdg": library.SXdgGate,
    "rx": library.RXGate,
    "ry": library.RYGate,
    "rz": library.RZGate,
    "p": library.PhaseGate,
    "r": library.RGate,
    "u": library.UGate,
    "u1": library.U1Gate,
    "u2": library.U2Gate,
    "u3": library.U3Gate,
    "cx": library.CXGate,
    "cy": library.CYGate,
    "cz": library.CZGate,
    "ch": library.CHGate,
    "cs": library.CSGate,
    "csdg": library.CSdgGate,
    "csx": library.CSXGate,
    "cp": library.CPhaseGate,
    "cu1": library.CU1Gate,
    "crx": library.CRXGate,
    "cry": library.CRYGate,
    "crz": library.CRZGate,
    "cu": library.CUGate,
    "cu3": library.CU3Gate,
    "swap": library.SwapGate,
    "iswap": library.iSwapGate,
    "dcx": library.DCXGate,
    "ecr": library.ECRGate,
    "rxx": library.RXXGate,
    "ryy": library.RYYGate,
    "rzz": library.RZZGate,
    "rzx": library.RZXGate,
    "xx_plus_yy": library.XXPlusYYGate,
    "xx_minus_yy": library.XXMinusYYGate,
    "ccx": library.CCXGate,
    "ccz": library.CCZGate,
    "cswap": library.CSwapGate,
    "rccx": library.RCCXGate,
    "c3x": library.C3XGate,
    "c3sx": library.C3SXGate,
    "c4x": library.C4XGate,
    "rc3x": library.RC3XGate,
}
"""Qiskit's class of each row that has one (``fsim`` has none)."""

ROWS: dict[Any, str] = {kind: name for name, kind in CLASSES.items()}
"""Row name of each class."""
