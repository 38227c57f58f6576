"""Exact sums of floats. They do not depend on how the terms are grouped.

A sum is a pair ``(mantissa, exponent)`` of ints that represents ``mantissa * 2**exponent``. Every finite float is
such a pair, and pairs are added without rounding. A column is summed by splitting off the leading bits of all its
values at once (S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point summation part I", SIAM J. Sci. Comput. 31):
the leading parts are multiples of the same power of two, and short enough to be added as floats without rounding.
"""

from __future__ import annotations

from fractions import Fraction
from math import frexp, ldexp
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

#: ``mantissa * 2**exponent``.
Exact = tuple[int, int]

ZERO: Exact = (0, 0)

#: Numbers of a matrix up to which a loop over Python's own takes less time than numpy's calls.
SMALL = 128
#: Minimum number of bits split off per round.
_PEEL = 25
#: Rounds before a column is summed value by value; enough for values within 2**47 of its largest.
_ROUNDS = 4
#: Largest binary exponent for which the splitting constant, and a scaled number, is still a finite float.
_LARGEST = 990


def add(left: Exact, right: Exact) -> Exact:
    """Return the sum of two exact numbers."""
    mantissa, exponent = left
    other, smaller = right
    if exponent == smaller:
        return mantissa + other, exponent
    if exponent > smaller:
        return (mantissa << (exponent - smaller)) + other, smaller
    return mantissa + (other << (smaller - exponent)), exponent


def exact(value: float) -> Exact:
    """Return a finite float, or an int, as an exact number."""
    mantissa, denominator = value.as_integer_ratio()
    return mantissa, 1 - denominator.bit_length()


def total(values: Sequence[float]) -> Exact:
    """Return the exact sum of finite floats."""
    return total_within(values, min(values), max(values)) if values else ZERO


def total_within(values: Sequence[float], low: float, high: float) -> Exact:
    """Return the exact sum of finite floats, given the least and the greatest one."""
    smallest, largest = _magnitudes(values, low, high)
    # Multiplied by this power of two, the smallest float and thereby each of them is an int.
    shift = 53 - frexp(smallest)[1]
    if max(shift, shift + frexp(largest)[1]) > _LARGEST:
        return _total_of_ratios(values)
    scale = ldexp(1.0, shift)
    return sum(map(int, [value * scale for value in values])), -shift


def _magnitudes(values: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """Return the least and the greatest absolute value except zero; 1 and 0 if there is none."""
    if low > 0:
        return low, high
    if high < 0:
        return -high, -low
    return min(map(abs, filter(None, values)), default=1.0), max(-low, high)


def _total_of_ratios(values: Iterable[float]) -> Exact:
    """Return what :func:`total` does, also of floats that cannot be multiplied without loss."""
    result, exponent = ZERO
    for value in values:
        mantissa, denominator = value.as_integer_ratio()
        smaller = 1 - denominator.bit_length()
        if smaller < exponent:
            result, exponent = result << (exponent - smaller), smaller
        result += mantissa << (smaller - exponent)
    return result, exponent


def canonical(number: Exact) -> Exact:
    """Return the unique pair with an odd mantissa (or zero) for a number."""
    mantissa, exponent = number
    if not mantissa:
        return ZERO
    spare = (mantissa & -mantissa).bit_length() - 1
    return mantissa >> spare, exponent + spare


def fraction(number: Exact) -> Fraction:
    """Return the number as a fraction."""
    mantissa, exponent = number
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def float_sums(matrix: NDArray[np.float64]) -> list[Exact]:
    """Return the exact sum of each row of a matrix of finite floats; at most 2**27 columns, at least one."""
    if matrix.size <= SMALL:
        return [total(row) for row in matrix.tolist()]
    exponents = np.frexp(np.abs(matrix).max(axis=1))[1]
    if exponents.max() > _LARGEST:
        return [total(row) for row in matrix.tolist()]
    parts: list[list[float]] = []
    rest = matrix
    for level in range(_ROUNDS):
        anchor = np.ldexp(1.0, exponents + (27 - _PEEL * level))[:, None]
        peeled = (rest + anchor) - anchor
        parts.append(peeled.sum(axis=1).tolist())
        rest = rest - peeled
        if not rest.any():
            break
    sums = [total(row) for row in zip(*parts, strict=True)]
    for row in np.flatnonzero(rest.any(axis=1)).tolist():
        sums[row] = total(matrix[row].tolist())
    return sums


def int_sums(matrix: NDArray[np.int64]) -> list[Exact]:
    """Return the exact sum of each row of a matrix of int64; at most 2**31 columns."""
    if matrix.size <= SMALL:
        return [(sum(row), 0) for row in matrix.tolist()]
    high = (matrix >> 32).sum(axis=1).tolist()
    low = (matrix & 0xFFFFFFFF).sum(axis=1).tolist()
    return [((upper << 32) + lower, 0) for upper, lower in zip(high, low, strict=True)]
