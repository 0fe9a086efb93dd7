"""Noise as data: channels, readout errors, and models that say where they act."""

from __future__ import annotations

from qfast.noise import channels
from qfast.noise.channel import Channel
from qfast.noise.from_backend import backend_noise
from qfast.noise.from_qiskit import noise_from_qiskit
from qfast.noise.idle import IdleNoise
from qfast.noise.model import NoiseModel, Place, Rule
from qfast.noise.readout import ReadoutError

__all__ = [
    "Channel",
    "IdleNoise",
    "NoiseModel",
    "Place",
    "ReadoutError",
    "Rule",
    "backend_noise",
    "channels",
    "noise_from_qiskit",
]
