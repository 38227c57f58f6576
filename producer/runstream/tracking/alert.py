"""Alerts, as ``run.alert()`` raises them."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError

if TYPE_CHECKING:
    from runstream.tracking.terminal import Terminal

#: Titles are shorter than this.
TITLE_LENGTH = 64
DEFAULT_WAIT_S = 60.0


class AlertLevel(Enum):
    """How serious an alert is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def checked_alert(
    title: str,
    text: str,
    level: str | AlertLevel | None,
    wait_duration: float | timedelta | None,
    terminal: Terminal,
) -> dict[str, Any]:
    """Return the payload of an alert's record; a title that is too long is shortened with a warning.

    Raises:
        UsageError: An argument makes no sense.
    """
    whole = str(title)
    shown = whole
    if len(whole) >= TITLE_LENGTH:
        shown = whole[: TITLE_LENGTH - 2] + "…"
        terminal.warn(f"the alert's title has {len(whole)} characters; it is shown as {shown!r} and kept whole")
    return {
        "title": shown,
        "full_title": whole if shown != whole else "",
        "text": str(text),
        "level": _level(level).value.lower(),
        "wait_duration_ms": round(_seconds(wait_duration) * 1000),
    }


def _level(level: str | AlertLevel | None) -> AlertLevel:
    if level is None:
        return AlertLevel.INFO
    try:
        return AlertLevel(level)
    except ValueError:
        raise UsageError(f"alert(level={level!r}): it is one of INFO, WARN and ERROR") from None


def _seconds(wait: float | timedelta | None) -> float:
    if isinstance(wait, timedelta):
        wait = wait.total_seconds()
    if wait is None or wait == 0:
        return DEFAULT_WAIT_S
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 < wait < float("inf"):
        raise UsageError(f"alert(wait_duration={wait!r}): it is seconds or a timedelta, and not negative")
    return wait
