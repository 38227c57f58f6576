"""The arguments of `run.alert()`, and the record of an alert."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from runstream.terminal.terminal import Terminal
from runstream.tracking.run.alert import TEXT_LENGTH, AlertLevel, build_alert


def checked(title: str = "t", text: str = "x", level: Any = None, wait: Any = None) -> dict[str, Any]:
    """Return the payload of an alert."""
    return build_alert(title, text, level, wait, Terminal())


def test_an_alert_is_info_and_waits_a_minute_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """The level is lower case in the contract; a title that is short enough is recorded once."""
    assert checked("Title", "More\nlines") == {
        "title": "Title",
        "full_title": "",
        "text": "More\nlines",
        "level": "info",
        "wait_duration_ms": 60_000,
    }
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("level", ["WARN", AlertLevel.WARN])
def test_a_level_is_a_name_in_capitals_or_an_alert_level(level: str | AlertLevel) -> None:
    """Both forms have the same result."""
    assert checked(level=level)["level"] == "warn"


@pytest.mark.parametrize("level", ["warn", "LOUD", "", 3])
def test_an_invalid_level_is_an_error(level: Any) -> None:
    """The message names the levels."""
    with pytest.raises(ValueError, match="'INFO', 'WARN' or 'ERROR'"):
        checked(level=level)


@pytest.mark.parametrize(
    ("wait", "milliseconds"),
    [(5, 5000), (1.5, 1500), (timedelta(minutes=2), 120_000), (0, 60_000), (timedelta(), 60_000), (0.0004, 0)],
)
def test_a_wait_is_seconds_or_a_timedelta(wait: Any, milliseconds: int) -> None:
    """None, 0 and an empty timedelta mean one minute."""
    assert milliseconds == checked(wait=wait)["wait_duration_ms"]


@pytest.mark.parametrize("wait", ["5", [], True])
def test_a_wait_of_another_type_is_an_error(wait: Any) -> None:
    """As in W&B, it is a TypeError."""
    with pytest.raises(TypeError, match="wait_duration"):
        checked(wait=wait)


@pytest.mark.parametrize("wait", [-1, math.nan, timedelta(seconds=-3)])
def test_an_invalid_wait_is_a_minute_with_a_warning(wait: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The alert is recorded although its wait is negative or NaN."""
    assert checked(wait=wait)["wait_duration_ms"] == 60_000
    assert "WARNING" in capsys.readouterr().err


def test_an_infinite_wait_is_limited() -> None:
    """Infinity becomes about a hundred years."""
    assert 3e12 < checked(wait=math.inf)["wait_duration_ms"] < 2**62


def test_a_title_of_64_characters_is_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    """A title of 63 characters is unchanged; a longer one ends with an ellipsis, and is recorded in full separately."""
    assert checked("t" * 63)["title"] == "t" * 63
    assert capsys.readouterr().err == ""
    found = checked("t" * 64)
    assert (found["title"], found["full_title"]) == ("t" * 62 + "…", "t" * 64)
    assert "64 characters" in capsys.readouterr().err


def test_lone_surrogates_are_escaped() -> None:
    """A file name that could not be decoded can be the title of an alert."""
    assert checked("a\ud800", "b\udcff")["title"] == "a\\ud800"
    assert checked("a\ud800", "b\udcff")["text"] == "b\\udcff"


def test_a_long_text_is_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    """The beginning and the length are kept, and there is a warning."""
    text = checked(text="x" * (TEXT_LENGTH + 1))["text"]
    assert text.startswith("x" * TEXT_LENGTH)
    assert text.endswith(f"({TEXT_LENGTH + 1} characters, shortened)")
    assert "WARNING" in capsys.readouterr().err
