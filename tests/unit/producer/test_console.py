"""Splitting output into lines."""

from __future__ import annotations

import io
import resource
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream.tracking.lifecycle.console_capture import ConsoleCapture, LineBuffer, StreamTap
from runstream_schemas.limits import DEFAULT_LIMITS
from tests.unit.producer.programs import finished
from tests.unit.producer.spooled import only_run

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.text(alphabet="ab\n", max_size=8)))
def test_lines_do_not_depend_on_the_writes(pieces: list[str]) -> None:
    """The lines of a text are the same however it is divided into writes."""
    buffer = LineBuffer()
    lines = [line for piece in pieces for line in buffer.feed(piece)] + buffer.flush()

    text = "".join(pieces)
    assert (
        text.split("\n")[: text.count("\n")] + ([text.rpartition("\n")[2]] if text[-1:] not in {"", "\n"} else [])
        == lines
    )


def test_progress_bars_leave_their_last_state() -> None:
    """After carriage returns, a line is what was written last."""
    buffer = LineBuffer()
    for percent in range(0, 101, 50):
        assert buffer.feed(f"\r{percent} %") == []

    assert buffer.feed("\n") == ["100 %"]
    assert buffer.feed("a\rb\n") == ["b"]
    assert buffer.feed("windows\r\n") == ["windows"]
    assert buffer.flush() == []


def test_running_progress_bar_has_a_state() -> None:
    """A line that is being overwritten yields its state after a second, then ever more rarely, up to its end."""
    buffer = LineBuffer()
    states = []
    for tenth in range(600):
        assert buffer.feed(f"\r{tenth}/600") == []
        states += buffer.progress(100 + tenth / 10)

    assert states == [f"{tenth}/600\r" for tenth in (10, 20, 40, 80, 160, 260, 360, 460, 560)]
    assert buffer.feed("\r600/600\n") == ["600/600"]
    assert buffer.progress(1000) == buffer.progress(2000) == []
    buffer.feed("no bar")
    assert buffer.progress(3000) == buffer.progress(4000) == []


def test_cursor_movement_between_bars_is_kept() -> None:
    """Of several bars, what moves the cursor to another line is recorded, or the bars would overwrite each other."""
    buffer = LineBuffer()
    assert buffer.feed("\router 1\n\rinner 1\x1b[A\router 2\n") == ["outer 1", "inner 1\x1b[A\router 2"]
    assert buffer.feed("\rinner 1\rinner 2\x1b[A") == []
    assert buffer.flush() == ["inner 2\x1b[A"]


class _Stream(io.StringIO):
    """A stream whose attributes can be set, like a file."""


@pytest.mark.parametrize("first", ["one", "other"])
def test_captures_end_in_any_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: str) -> None:
    """Each capture has the lines written while it was active; after the last one, the stream is as before."""
    stream = _Stream()
    before = stream.write
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", None)
    captures = {name: ConsoleCapture(tmp_path / name) for name in ("one", "other")}
    for name, capture in captures.items():
        capture.start()
        stream.write(f"with {name}\n")
    captures.pop(first).stop()
    stream.write("with the last\n")
    (last,) = captures
    captures[last].stop()
    stream.write("with none\n")

    lines = {name: (tmp_path / name).read_text().splitlines() for name in ("one", "other")}
    texts = {name: [line.split(" ", 2)[2] for line in found] for name, found in lines.items()}
    early = {"one": ["with one", "with other"], "other": ["with other"]}
    assert texts == {name: early[name] + (["with the last"] if name == last else []) for name in early}
    assert stream.write == before
    assert stream.getvalue().count("\n") == 4


def test_a_replaced_write_method_is_kept() -> None:
    """A replacement from before the capture is restored; a later one stays, and the capture below it is inactive."""
    stream = _Stream()
    captured: list[str] = []
    original = stream.write
    stream.write = original  # type: ignore[method-assign]
    StreamTap.listen(stream, captured.append).leave(stream, captured.append)
    assert vars(stream)["write"] is original

    tap = StreamTap.listen(stream, captured.append)
    replacement = partial(tap)
    stream.write = replacement  # type: ignore[method-assign]
    tap.leave(stream, captured.append)
    stream.write("quiet")
    assert (vars(stream)["write"], captured, stream.getvalue()) == (replacement, [], "quiet")


def test_a_forked_child_writes_separate_lines(tmp_path: Path) -> None:
    """Its lines have its pid; it neither repeats the parent's incomplete line nor waits for a thread of the parent."""
    source = """
print("half ", end="")
forked, held = threading.Event(), threading.Event()
def hold():
    with run._recorder._console._lock:
        held.set()
        forked.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
if not (child := os.fork()):
    print("of the child", flush=True)
    os._exit(0)
forked.set()
thread.join()
os.waitpid(child, 0)
print("whole")
run.finish()
print(child)
"""
    status, output, errors = finished(tmp_path, source)

    assert (status, errors) == (0, "")
    child = output.split()[-1]
    lines = [line.split(" ", 1)[1] for line in (only_run(tmp_path) / "logs" / "console.log").read_text().splitlines()]
    assert lines == [f"stdout@{child} of the child", "stdout half whole"]


def test_long_lines_are_shortened_with_a_note() -> None:
    """Of a line over the limit, the beginning and a note of its length are kept, however it was written."""
    longest = DEFAULT_LIMITS.string_length - 1
    whole = "x" * (longest + 9)
    for size in (1 << 12, len(whole)):
        buffer = LineBuffer()
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert [line for piece in pieces for line in buffer.feed(piece)] == []
        (line,) = buffer.feed("\nnext")
        note = f"… [shortened from {len(whole)} characters]"
        assert line == whole[: longest - len(note)] + note
        assert buffer.flush() == ["next"]


def test_lines_that_cannot_be_written_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While the disk is full, lines are counted; the number is recorded as soon as there is room, or returned."""
    stream = _Stream()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", None)
    capture = ConsoleCapture(tmp_path / "console")
    capture.start()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        stream.write("first\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "console").stat().st_size + 40, before[1]))
        for line in ("in part " * 9, "lost", "lost"):
            stream.write(f"{line}\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        stream.write("with room\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        stream.write("lost\n")
        assert capture.stop() == "1 console line could not be recorded: File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    texts = [line.split(" ", 2)[2] for line in (tmp_path / "console").read_text().splitlines()]
    assert texts[0] == "first"
    assert "in part ".startswith(texts[1][:4])
    assert texts[2:] == ["[3 console lines could not be recorded: File too large]", "with room"]


def test_a_stream_may_accept_other_things_than_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a stream of a program accepts besides texts is passed to it, and bytes are recorded as text."""

    class Loose:
        def __init__(self) -> None:
            self.given: list[object] = []

        def write(self, item: object, *more: object, end: str = "") -> None:
            self.given += [item, *more, end]

    stream = Loose()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", None)
    capture = ConsoleCapture(tmp_path / "console")
    capture.start()
    stream.write(b"\xffa\n", 1)
    stream.write(None, end="b")
    assert capture.stop() == ""

    assert stream.given == [b"\xffa\n", 1, "", None, "b"]
    assert (tmp_path / "console").read_text().endswith(" stdout \\xffa\n")
