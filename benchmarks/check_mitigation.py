"""Compare qfast's error mitigation with mthree and mitiq, number by number.

Run: ``python benchmarks/check_mitigation.py`` where both are installed (``pip install 'qfast-sim[mitigation]'``).
mthree: quasi-probabilities of random counts, directly and by iteration. mitiq: extrapolation, and zero-noise
extrapolation of a Cirq circuit that qfast runs under noise.
"""

from __future__ import annotations

import numpy as np

from qfast import Circuit, NoiseModel, PauliSum, channels, mitigation, simulate


def check_readout() -> None:
    """Quasi-probabilities against M3."""
    import mthree

    rng = np.random.default_rng(1)
    for num_bits, shots in ((3, 1000), (8, 4000), (12, 20_000)):
        flips = rng.uniform(0.01, 0.08, (num_bits, 2))
        bits = (rng.random((shots, num_bits)) < rng.uniform(0.1, 0.9, num_bits)).astype(np.uint8)
        seen, counts = np.unique(bits, axis=0, return_counts=True)
        mine = mitigation.mitigated_distribution(seen, counts, flips)
        m3 = mthree.M3Mitigation(None)
        m3.cals_from_matrices([np.array([[1 - up, down], [up, 1 - down]]) for up, down in flips])
        text = {"".join(map(str, row[::-1])): int(count) for row, count in zip(seen.tolist(), counts, strict=True)}
        for method in ("direct", "iterative"):
            theirs = m3.apply_correction(text, range(num_bits), method=method)
            worst = max(abs(mine[key] - theirs[key]) for key in text)
            print(f"readout, {num_bits} bits, {len(text)} outcomes, mthree {method}: largest difference {worst:.1e}")
            assert worst < 3e-4  # mthree computes in single precision, and iterates to 1e-5


def check_extrapolation() -> None:
    """Extrapolated values against mitiq's factories."""
    from mitiq import zne

    scales, values = [1.0, 2.0, 3.0, 5.0], [0.81, 0.66, 0.52, 0.36]
    cases = {
        "linear": zne.LinearFactory(scales).extrapolate(scales, values),
        "polynomial": zne.PolyFactory(scales, 2).extrapolate(scales, values, 2),
        "richardson": zne.RichardsonFactory(scales).extrapolate(scales, values),
        "exponential": zne.ExpFactory(scales, asymptote=0.0).extrapolate(scales, values, asymptote=0.0, avoid_log=True),
    }
    for method, theirs in cases.items():
        mine = mitigation.extrapolate(scales, values, method=method).value  # type: ignore[arg-type]
        print(f"extrapolation, {method}: {mine:.9f}, mitiq {theirs:.9f}")
        assert abs(mine - theirs) < 1e-5


def check_folding() -> None:
    """Exact noisy values of circuits that qfast folds, and of the same circuit that mitiq folds."""
    import cirq
    from mitiq import zne

    qubits = cirq.LineQubit.range(3)
    theirs = cirq.Circuit(
        cirq.H(qubits[0]), cirq.CNOT(qubits[0], qubits[1]), cirq.T(qubits[1]), cirq.CNOT(qubits[1], qubits[2]),
        cirq.H(qubits[2]),
    )  # fmt: skip
    noise = NoiseModel().add(channels.depolarizing(0.02, num_qubits=2), gates=["cx"]).add(channels.depolarizing(0.002))
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("X", [2], 0.5), ("XXX", [0, 1, 2], 0.3)])

    def value(circuit: Circuit) -> float:
        return float(np.real(simulate(circuit, noise=noise).expectation(observable)))

    names = {"h": cirq.H, "cx": cirq.CNOT, "t": cirq.T, "tdg": cirq.T**-1}

    def converted(circuit: cirq.Circuit) -> Circuit:
        """Gate by gate: as OpenQASM, Cirq writes the inverse of a cx as a dozen gates."""
        made = Circuit(3)
        for operation in circuit.all_operations():
            matrix = cirq.unitary(operation)
            name = next(
                name for name, gate in names.items()
                if cirq.unitary(gate).shape == matrix.shape and np.allclose(cirq.unitary(gate), matrix)
            )  # fmt: skip
            made.append(name, [qubits.index(qubit) for qubit in operation.qubits])
        return made

    mine = converted(theirs)
    found = [value(converted(zne.scaling.fold_global(theirs, scale))) for scale in (1, 3, 5)]
    with_mitiq = zne.RichardsonFactory([1, 3, 5]).extrapolate([1, 3, 5], found)
    values = [value(mitigation.fold_global(mine, scale)[0]) for scale in (1, 3, 5)]
    with_qfast = mitigation.extrapolate([1, 3, 5], values, method="richardson").value
    print(
        f"folding: exact {np.real(simulate(mine).expectation(observable)):.6f}, noisy {value(mine):.6f}, "
        f"mitiq {with_mitiq:.6f}, qfast {with_qfast:.6f}"
    )
    assert abs(with_mitiq - with_qfast) < 1e-6


if __name__ == "__main__":
    check_readout()
    check_extrapolation()
    check_folding()
