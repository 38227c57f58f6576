"""Console lines as ``runstream logs`` prints them."""

from __future__ import annotations

import pytest

from runstream.cli.logs import Line, ProgressBars, harmless


def _line(text: str, label: str = "") -> Line:
    return {"writer": "ab", "label": label, "stream": "stdout", "text": text}


def test_states_of_a_progress_bar_are_replaced() -> None:
    """A state is left out if its stream goes on, and kept if it is the last line."""
    bars = ProgressBars()
    first = [_line("a"), _line("10%\r"), _line("5%\r", "rank 1")]
    assert [line["text"] for line in bars.add(first)] == ["a"]
    assert [line["text"] for line in bars.add([_line("20%\r"), _line("100%"), _line("b")])] == ["100%", "b"]
    assert [line["text"] for line in bars.rest()] == ["5%\r"]
    assert list(bars.rest()) == []
    assert list(bars.add([{"writer": "ab", "label": "", "stream": "stdout"}])), "a row of another program without text"


@pytest.mark.parametrize(
    ("text", "plain", "colored"),
    [
        ("plain ☃", "plain ☃", "plain ☃"),
        ("\x1b[31mred\x1b[0m!", "red!", "\x1b[31mred\x1b[0m!\x1b[0m"),
        ("\x1b[2J\x1b[1;1Hgone", "gone", "gone"),
        ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", "xy", "xy"),
        ("a\x1bcb\x1b", "ab", "ab"),
        ("tab\tbell\x07", "tab�bell�", "tab�bell�"),
    ],
)
def test_lines_do_not_control_the_terminal(text: str, plain: str, colored: str) -> None:
    """Colors are kept for a terminal and end with the line; every other sequence is removed."""
    assert harmless(text, has_color=False) == plain
    assert harmless(text, has_color=True) == colored
