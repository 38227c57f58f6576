"""What is recorded of the values of a row, and which rows are refused."""

from __future__ import annotations

import itertools
import math
import re
from collections import OrderedDict, UserDict, defaultdict, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from runstream.exceptions import DataError, Error
from tests.unit.producer.spooled import steps_and_values

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.tracking.rows.row_log import RowLog

EDGES = np.histogram(np.arange(320), bins=32)[1].tolist()


class Colour(Enum):
    """An enum with numbers."""

    RED = 1


class Shade(str, Enum):  # noqa: UP042 - its str() is not its value
    """An enum whose members are strings."""

    DARK = "dark"


@pytest.mark.parametrize(
    "data",
    [
        [("x", 1)],
        "x",
        None,
        {1: 2},
        {"x": 1, None: 2},
        {"n": {"m": [{("a", object()): 1}]}},
        {"x": object()},
        {"x": range(3)},
        {"x": itertools.count()},
        {"x": {frozenset([1]): 1}},
    ],
)
def test_invalid_data_is_refused_as_a_whole(history: RowLog, tmp_path: Path, data: Any) -> None:
    """The error belongs to three families, and nothing of the call is recorded."""
    history.log({"x": 1.0})
    for family in (Error, ValueError, TypeError):
        with pytest.raises(family):
            history.log(data)
    history.log({"x": 2.0})

    assert steps_and_values(tmp_path) == [(0, {"x": 1.0}), (1, {"x": 2.0})]


def test_invalid_values_of_known_keys_are_refused(history: RowLog, tmp_path: Path) -> None:
    """A row of known keys is checked if its values are not numbers."""
    history.log({"x": 1.0, "y": 2.0})
    with pytest.raises(DataError):
        history.log({"x": range(3), "y": 2.0})

    assert steps_and_values(tmp_path) == [(0, {"x": 1.0, "y": 2.0})]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.int64(-3), -3),
        (np.longdouble(0.5), 0.5),
        (np.bool_(True), True),  # noqa: FBT003
        (np.array(2.5), 2.5),
        (np.array([7]), 7),
        (np.arange(3), [0, 1, 2]),
        (True, True),
        (None, None),
        (2**63 - 1, 2**63 - 1),
        (2**64, float(2**64)),
        (-(10**400), -math.inf),
        (math.inf, math.inf),
        ("text", "text"),
        ("a\0b", "a\0b"),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (Decimal("1.5"), "1.5"),
        (b"abc", "abc"),
        (b"\xff", "\\xff"),
        (1 + 2j, "1+2j"),
        (np.complex128(1 + 2j), "1+2j"),
        (date(2020, 1, 2), "2020-01-02"),
        (datetime(2020, 1, 2, 3, 4, 5), "2020-01-02T03:04:05"),  # noqa: DTZ001 - as it is logged
        (np.datetime64("2020-01-02"), "2020-01-02"),
        (Colour.RED, 1),
        (Shade.DARK, "dark"),
        (np.array([]), []),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.zeros(32), [0.0] * 32),
        (np.arange(320).reshape(10, 32), {"_type": "histogram", "values": [10] * 32, "bins": EDGES}),
        ([np.arange(320)], [{"_type": "histogram", "values": [10] * 32, "bins": EDGES}]),
        (list(range(40)), list(range(40))),
        ({1: "one", 2.5: "x", None: 0, np.int64(3): 3}, {"1": "one", "2.5": "x", "None": 0, "3": 3}),
        ({(1, None, "a"): 1, b"x": 2, Shade.DARK: 3, np.True_: 4}, {"1,None,a": 1, "x": 2, "dark": 3, "true": 4}),
        ({False: 1, date(2020, 1, 2): 2}, {"false": 1, "2020-01-02": 2}),
        (datetime(2020, 1, 2, tzinfo=UTC), "2020-01-02T00:00:00Z"),
        (timedelta(days=1, hours=2, seconds=3.5), "P1DT2H3.5S"),
        (timedelta(seconds=-5400), "-PT1H30M"),
        ([timedelta(0), timedelta(days=2)], ["PT0S", "P2D"]),
        (Fraction(1, 3), "1/3"),
        (PurePosixPath("a/b"), "a/b"),
        (IPv4Address("127.0.0.1"), "127.0.0.1"),
        (re.compile("x+"), "x+"),
        (deque([1, np.float64(2)]), [1, 2.0]),
        (map(str, [1, 2]), ["1", "2"]),
        (len, "builtins.len"),
        ([Colour], [f"{__name__}.Colour"]),
        ({"a": {"b": 1}, "e": {}}, {"a": {"b": 1}, "e": {}}),
        ([1, [2, {"x": np.float64(3)}]], [1, [2, {"x": 3.0}]]),
    ],
)
def test_values_become_plain(history: RowLog, tmp_path: Path, given: Any, expected: Any) -> None:
    """Numpy scalars, one-element arrays and large integers become numbers; other values keep their form."""
    history.log({"v": given})

    ((_, values),) = steps_and_values(tmp_path)
    assert {"v": expected} == values
    assert type(expected) is type(values["v"])


