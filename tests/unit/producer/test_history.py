"""The rules of steps and rows."""

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
from runstream.spool.plain_values import plain_row
from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.metric import build_metric
from runstream.tracking.rows.placement import MAX_LATE_ROWS
from runstream.tracking.rows.row_log import RowLog
from runstream.tracking.summary.local_summary import LocalSummary
from runstream_schemas.events import Role
from runstream_schemas.limits import DEFAULT_LIMITS
from tests.unit.producer.spooled import rows, steps_and_values

if TYPE_CHECKING:
    from pathlib import Path


EDGES = np.histogram(np.arange(320), bins=32)[1].tolist()


class Colour(Enum):
    """An enum of numbers."""

    RED = 1


class Shade(str, Enum):  # noqa: UP042 - its str() is not its value
    """An enum whose members are strings."""

    DARK = "dark"


@pytest.fixture
def history(tmp_path: Path) -> RowLog:
    """Begin a history in an empty folder."""
    return RowLog(SpoolWriter(tmp_path, bytes(16)))


def test_implicit_steps_count_up(history: RowLog, tmp_path: Path) -> None:
    """Calls without a step make rows 0, 1, 2."""
    for value in range(3):
        history.log({"x": value})

    assert steps_and_values(tmp_path) == [(0, {"x": 0}), (1, {"x": 1}), (2, {"x": 2})]
    assert history.counter == 3


def test_commit_false_keeps_the_row_open(history: RowLog, tmp_path: Path) -> None:
    """What is logged with commit=False joins the row of the next call."""
    history.log({"a": 1, "n": {"x": 1}}, commit=False)
    history.log({"b": 2, "n": {"y": 2}})
    history.log({"a": 3})

    assert steps_and_values(tmp_path) == [(0, {"a": 1, "b": 2, "n": {"x": 1, "y": 2}}), (1, {"a": 3})]


def test_one_explicit_step_is_one_row(history: RowLog, tmp_path: Path) -> None:
    """Calls with one step make one row, and a greater step another."""
    history.log({"a": 1}, step=5)
    history.log({"b": 2}, step=5)
    history.log({"a": 3}, step=7)

    assert steps_and_values(tmp_path) == [(5, {"a": 1, "b": 2}), (7, {"a": 3})]
    assert history.counter == 7


def test_an_implicit_call_joins_and_closes_the_explicit_row(history: RowLog, tmp_path: Path) -> None:
    """After an explicit step, the next call without one belongs to that row, and the one after to the next."""
    history.log({"a": 1}, step=5)
    history.log({"b": 2})
    history.log({"c": 3})

    assert steps_and_values(tmp_path) == [(5, {"a": 1, "b": 2}), (6, {"c": 3})]


def test_commit_true_closes_the_explicit_row(history: RowLog, tmp_path: Path) -> None:
    """commit=True ends a row that has a step."""
    history.log({"a": 1}, step=5, commit=True)
    history.log({"b": 2})

    assert steps_and_values(tmp_path) == [(5, {"a": 1}), (6, {"b": 2})]


def test_held_data_keeps_its_own_row(history: RowLog, tmp_path: Path) -> None:
    """What commit=False held does not move to a greater explicit step."""
    history.log({"a": 1}, commit=False)
    history.log({"b": 2}, step=4)

    assert steps_and_values(tmp_path) == [(0, {"a": 1}), (4, {"b": 2})]


@pytest.mark.parametrize("step", [3, -2])
def test_a_lower_step_is_kept_as_a_row_of_its_own(history: RowLog, tmp_path: Path, step: int) -> None:
    """A call below the latest step is neither dropped nor joined by another, and is no new beginning of the count."""
    history.log({"a": 1}, step=10, commit=True)
    history.log({"late": 1}, step=step)
    history.log({"late": 2}, step=step, commit=False)
    history.log({"b": 2})

    assert steps_and_values(tmp_path) == [(10, {"a": 1}), (step, {"late": 1}), (step, {"late": 2}), (11, {"b": 2})]


def test_a_lower_step_leaves_the_open_row_open(history: RowLog, tmp_path: Path) -> None:
    """What is logged to the open row after a late one joins it, and the late row keeps the number behind it."""
    history.log({"a": 1}, step=10)
    history.log({"late": 1}, step=3)
    history.log({"b": 2}, step=10)
    history.log({"late": 2}, step=9, commit=True)
    history.log({"c": 3})
    history.log({"d": 4})

    assert steps_and_values(tmp_path) == [
        (10, {"a": 1, "b": 2, "c": 3}),
        (3, {"late": 1}),
        (9, {"late": 2}),
        (11, {"d": 4}),
    ]
    assert [row.seq for row in rows(tmp_path)] == [0, 1, 2, 3]


