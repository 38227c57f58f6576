"""Cutting what is written into lines."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream.tracking.lifecycle.console_capture import ConsoleCapture, LineBuffer, StreamTap
from tests.unit.producer.programs import finished
from tests.unit.producer.spooled import only_run

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.text(alphabet="ab\n", max_size=8)))
def test_lines_do_not_depend_on_how_they_were_written(pieces: list[str]) -> None:
    """However a text is cut into writes, its lines are the same."""
    buffer = LineBuffer()
    lines = [line for piece in pieces for line in buffer.feed(piece)] + buffer.flush()

    text = "".join(pieces)
    assert (
        text.split("\n")[: text.count("\n")] + ([text.rpartition("\n")[2]] if text[-1:] not in {"", "\n"} else [])
        == lines
    )


def test_progress_bars_leave_their_last_state() -> None:
    """Of what carriage returns overwrite, the last state is the line."""
    buffer = LineBuffer()
    for percent in range(0, 101, 50):
        assert buffer.feed(f"\r{percent} %") == []

    assert buffer.feed("\n") == ["100 %"]
    assert buffer.feed("a\rb\n") == ["b"]
    assert buffer.feed("windows\r\n") == ["windows"]
    assert buffer.flush() == []


class _Stream(io.StringIO):
    """A stream with attributes of its own, as files have them."""


@pytest.mark.parametrize("first", ["one", "other"])
def test_captures_end_in_any_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: str) -> None:
    """Each has the lines that were written while it was live; after the last the stream is as it was."""
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


def test_what_others_put_in_the_place_of_write_is_left_to_them() -> None:
    """What stood there before is put back; what somebody has put over it stays, and ours does nothing below it."""
    stream = _Stream()
    heard: list[str] = []
    theirs = stream.write
    stream.write = theirs  # type: ignore[method-assign]
    StreamTap.listen(stream, heard.append).leave(stream, heard.append)
    assert vars(stream)["write"] is theirs

    tap = StreamTap.listen(stream, heard.append)
    over = partial(tap)
    stream.write = over  # type: ignore[method-assign]
    tap.leave(stream, heard.append)
    stream.write("quiet")
    assert (vars(stream)["write"], heard, stream.getvalue()) == (over, [], "quiet")


def test_a_forked_child_writes_lines_of_its_own(tmp_path: Path) -> None:
    """Its lines say whose they are; it neither repeats what stood half written nor waits for a thread of its parent."""
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
