"""Cutting what is written into lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runstream.tracking.console import LineBuffer


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