def test_a_closed_step_is_not_opened_again(history: RowLog, tmp_path: Path) -> None:
    """A call at a step whose row is closed is a late row, too."""
    history.log({"a": 1}, step=1, commit=True)
    history.log({"b": 2}, step=1)
    history.log({"c": 3})

    assert steps_and_values(tmp_path) == [(1, {"a": 1}), (1, {"b": 2}), (2, {"c": 3})]


def test_late_rows_do_not_wait_for_ever(history: RowLog, tmp_path: Path) -> None:
    """After a thousand late rows behind it the open row ends, since rows are published in their order."""
    history.log({"a": 1}, step=5000)
    for step in range(MAX_LATE_ROWS + 1):
        history.log({"late": 1}, step=step)
    history.log({"a": 2})

    found = steps_and_values(tmp_path)
    assert [found[0], found[-1]] == [(5000, {"a": 1}), (5001, {"a": 2})]
    assert len(found) == MAX_LATE_ROWS + 3


def test_going_backwards_is_said_once(tmp_path: Path) -> None:
    """The first late step is worth a warning, which says that the row is kept; the others are not."""
    said: list[str] = []
    history = RowLog(SpoolWriter(tmp_path, bytes(16)), warn=said.append)
    history.log({"a": 1}, step=10)
    for step in (9, 3, 10, 4):
        history.log({"a": 1}, step=step)

    (warning,) = said
    assert warning.startswith("step 9 is lower than the current step 10: the row is kept, marked late")


def test_the_sync_argument_means_nothing(tmp_path: Path) -> None:
    """The sync of the older interface is taken with a warning and changes nothing."""
    said: list[str] = []
    history = RowLog(SpoolWriter(tmp_path, bytes(16)), warn=said.append)
    history.log({"a": 1}, sync=True)
    history.log({"a": 2}, None, None, False)  # noqa: FBT003 - by position, as W&B takes it
    history.log({"a": 3})

    assert steps_and_values(tmp_path) == [(0, {"a": 1}), (1, {"a": 2}), (2, {"a": 3})]
    assert {"log(sync=...) is deprecated and ignored"} == set(said)


def test_a_late_row_changes_no_later_value(history: RowLog) -> None:
    """The last value is that of the greatest step; a key that only a late row has is shown, too."""
    history.log({"a": 1, "n": {"x": 1}}, step=5, commit=True)
    history.log({"a": 2, "n": {"x": 2, "y": 2}, "only": 1}, step=3)
    history.log({"only": 0}, step=2)
    history.log({"y": 9, "n": 4}, step=1)
    history.log({"y": 8})

    assert history.last_values() == {"a": 1, "n": {"x": 1, "y": 2}, "only": 1, "y": 8}


def test_an_empty_row_closes_or_stands_alone(history: RowLog, tmp_path: Path) -> None:
    """log({}) closes the open row, and with nothing open makes a row without values."""
    history.log({"a": 1}, step=2)
    history.log({})
    history.log({})

    assert steps_and_values(tmp_path) == [(2, {"a": 1}), (3, {})]


def test_rows_are_numbered_without_holes(history: RowLog, tmp_path: Path) -> None:
    """Every row takes the next number, and joined calls repeat it."""
    for step in (0, 0, 1, None, None, 9, 9, 2):
        history.log({"x": 1.0}, step=step)

    assert list(range(5)) == [row.seq for row in rows(tmp_path)]


@pytest.mark.parametrize("no", [False, 0, np.False_])
def test_what_is_false_does_not_commit(history: RowLog, tmp_path: Path, no: Any) -> None:
    """Zero and numpy's False mean False, alone and with a step."""
    history.log({"a": 1}, commit=no)
    history.log({"b": 1}, commit=1)  # type: ignore[arg-type]
    history.log({"c": 1}, step=5, commit=no)
    history.log({"d": 1})

    assert steps_and_values(tmp_path) == [(0, {"a": 1, "b": 1}), (5, {"c": 1, "d": 1})]


