"""Numbers as block characters."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from runstream.terminal.sparkline import sparkline


def test_rising_values_use_every_level() -> None:
    """Eight rising values have the eight levels."""
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_a_constant_has_the_lowest_level() -> None:
    """All values are equal, so there is no scale."""
    assert sparkline([5.0, 5.0, 5.0]) == "▁▁▁"


def test_missing_values_are_gaps() -> None:
    """NaN, infinities and None are shown as gaps, and do not change the scale."""
    assert sparkline([0.0, math.nan, math.inf, None, 1.0]) == "▁···█"


def test_an_empty_series_has_no_characters() -> None:
    """The result is an empty text."""
    assert sparkline([]) == ""


def test_many_values_are_averaged() -> None:
    """Each character is the mean of its share of the values."""
    assert sparkline([0.0] * 500 + [1.0] * 500, 4) == "▁▁██"


@given(st.lists(st.floats() | st.none(), max_size=300), st.integers(min_value=1, max_value=60))
def test_any_series_fits_the_width(values: list[float | None], width: int) -> None:
    """Also with the largest and smallest numbers, the text has the given width."""
    assert min(width, len(values)) == len(sparkline(values, width))