def test_a_long_array_of_booleans_becomes_a_histogram(history: RowLog, tmp_path: Path) -> None:
    """True and False are counted as 1 and 0."""
    history.log({"v": np.array([True] * 30 + [False] * 10)})

    ((_, values),) = steps_and_values(tmp_path)
    assert (values["v"]["values"][0], values["v"]["values"][-1]) == (10, 30)


class Tensor:
    """Like a tensor of torch that cannot be converted to a numpy array directly."""

    dtype = "torch.bfloat16"

    def __init__(self, array: Any, *, wrapped: bool = True) -> None:
        self._array = np.asarray(array)
        self._wrapped = wrapped

    def size(self) -> tuple[int, ...]:
        """Return the shape."""
        return self._array.shape

    def item(self) -> Any:
        """Return the only element."""
        return self._array.item()

    def tolist(self) -> Any:
        """Return lists."""
        return self._array.tolist()

    def detach(self) -> Tensor:
        """Return this tensor."""
        return self

    cpu = detach

    def float(self) -> Any:
        """Return an array of numpy."""
        return self._array


def test_tensors_are_recorded_like_arrays(history: RowLog, tmp_path: Path) -> None:
    """A tensor of one element becomes a number, a short one a list, and a long one a histogram."""
    history.log({"zero": Tensor(1.5), "one": Tensor([[2]]), "few": Tensor([1, 2]), "many": Tensor(range(320))})

    ((_, values),) = steps_and_values(tmp_path)
    assert {key: values[key] for key in ("zero", "one", "few")} == {"zero": 1.5, "one": 2, "few": [1, 2]}
    assert values["many"] == {"_type": "histogram", "values": [10] * 32, "bins": EDGES}


@pytest.mark.parametrize("make", [OrderedDict, lambda data: defaultdict(int, data), UserDict, MappingProxyType])
def test_any_mapping_is_a_row(history: RowLog, tmp_path: Path, make: Any) -> None:
    """A mapping that is not a dict is accepted."""
    for _ in range(2):
        history.log(make({"a": 1, "n": MappingProxyType({"x": 2.0})}))

    assert steps_and_values(tmp_path) == [(step, {"a": 1, "n": {"x": 2.0}}) for step in range(2)]


def test_the_data_of_the_caller_are_not_shared(history: RowLog, tmp_path: Path) -> None:
    """The caller's dict is not changed, and its later changes do not affect the row."""
    data: dict[str, Any] = {"a": 1, "_step": 7, "n": {"b": [1, 2]}}
    history.log(data, commit=False)
    data["n"]["b"].append(3)
    history.log({"c": 1})

    assert steps_and_values(tmp_path) == [(0, {"a": 1, "n": {"b": [1, 2]}, "c": 1})]
    assert data == {"a": 1, "_step": 7, "n": {"b": [1, 2, 3]}}


def test_nan_is_kept(history: RowLog, tmp_path: Path) -> None:
    """NaN is recorded."""
    history.log({"v": math.nan})

    ((_, values),) = steps_and_values(tmp_path)
    assert math.isnan(values["v"])


def test_a_long_string_is_shortened(history: RowLog, tmp_path: Path) -> None:
    """A string of ten million characters is cut at the limit, with a note of its length."""
    history.log({"v": "x" * 10_000_000})

    ((_, values),) = steps_and_values(tmp_path)
    assert len(values["v"]) == 256 * 1024
    assert values["v"].endswith("[shortened from 10000000 characters]")


def test_lone_surrogates_are_escaped(history: RowLog, tmp_path: Path) -> None:
    """Text that UTF-8 cannot encode is accepted as a value and as a key."""
    history.log({"\ud800": "\udc00", "n": {"\ud800": 1}})

    assert steps_and_values(tmp_path) == [(0, {"\\ud800": "\\udc00", "n": {"\\ud800": 1}})]


def test_reserved_and_empty_keys_are_omitted(history: RowLog, tmp_path: Path) -> None:
    """A ``_step`` of the caller does not set the step, and an empty key is dropped alone."""
    history.log({"_step": 9, "": 1, "x": 2})
    history.log({"_step": 9, "": 1, "x": 3})

    assert steps_and_values(tmp_path) == [(0, {"x": 2}), (1, {"x": 3})]