def test_a_commit_that_is_no_boolean_is_refused(history: RowLog, tmp_path: Path) -> None:
    """Nothing of the call is recorded, and the next one takes its place."""
    with pytest.raises(DataError, match="commit"):
        history.log({"a": 1}, commit="no")  # type: ignore[arg-type]
    history.log({"a": 2})

    assert steps_and_values(tmp_path) == [(0, {"a": 2})]


def test_numpy_integers_are_steps(history: RowLog, tmp_path: Path) -> None:
    """A step may be any kind of integer."""
    history.log({"x": 1}, step=np.int32(4))  # type: ignore[arg-type]

    assert steps_and_values(tmp_path) == [(4, {"x": 1})]


@pytest.mark.parametrize("step", [True, 1.0, "1", 2**70])
def test_what_is_no_integer_of_64_bits_is_no_step(history: RowLog, tmp_path: Path, step: Any) -> None:
    """Other steps are refused before anything is recorded, and the next call takes its place."""
    with pytest.raises(DataError):
        history.log({"x": 1}, step=step)
    history.log({"x": 2})

    assert steps_and_values(tmp_path) == [(0, {"x": 2})]


@pytest.mark.parametrize(
    "data",
    [
        [("x", 1)],
        "x",
        None,
        {1: 2},
        {"x": 1, None: 2},
        {"k" * 513: 1},
        {"n": {"m": [{("a", object()): 1}]}},
        {"n": {"k" * 513: 1}},
        {"x": object()},
        {"x": range(3)},
        {"x": itertools.count()},
        {"x": {frozenset([1]): 1}},
        {"x": np.array(["a"] * 33)},
        {"x": np.array([math.nan] * 33)},
    ],
)
def test_bad_data_is_refused_whole(history: RowLog, tmp_path: Path, data: Any) -> None:
    """What is no dict of values raises an error of three families, and nothing of the call is recorded."""
    history.log({"x": 1.0})
    for family in (Error, ValueError, TypeError):
        with pytest.raises(family):
            history.log(data)
    history.log({"x": 2.0})

    assert steps_and_values(tmp_path) == [(0, {"x": 1.0}), (1, {"x": 2.0})]


def test_keys_that_were_good_do_not_excuse_bad_values(history: RowLog, tmp_path: Path) -> None:
    """A row of known keys is looked at again when its values are no numbers."""
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
def test_values_are_recorded_as_plain_ones(history: RowLog, tmp_path: Path, given: Any, expected: Any) -> None:
    """Numpy scalars, one-element arrays and large integers become numbers; the rest stays what it is."""
    history.log({"v": given})

    ((_, values),) = steps_and_values(tmp_path)
    assert {"v": expected} == values
    assert type(expected) is type(values["v"])


def test_long_arrays_of_booleans_have_a_histogram(history: RowLog, tmp_path: Path) -> None:
    """True and false are counted as 1 and 0."""
    history.log({"v": np.array([True] * 30 + [False] * 10)})

    ((_, values),) = steps_and_values(tmp_path)
    assert (values["v"]["values"][0], values["v"]["values"][-1]) == (10, 30)


class Tensor:
    """What torch's tensors look like, where they are not numpy's arrays."""

    dtype = "torch.bfloat16"

    def __init__(self, array: Any, *, wrapped: bool = True) -> None:
        self._array = np.asarray(array)
        self._wrapped = wrapped

    def size(self) -> tuple[int, ...]:
        """Return the shape."""
        return self._array.shape

    def item(self) -> Any:
        """Return the one element."""
        return self._array.item()

    def tolist(self) -> Any:
        """Return lists."""
        return self._array.tolist()

    def detach(self) -> Tensor:
        """Return itself."""
        return self

    cpu = detach

    def float(self) -> Any:
        """Return what numpy takes."""
        return self._array


def test_tensors_are_recorded_as_arrays_are(history: RowLog, tmp_path: Path) -> None:
    """A tensor of one element is a number, a short one a list, a long one a histogram."""
    history.log({"zero": Tensor(1.5), "one": Tensor([[2]]), "few": Tensor([1, 2]), "many": Tensor(range(320))})

    ((_, values),) = steps_and_values(tmp_path)
    assert {key: values[key] for key in ("zero", "one", "few")} == {"zero": 1.5, "one": 2, "few": [1, 2]}
    assert values["many"] == {"_type": "histogram", "values": [10] * 32, "bins": EDGES}


