"""Expectation values with their errors: what is measured together, who gets the shots, what counts tell."""

from __future__ import annotations

from qfast.estimation.allocation import Allocation, coefficient_shares, divide_shots, neyman_shares, planned_shots
from qfast.estimation.estimate import Estimate
from qfast.estimation.policy import Policy
from qfast.estimation.rounds import Draw, measure
from qfast.estimation.settings import Grouping, Setting, group_settings, segment_setting
from qfast.estimation.tallies import Outcomes, Tally, merge, sum_of, tally, term_moments

__all__ = [
    "Allocation",
    "Draw",
    "Estimate",
    "Grouping",
    "Outcomes",
    "Policy",
    "Setting",
    "Tally",
    "coefficient_shares",
    "divide_shots",
    "group_settings",
    "measure",
    "merge",
    "neyman_shares",
    "planned_shots",
    "segment_setting",
    "sum_of",
    "tally",
    "term_moments",
]
