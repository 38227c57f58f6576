"""The results of a benchmark: named numbers, with the bar that each is compared with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit for a figure."""

    limit: float
    #: Whether the limit is a minimum; otherwise it is a maximum.
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Return whether a value is within the limit."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown(self.limit)}"


def at_most(limit: float) -> Bar:
    """Return a bar with a maximum."""
    return Bar(limit)


def at_least(limit: float) -> Bar:
    """Return a bar with a minimum."""
    return Bar(limit, at_least=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number; ``unit`` is "x" for a ratio of two things measured in turns in the same run."""

    name: str
    value: float
    unit: str = "x"
    bar: Bar | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return whether the bar is met; empty without a bar."""
        if self.bar is None:
            return ""
        return "met" if self.bar.met(self.value) else "MISSED"

    def as_json(self) -> dict[str, Any]:
        """Return the figure as JSON."""
        return {**asdict(self), "bar": str(self.bar) if self.bar else None, "verdict": self.verdict}


def table(figures: Iterable[Figure]) -> str:
    """Return figures as a Markdown table."""
    lines = ["| figure | value | bar | | note |", "|---|---:|---:|---|---|"]
    return "\n".join([*lines, *(_line(figure) for figure in figures)])


def _line(figure: Figure) -> str:
    cells = [figure.name, f"{shown(figure.value)} {figure.unit}", str(figure.bar or ""), figure.verdict, figure.note]
    return f"| {' | '.join(cells)} |"


def shown(value: float) -> str:
    """Return a number with three significant digits, with separators of thousands."""
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"
