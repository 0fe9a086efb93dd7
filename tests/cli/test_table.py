from __future__ import annotations

import pytest

from qfast._format import format_bytes, format_seconds
from qfast.cli.table import Row, bar, render, split_registers


def test_columns_are_right_aligned_and_the_longest_bar_is_full() -> None:
    rows = [Row(("000", "750"), 0.75), Row(("1", "25"), 0.25)]
    lines = render(("c", "count"), rows, unicode=False)
    assert lines == [
        "    c  count    ratio",
        "  000    750   75.0 %  " + 24 * "#",
        "    1     25   25.0 %  " + 8 * "#",
    ]


def test_an_empty_table_is_its_header() -> None:
    assert render(("c", "count"), [], unicode=True) == ["  c  count    ratio"]


@pytest.mark.parametrize(
    ("fraction", "drawn"), [(0.0, ""), (1 / 16, "▌"), (0.5, "████"), (1.0, "████████"), (7.0, "████████")]
)
def test_bars_have_a_resolution_of_an_eighth_of_a_column(fraction: float, drawn: str) -> None:
    assert bar(fraction, 8, unicode=True) == drawn


def test_registers_are_cut_from_the_right_and_the_last_declared_stands_left() -> None:
    assert split_registers("10" + "0" + "111", [3, 1, 2]) == ("10", "0", "111")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5e-6, "2.5 µs"), (0.0123, "12.3 ms"), (9.876, "9.88 s"), (61.2, "1 min 1 s"), (7320, "2 h 2 min")],
)
def test_durations_are_written_in_the_unit_that_suits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (1 << 28, "256 MiB"), (3 << 40, "3 TiB"), (1 << 54, "16384 TiB")]
)
def test_sizes_are_written_in_binary_units(size: int, text: str) -> None:
    assert format_bytes(size) == text
