"""The terminal emulator of the console."""

from __future__ import annotations

import pytest

from runstream_consumers.web.terminal import Line, Terminal, plain

_ESC = "\x1b["


def shown(*texts: str) -> list[Line]:
    """Return the lines that a terminal shows of the lines of one program."""
    terminal = Terminal()
    found: dict[int, Line] = {}
    for text in texts:
        line, replaced = terminal.write("program", text)
        if replaced is not None:
            del found[id(replaced)]
        found[id(line)] = line
    return list(found.values())


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["plain", ""], ["plain", ""]),
        (["100%\rab"], ["ab0%"]),
        (["abc\b\bX"], ["aXc"]),
        (["a\tb"], ["a       b"]),
        ([f"abc\r{_ESC}Kx", f"abc{_ESC}2K\rx", f"abc{_ESC}1Dx{_ESC}2Gy"], ["x", "x", "ayx"]),
        # A progress bar while it runs, and when it has ended.
        (["10%\r", "20%\r"], ["20%"]),
        (["10%\r", "100%", "next"], ["100%", "next"]),
        # Two bars, of which the lower one moves the cursor up again.
        (["outer 1", f"inner 1{_ESC}A", f"inner 2{_ESC}A", "inner 3", "end"], ["outer 1", "inner 3", "end"]),
        ([f"a{_ESC}99Ab", "c"], ["ab", "c"]),
        # Titles, links, queries, sounds and unknown sequences are not shown.
        (["\x1b]0;title\x07a\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "\x1b]0;never ends"], ["alink", ""]),
        ([f"\x07{_ESC}6n\x1bPq#0\x1b\\\x00{_ESC}?1049hx\x1bc\x9b31my"], ["xy"]),
        ([_ESC, f"{_ESC}31", "\x1b", f"x{_ESC}999999999999C{_ESC}Dy"], ["", "31", "", "xy"]),
    ],
)
def test_control_sequences_are_interpreted(texts: list[str], expected: list[str]) -> None:
    """Carriage returns, cursor movement and erasure change what is shown; other sequences are discarded."""
    assert [line.text for line in shown(*texts)] == expected


def test_colors_are_classes() -> None:
    """Colors of 16, of a palette and of RGB become the names of classes, until they are reset."""
    text = f"{_ESC}31ma{_ESC}1;44mb{_ESC}0mc{_ESC}38;5;208md{_ESC}38;2;0;0;240me{_ESC}22;39;97mf{_ESC}mg"
    (line,) = shown(text)
    spans = [("a", "fg1"), ("b", "fg1 bg4 bold"), ("c", ""), ("d", "fg3"), ("e", "fg4"), ("f", "fg15"), ("g", "")]
    assert line.spans == spans


def test_color_lasts_to_the_next_line() -> None:
    """A color that is not reset applies to the next line of the same program only."""
    terminal = Terminal()
    terminal.write("one", f"{_ESC}32ma")
    assert terminal.write("one", "b")[0].spans == [("b", "fg2")]
    assert terminal.write("two", "c")[0].spans == [("c", "")]


def test_long_line_says_what_is_left_out() -> None:
    """Of a line of a million characters, the beginning and the number of the others are shown."""
    (line,) = shown("x" * 1_000_000)
    assert line.text == f"{'x' * 8000} … 992000 more characters"


@pytest.mark.parametrize(
    "part", [f"{_ESC}8000Cx{_ESC}2K", f"{_ESC}A", f"{_ESC}31m", "\x1b]", _ESC, f"{_ESC}1;", "\r" * 9 + "x"]
)
def test_hostile_text_is_bounded(part: str) -> None:
    """However often a sequence is repeated, the line holds no more than its limit."""
    lines = shown(*[part * 20_000] * 3)
    assert sum(len(line.cells) for line in lines) <= 3 * 8000


def test_search_ignores_escape_sequences() -> None:
    """The text of a line has no escape sequences, wherever they are."""
    assert plain(f"{_ESC}1mlo{_ESC}0mss\x07=3") == "loss=3"
