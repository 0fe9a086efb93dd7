"""The page on gradients runs, and what it says of the results is so."""

from __future__ import annotations

import numpy as np

from tests.gradient.page import run_page


def test_the_blocks_of_the_page_agree_with_each_other() -> None:
    page = run_page()
    gradient = page["gradient"]
    assert np.allclose(page["exact"], gradient, atol=1e-12)
    assert np.allclose(page["product"], page["weights"] @ page["program"].gradient(page["point"], page["observables"]))
    assert np.abs(page["noisy"] - gradient).max() < 0.2  # 4000 shots: more than six standard deviations
    assert np.allclose(page["metric"] @ page["step"], gradient, atol=1e-8)
