"""The output of a run on every kind of terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

import runstream
from runstream.terminal.report_text import report_lines
from runstream.terminal.terminal import Terminal, encodable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Stream(io.TextIOWrapper):
    """A standard error with an encoding, which is a terminal or not. It escapes characters like Python's."""

    def __init__(self, encoding: str, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="backslashreplace", write_through=True)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self._is_terminal

    @property
    def written(self) -> str:
        """Everything that was written."""
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def test_a_broken_stream_does_not_stop_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the standard error of a program raises does not reach the program."""

    class Broken:
        def write(self, text: str) -> int:
            raise RuntimeError(text)

        def isatty(self) -> bool:
            raise RuntimeError

    monkeypatch.setattr(sys, "stderr", Broken())
    terminal = Terminal()
    terminal.warn("a warning")
    terminal.progress("progress")


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stream]:
    """Return a function that replaces standard error by a stream."""

    def replace(encoding: str = "utf-8", *, is_terminal: bool = False) -> Stream:
        stream = Stream(encoding, is_terminal=is_terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        return stream

    return replace


def test_keys_are_aligned_with_curves_and_values() -> None:
    """Keys are right-aligned, and an empty line separates the two tables, as in W&B."""
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


def test_control_characters_of_logged_values_are_replaced() -> None:
    """Keys and values cannot change the terminal."""
    lines = report_lines([("a\x1b[2J", [1.0])], [("b\n", "\r\x1b[K")])
    assert all(line.isprintable() for line in lines)


def test_only_the_first_keys_are_printed() -> None:
    """The last line is the number of the others."""
    lines = report_lines([], [(f"key {number}", number) for number in range(50)])
    assert lines[-1] == "… and 10 more"
    assert len(lines) == 43


def test_histograms_are_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The histograms of ``watch()`` are left out, and numbers are printed."""
    run = runstream.init(mode="offline", dir=tmp_path)
    run.log({"loss": 1, "gradients/weight": {"_type": "histogram", "bins": [0, 1], "values": [3]}})
    run.finish()

    errors = capsys.readouterr().err
    assert "runstream: loss 1\n" in errors
    assert "gradients" not in errors


def test_every_line_has_the_prefix(stderr: Callable[..., Stream]) -> None:
    """Each line of a text with several lines, and an empty line."""
    stream = stderr()
    Terminal().line("one\ntwo")
    Terminal().line()
    assert stream.written == "runstream: one\nrunstream: two\nrunstream: \n"


def test_a_quiet_run_prints_warnings_and_urls_and_a_silent_run_nothing(stderr: Callable[..., Stream]) -> None:
    """Quiet leaves out details and progress, silent everything."""
    stream = stderr(is_terminal=True)
    for terminal in (Terminal(quiet=True), Terminal(silent=True)):
        terminal.detail("a detail")
        terminal.progress("working")
        terminal.end_progress()
        terminal.warn("careful")
        terminal.line("an address")
    assert stream.written == "runstream: WARNING careful\nrunstream: an address\n"


def test_a_warning_is_printed_once(stderr: Callable[..., Stream]) -> None:
    """A loop that causes the same warning in every step does not fill the log."""
    stream = stderr()
    terminal = Terminal()
    for _ in range(3):
        terminal.warn("careful")
    assert stream.written == "runstream: WARNING careful\n"


def test_progress_is_replaced_on_a_terminal(stderr: Callable[..., Stream]) -> None:
    """The last line is removed at the end."""
    stream = stderr(is_terminal=True)
    terminal = Terminal()
    for pending in (2, 1):
        terminal.progress(f"{pending} records")
    terminal.end_progress()
    assert stream.written == "\r\x1b[Krunstream: 2 records\r\x1b[Krunstream: 1 records\r\x1b[K"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_progress_is_one_line_without_a_terminal(
    stderr: Callable[..., Stream],
    is_terminal: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No control codes are written to pipes, files and dumb terminals."""
    stream = stderr(is_terminal=is_terminal)
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    for pending in (2, 1):
        terminal.progress(f"{pending} records")
    terminal.end_progress()
    assert stream.written == "runstream: 2 records\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_symbols_are_left_out_if_they_cannot_be_encoded(stderr: Callable[..., Stream], encoding: str) -> None:
    """Curves become ASCII characters, and other characters question marks."""
    stream = stderr(encoding)
    Terminal().line("🚀 View run Zażółć at: http://x/y")
    Terminal().line("⭐️ View project at: http://x")
    Terminal().line("loss ▁▂▃▄▅▆▇█")
    first, second, third = stream.written.splitlines()
    assert first.startswith("runstream: View run Za")
    assert first.endswith(" at: http://x/y")
    assert second == "runstream: View project at: http://x"
    assert third == "runstream: loss _.-~=+*#"
    assert "\\u" not in stream.written


def test_text_is_unchanged_if_the_encoding_is_unknown() -> None:
    """A stream may have an encoding that Python does not know, or none."""
    assert encodable("🚀", "no-such-encoding") == encodable("🚀", None) == "🚀"


@pytest.mark.parametrize("stream", [None, object()])
def test_a_missing_standard_error_is_ignored(monkeypatch: pytest.MonkeyPatch, stream: object) -> None:
    """A service may have none, or one that cannot be written to."""
    monkeypatch.setattr(sys, "stderr", stream)
    terminal = Terminal()
    terminal.line("hello")
    terminal.progress("working")
    terminal.end_progress()
