"""Random scripts: nested control flow, measurements, resets, assignments, noise, qubits that come and go.

And the walk in Python with, for every shot, the distance of its uniforms from what would have changed it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qfast import Circuit, NoiseModel, channels
from qfast._typing import FloatArray
from qfast.circuit.classical import Binary, Bit, Bits, Literal
from qfast.engines.bits import Rows, Wiring, row_bytes, row_of_int
from qfast.noise import Place, ReadoutError
from qfast.simulation.compiled import Compiled
from qfast.simulation.populations import Shots, misread
from qfast.simulation.pure_branch import PureBranch
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import Alloc, Free, Gates, Measure, Misread, Noise, Reset, Script, Step, script_of
from qfast.simulation.sites import FINAL_SAMPLING
from qfast.simulation.walk import BranchWalk

Rng = np.random.Generator


def angle(rng: Rng) -> float:
    return float(rng.integers(-4, 5)) * math.pi / 2 if rng.random() < 0.3 else float(rng.normal()) * 2


def add_gates(c: Circuit, rng: Rng, count: int) -> None:
    n = c.num_qubits
    for _ in range(count):
        order = rng.permutation(n).tolist()
        match int(rng.integers(9 if n > 2 else 7 if n > 1 else 4)):
            case 0:
                c.h(order[0])
            case 1:
                c.ry(angle(rng), order[0])
            case 2:
                c.u(angle(rng), angle(rng), angle(rng), order[0])
            case 3:
                c.s(order[0])
            case 4:
                c.cx(order[0], order[1])
            case 5:
                c.rzz(angle(rng), order[0], order[1])
            case 6:
                c.append("fsim", order[:2], [angle(rng), angle(rng)])
            case 7:
                c.cswap(*order[:3])
            case _:
                c.pauli_rotation("".join(rng.choice(list("IXYZ"), 3)), order[:3], angle(rng))


def random_noise(rng: Rng) -> NoiseModel:
    noise = NoiseModel()
    noise.add(channels.depolarizing(0.2), ["h", "s"])
    if rng.random() < 0.5:
        noise.add(channels.amplitude_damping(0.2), ["ry"])
    if rng.random() < 0.5:
        noise.add(channels.depolarizing(0.3, num_qubits=2), ["cx"])
    if rng.random() < 0.5:
        noise.add_readout(ReadoutError.of_flips(0.1, 0.2))
    return noise


def add_block(c: Circuit, rng: Rng, length: int, depth: int) -> None:
    """Append random instructions; the variable ``k`` is there."""
    n, bits = c.num_qubits, c.num_clbits
    for _ in range(length):
        qubit, bit = int(rng.integers(n)), int(rng.integers(bits))
        match int(rng.integers(10 if depth else 6)):
            case 0 | 1:
                add_gates(c, rng, int(rng.integers(1, 5)))
            case 2:
                c.measure(qubit, bit)
            case 3:
                c.reset(qubit)
            case 4:
                value = Binary(str(rng.choice(["+", "^", "&"])), c.variables["k"], Bits(0, min(4, bits)))
                c.assign(c.variables["k"], value)
            case 5:
                c.assign(Bit(bit), Binary("==", Binary("&", c.variables["k"], Literal(1)), Literal(1)))
            case 6:
                body, otherwise = c.block(), c.block()
                add_block(body, rng, 2, depth - 1)
                add_block(otherwise, rng, 1, depth - 1)
                c.if_test((bit, 1), body, otherwise)
            case 7:
                body = c.block()
                add_block(body, rng, 3, depth - 1)
                if rng.random() < 0.3:
                    body.if_test((bit, 1), c.block().break_loop())
                c.for_loop(range(int(rng.integers(1, 4))), body)
            case 8:
                # Ends: the qubit is thrown until it falls.
                c.measure(qubit, bit)
                body = c.block().ry(1.0 + float(rng.random()), qubit).measure(qubit, bit)
                c.while_loop((bit, 1), body)
            case _:
                cases = [(label, c.block()) for label in range(2)]
                for _, body in cases:
                    add_block(body, rng, 1, depth - 1)
                c.switch(Bits(0, min(2, bits)), cases)


def random_circuit(rng: Rng) -> Circuit:
    """Return a dynamic circuit of one to five qubits."""
    c = Circuit(int(rng.integers(1, 6)), int(rng.integers(1, 9)))
    c.add_variable("k", "uint", 8)
    add_block(c, rng, int(rng.integers(2, 10)), 2)
    for qubit in range(c.num_qubits):
        if rng.random() < 0.5:
            c.measure(qubit, int(rng.integers(c.num_clbits)))
    return c


def random_script(rng: Rng) -> Script:
    """Return the script of a dynamic circuit, under noise or not, or one whose state grows and shrinks."""
    if rng.random() < 0.75:
        return script_of(random_circuit(rng), random_noise(rng) if rng.random() < 0.5 else None)
    width = first = int(rng.integers(1, 4))
    num_bits = int(rng.integers(1, 20))
    steps: list[Step] = []
    segments: list[Circuit] = []
    for number in range(1, int(rng.integers(5, 25))):
        qubit, bit = int(rng.integers(width)), int(rng.integers(num_bits))
        match int(rng.integers(8)):
            case 0 | 1:
                segments.append(Circuit(width))
                add_gates(segments[-1], rng, int(rng.integers(1, 6)))
                steps.append(Gates(len(segments) - 1))
            case 2:
                steps.append(Measure(qubit, bit, number))
            case 3:
                steps.append(Reset(qubit, number))
            case 4 if width < 6:
                steps.append(Alloc())
                width += 1
            case 5 if width > 1:
                steps.append(Free(qubit, number))
                width -= 1
            case 6:
                steps.append(Noise(Place(channels.amplitude_damping(0.3), (qubit,)), number))
            case _:
                steps.append(Misread(bit, ReadoutError.of_flips(0.1, 0.2), number))
    pairs = [(int(rng.integers(width)), bit) for bit in range(num_bits) if rng.random() < 0.3]
    measured = tuple(dict.fromkeys(qubit for qubit, _ in pairs))
    return Script(tuple(steps), tuple(segments), first, Wiring(pairs, num_bits), measured, (), (), (), ())


# --- the walk in Python, with margins ---------------------------------------------------------------------------------


@dataclass(slots=True)
class CloseShots(Shots):
    """Shots that remember how close their uniforms came to a boundary, by row."""

    margins: FloatArray

    def divide(self, weights: FloatArray, site: int) -> dict[int, Shots]:
        possible = np.flatnonzero(weights > 1e-14)
        if possible.size > 1:
            self.note(weights, self.uniforms(site))
        return Shots.divide(self, weights, site)

    def note(self, weights: FloatArray, uniforms: FloatArray) -> None:
        ends = np.cumsum(weights)
        distance = np.abs(uniforms[:, None] * ends[-1] - ends[None, :]).min(axis=1)
        np.minimum.at(self.margins, self.places, distance)


def rows_in_python(
    script: Script, settings: RunSettings, seed: int, first_shot: int, shots: int
) -> tuple[Rows, FloatArray]:
    """Return what each shot records, and how far it was from recording something else."""
    compiled = Compiled(script, (), settings.engine, settings.precision)
    state = np.zeros(1 << script.num_qubits, dtype=settings.precision)
    branch = PureBranch(compiled, settings, state, None)
    walk = BranchWalk(compiled, settings, {}, branch, budget_bytes=1 << 26)
    rows = np.empty((shots, row_bytes(script.num_bits)), dtype=np.uint8)
    plain = Shots.of(settings.engine, seed, first_shot, rows)
    population = CloseShots(plain.engine, seed, plain.indices, rows, first_shot, np.ones(shots))
    wiring = script.wiring
    kept = ~row_of_int(wiring.written, wiring.num_bits)
    for leaf in walk.leaves(population):
        if not wiring.runs:
            continue
        arrived = leaf.population
        uniforms = arrived.uniforms(FINAL_SAMPLING)
        arrived.note(np.abs(leaf.state) ** 2, uniforms)
        found = wiring.pack(settings.engine.sampler(leaf.state, threads=1).find(uniforms))
        found |= rows[arrived.places] & kept
        misread(found, script.readout, arrived.uniforms)
        rows[arrived.places] = found
    return rows, population.margins
