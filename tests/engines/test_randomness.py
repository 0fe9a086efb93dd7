"""The uniforms: Philox4x32-10, the same bits on every engine."""

from __future__ import annotations

import numpy as np
import pytest

from qfast.engines.philox import philox4x32, uniforms, uniforms_at

# Known answers of the Random123 library (tests/kat_vectors, philox4x32 10).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_known_answers(counter, key, answer) -> None:
    words = tuple(np.array([word], dtype=np.uint64) for word in counter)
    assert tuple(int(word[0]) for word in philox4x32(words, key)) == answer


def test_a_uniform_is_made_of_the_first_two_words() -> None:
    """Seed 0x299F31D0A4093822, shot 0x85A308D3243F6A88, site 0x0370734413198A2E: the third known answer."""
    shot, site, seed = 0x85A308D3243F6A88, 0x0370734413198A2E, 0x299F31D0A4093822
    wanted = ((0xD16CFE09 >> 5) * 2**26 + (0x94FDCCEB >> 6)) / 2**53
    shots = np.array([shot], dtype=np.uint64).view(np.int64)
    assert uniforms_at(seed, shots, site)[0] == wanted


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
@pytest.mark.parametrize(("first", "site"), [(0, 0), (2**32 - 5, 1), (2**40, 2**33 + 3)])
def test_every_engine_draws_the_same_bits(engine, seed, first, site) -> None:
    wanted = uniforms(seed, first, 40_000, site)
    assert np.array_equal(engine.uniforms(seed, first, 40_000, site), wanted)
    assert wanted.min() >= 0
    assert wanted.max() < 1


def test_a_shot_has_its_uniform_whatever_is_drawn_with_it() -> None:
    together = uniforms(5, 0, 1000, 3)
    assert np.array_equal(together[400:500], uniforms(5, 400, 100, 3))
    some = np.array([3, 999, 17], dtype=np.int64)
    assert np.array_equal(uniforms_at(5, some, 3), together[some])


def test_uniforms_are_uniform() -> None:
    """Kolmogorov-Smirnov distance of 10^6 draws; above 1.95 / sqrt(m) with probability 0.001."""
    drawn = np.sort(uniforms(1, 0, 10**6, 0))
    steps = np.arange(1, drawn.size + 1) / drawn.size
    assert max(np.abs(steps - drawn).max(), np.abs(steps - 1 / drawn.size - drawn).max()) < 1.95e-3
