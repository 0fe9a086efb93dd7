"""What a notebook shows of results."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

import qfast


def parsed(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{html}</div>")


def test_counts_show_the_most_frequent_outcomes_first() -> None:
    counts = qfast.Counts({"00": 1, "01": 30, "11": 969})
    shown = [node.text for node in parsed(counts._repr_html_()).iter("code")]
    assert shown == ["11", "01", "00"]
    assert "1,000 shots" in counts._repr_html_()


def test_many_outcomes_are_cut_and_the_rest_is_told() -> None:
    counts = qfast.Counts({f"{k:06b}": k + 1 for k in range(64)})
    html = counts._repr_html_()
    assert len(list(parsed(html).iter("code"))) == 32
    assert "and 32 other outcomes" in html


def test_a_state_shows_amplitudes_phases_and_probabilities() -> None:
    html = qfast.simulate(qfast.Circuit(2).h(0).cx(0, 1).s(1))._repr_html_()
    assert [node.text for node in parsed(html).iter("code")] == ["00", "11"]
    assert "0.0000+0.7071i" in html
    assert html.count("0.5000") == 2


def test_a_large_state_shows_its_largest_part() -> None:
    state = qfast.simulate(qfast.Circuit(7).ry(0.3, 0).extend("h", [[1], [2], [3], [4], [5], [6]]))
    html = state._repr_html_()
    shown = [node.text for node in parsed(html).iter("code")]
    assert len(shown) == 32
    weights = np.abs(state.amplitudes[[int(str(bits), 2) for bits in shown]])
    assert np.allclose(weights, np.abs(state.amplitudes).max())


def test_samples_show_their_counts() -> None:
    samples = qfast.sample(qfast.Circuit(1).x(0), 10, seed=1)
    assert samples._repr_html_() == samples.get_counts()._repr_html_()