@pytest.mark.parametrize("make", [OrderedDict, lambda data: defaultdict(int, data), UserDict, MappingProxyType])
def test_any_mapping_is_a_row(history: RowLog, tmp_path: Path, make: Any) -> None:
    """What is a mapping need not be a dict."""
    for _ in range(2):
        history.log(make({"a": 1, "n": MappingProxyType({"x": 2.0})}))

    assert steps_and_values(tmp_path) == [(step, {"a": 1, "n": {"x": 2.0}}) for step in range(2)]


def test_the_data_stay_the_callers(history: RowLog, tmp_path: Path) -> None:
    """Nothing is changed in the caller's dict, and what it changes later changes no row."""
    data: dict[str, Any] = {"a": 1, "_step": 7, "n": {"b": [1, 2]}}
    history.log(data, commit=False)
    data["n"]["b"].append(3)
    history.log({"c": 1})

    assert steps_and_values(tmp_path) == [(0, {"a": 1, "n": {"b": [1, 2]}, "c": 1})]
    assert data == {"a": 1, "_step": 7, "n": {"b": [1, 2, 3]}}


def test_nan_is_kept(history: RowLog, tmp_path: Path) -> None:
    """NaN is a value like any other."""
    history.log({"v": math.nan})

    ((_, values),) = steps_and_values(tmp_path)
    assert math.isnan(values["v"])


def test_a_long_string_is_shortened_and_says_so(history: RowLog, tmp_path: Path) -> None:
    """A string of ten million characters is cut at the limit, with a note of its length."""
    history.log({"v": "x" * 10_000_000})

    ((_, values),) = steps_and_values(tmp_path)
    assert len(values["v"]) == 256 * 1024
    assert values["v"].endswith("[shortened from 10000000 characters]")


def test_half_a_surrogate_is_spelled_out(history: RowLog, tmp_path: Path) -> None:
    """Text that UTF-8 has no word for stops no training, as a value or as a key."""
    history.log({"\ud800": "\udc00", "n": {"\ud800": 1}})

    assert steps_and_values(tmp_path) == [(0, {"\\ud800": "\\udc00", "n": {"\\ud800": 1}})]


def test_reserved_and_empty_keys_are_left_out(history: RowLog, tmp_path: Path) -> None:
    """A caller's _step is not the step, and the empty key is dropped alone."""
    history.log({"_step": 9, "": 1, "x": 2})
    history.log({"_step": 9, "": 1, "x": 3})

    assert steps_and_values(tmp_path) == [(0, {"x": 2}), (1, {"x": 3})]


def test_last_values_follow_the_rows(history: RowLog) -> None:
    """The summary has the last value of each key; None leaves it, dicts merge, held data waits."""
    history.log({"a": 1, "n": {"x": 1}})
    history.log({"a": 2, "n": {"y": 2}})
    history.log({"a": None, "n": {}})
    history.log({"a": None, "b": 1})
    history.log({"a": 5}, commit=False)

    assert history.last_values() == {"a": 2, "n": {"x": 1, "y": 2}, "b": 1}

    history.log({})

    assert history.last_values()["a"] == 5


