"""The circuit families are what their definitions say, for every size."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.benchmark.canonical import operation_matrix
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import FAMILIES, FamilyCircuit, Operation, build_family
from qfast.errors import InputError
from tests import oracle

SIZES = st.integers(2, 9)


def state_of(operations: tuple[Operation, ...], num_qubits: int) -> oracle.Array:
    state = oracle.zero_state(num_qubits)
    for operation in operations:
        state = oracle.apply_matrix(state, operation_matrix(operation), operation.qubits)
    return state


def named(circuit: FamilyCircuit, name: str) -> list[Operation]:
    return [operation for operation in circuit.operations if operation.name == name]


@given(st.sampled_from(list(FAMILIES)), SIZES, st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_every_size_and_seed_gives_a_circuit_on_valid_qubits(family: str, num_qubits: int, seed: int) -> None:
    circuit = build_family(family, num_qubits, seed)
    for operation in circuit.operations:
        assert len(set(operation.qubits)) == len(operation.qubits)
        assert all(0 <= qubit < num_qubits for qubit in operation.qubits)
        matrix = operation_matrix(operation)
        np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(len(matrix)), atol=1e-14)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_circuit_and_another_seed_another(family: str) -> None:
    first, again, other = (json.dumps(build_family(family, 8, seed).to_payload()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("family", FAMILIES)
def test_the_payload_survives_json_exactly(family: str) -> None:
    circuit = build_family(family, 5)
    rows = json.loads(json.dumps(circuit.to_payload()))["operations"]
    for (name, qubits, params, pairs), operation in zip(rows, circuit.operations, strict=True):
        assert (name, tuple(qubits), tuple(params)) == (operation.name, operation.qubits, operation.params)
        if operation.matrix is not None:
            array = np.array(pairs)
            np.testing.assert_array_equal(array[..., 0] + 1j * array[..., 1], operation.matrix)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("num_qubits", [2, 5, 6])
def test_the_bulk_built_circuit_is_the_list_of_operations(family: str, num_qubits: int) -> None:
    circuit = build_family(family, num_qubits)
    built = oracle.statevector(to_circuit(circuit))
    np.testing.assert_allclose(built, state_of(circuit.operations, num_qubits), atol=1e-12)


@given(SIZES)
@settings(max_examples=8, deadline=None)
def test_qft_is_the_fourier_transform_of_its_product_state(num_qubits: int) -> None:
    circuit = build_family("qft", num_qubits)
    prepared = state_of(circuit.operations[: circuit.num_preparation], num_qubits)
    transformed = np.fft.ifft(prepared, norm="ortho")
    np.testing.assert_allclose(state_of(circuit.operations, num_qubits), transformed, atol=1e-12)


def test_random_circuit_takes_roots_of_x_y_w_and_never_one_twice_in_a_row() -> None:
    num_qubits = 12
    turns = named(build_family("random", num_qubits), "unitary")
    assert len(turns) == 14 * num_qubits
    axes = [oracle.X, oracle.Y, (oracle.X + oracle.Y) / np.sqrt(2)]
    kinds = []
    for turn in turns:
        square = operation_matrix(turn) @ operation_matrix(turn)
        overlaps = [abs(np.trace(axis.conj().T @ square)) / 2 for axis in axes]
        assert max(overlaps) == pytest.approx(1)
        kinds.append(int(np.argmax(overlaps)))
    cycles = np.array(kinds).reshape(14, num_qubits)
    assert (cycles[1:] != cycles[:-1]).all()
    assert set(kinds) == {0, 1, 2}


def test_random_circuit_couples_the_grid_in_the_pattern_abcdcdab() -> None:
    circuit = build_family("random", 12)
    cycles: list[frozenset[tuple[int, ...]]] = []
    bonds: list[tuple[int, ...]] = []
    for operation in circuit.operations:
        if operation.name == "fsim":
            assert operation.params == (np.pi / 2, np.pi / 6)
            bonds.append(operation.qubits)
        elif bonds:
            cycles.append(frozenset(bonds))
            bonds = []
    cycles.append(frozenset(bonds))
    a, b, c, d = cycles[:4]
    assert cycles == [a, b, c, d, c, d, a, b, a, b, c, d, c, d]
    for pattern in (a, b, c, d):  # no qubit twice in one pattern
        assert max(Counter(qubit for bond in pattern for qubit in bond).values()) == 1
    grid = {(q, q + 4) for q in range(8)} | {(q, q + 1) for q in range(12) if q % 4 != 3}
    assert a | b | c | d == grid


@given(SIZES)
@settings(max_examples=8, deadline=None)
def test_quantum_volume_has_n_layers_of_special_unitaries_on_disjoint_pairs(num_qubits: int) -> None:
    operations = build_family("qv", num_qubits).operations
    pairs = num_qubits // 2
    assert len(operations) == num_qubits * pairs
    for layer in range(num_qubits):
        used = [qubit for operation in operations[layer * pairs : (layer + 1) * pairs] for qubit in operation.qubits]
        assert len(set(used)) == 2 * pairs
    for operation in operations:
        assert np.linalg.det(operation_matrix(operation)) == pytest.approx(1)


@pytest.mark.parametrize("num_qubits", [4, 5, 9, 10, 16, 24])
def test_qaoa_graph_is_simple_and_three_regular_but_for_one_vertex_of_an_odd_graph(num_qubits: int) -> None:
    edges = [operation.qubits for operation in named(build_family("qaoa", num_qubits), "rzz")]
    layer = edges[: len(edges) // 4]
    assert edges == 4 * layer
    assert len(set(layer)) == len(layer)
    degrees = Counter(qubit for edge in layer for qubit in edge)
    assert sorted(degrees.values()) == [2] * (num_qubits % 2) + [3] * (num_qubits - num_qubits % 2)


@pytest.mark.parametrize("num_qubits", [5, 6])
def test_trotter_conserves_the_magnetisation_of_the_neel_state(num_qubits: int) -> None:
    circuit = build_family("trotter", num_qubits)
    weights = np.array([index.bit_count() for index in range(2**num_qubits)])
    state = state_of(circuit.operations, num_qubits)
    assert set(weights[np.abs(state) > 1e-12]) == {circuit.num_preparation}


def test_trotter_couples_even_bonds_before_odd_ones() -> None:
    bonds = [operation.qubits[0] for operation in named(build_family("trotter", 6), "rxx")]
    assert bonds == 6 * [0, 2, 4, 1, 3]


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'ghz'.*qft, random, qv, ansatz, qaoa, trotter"):
        build_family("ghz", 4)


def test_one_qubit_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2 qubits, got num_qubits=1"):
        build_family("qft", 1)
