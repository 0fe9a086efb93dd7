"""Try Ctrl-C and cancellation on every public call that can take long.

Run from the root of the project::

    python -m benchmarks.check_interrupts [CASE…] [--limit-ms 100] [--tries 3]

Each case is a call that would take seconds. It runs in a process of its own; at a random moment of its work a thread
sends the signal, or cancels the token, and the time until the call has raised is printed, the worst of the tries. A
call that takes longer than the limit, that finishes, or that raises something else fails. A time-out of a job cancels
its token: the second column stands for it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import qfast
from qfast.mitigation import fold_global, twirl

Call = Callable[[qfast.CancelToken], Any]

HOWS = ("ctrl-c", "cancel")


def ansatz(num_qubits: int, layers: int, *, free: bool = False) -> qfast.Circuit:
    circuit = qfast.Circuit(num_qubits)
    rng = np.random.default_rng(1)
    for layer in range(layers):
        for qubit in range(num_qubits):
            circuit.ry(qfast.Parameter(f"t{layer}_{qubit}") if free else rng.normal(), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def strings(num_qubits: int, count: int) -> qfast.PauliSum:
    rng = np.random.default_rng(2)
    letters = ["".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(count)]
    return qfast.PauliSum([(text, list(range(num_qubits)), 1.0) for text in letters])


def random_state(num_qubits: int) -> qfast.Statevector:
    return qfast.simulate(ansatz(num_qubits, 1))


def noise() -> qfast.NoiseModel:
    model = qfast.NoiseModel()
    model.add(qfast.channels.depolarizing(0.02, num_qubits=1), gates=["ry"])
    return model.add(qfast.channels.depolarizing(0.05, num_qubits=2), gates=["cx"])


def damping() -> qfast.NoiseModel:
    return qfast.NoiseModel().add(qfast.channels.amplitude_damping(0.05), gates=["ry"])


def simulate_wide() -> Call:
    circuit = ansatz(24, 60)
    return lambda cancel: qfast.simulate(circuit, cancel=cancel)


def simulate_deep() -> Call:
    circuit = ansatz(13, 4000)
    return lambda cancel: qfast.simulate(circuit, cancel=cancel)


def simulate_reference() -> Call:
    circuit = ansatz(20, 40)
    return lambda cancel: qfast.simulate(circuit, engine="reference", cancel=cancel)


def sample_shots() -> Call:
    circuit = ansatz(18, 2)
    return lambda cancel: qfast.sample(circuit, shots=300_000_000, seed=1, cancel=cancel)


def sample_frames() -> Call:
    circuit, model = ansatz(14, 40), noise()
    return lambda cancel: qfast.sample(circuit, shots=100_000, seed=1, noise=model, cancel=cancel)


def sample_damping() -> Call:
    circuit, model = ansatz(15, 20), damping()
    return lambda cancel: qfast.sample(circuit, shots=5_000, seed=1, noise=model, cancel=cancel)


def noisy_expectation() -> Call:
    circuit, model, sum_ = ansatz(13, 30), noise(), strings(13, 200)
    return lambda cancel: qfast.expectation(circuit, sum_, shots=50_000, seed=1, noise=model, cancel=cancel)


def sample_dynamic() -> Call:
    circuit = qfast.Circuit(16, 200)
    for bit in range(200):
        for qubit in range(16):
            circuit.ry(0.3, qubit)
        circuit.measure(bit % 16, bit)
    return lambda cancel: qfast.sample(circuit, shots=20_000, seed=1, cancel=cancel)


def program_states() -> Call:
    program = qfast.compile(ansatz(14, 10, free=True))
    values = np.random.default_rng(3).normal(size=(20_000, 140))
    sum_ = strings(14, 20)
    return lambda cancel: program.expectation(values, sum_, cancel=cancel)


def program_gradient() -> Call:
    program = qfast.compile(ansatz(19, 12, free=True))
    values = np.random.default_rng(3).normal(size=19 * 12)
    sum_ = strings(19, 3000)
    return lambda cancel: program.gradient(values, sum_, cancel=cancel)


def state_expectation() -> Call:
    state, sum_ = random_state(22), strings(22, 3000)
    return lambda cancel: state.expectation(sum_, cancel=cancel)


def state_variance() -> Call:
    state, sum_ = random_state(22), strings(22, 500)
    return lambda cancel: state.variance(sum_, cancel=cancel)


def state_sample() -> Call:
    state = random_state(18)
    return lambda cancel: state.sample(300_000_000, seed=1, cancel=cancel)


def plan_long() -> Call:
    circuit = ansatz(20, 20_000)
    return lambda _: qfast.compile(circuit)


def plan_noisy() -> Call:
    circuit, model = ansatz(20, 3000), noise()
    return lambda cancel: qfast.sample(circuit, shots=10, seed=1, noise=model, cancel=cancel)


def fold() -> Call:
    circuit = ansatz(16, 300)
    return lambda _: fold_global(circuit, 999)


def twirled() -> Call:
    circuit = ansatz(16, 4000)
    return lambda _: [twirl(circuit, seed=seed) for seed in range(100)]


# Calls that take no token are tried with Ctrl-C alone.
CASES: dict[str, tuple[Callable[[], Call], tuple[str, ...]]] = {
    "simulate, 24 qubits": (simulate_wide, HOWS),
    "simulate, 13 qubits and 100 000 gates": (simulate_deep, HOWS),
    "simulate, reference engine": (simulate_reference, HOWS),
    "sample, 3e8 shots": (sample_shots, HOWS),
    "sample with Pauli noise": (sample_frames, HOWS),
    "sample with damping": (sample_damping, HOWS),
    "sample, measurements in the middle": (sample_dynamic, HOWS),
    "noisy expectation": (noisy_expectation, HOWS),
    "Program.expectation of many rows": (program_states, HOWS),
    "Program.gradient of many terms": (program_gradient, HOWS),
    "Statevector.expectation": (state_expectation, HOWS),
    "Statevector.variance": (state_variance, HOWS),
    "Statevector.sample": (state_sample, HOWS),
    "compile, 800 000 gates": (plan_long, HOWS[:1]),
    "planning of a noisy circuit": (plan_noisy, HOWS),
    "folding": (fold, HOWS[:1]),
    "twirling": (twirled, HOWS[:1]),
}


def child(name: str, how: str, delay_s: float) -> None:
    """Run one case and print the milliseconds that it went on, or what went wrong."""
    call = CASES[name][0]()
    token = qfast.CancelToken()
    sent = 0.0

    def send() -> None:
        nonlocal sent
        time.sleep(delay_s)
        sent = time.perf_counter()
        token.cancel() if how == "cancel" else os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=send, daemon=True).start()
    try:
        call(token)
    except (KeyboardInterrupt, qfast.QfastError) as error:
        late_ms = (time.perf_counter() - sent) * 1e3
        wanted = KeyboardInterrupt if how == "ctrl-c" else qfast.errors.CancelledRunError
        print(f"{late_ms:.1f}" if isinstance(error, wanted) else f"raised {error!r}")
    else:
        print("finished")
    sys.stdout.flush()
    os._exit(0)


def main() -> int:
    """Try the cases and print a table; return the number that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("cases", nargs="*", help="parts of names; by default all")
    parser.add_argument("--limit-ms", type=float, default=100.0)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], options.child[1], float(options.child[2]))
    failed = 0
    for name, (_, hows) in CASES.items():
        if options.cases and not any(part in name for part in options.cases):
            continue
        columns = []
        for how in hows:
            answers = []
            for _ in range(options.tries):
                delay = str(random.uniform(0.2, 0.8))
                command = [sys.executable, "-m", "benchmarks.check_interrupts", "--child", name, how, delay]
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
                answers.append(done.stdout.strip() or f"died: {done.stderr.strip()[-80:]}")
            wrong = [answer for answer in answers if not answer.replace(".", "").isdigit()]
            worst = wrong[0] if wrong else f"{max(map(float, answers)):6.1f} ms"
            is_good = not wrong and max(map(float, answers)) <= options.limit_ms
            failed += not is_good
            columns.append(f"{how} {worst}{'' if is_good else '  FAILED'}")
        print(f"{name:40} {'   '.join(columns)}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
