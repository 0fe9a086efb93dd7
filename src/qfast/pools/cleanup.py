"""Telling of clean-up that failed: it is logged and alerted, and never raised."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["CleanupFailure", "message_of", "report_cleanup_failure"]

CleanupFailure: TypeAlias = Callable[[str, BaseException], None]
"""``on_cleanup_failure(message, error)``: the alert."""


def message_of(error: BaseException) -> str:
    """Return an error's text, or its class's name if it cannot say it."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def report_cleanup_failure(
    log: logging.Logger, alert: CleanupFailure | None, message: str, error: BaseException
) -> None:
    """Log at ERROR and call the alert; an alert that fails itself is logged, too."""
    log.error("%s: %s", message, message_of(error))
    if alert is None:
        return
    try:
        alert(message, error)
    except Exception as raised:
        log.error("%s: on_cleanup_failure failed, too: %s", message, message_of(raised))
