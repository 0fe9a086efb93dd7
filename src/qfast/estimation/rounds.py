"""An observable measured: rounds of shots until its policy has enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from qfast.estimation.estimate import Estimate
from qfast.estimation.policy import Policy
from qfast.estimation.settings import Setting
from qfast.estimation.tallies import NOTHING, Outcomes, Tally, merge, sum_of, tally

__all__ = ["Draw", "measure"]

Draw: TypeAlias = Callable[[int, int, int], Outcomes]
"""Setting, absolute index of the first shot, number of shots → their outcomes."""


def measure(settings: Sequence[Setting], constant: float, policy: Policy, draw: Draw) -> Estimate:
    """Draw shots of an observable's settings until there are enough.

    Parameters
    ----------
    settings : sequence of Setting
    constant : float
        See `group_settings`.
    policy : Policy
    draw : callable
        Shots are numbered through all settings and rounds, each index once.

    Returns
    -------
    Estimate
        With a target, ``metadata["target"]`` says whether it was reached.
    """
    counts = [NOTHING for _ in settings]
    tallies: list[Tally] = [tally(setting, NOTHING) for setting in settings]
    pilot: list[Tally] = []
    first_shot = 0
    while shares := policy.next_shares(settings, tallies):
        for number, shots in enumerate(shares):
            if shots:
                counts[number] = merge([counts[number], draw(number, first_shot, shots)])
                tallies[number] = tally(settings[number], counts[number])
                first_shot += shots
        pilot = pilot or list(tallies)
    report = policy.report(tallies, pilot)
    return sum_of(tallies, constant, {} if report is None else {"target": report})
