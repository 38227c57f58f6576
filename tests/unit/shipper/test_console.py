"""Console lines, from the file, once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.shipper.sources.console_log import ConsoleLog, Line, last_spooled, parse_line
from runstream.spool.format import StreamCode
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_line_has_time_stream_and_text() -> None:
    """A line in the format of the log is taken apart; spaces of the text are kept."""
    line = parse_line(7, b"2026-11-21T03:21:48.123456Z stderr  two  spaces \n", 100)

    assert line == Line(7, 1795231308123456, "stderr", " two  spaces ")


def test_a_line_says_which_child_wrote_it() -> None:
    """A forked child's pid stands behind the stream."""
    line = parse_line(0, b"2026-11-21T03:21:48.123456Z stdout@42 hello\n", 100)

    assert (line.stream, line.text, line.child) == ("stdout", "hello", 42)


def test_an_odd_line_is_kept_as_text() -> None:
    """What is not in the format is text of standard output, with undecodable bytes replaced."""
    lines = [parse_line(0, raw, 100) for raw in (b"plain\n", b"when stdout x\n", b"\xff\n", b"\n")]

    assert [(line.time, line.stream, line.text) for line in lines] == [
        (None, "stdout", "plain"),
        (None, "stdout", "when stdout x"),
        (None, "stdout", "\ufffd"),
        (None, "stdout", ""),
    ]


def test_a_long_line_is_shortened() -> None:
    """A line longer than a string may be is shortened, and says so."""
    line = parse_line(0, b"2026-11-21T03:21:48Z stdout " + b"x" * 500, 100)

    assert (len(line.text), line.text.endswith("shortened)")) == (100, True)


def test_lines_are_read_as_they_come(tmp_path: Path) -> None:
    """A line is read once it has its line feed, and the last one without when nobody writes any more."""
    path = tmp_path / "console.log"
    log = ConsoleLog(path, 0, 100)
    before = log.read(final=False)
    path.write_text("one\ntw")
    first = log.read(final=False)
    path.write_text("one\ntwo\nthr")
    second, third = log.read(final=False), log.read(final=True)
    log.close()

    texts = [[(line.start, line.text) for line in lines] for lines in (before, first, second, third)]
    assert (texts, log.offset) == ([[], [(0, "one")], [(4, "two")], [(8, "thr")]], 11)


def test_a_carriage_return_parts_no_lines(tmp_path: Path) -> None:
    """Only line feeds end lines, so that positions are those of the file."""
    path = tmp_path / "console.log"
    path.write_bytes(b"a\rb\nc\n")
    log = ConsoleLog(path, 0, 100)

    lines = log.read(final=False)
    log.close()

    assert [(line.start, line.text) for line in lines] == [(0, "a\rb"), (4, "c")]


def test_the_end_of_a_line_is_found(tmp_path: Path) -> None:
    """After a restart reading goes on behind the line whose beginning the spool knows."""
    path = tmp_path / "console.log"
    path.write_text("one\ntwo\nthree")
    log = ConsoleLog(path, 0, 100)

    ends = [log.line_end(0), log.line_end(4), log.line_end(8), log.offset]
    log.close()

    assert ends == [4, 8, 13, 0]


def test_the_last_line_in_the_spools_is_found(tmp_path: Path) -> None:
    """Of all console rows in the spools of shippers the greatest position counts; samples do not."""
    for name, steps in (("a", (0, 30)), ("b", (60,))):
        spool = SpoolBuilder()
        for step in steps:
            spool.append({"text": ""}, stream=StreamCode.CONSOLE, step=step)
        spool.append({"cpu": 1}, stream=StreamCode.SYSTEM, step=999)
        spool.write(tmp_path / name)
    (tmp_path / "empty").mkdir()

    folders = [tmp_path / name for name in ("a", "b", "empty")]
    assert (last_spooled(folders), last_spooled([tmp_path / "empty"])) == (60, None)
