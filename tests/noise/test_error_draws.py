"""Errors are drawn from the uniforms of their sites, natively and in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from qfast.engines import error_draws
from qfast.engines.error_draws import draw_errors
from qfast.engines.philox import uniforms

CHANNELS = [[0.9, 1.0], [0.5, 0.75, 0.8, 1.0], [1.0], [0.0, 0.3, 1.0], [0.999, 1.0]]
THRESHOLDS = np.concatenate(CHANNELS)
ENDS = np.cumsum([len(channel) for channel in CHANNELS])


@pytest.fixture(params=["core", "numpy"])
def without_core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "numpy":
        monkeypatch.setattr(error_draws, "core", None)


@pytest.mark.usefixtures("without_core")
@pytest.mark.parametrize("threads", [1, 2])
def test_an_outcome_has_its_part_of_the_unit_interval(threads: int) -> None:
    shots, errors = draw_errors(9, 2**33, 3000, 2**40, THRESHOLDS, ENDS, threads=threads)
    seen = set(zip(shots.tolist(), errors.tolist(), strict=True))
    expected, number = set(), 0
    for site, channel in enumerate(CHANNELS):
        drawn = uniforms(9, 2**33, 3000, 2**40 + site)
        for outcome in range(1, len(channel)):
            is_last = outcome == len(channel) - 1
            hits = (drawn >= channel[outcome - 1]) & (is_last | (drawn < channel[outcome]))
            expected |= {(shot, number) for shot in np.flatnonzero(hits).tolist()}
            number += 1
    assert (seen, len(shots)) == (expected, len(expected))


@pytest.mark.usefixtures("without_core")
def test_no_channels_draw_no_errors() -> None:
    shots, errors = draw_errors(1, 0, 100, 0, np.zeros(0), np.zeros(0, dtype=np.int64), threads=1)
    assert (shots.size, errors.size) == (0, 0)


def test_a_sum_of_probabilities_below_one_leaves_the_rest_to_the_last_outcome() -> None:
    shots, errors = draw_errors(3, 0, 1000, 0, np.array([0.2, 0.4, 0.6]), np.array([3]), threads=1)
    assert np.bincount(errors).tolist() == [
        int(((u := uniforms(3, 0, 1000, 0)) >= 0.2).sum() - (u >= 0.4).sum()), int((u >= 0.4).sum()),
    ]  # fmt: skip
    assert shots.size == errors.size
