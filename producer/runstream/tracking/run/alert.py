"""``run.alert()``; :class:`Run` assigns it to its name."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from runstream.tracking.values.foreign import shown, text_of

if TYPE_CHECKING:
    from runstream.terminal.terminal import Terminal

#: Length from which a title is shown shortened.
TITLE_LENGTH = 64
#: Longest title and text that are stored: one message contains both.
FULL_TITLE_LENGTH = 4096
TEXT_LENGTH = 65_536
DEFAULT_WAIT_S = 60.0
#: Longest wait: about a hundred years.
LONGEST_WAIT_S = 3.2e9


class AlertLevel(Enum):
    """Severity of an alert."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def alert(
    self: Any,
    title: str,
    text: str,
    level: str | AlertLevel | None = None,
    wait_duration: float | timedelta | None = None,
) -> None:
    """Raise an alert, which the server stores, shows and sends on.

    Args:
        title: The title. One of 64 characters or more is shown shortened, with a warning, and stored whole.
        text: The text.
        level: ``INFO`` (the default), ``WARN`` or ``ERROR``.
        wait_duration: Seconds in which further alerts of this title are dropped. None or 0 for a minute.

    Raises:
        TypeError: The wait is neither a number nor a timedelta.
        ValueError: The level does not exist.
        UsageError: The run is finished.
    """
    if not self.disabled:
        self._recorder.record_alert(build_alert(title, text, level, wait_duration, self._backend.terminal))


def build_alert(
    title: str, text: str, level: str | AlertLevel | None, wait_duration: float | timedelta | None, terminal: Terminal
) -> dict[str, Any]:
    """Return the payload of an alert's record; a long title or text is shortened with a warning."""
    shown, whole = _titles(text_of(title), terminal)
    return {
        "title": shown,
        "full_title": whole if shown != whole else "",
        "text": _shortened("text", text_of(text), TEXT_LENGTH, terminal),
        "level": _level(level).value.lower(),
        "wait_duration_ms": round(_seconds(wait_duration, terminal) * 1000),
    }


def _titles(title: str, terminal: Terminal) -> tuple[str, str]:
    """Return a title as it is shown, and in full."""
    if len(title) < TITLE_LENGTH:
        return title, title
    shown = title[: TITLE_LENGTH - 2] + "…"
    terminal.warn(f"Alert title of {len(title)} characters is shown as {shown!r} and stored in full")
    return shown, _shortened("title", title, FULL_TITLE_LENGTH, terminal)


def _shortened(what: str, text: str, length: int, terminal: Terminal) -> str:
    if len(text) <= length:
        return text
    terminal.warn(f"Alert {what} of {len(text)} characters is cut to the first {length}")
    return f"{text[:length]}… ({len(text)} characters, shortened)"


def _level(level: str | AlertLevel | None) -> AlertLevel:
    if level is None or type(level) is AlertLevel:
        return level or AlertLevel.INFO
    name = str.__str__(level) if issubclass(type(level), str) else ""
    if name not in AlertLevel.__members__:
        raise ValueError(f"Invalid alert level {shown(level)}: expected 'INFO', 'WARN' or 'ERROR'")
    return AlertLevel[name]


def _seconds(wait: float | timedelta | None, terminal: Terminal) -> float:
    if wait is None:
        return DEFAULT_WAIT_S
    if issubclass(type(wait), timedelta):
        wait = timedelta.total_seconds(cast("timedelta", wait))
    elif type(wait) is bool or not issubclass(type(wait), (int, float)):
        raise TypeError(f"Invalid wait_duration {shown(wait)}: expected seconds (int or float) or a datetime.timedelta")
    wait = float.__float__(wait) if isinstance(wait, float) else int.__int__(cast("int", wait))
    if not wait >= 0:  # also for NaN
        terminal.warn(f"Invalid wait_duration {wait!r}: a minute is used")
    return min(wait, LONGEST_WAIT_S) if wait > 0 else DEFAULT_WAIT_S
