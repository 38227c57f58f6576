"""Console lines are read from their file, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.shipper.sources.console_log import ConsoleLog, Line, last_spooled, parse_line
from runstream.spool.format import StreamCode
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from pathlib import Path


def test_line_has_time_stream_and_text() -> None:
    """A line in the format of the log is parsed; spaces in the text are kept."""
    line = parse_line(7, b"2026-11-21T03:21:48.123456Z stderr  two  spaces \n", 100)

    assert line == Line(7, 1795231308123456, "stderr", " two  spaces ")


def test_line_names_the_child_that_wrote_it() -> None:
    """The pid of a forked child follows the stream."""
    line = parse_line(0, b"2026-11-21T03:21:48.123456Z stdout@42 hello\n", 100)

    assert (line.stream, line.text, line.child) == ("stdout", "hello", 42)


def test_line_in_another_format_is_kept_as_text() -> None:
    """A line in another format becomes text of standard output, with undecodable bytes replaced."""
    lines = [parse_line(0, raw, 100) for raw in (b"plain\n", b"when stdout x\n", b"\xff\n", b"\n")]

    assert [(line.time, line.stream, line.text) for line in lines] == [
        (None, "stdout", "plain"),
        (None, "stdout", "when stdout x"),
        (None, "stdout", "\ufffd"),
        (None, "stdout", ""),
    ]


def test_long_line_is_shortened() -> None:
    """A line that exceeds the limit of strings is shortened, with a note."""
    line = parse_line(0, b"2026-11-21T03:21:48Z stdout " + b"x" * 500, 100)

    assert (len(line.text), line.text.endswith("shortened)")) == (100, True)


def test_state_of_a_bar_keeps_its_end() -> None:
    """The carriage return that marks the state of a running progress bar is kept, also if the line is shortened."""
    line = parse_line(0, b"2026-11-21T03:21:48Z stderr 50%|bar\r\n", 100)
    assert line.text == "50%|bar\r"
    long = parse_line(0, b"2026-11-21T03:21:48Z stderr " + b"x" * 500 + b"\r\n", 100)
    assert len(long.text) == 100
    assert long.text.endswith("shortened)\r")


def test_lines_are_read_once_complete(tmp_path: Path) -> None:
    """A line is read when it has its line feed; the last one without, when nothing more is written."""
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


def test_carriage_return_does_not_end_a_line(tmp_path: Path) -> None:
    """Only line feeds end lines, so that offsets are those of the file."""
    path = tmp_path / "console.log"
    path.write_bytes(b"a\rb\nc\n")
    log = ConsoleLog(path, 0, 100)

    lines = log.read(final=False)
    log.close()

    assert [(line.start, line.text) for line in lines] == [(0, "a\rb"), (4, "c")]


def test_end_of_a_line_is_found(tmp_path: Path) -> None:
    """After a restart, reading continues after the last line in the spool."""
    path = tmp_path / "console.log"
    path.write_text("one\ntwo\nthree")
    log = ConsoleLog(path, 0, 100)

    ends = [log.line_end(0), log.line_end(4), log.line_end(8), log.offset]
    log.close()

    assert ends == [4, 8, 13, 0]


def test_last_line_in_the_spools_is_found(tmp_path: Path) -> None:
    """The greatest offset of all console rows in the spools of shippers is returned; samples are ignored."""
    for name, steps in (("a", (0, 30)), ("b", (60,))):
        spool = SpoolBuilder()
        for step in steps:
            spool.append({"text": ""}, stream=StreamCode.CONSOLE, step=step)
        spool.append({"cpu": 1}, stream=StreamCode.SYSTEM, step=999)
        spool.write(tmp_path / name)
    (tmp_path / "empty").mkdir()

    folders = [tmp_path / name for name in ("a", "b", "empty")]
    assert (last_spooled(folders), last_spooled([tmp_path / "empty"])) == (60, None)
