"""Channels: their numbers, what they are recognised as, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfast.errors import InputError
from qfast.noise import Channel, channels
from tests import oracle
from tests.noise import noise_oracle

PROBABILITIES = st.floats(0, 1)
EVERY = [
    channels.pauli({"XY": 0.1, "IZ": 0.2}),
    channels.bit_flip(0.1),
    channels.bit_phase_flip(0.2),
    channels.depolarizing(0.3, 2),
    channels.amplitude_damping(0.2),
    channels.amplitude_damping(0.2, 0.3),
    channels.phase_damping(0.4),
    channels.thermal_relaxation(50, 70, 10, 0.1),
    channels.reset(0.3, 0.2),
    channels.mixed_unitary([(0.25, oracle.H), (0.75, oracle.ID)]),
    channels.coherent(oracle.rotation("ZX", 0.1)),
    channels.kraus([oracle.X * 0.6, oracle.H * 0.8]),
]
ids = {"ids": lambda channel: channel.name}


def random_density(num_qubits: int, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    dim = 1 << num_qubits
    root = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    rho = root @ root.conj().T
    return rho / np.trace(rho)


def applied(channel: Channel, rho: np.ndarray) -> np.ndarray:
    return noise_oracle.channel(rho, channel.kraus(), range(channel.num_qubits))


@pytest.mark.parametrize("channel", EVERY, **ids)
def test_every_channel_preserves_the_trace(channel: Channel) -> None:
    total = sum(operator.conj().T @ operator for operator in channel.kraus())
    assert np.allclose(total, np.eye(2**channel.num_qubits), atol=1e-12)


@pytest.mark.parametrize("channel", EVERY, **ids)
def test_the_superoperator_is_the_channel(channel: Channel) -> None:
    rho = random_density(channel.num_qubits)
    dim = len(rho)
    found = (channel.superoperator @ rho.T.reshape(-1)).reshape(dim, dim).T
    assert np.allclose(found, applied(channel, rho), atol=1e-12)


@pytest.mark.parametrize("channel", EVERY, **ids)
def test_channels_survive_json_and_pickle(channel: Channel) -> None:
    for copy in (Channel.from_dict(json.loads(json.dumps(channel.to_dict()))), pickle.loads(pickle.dumps(channel))):
        assert copy == channel
        assert (copy.name, copy.labels, copy.probabilities is None) == (
            channel.name, channel.labels, channel.probabilities is None,
        )  # fmt: skip


@pytest.mark.parametrize("channel", EVERY, **ids)
def test_the_average_fidelity_is_that_of_random_states(channel: Channel) -> None:
    """For one qubit the average over the sphere is that over the six eigenstates of X, Y and Z."""
    if channel.num_qubits != 1:
        expected = average_over_stabilizers(channel)
    else:
        expected = np.mean([overlap(channel, vector) for vector in six_states()])
    assert channel.average_gate_fidelity() == pytest.approx(expected, abs=1e-12)


def six_states() -> list[np.ndarray]:
    turned = [oracle.exponential(pauli, math.pi / 4) for pauli in (oracle.ID, oracle.X, oracle.Y)]
    return [matrix[:, column] for matrix in turned for column in (0, 1)]


def average_over_stabilizers(channel: Channel) -> float:
    """The 60 two-qubit stabilizer states are a 2-design: products of the six, and a Bell state turned by Cliffords."""
    products = [np.kron(a, b) for a, b in itertools.product(six_states(), repeat=2)]
    bell = np.array([1, 0, 0, 1]) / math.sqrt(2)
    turns = single_qubit_cliffords()
    entangled = [oracle.apply_matrix(bell, turn, [0]) for turn in turns]
    return float((sum(overlap(channel, v) for v in products) + sum(overlap(channel, v) for v in entangled)) / 60)


def single_qubit_cliffords() -> list[np.ndarray]:
    found: list[np.ndarray] = []
    frontier = [oracle.ID]
    while frontier:
        matrix = frontier.pop()
        if any(abs(abs(np.trace(matrix.conj().T @ other)) - 2) < 1e-9 for other in found):
            continue
        found.append(matrix)
        frontier += [oracle.H @ matrix, np.diag([1, 1j]) @ matrix]
    assert len(found) == 24
    return found


def overlap(channel: Channel, vector: np.ndarray) -> float:
    return float((vector.conj() @ applied(channel, np.outer(vector, vector.conj())) @ vector).real)


def test_depolarizing_noise_mixes_in_the_maximally_mixed_state() -> None:
    rho, p = random_density(2), 0.3
    q = p * 16 / 15
    assert np.allclose(applied(channels.depolarizing(p, 2), rho), (1 - q) * rho + q * np.eye(4) / 4)


def test_damping_moves_populations_and_shrinks_coherences() -> None:
    rho = random_density(1)
    found = applied(channels.amplitude_damping(0.3), rho)
    assert found[1, 1] == pytest.approx(0.7 * rho[1, 1])
    assert found[0, 1] == pytest.approx(math.sqrt(0.7) * rho[0, 1])


@given(t1=st.floats(1, 100), ratio=st.floats(0.01, 2), time=st.floats(0, 50), excited=PROBABILITIES)
def test_relaxation_follows_t1_and_t2(t1: float, ratio: float, time: float, excited: float) -> None:
    rho, t2 = random_density(1), ratio * t1
    found = applied(channels.thermal_relaxation(t1, t2, time, excited), rho)
    decay = math.exp(-time / t1)
    assert found[1, 1].real == pytest.approx(decay * rho[1, 1].real + (1 - decay) * excited, abs=1e-9)
    # A Kraus operator of weight 1e-16 is rounding; the coherence that it carries is the root of that.
    assert found[0, 1] == pytest.approx(math.exp(-time / t2) * rho[0, 1], abs=2e-8)


def test_structure_is_read_from_the_numbers() -> None:
    assert channels.kraus([math.sqrt(0.9) * oracle.ID, 1j * math.sqrt(0.1) * oracle.kron(oracle.Y)]).labels == (
        "I",
        "Y",
    )
    assert channels.mixed_unitary([(0.5, oracle.kron(oracle.X, oracle.Z)), (0.5, np.eye(4))]).labels == ("II", "XZ")
    assert channels.kraus(EVERY[9].kraus()).is_mixture
    assert not channels.amplitude_damping(0.1).is_mixture
    assert channels.amplitude_damping(0.0).is_identity


@given(first=PROBABILITIES, second=PROBABILITIES)
def test_channels_follow_one_another(first: float, second: float) -> None:
    a, b = channels.amplitude_damping(first), channels.bit_flip(second)
    rho = random_density(1)
    assert np.allclose(applied(a.then(b), rho), applied(b, applied(a, rho)), atol=1e-10)


def test_channels_side_by_side_act_on_their_own_qubits() -> None:
    a, b = channels.amplitude_damping(0.3), channels.bit_flip(0.2)
    rho = random_density(2)
    expected = noise_oracle.channel(noise_oracle.channel(rho, a.kraus(), [0]), b.kraus(), [1])
    assert np.allclose(applied(a.tensor(b), rho), expected, atol=1e-12)
    assert set(channels.bit_flip(0.5).tensor(channels.phase_flip(0.5)).labels or ()) == {"II", "XI", "IZ", "XZ"}


def test_the_twirl_keeps_the_fidelity_and_the_pauli_channels() -> None:
    damping = channels.amplitude_damping(0.3)
    assert damping.twirled().is_pauli
    assert damping.twirled().average_gate_fidelity() == pytest.approx(damping.average_gate_fidelity())
    assert channels.depolarizing(0.2, 2).twirled() == channels.depolarizing(0.2, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: channels.depolarizing(1.2), r"the probability is 1\.2, which is outside \[0, 1\]"),
        (lambda: channels.bit_flip(-0.1), r"-0\.1, which is outside"),
        (lambda: channels.bit_flip(math.nan), "nan, which is outside"),
        (lambda: channels.bit_flip("often"), "'often'; a number"),
        (lambda: channels.pauli({"X": 0.7, "Y": 0.6}), r"add up to 1\.3, which exceeds 1 by 0\.3"),
        (lambda: channels.pauli({"I": 0.7, "Y": 0.6}), r"add up to 1\.3, which differs from 1 by 0\.3"),
        (lambda: channels.pauli({"A": 0.7}), "'A' is no string"),
        (lambda: channels.pauli({"X": 0.1, "XX": 0.1}), "'XX' has 2 letters, 'X' has 1"),
        (lambda: channels.pauli({}), "at least one"),
        (lambda: channels.kraus([[[1, 0], [0, 0.9]]]), r"identity by 0\.19 at \(1, 1\)"),
        (lambda: channels.kraus([]), "at least one operator"),
        (lambda: channels.kraus([[[1, 0, 0], [0, 1, 0]]]), r"operator 0 has shape \(2, 3\)"),
        (lambda: channels.kraus([np.eye(2), np.eye(4)]), r"operator 1 has shape \(4, 4\), operator 0 \(2, 2\)"),
        (lambda: channels.kraus([np.full((2, 2), math.inf)]), "not finite"),
        (lambda: channels.kraus([np.eye(32)]), "acts on 5 qubits; 4 are allowed"),
        (lambda: channels.mixed_unitary([(1.0, [[1, 0], [0, 0.9]])]), r"matrix 0 is not unitary.*0\.19"),
        (lambda: channels.mixed_unitary([(0.9, np.eye(2))]), r"differs from 1 by -0\.1"),
        (lambda: channels.thermal_relaxation(1, 3, 1), "exceeds 2 t1"),
        (lambda: channels.thermal_relaxation(-1, 3, 1), "t1 = -1 must be positive"),
        (lambda: channels.thermal_relaxation(1, 1, -1), "time = -1"),
        (lambda: channels.depolarizing(0.1, 5), "num_qubits = 5"),
        (lambda: channels.bit_flip(0.1).then(channels.depolarizing(0.1, 2)), "equal numbers"),
        (lambda: channels.depolarizing(0.1, 3).tensor(channels.depolarizing(0.1, 2)), "5 qubits"),
        (lambda: Channel.from_dict({"name": "x"}), "num_qubits|operators"),
    ],
)
def test_what_is_no_channel_is_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]
