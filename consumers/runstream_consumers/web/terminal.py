"""A small terminal emulator: what a terminal shows of the recorded lines of a program. Pure.

Interprets carriage returns, backspaces, tabs, colors, cursor movement and erasure. All other escape sequences are
discarded, so that no text can do more than be shown. Cost is proportional to the text, and lines and the distance of
cursor movements are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

#: Characters of a line; what is beyond is counted.
_LONGEST_LINE = 8_000
#: Characters of a recorded line that are interpreted.
_LONGEST_TEXT = 100_000
#: Lines that the cursor can move up, and columns that it can move beyond the end of a line.
_HEIGHT, _WIDTH = 60, 300
#: A control sequence; a string of an operating system or device command; another escape sequence; a control character.
_CONTROL = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?"
    r"|\x9b([0-?]*)[ -/]*([@-~])|[\x00-\x1f\x7f-\x9f]",
    re.DOTALL,
)
_TAB = 8
#: The colors 0 to 15, as shown by xterm.
_PALETTE = [(0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205)]
_PALETTE += [(229, 229, 229), (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255)]
_PALETTE += [(0, 255, 255), (255, 255, 255)]
_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "struck"}
_OFF = {22: {"bold", "dim"}, 23: {"italic"}, 24: {"underline"}, 27: {"inverse"}, 29: {"struck"}}


@dataclass(frozen=True, slots=True)
class Style:
    """How a character is shown: numbers of colors (None: the default), and the names of flags."""

    color: int | None = None
    background: int | None = None
    flags: frozenset[str] = frozenset()

    @property
    def classes(self) -> str:
        """The names of its CSS classes."""
        colors = {"fg": self.color, "bg": self.background}
        return " ".join([*(f"{kind}{one}" for kind, one in colors.items() if one is not None), *sorted(self.flags)])


_PLAIN = Style()


@dataclass(slots=True)
class Line:
    """A line on the screen."""

    #: Its characters with their styles.
    cells: list[tuple[str, Style]] = field(default_factory=list)
    #: Number of characters that were left out at its end.
    left_out: int = 0

    @property
    def text(self) -> str:
        """Its text without styles."""
        return "".join(character for character, _ in self.cells).rstrip() + self._note

    @property
    def spans(self) -> list[tuple[str, str]]:
        """Its text in parts of one style, each with its CSS classes."""
        parts = groupby(self.cells, key=lambda cell: cell[1])
        found = [("".join(character for character, _ in cells), style.classes) for style, cells in parts]
        return [*found, (self._note, "faint")] if self.left_out else found

    @property
    def _note(self) -> str:
        return f" … {self.left_out} more characters" if self.left_out else ""


@dataclass(slots=True)
class _Screen:
    """What one program has shown on one of its streams."""

    lines: list[Line] = field(default_factory=list)
    #: How many lines the cursor is above the next new line.
    up: int = 0
    column: int = 0
    style: Style = _PLAIN
    #: Whether the last line is the current state of a line that is still being written.
    is_partial: bool = False


class Terminal:
    """Shows recorded lines of several programs; a line that ends with a carriage return is replaced by the next one."""

    def __init__(self) -> None:
        self._screens: dict[Hashable, _Screen] = {}

    def write(self, source: Hashable, text: str) -> tuple[Line, Line | None]:
        """Show a line of a program; return the line with its text, and the line that it replaces, if any."""
        screen = self._screens.setdefault(source, _Screen())
        replaced = screen.lines.pop() if screen.is_partial and screen.lines else None
        screen.is_partial = text.endswith("\r")
        if screen.up == 0 or len(screen.lines) < screen.up:
            screen.up = 1
            screen.lines = [*screen.lines[-_HEIGHT:], Line()]
        first = screen.lines[-screen.up]
        screen.column = 0
        first.left_out += max(0, len(text) - _LONGEST_TEXT)
        text = text[:_LONGEST_TEXT]
        end = 0
        for control in _CONTROL.finditer(text):
            _put(screen, text[end : control.start()])
            _obey(screen, control)
            end = control.end()
        _put(screen, text[end:])
        screen.up -= 1
        return first, replaced


def plain(text: str) -> str:
    """Return a recorded line without escape sequences and control characters."""
    return _CONTROL.sub("", text)


def _put(screen: _Screen, text: str) -> None:
    if not text:
        return
    line = screen.lines[-screen.up]
    screen.column = min(screen.column, len(line.cells) + _WIDTH)
    shown = text[: max(0, _LONGEST_LINE - screen.column)]
    line.left_out += len(text) - len(shown)
    if shown:
        line.cells += [(" ", _PLAIN)] * (screen.column - len(line.cells))
    line.cells[screen.column : screen.column + len(shown)] = [(character, screen.style) for character in shown]
    screen.column += len(shown)


def _obey(screen: _Screen, control: re.Match[str]) -> None:
    final = control[2] or control[4]
    if final is None:
        _obey_character(screen, control[0])
        return
    numbers = list(_numbers(control[1] or control[3] or ""))
    if final == "m":
        screen.style = _styled(screen.style, numbers or [0])
    elif final in "JK":
        _erase(screen.lines[-screen.up], screen.column, numbers[0] if numbers else 0)
    else:
        _move(screen, final, min(max(numbers[0] if numbers else 1, 1), _LONGEST_LINE))


def _obey_character(screen: _Screen, character: str) -> None:
    match character:
        case "\r":
            screen.column = 0
        case "\b":
            screen.column = max(0, screen.column - 1)
        case "\t":
            _put(screen, " " * (_TAB - screen.column % _TAB))


def _move(screen: _Screen, final: str, amount: int) -> None:
    match final:
        case "A" | "F":
            screen.up = min(screen.up + amount, len(screen.lines))
        case "B" | "E":
            screen.up = max(screen.up - amount, 1)
        case "C":
            screen.column += amount
        case "D":
            screen.column = max(screen.column - amount, 0)
        case "G":
            screen.column = amount - 1
    if final in "EF":
        screen.column = 0


def _erase(line: Line, column: int, part: int) -> None:
    if part != 1:  # from the cursor to the end, or the whole line
        line.left_out = 0
        del line.cells[column if part == 0 else 0 :]


def _numbers(parameters: str) -> Iterator[int]:
    for part in re.split("[;:]", parameters.lstrip("<=>?"))[:32]:
        yield min(int(part), 0xFFFF) if part.isdecimal() and len(part) < 6 else 0  # noqa: PLR2004 - bounded before int()


def _styled(style: Style, numbers: list[int]) -> Style:
    rest = iter(numbers)
    for number in rest:
        if number == 0:
            style = _PLAIN
        elif number in _FLAGS:
            style = replace(style, flags=style.flags | {_FLAGS[number]})
        elif number in _OFF:
            style = replace(style, flags=style.flags - _OFF[number])
        elif number in {38, 48}:
            color = _extended(rest)
            style = replace(style, color=color) if number == 38 else replace(style, background=color)  # noqa: PLR2004
        elif number in {39, 49}:
            style = replace(style, color=None) if number == 39 else replace(style, background=None)  # noqa: PLR2004
        else:
            style = _basic(style, number)
    return style


def _basic(style: Style, number: int) -> Style:
    for first, bright in ((30, 0), (90, 8)):
        if number - first in range(8):
            return replace(style, color=number - first + bright)
        if number - first - 10 in range(8):
            return replace(style, background=number - first - 10 + bright)
    return style


def _extended(rest: Iterator[int]) -> int | None:
    """Return the nearest of the 16 colors to that of a palette of 256, or to an RGB value."""
    kind = next(rest, 0)
    if kind == 2:  # noqa: PLR2004
        return _nearest((next(rest, 0), next(rest, 0), next(rest, 0)))
    number = next(rest, 0) if kind == 5 else -1  # noqa: PLR2004
    if number in range(16):
        return number
    if number in range(16, 232):
        red, green, blue = ((number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6)
        return _nearest(tuple(55 + 40 * part if part else 0 for part in (red, green, blue)))
    return _nearest((8 + 10 * (number - 232),) * 3) if number in range(232, 256) else None


def _nearest(color: tuple[int, ...]) -> int:
    return min(range(16), key=lambda one: sum((a - b) ** 2 for a, b in zip(_PALETTE[one], color, strict=True)))
