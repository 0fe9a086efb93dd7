"""Where random numbers are drawn: the second half of the counter, of which a shot's index is the first.

A site is (instruction, visit): nothing that reorders, merges or splits a run changes what a shot draws. As a word::

    bits 62-63   domain: what is decided (OUTCOME, CHANNEL, READING, FINAL_READING)
    bits 32-61   visit: passes of the innermost loop around the instruction that the shot had begun before this one;
                 0 outside of loops
    bits  0-31   number of the instruction

Numbers count from 1 through a circuit as it is written, bodies of control flow included, each once. OUTCOME 0 is the
draw of all final measurements together. CHANNEL numbers count the channels that draw, from 0, in the same order; a
channel that does one thing only draws nothing and is not counted. READING has the number of its measurement;
FINAL_READING that of the classical bit, of the lowest where several are read together.
"""

from __future__ import annotations

__all__ = ["CHANNEL", "FINAL_READING", "FINAL_SAMPLING", "MAX_NUMBER", "MAX_VISIT", "OUTCOME", "READING", "site_of"]

OUTCOME, CHANNEL, READING, FINAL_READING = (domain << 62 for domain in range(4))

FINAL_SAMPLING = OUTCOME
"""The site at which the measurements at the end are drawn, all at once."""

MAX_VISIT = (1 << 30) - 1
MAX_NUMBER = (1 << 32) - 1


def site_of(domain: int, number: int, visit: int = 0) -> int:
    """Return the word of a site: one of the four domains, number ≤ MAX_NUMBER, visit ≤ MAX_VISIT.

    Examples
    --------
    >>> hex(site_of(CHANNEL, 3, visit=2))
    '0x4000000200000003'
    """
    return domain | visit << 32 | number
