"""Expectation values of large observables: times, and ratios to a plain pass over the state.

    python benchmarks/expectation.py [--qubits 20] [--json out.json]

A molecular-like Hamiltonian (Jordan-Wigner strings of one- and two-body terms, 20 000 of them), MaxCut on 24 qubits, an
Ising chain, random strings, and the operators that are no Pauli sums. Values are checked against numpy first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np

import qfast
from qfast import PauliSum, Statevector
from qfast.benchmark.fingerprint import take_fingerprint
from qfast.config.machine import cpu_count
from qfast.simulation.prepared_observables import measurable

_Letters = dict[int, str]


def molecular(num_qubits: int, num_terms: int, rng: np.random.Generator) -> PauliSum:
    """The largest terms of a Hamiltonian with random integrals, spins alternating, in the Jordan-Wigner encoding."""
    found: list[tuple[_Letters, float]] = [({p: "Z"}, rng.normal()) for p in range(num_qubits)]
    for p, q in combinations(range(num_qubits), 2):
        found.append(({p: "Z", q: "Z"}, 0.3 * rng.normal()))
        if (q - p) % 2:
            continue  # a hop that would flip a spin
        for letter in "XY":
            hop = {p: letter, q: letter} | dict.fromkeys(range(p + 1, q), "Z")
            found.append((hop, 0.2 * rng.normal()))
            for r in set(range(num_qubits)) - {p, q}:
                counted = {k: v for k, v in hop.items() if k != r} if r in hop else hop | {r: "Z"}
                found.append((counted, 0.05 * rng.normal()))
    for places in combinations(range(num_qubits), 4):
        if sum(place % 2 for place in places) % 2:
            continue
        a, b, c, d = places
        chain = dict.fromkeys([*range(a + 1, b), *range(c + 1, d)], "Z")
        found += [
            (chain | dict(zip(places, letters, strict=True)), 0.02 * rng.normal())
            for letters in product("XY", repeat=4)
            if letters.count("Y") % 2 == 0
        ]
    found.sort(key=lambda term: -abs(term[1]))
    return PauliSum([("".join(s.values()), list(s), weight) for s, weight in found[:num_terms]], num_qubits)


def max_cut(num_qubits: int, rng: np.random.Generator) -> PauliSum:
    """½ Σ (1 - ZZ) over the edges of a random graph of degree 3 on average."""
    pairs = list(combinations(range(num_qubits), 2))
    edges = [pairs[k] for k in rng.choice(len(pairs), 3 * num_qubits // 2, replace=False)]
    return PauliSum([("", [], len(edges) / 2), *(("ZZ", edge, -0.5) for edge in edges)], num_qubits)


def ising(num_qubits: int) -> PauliSum:
    """A transverse-field chain."""
    bonds = [("ZZ", [q, q + 1], -1.0) for q in range(num_qubits - 1)]
    return PauliSum(bonds + [("X", [q], -0.7) for q in range(num_qubits)])


def random_strings(num_qubits: int, count: int, rng: np.random.Generator) -> PauliSum:
    """Strings of random letters on all qubits."""
    letters = rng.choice(list("IXYZ"), (count, num_qubits))
    weights = rng.normal(size=count)
    return PauliSum([("".join(row), range(num_qubits), one) for row, one in zip(letters, weights, strict=True)])


def random_state(num_qubits: int, rng: np.random.Generator, options: dict[str, Any]) -> Statevector:
    """A state without structure."""
    amplitudes = rng.normal(size=2 << num_qubits).view(np.complex128)
    amplitudes /= np.linalg.norm(amplitudes)
    return Statevector(amplitudes.astype(options["precision"]), engine=options["engine"], threads=options["threads"])


def numpy_expectation(state: Statevector, observable: PauliSum) -> float:
    """Term by term, by the definition."""
    psi = state.amplitudes.astype(np.complex128)
    index = np.arange(psi.size)
    total = 0.0
    parity = np.array([number.bit_count() & 1 for number in range(psi.size)])
    for x, z, weight in zip(*(column.tolist() for column in observable.masks()), strict=True):
        moved = np.empty_like(psi)
        moved[index ^ x] = 1j ** (x & z).bit_count() * (1 - 2 * parity[index & z]) * psi
        total += (weight * np.vdot(psi, moved)).real
    return total


def check(options: dict[str, Any]) -> None:
    """Compare with numpy on 12 qubits."""
    rng = np.random.default_rng(7)
    state = random_state(12, rng, options)
    bound = 1e-10 if options["precision"] == "complex128" else 1e-4
    for observable in (molecular(12, 1500, rng), max_cut(12, rng), ising(12), random_strings(12, 100, rng)):
        found, wanted = state.expectation(observable), numpy_expectation(state, observable)
        if abs(found - wanted) > bound:
            raise SystemExit(f"wrong: {found} instead of {wanted} for {observable!r}")


def median_s(work: Callable[[], Any], rounds: int = 5) -> float:
    """Median time of several calls, after one that prepares."""
    work()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def measure(name: str, state: Statevector, observable: Any) -> dict[str, Any]:
    """Time the expectation value, O|ψ⟩, and the plain pass that a norm is."""
    out = np.empty_like(state.amplitudes)
    settings = state._settings
    prepared = measurable(observable, settings.engine, state.num_qubits).prepared
    return {
        "observable": name,
        "num_qubits": state.num_qubits,
        "terms": observable.num_terms if isinstance(observable, PauliSum) else None,
        "pass_s": median_s(state.norm),
        "expectation_s": median_s(lambda: state.expectation(observable)),
        "apply_s": median_s(lambda: prepared.apply(state.amplitudes, out, threads=settings.threads)),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Check, measure and print."""
    parser = argparse.ArgumentParser(description="Times of large observables, and ratios to a pass over the state.")
    parser.add_argument("--molecule-qubits", type=int, default=20)
    parser.add_argument("--chain-qubits", type=int, default=24)
    parser.add_argument("--terms", type=int, default=20_000)
    parser.add_argument("--precision", choices=("complex64", "complex128"), default="complex128")
    parser.add_argument("--engine", default="native")
    parser.add_argument("--threads", type=int, default=cpu_count())
    parser.add_argument("--json", type=Path)
    options = vars(parser.parse_args(argv))
    check(options)
    rng = np.random.default_rng(11)
    wide, long = options["molecule_qubits"], options["chain_qubits"]
    rows = []
    print(f"{options['precision']}, engine {options['engine']}, {options['threads']} threads; ms, ratios to a pass")
    print(f"{'observable':>22}{'qubits':>8}{'terms':>8}{'pass':>9}{'value':>10}{'ratio':>8}{'applied':>10}{'ratio':>8}")
    for num_qubits, cases in (
        (wide, {"molecule": molecular(wide, options["terms"], rng)}),
        (18, {"500 random strings": random_strings(18, 500, rng)}),
        (long, {
            "MaxCut": max_cut(long, rng),
            "Ising chain": ising(long),
            "projector, 8 qubits": qfast.Projector("01" * 4, range(8, 16)),
            "diagonal table": qfast.DiagonalOperator(rng.normal(size=1 << 16), range(16)),
            "dense, 2 qubits": qfast.DenseOperator(np.diag([1.0, 2, 3, 4])[::-1], [3, long - 1]),
        }),
    ):  # fmt: skip
        state = random_state(num_qubits, rng, options)
        for name, observable in cases.items():
            row = measure(name, state, observable)
            rows.append(row)
            once, value, applied = (1e3 * row[key] for key in ("pass_s", "expectation_s", "apply_s"))
            print(
                f"{name:>22}{num_qubits:>8}{row['terms'] or '':>8}{once:>9.2f}{value:>10.2f}{value / once:>8.1f}"
                f"{applied:>10.2f}{applied / once:>8.1f}",
                flush=True,
            )
    if options["json"] is not None:
        data = {"fingerprint": take_fingerprint(threads=options["threads"]), "rows": rows}
        options["json"].write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
