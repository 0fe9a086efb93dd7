"""Packed bits, counts and their views."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfast.circuit import PauliSum
from qfast.engines.bits import Histogram, Wiring, row_of_int, rows_of_words, select_bits, strings_of, unique_rows
from qfast.errors import InputError, ObservableError
from qfast.simulation import BitRegister, Counts, Samples

REGISTERS = [BitRegister("a", 0, 3), BitRegister("b", 3, 7)]


def samples_of(values: list[int], num_bits: int = 10, **options: object) -> Samples:
    registers = options.pop("registers", REGISTERS if num_bits == 10 else [BitRegister("c", 0, num_bits)])
    rows = np.concatenate([row_of_int(value, num_bits) for value in values])
    return Samples(registers, rows=rows, **options)


def counted(samples: Samples) -> Samples:
    """The same outcomes without their order."""
    return Samples(samples.registers, histogram=samples.histogram(), metadata=samples.metadata)


def test_counts_have_bit_0_rightmost_and_the_last_register_leftmost() -> None:
    samples = samples_of([0b0000001_101, 0b1000000_000, 0b0000001_101])
    assert samples.get_counts() == {"0000001101": 2, "1000000000": 1}
    assert samples.get_counts("a") == {"101": 2, "000": 1}
    assert samples.get_counts("b") == {"0000001": 2, "1000000": 1}
    assert samples.get_int_counts() == {0b0000001101: 2, 0b1000000000: 1}
    assert list(samples.get_counts()) == sorted(samples.get_counts())


def test_shots_keep_their_order() -> None:
    samples = samples_of([5, 512, 5])
    assert samples.get_bitstrings() == ["0000000101", "1000000000", "0000000101"]
    assert samples.get_bitstrings("a") == ["101", "000", "101"]
    assert samples.packed("a").tolist() == [[5], [0], [5]]
    assert samples.packed().tolist() == [[5, 0], [0, 2], [5, 0]]
    assert samples.to_bool_array("a").tolist() == [[True, False, True], [False] * 3, [True, False, True]]
    assert samples.shots == len(samples) == 3


@pytest.mark.parametrize("num_bits", [1, 8, 10, 63, 64, 65, 130])
def test_any_number_of_bits_is_counted(num_bits) -> None:
    top = 1 << (num_bits - 1)
    samples = samples_of([0, top, top, top | 1], num_bits)
    if num_bits == 1:
        assert samples.get_counts() == {"0": 1, "1": 3}
        return
    zeros = "0" * (num_bits - 2)
    assert samples.get_counts() == {f"0{zeros}0": 1, f"1{zeros}0": 2, f"1{zeros}1": 1}
    assert samples.get_int_counts() == {0: 1, top: 2, top | 1: 1}


def test_no_bits_at_all_are_one_outcome() -> None:
    samples = Samples([], rows=np.zeros((4, 0), dtype=np.uint8))
    assert samples.get_counts() == {"": 4}
    assert samples.get_bitstrings() == [""] * 4


def test_slices_take_shots_and_bits() -> None:
    samples = samples_of([0b1000000_101, 0b0000000_001, 0b1111111_111])
    assert samples.slice(slice(1, None)).get_int_counts() == {1: 1, 1023: 1}
    part = samples.slice(bits=[9, 0])
    assert part.get_counts() == {"11": 2, "10": 1}
    assert part.registers == (BitRegister("bits", 0, 2),)
    assert samples.slice(slice(0, 2), bits=[2]).get_bitstrings() == ["1", "0"]
    assert counted(samples).slice(bits=[9, 0]).get_counts() == {"11": 2, "10": 1}


def test_expectation_values_are_means_of_parities() -> None:
    samples = samples_of([0b00, 0b11, 0b11, 0b01], 2)
    for view in (samples, counted(samples)):
        assert view.expectation_values("ZZ") == 0.5
        assert view.expectation_values("IZ") == -0.5
        assert view.expectation_values("II") == 1
        observable = PauliSum([("ZZ", [0, 1], 2.0), ("Z", [1], -1.0), ("", [], 0.5)])
        assert view.expectation_values(observable) == 1.5
        assert view.expectation_values(["ZZ", observable]).tolist() == [0.5, 1.5]


def test_counts_alone_refuse_what_needs_the_shots() -> None:
    view = counted(samples_of([1, 2]))
    assert not view.has_bits
    for ask in (view.get_bitstrings, view.packed, view.to_bool_array, lambda: view.slice(slice(0, 1))):
        with pytest.raises(InputError, match='sample with output="bits"'):
            ask()


def test_parts_are_joined_in_order() -> None:
    a, b = samples_of([1, 2]), samples_of([2, 3])
    joined = Samples.concatenate([a, b])
    assert joined.get_int_counts() == {1: 1, 2: 2, 3: 1}
    assert joined.get_bitstrings() == a.get_bitstrings() + b.get_bitstrings()
    merged = Samples.concatenate([a, counted(b)])
    assert not merged.has_bits
    assert merged == joined
    with pytest.raises(InputError, match="cannot join"):
        Samples.concatenate([a, samples_of([1], 2)])


def test_samples_pickle() -> None:
    for view in (samples_of([1, 2], metadata={"seed": 5}), counted(samples_of([1, 2]))):
        found = pickle.loads(pickle.dumps(view))
        assert found == view
        assert found.metadata == view.metadata
        assert found.seed == view.seed


def test_wrong_names_bits_and_letters_are_refused() -> None:
    samples = samples_of([1])
    with pytest.raises(InputError, match="no classical register 'x'; there are 'a', 'b'"):
        samples.get_counts("x")
    with pytest.raises(InputError, match="classical bit 10 is out of range"):
        samples.slice(bits=[10])
    with pytest.raises(ObservableError, match="one letter I or Z for each of the 10"):
        samples.expectation_values("ZZ")
    with pytest.raises(ObservableError, match="'X' is not diagonal"):
        samples.expectation_values(PauliSum([("X", [0])]))
    with pytest.raises(ObservableError, match="complex coefficient"):
        samples.expectation_values(PauliSum([("Z", [0], 1j)]))
    with pytest.raises(InputError, match="rows or a histogram"):
        Samples([])


def test_counts_know_shots_and_shares() -> None:
    counts = Counts({"00": 1, "01": 4, "11": 1})
    assert counts.shots == 6
    assert counts.probabilities()["01"] == pytest.approx(2 / 3)
    assert counts.most_common() == [("01", 4), ("00", 1), ("11", 1)]
    assert counts.most_common(1) == [("01", 4)]


WIDTHS = st.integers(1, 150)


@given(width=WIDTHS, data=st.data())
def test_wiring_sends_each_qubit_to_its_bit(width, data) -> None:
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, width - 1)), max_size=30))
    indices = np.array(data.draw(st.lists(st.integers(0, 2**41 - 1), min_size=1, max_size=5)), dtype=np.int64)
    before = data.draw(st.integers(0, 2**width - 1))
    rows = Wiring(pairs, width).pack(indices, before)
    for index, row in zip(indices.tolist(), rows, strict=True):
        wanted = before
        for qubit, bit in pairs:
            wanted = (wanted & ~(1 << bit)) | (index >> qubit & 1) << bit
        assert int.from_bytes(row.tobytes(), "little") == wanted


@given(width=WIDTHS, data=st.data())
def test_selecting_bits_moves_them_to_the_bottom(width, data) -> None:
    value = data.draw(st.integers(0, 2**width - 1))
    bits = data.draw(st.lists(st.integers(0, width - 1), max_size=100))
    row = select_bits(row_of_int(value, width), bits)
    wanted = sum((value >> bit & 1) << place for place, bit in enumerate(bits))
    assert int.from_bytes(row[0].tobytes(), "little") == wanted
    assert strings_of(row_of_int(value, width), width) == [f"{value:0{width}b}"]


@given(width=st.sampled_from([3, 20, 64, 70]), data=st.data())
def test_a_histogram_counts_whatever_the_chunks(width, data) -> None:
    values = data.draw(st.lists(st.integers(0, 2**width - 1), min_size=1, max_size=60))
    cut = data.draw(st.integers(0, len(values)))
    histogram = Histogram(width)
    for part in (values[:cut], values[cut:]):
        if part:
            histogram.add(np.concatenate([row_of_int(value, width) for value in part]))
    rows, counts = histogram.result()
    found = {int.from_bytes(row.tobytes(), "little"): count for row, count in zip(rows, counts.tolist(), strict=True)}
    assert found == {value: values.count(value) for value in values}
    assert list(found) == sorted(found)


def test_a_histogram_of_many_rows_becomes_dense_and_stays_right(rng) -> None:
    values = rng.integers(1 << 10, size=5000).astype(np.uint64)
    histogram = Histogram(10)
    for part in np.split(values, [3, 10, 4000]):
        histogram.add(rows_of_words(part[:, None], 10))
    weighted = unique_rows(rows_of_words(values[:, None], 10))
    histogram.add(*weighted)
    rows, counts = histogram.result()
    assert np.array_equal(counts, 2 * np.bincount(values.astype(np.int64))[np.unique(values.astype(np.int64))])
    assert np.array_equal(rows, weighted[0])