def test_last_values_survive_a_change_of_segment(tmp_path: Path) -> None:
    """Values that only a full segment held are not forgotten with it."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=4096))
    history.log({"rare": 1.0})
    for value in range(200):
        history.log({"often": float(value)})

    assert history.last_values() == {"rare": 1.0, "often": 199.0}


def test_new_key_lists_for_ever_do_not_pile_up(history: RowLog) -> None:
    """A program that makes up keys is tracked in bounded memory for the lists of keys, and loses no last value."""
    for number in range(2500):
        history.log({f"k{number}": 1.0})

    assert len(history.last_values()) == 2500


def define(history: RowLog, name: str, **said: Any) -> None:
    """Define a metric as the run does."""
    nothing: dict[str, Any] = dict.fromkeys(("step_metric", "step_sync", "hidden", "summary", "goal", "overwrite"))
    history.define(build_metric(name, **(nothing | said)))


def test_the_last_step_is_inserted(history: RowLog, tmp_path: Path) -> None:
    """A row with a metric and without its axis gets the last value of that, if it ever had one."""
    define(history, "loss", step_metric="epoch")
    history.log({"loss": 3})
    history.log({"epoch": 1, "loss": 2})
    for loss in (1.0, 0.5):
        history.log({"loss": loss})
    history.log({"other": 1.0})

    assert steps_and_values(tmp_path) == [
        (0, {"loss": 3}),
        (1, {"epoch": 1, "loss": 2}),
        (2, {"loss": 1.0, "epoch": 1}),
        (3, {"loss": 0.5, "epoch": 1}),
        (4, {"other": 1.0}),
    ]


def test_the_axis_may_have_been_logged_before_it_was_defined(history: RowLog, tmp_path: Path) -> None:
    """What counts is its last value, also one that is held, or lies in a dict; a late one does not."""
    history.log({"epoch": 1.0, "n": {"batch": 7}})
    define(history, "loss", step_metric="epoch")
    define(history, "n.loss", step_metric="n.batch")
    history.log({"loss": 1.0, "n": {"loss": 1.0}})
    history.log({"epoch": 2.0}, commit=False)
    history.log({"loss": 0.5})
    history.log({"epoch": 0.5}, step=0)
    history.log({"loss": 0.25})

    assert [values for _, values in steps_and_values(tmp_path)[1:]] == [
        {"loss": 1.0, "epoch": 1.0, "n": {"loss": 1.0, "batch": 7}},
        {"epoch": 2.0, "loss": 0.5},
        {"epoch": 0.5},
        {"loss": 0.25, "epoch": 2.0},
    ]


def test_a_step_within_a_held_row_counts_for_it(history: RowLog, tmp_path: Path) -> None:
    """The value that is inserted first gives way to one that is logged into the same row."""
    define(history, "loss", step_metric="epoch")
    history.log({"epoch": 1})
    history.log({"loss": 0.5}, commit=False)
    history.log({"epoch": 2})
    history.log({"loss": 0.4})

    assert [values for _, values in steps_and_values(tmp_path)] == [
        {"epoch": 1},
        {"loss": 0.5, "epoch": 2},
        {"loss": 0.4, "epoch": 2},
    ]


def test_overwriting_ends_the_insertion(history: RowLog, tmp_path: Path) -> None:
    """A definition that says no axis and overwrites takes it away."""
    define(history, "loss", step_metric="epoch")
    history.log({"epoch": 1.0, "loss": 3.0})
    history.log({"loss": 2.5})
    define(history, "loss", overwrite=True)
    history.log({"loss": 2.0})

    assert [values for _, values in steps_and_values(tmp_path)[1:]] == [{"loss": 2.5, "epoch": 1.0}, {"loss": 2.0}]


@pytest.mark.parametrize("value", [b"1234567", {1: "abcdef"}, (1, 2, 3, 4, 5, 6, 7, 8)])
def test_what_is_as_long_as_a_number_is_recorded_as_ever(tmp_path: Path, value: Any) -> None:
    """A value whose encoding happens to be as long as that of the number before it is what it would be elsewhere."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, before in ((first, 1.0), (second, "x")):
        folder.mkdir()
        history = RowLog(SpoolWriter(folder, bytes(16)))
        history.log({"v": before})
        history.log({"v": value})

    expected = [plain_row(values, DEFAULT_LIMITS) for _, values in steps_and_values(second)][1]
    assert expected == [plain_row(values, DEFAULT_LIMITS) for _, values in steps_and_values(first)][1]
    shown = [LocalSummary(folder, bytes(16), Role.PRIMARY).values(2)["v"] for folder in (first, second)]
    assert [expected["v"]] * 2 == shown


def test_a_writer_that_goes_on_may_begin_below(tmp_path: Path) -> None:
    """After a return to a checkpoint the rows begin again from there; only what lies below them is late."""
    said: list[str] = []
    history = RowLog(SpoolWriter(tmp_path, bytes(16)), warn=said.append)
    history.go_on(10, again=True)
    history.log({"a": 1}, step=4)
    history.log({"b": 1}, step=4)
    history.log({"a": 2}, step=5)
    history.log({"b": 2})

    assert steps_and_values(tmp_path) == [(4, {"a": 1, "b": 1}), (5, {"a": 2, "b": 2})]
    assert said == []
    history.log({"late": 1}, step=5)
    assert len(said) == 1


def test_a_writer_that_goes_on_knows_the_last_steps(tmp_path: Path) -> None:
    """Rows that lack their step metric get the value that an earlier writer logged last."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16)))
    history.go_on(10, [(("epoch",), 9, 3), (("n", "x"), 8, 1)])
    define(history, "loss", step_metric="epoch")
    history.log({"loss": 0.5})
    history.log({"late": 1}, step=4)
    history.log({"c": 1})

    assert steps_and_values(tmp_path) == [(10, {"loss": 0.5, "epoch": 3}), (4, {"late": 1}), (11, {"c": 1})]
    assert history.last_values()["n"] == {"x": 1}
