"""The bar charts: what is drawn is read back from the artists."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from qfast.circuit import Circuit, PauliSum
from qfast.errors import InputError
from qfast.jobs.shots import ShotPlan
from qfast.plotting import plot_counts, plot_probabilities, plot_shot_plan


def bars(figure: Figure) -> dict[str, float]:
    """Label and width of every bar, from top to bottom."""
    axes = figure.axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    return dict(zip(labels, (patch.get_width() for patch in axes.patches), strict=True))


def test_every_outcome_has_a_bar_as_long_as_its_count_in_order_of_bitstrings() -> None:
    figure = plot_counts({"11": 493, "00": 507})
    assert list(bars(figure).items()) == [("00", 507), ("11", 493)]


def test_outcomes_beyond_top_share_one_bar_and_no_shot_is_lost() -> None:
    counts = {"00": 1, "01": 50, "10": 40, "11": 9}
    assert bars(plot_counts(counts, top=2)) == {"01": 50, "10": 40, "others": 10}


def test_an_array_of_probabilities_is_labelled_by_bitstrings_with_qubit_0_rightmost() -> None:
    drawn = bars(plot_probabilities([0.0, 0.75, 0.25, 0.0]))
    assert drawn == pytest.approx({"01": 0.75, "10": 0.25})


def test_the_rest_of_a_large_array_is_the_sum_of_all_that_has_no_bar() -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(64))
    drawn = bars(plot_probabilities(probabilities, top=5))
    largest = np.sort(probabilities)[::-1]
    assert sorted(drawn.values(), reverse=True)[1:] == pytest.approx(largest[:5].tolist())
    assert drawn["others"] == pytest.approx(largest[5:].sum())


def test_given_axes_are_drawn_into() -> None:
    axes = Figure().add_subplot()
    assert plot_counts({"0": 1}, title="coin", ax=axes) is axes.get_figure()
    assert axes.get_title(loc="left") == "coin"


@pytest.mark.parametrize("array", [[0.5, 0.25, 0.25], [[0.5, 0.5]], []])
def test_an_array_that_is_no_distribution_over_bitstrings_is_refused_with_its_shape(array: list[float]) -> None:
    with pytest.raises(InputError, match="power of two"):
        plot_probabilities(array)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(InputError, match="no shots"):
        plot_counts({})
    with pytest.raises(InputError, match="nothing to draw"):
        plot_probabilities({})
    with pytest.raises(InputError, match="at least 1 outcome"):
        plot_counts({"0": 1}, top=0)


def test_the_picture_of_a_plan_has_a_bar_for_every_segment_and_the_error_that_the_plan_reports() -> None:
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], 0.5)])
    plan = ShotPlan.for_observable(
        Circuit(2).ry(0.4, 0).cx(0, 1), observable, shots=4000, target_error=0.02, max_shots_per_segment=150
    )
    result = plan.run(seed=5)
    above, below = plot_shot_plan(result).axes
    drawn = sorted((patch.get_x(), patch.get_width()) for patch in above.patches)
    assert drawn == [(segment.first_shot, segment.shots) for segment, _ in result.parts]
    assert len(above.get_yticks()) == len(plan.settings)
    curve, target = below.lines
    assert curve.get_xydata()[-1].tolist() == [result.total_shots, pytest.approx(result.standard_error)]
    assert set(target.get_ydata()) == {0.02}
