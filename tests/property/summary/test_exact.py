"""Sums of finite numbers are exact."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_schemas.summary_algebra.exact import canonical, exact, float_sums, fraction, int_sums, total

_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_INTS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(_FLOATS, min_size=1, max_size=20))
def test_a_column_of_floats_is_summed_exactly(column: list[float]) -> None:
    """The sum of floats of any magnitude, including subnormal ones, equals the sum of the fractions."""
    (found,) = float_sums(np.array([column]))
    assert sum(map(Fraction, column)) == fraction(found)


@pytest.mark.parametrize("spread", [0, 10, 40, 80, 200, 1000])
def test_long_columns_of_any_spread_are_summed_exactly(spread: int) -> None:
    """Ten thousand random values with 53 bits, over many powers of two, are summed without loss."""
    chance = random.Random(spread)
    columns = [[chance.uniform(-1, 1) * 2.0 ** chance.randint(-spread, 0) for _ in range(10_000)] for _ in range(3)]
    assert [sum(map(Fraction, column)) for column in columns] == [
        fraction(found) for found in float_sums(np.array(columns))
    ]


def test_huge_floats_do_not_overflow() -> None:
    """A sum beyond the largest float is stored."""
    column = [1.7e308] * 1000
    (found,) = float_sums(np.array([column]))
    assert 1000 * Fraction(1.7e308) == fraction(found)


@given(st.lists(_INTS, min_size=1, max_size=20))
def test_a_column_of_ints_is_summed_exactly(column: list[int]) -> None:
    """The sum of 64-bit integers does not wrap."""
    (found,) = int_sums(np.array([column]))
    assert sum(column) == fraction(found)


@given(st.lists(_FLOATS, max_size=10), st.randoms(use_true_random=False))
def test_equal_sums_have_the_same_form(column: list[float], shuffle: random.Random) -> None:
    """The canonical form does not depend on the order of the terms."""
    other = column.copy()
    shuffle.shuffle(other)
    assert canonical(total(column)) == canonical(total(other))


@given(_FLOATS | _INTS)
def test_the_sum_of_one_number_is_that_number(number: float) -> None:
    """A float or an int is stored exactly."""
    assert Fraction(number) == fraction(exact(number))
