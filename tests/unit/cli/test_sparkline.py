"""Series as block characters."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from runstream.terminal.sparkline import sparkline


def test_a_ramp_goes_through_every_level() -> None:
    """Eight rising values give the eight levels."""
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_a_constant_lies_at_the_bottom() -> None:
    """Without a range there is nothing to scale to."""
    assert sparkline([5.0, 5.0, 5.0]) == "▁▁▁"


def test_what_is_no_number_is_a_gap() -> None:
    """NaN, infinities and missing values leave a gap, and do not change the scale."""
    assert sparkline([0.0, math.nan, math.inf, None, 1.0]) == "▁···█"


def test_nothing_gives_nothing() -> None:
    """No values, no characters."""
    assert sparkline([]) == ""


def test_many_values_share_the_width() -> None:
    """More values than characters are averaged."""
    assert sparkline([0.0] * 500 + [1.0] * 500, 4) == "▁▁██"


@given(st.lists(st.floats() | st.none(), max_size=300), st.integers(min_value=1, max_value=60))
def test_any_series_fits_the_width(values: list[float | None], width: int) -> None:
    """Whatever the numbers, extremes of the range included, the line has the width that was asked for."""
    assert min(width, len(values)) == len(sparkline(values, width))
