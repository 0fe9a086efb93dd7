"""Telling of clean-up that failed: it is logged and alerted, and never raised."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["CleanupFailure", "report_cleanup_failure"]

CleanupFailure: TypeAlias = Callable[[str, BaseException], None]
"""``on_cleanup_failure(message, error)``: the alert."""


def report_cleanup_failure(
    log: logging.Logger, alert: CleanupFailure | None, message: str, error: BaseException
) -> None:
    """Log at ERROR and call the alert; an alert that fails itself is logged, too."""
    log.error("%s: %s", message, error)
    if alert is None:
        return
    try:
        alert(message, error)
    except Exception:
        log.exception("%s: on_cleanup_failure failed", message)
