"""What a run prints, on every kind of terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

import runstream
from runstream.terminal.terminal import Terminal, report_lines, sayable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Stream(io.TextIOWrapper):
    """A standard error of an encoding that is a terminal or not; what it cannot say it escapes, as Python's does."""

    def __init__(self, encoding: str, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="backslashreplace", write_through=True)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        """Tell what it is."""
        return self._is_terminal

    @property
    def said(self) -> str:
        """All that was written."""
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stream]:
    """Return what puts a stream in the place of standard error."""

    def put(encoding: str = "utf-8", *, is_terminal: bool = False) -> Stream:
        stream = Stream(encoding, is_terminal=is_terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        return stream

    return put


def test_curves_and_values_stand_behind_their_keys() -> None:
    """Keys are flush right, and an empty line parts the two tables, as in the reference's documents."""
    assert report_lines([("accuracy", [0.9]), ("loss", [0.1])], [("accuracy", 0.9), ("loss", 0.1)]) == [
        "",
        "Run history:",
        "accuracy ▁",
        "    loss ▁",
        "",
        "Run summary:",
        "accuracy 0.9",
        "    loss 0.1",
    ]


def test_what_was_logged_cannot_rewrite_the_terminal() -> None:
    """Control characters in keys and values are shown as such."""
    lines = report_lines([("a\x1b[2J", [1.0])], [("b\n", "\r\x1b[K")])
    assert all(line.isprintable() for line in lines)


def test_many_keys_are_cut_short_with_a_count() -> None:
    """The pages show all."""
    lines = report_lines([], [(f"key {number}", number) for number in range(50)])
    assert lines[-1] == "… and 10 more"
    assert len(lines) == 43


def test_histograms_are_left_out_of_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What ``watch`` logs is nothing to be read in a line; the numbers beside it are told."""
    run = runstream.init(mode="offline", dir=tmp_path)
    run.log({"loss": 1, "gradients/weight": {"_type": "histogram", "bins": [0, 1], "values": [3]}})
    run.finish()

    told = capsys.readouterr().err
    assert "runstream: loss 1\n" in told
    assert "gradients" not in told


def test_every_line_has_the_prefix(stderr: Callable[..., Stream]) -> None:
    """Of texts of several lines too, and of empty ones."""
    stream = stderr()
    Terminal().line("one\ntwo")
    Terminal().line()
    assert stream.said == "runstream: one\nrunstream: two\nrunstream: \n"


def test_a_quiet_run_says_what_must_be_said_and_a_silent_one_nothing(stderr: Callable[..., Stream]) -> None:
    """Details go first, then warnings and addresses."""
    stream = stderr(is_terminal=True)
    for terminal in (Terminal(quiet=True), Terminal(silent=True)):
        terminal.detail("a detail")
        terminal.progress("getting on")
        terminal.end_progress()
        terminal.warn("careful")
        terminal.line("an address")
    assert stream.said == "runstream: WARNING careful\nrunstream: an address\n"


def test_a_warning_is_said_once(stderr: Callable[..., Stream]) -> None:
    """A loop that warns at every step fills no log."""
    stream = stderr()
    terminal = Terminal()
    for _ in range(3):
        terminal.warn("careful")
    assert stream.said == "runstream: WARNING careful\n"


def test_progress_replaces_itself_on_a_terminal(stderr: Callable[..., Stream]) -> None:
    """And is gone in the end."""
    stream = stderr(is_terminal=True)
    terminal = Terminal()
    for pending in (2, 1):
        terminal.progress(f"{pending} records")
    terminal.end_progress()
    assert stream.said == "\r\x1b[Krunstream: 2 records\r\x1b[Krunstream: 1 records\r\x1b[K"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_progress_is_one_plain_line_where_nobody_looks(
    stderr: Callable[..., Stream],
    is_terminal: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pipe, a file and a dumb terminal get no control codes."""
    stream = stderr(is_terminal=is_terminal)
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    for pending in (2, 1):
        terminal.progress(f"{pending} records")
    terminal.end_progress()
    assert stream.said == "runstream: 2 records\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_signs_are_left_out_where_they_cannot_be_said(stderr: Callable[..., Stream], encoding: str) -> None:
    """Curves become plain characters; names that cannot be said get question marks."""
    stream = stderr(encoding)
    Terminal().line("🚀 View run Zażółć at: http://x/y")
    Terminal().line("⭐️ View project at: http://x")
    Terminal().line("loss ▁▂▃▄▅▆▇█")
    first, second, third = stream.said.splitlines()
    assert first.startswith("runstream: View run Za")
    assert first.endswith(" at: http://x/y")
    assert second == "runstream: View project at: http://x"
    assert third == "runstream: loss _.-~=+*#"
    assert "\\u" not in stream.said


def test_an_encoding_that_nobody_knows_is_left_alone() -> None:
    """A stream may say anything of itself."""
    assert sayable("🚀", "no-such-encoding") == sayable("🚀", None) == "🚀"


@pytest.mark.parametrize("stream", [None, object()])
def test_a_program_without_standard_error_goes_on(monkeypatch: pytest.MonkeyPatch, stream: object) -> None:
    """A service may have none, or one that takes nothing."""
    monkeypatch.setattr(sys, "stderr", stream)
    terminal = Terminal()
    terminal.line("hello")
    terminal.progress("getting on")
    terminal.end_progress()
