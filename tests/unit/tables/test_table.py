"""Tables in the training process: rows, columns, types, and errors."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import runstream
from runstream import Table
from runstream.tables.column_types import from_json

if TYPE_CHECKING:
    from collections.abc import Callable


def table(*rows: Any, columns: list[Any] | None = None, **options: Any) -> Table:
    """Return a table with the columns a, b and so on."""
    return Table(columns=columns or [*"abcd"[: len(rows[0]) if rows else 1]], data=[*rows], **options)


def test_rows_are_those_of_lists_arrays_and_frames() -> None:
    """A table is made of a list of rows, an array, or a DataFrame, which names the columns itself."""
    frame = pd.DataFrame({"i": [1, 2], "s": ["x", None], "f": [0.5, np.nan]})
    assert table([1, "x"], [2, "y"]).data == [[1, "x"], [2, "y"]]
    assert Table(columns=["a", "b"], data=np.array([[1, 2], [3, 4]])).data == [[1, 2], [3, 4]]
    assert Table(columns=["a", "b"], rows=[[1, 2]]).data == [[1, 2]]
    for given in (Table(dataframe=frame), Table(data=frame)):
        assert given.columns == ["i", "s", "f"]
        assert given.data[0] == [1, "x", 0.5]
        assert np.isnan(given.data[1][2])
    assert Table().columns == ["Input", "Output", "Expected"]
    assert Table(columns=[1, 2], data=[[1, 2]]).columns == [1, 2]


def test_a_table_has_lists_of_its_own() -> None:
    """Rows that are added later, or changes of what was given, do not affect each other."""
    rows, columns = [[1]], ["a"]
    made = Table(columns=columns, data=rows)
    made.add_data(2)
    made.add_column("b", ["x", "y"])
    rows[0][0] = 9
    assert (rows, columns, made.data) == ([[9]], ["a"], [[1, "x"], [2, "y"]])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Table(columns="a"), AssertionError, "Invalid columns 'a': expected a list"),
        (lambda: Table(columns=[1.5]), AssertionError, "Invalid column 1.5"),  # type: ignore[list-item]
        (lambda: Table(columns=["a"], data="x"), AssertionError, "Invalid data: expected a list of rows, not 'x'"),
        (lambda: Table(dataframe=[1]), AssertionError, "Invalid dataframe"),
        (lambda: Table(log_mode="OFTEN"), AssertionError, "Invalid log_mode 'OFTEN': expected IMMUTABLE"),  # type: ignore[arg-type]
        (lambda: Table(columns=["a"], dtype=[int, str]), AssertionError, "dtype has 2 elements for 1 columns"),
        (lambda: Table(columns=["a"], data=np.array([1, 2])), TypeError, "array of rows and columns"),
        (lambda: table([1], [1, 2]), ValueError, r"Row 1: this table expects 1 columns \('a'\), found 2"),
        (lambda: table([1], 5), TypeError, "Row 1: expected a list of cells, not 5"),
        (lambda: table([1], ["x"]), TypeError, r"Row 1: column 'a' holds none or number, not string \('x'\)"),
        (lambda: table([1], [True]), TypeError, "Row 1: column 'a' holds none or number, not boolean"),
        (lambda: table([None], dtype=int, optional=False), TypeError, "Row 0: column 'a' holds number, not none"),
        (lambda: table([1], dtype=[str]), TypeError, "Row 0: column 'a' holds none or string, not number"),
        (lambda: table([{"k": 1}], [{"m": 1}]), TypeError, "Row 1: column 'a'"),
        (lambda: table([[1]], [["x"]]), TypeError, "Row 1: column 'a'"),
        (lambda: table([np.zeros(2)], [np.zeros(3)]), TypeError, "Row 1: column 'a'"),
        (lambda: table([1]).add_data(), ValueError, "Row 1: this table expects 1 columns"),
        (lambda: table([1]).add_column("a", [1]), AssertionError, "has a column 'a' already"),
        (lambda: table([1]).add_column("b", [1, 2]), AssertionError, "Column 'b' has 2 values for 1 rows"),
        (lambda: table([1]).add_column("b", "x"), AssertionError, "expected a list or an array"),
        (lambda: table([1], [2]).add_column("b", [1, "x"]), TypeError, "Row 1: column 'b'"),
        (lambda: table([1]).add_column("b", [None]), TypeError, "Row 0: column 'b'"),
        (lambda: table([1]).get_column("b"), AssertionError, "no column 'b'"),
        (lambda: table([1]).get_column("a", convert_to="list"), AssertionError, "convert_to"),  # type: ignore[arg-type]
        (lambda: table([1]).index_ref(1), AssertionError, "no row 1"),
        (lambda: table([1]).add_computed_columns(lambda *_: 3), AssertionError, "expected a dict"),  # type: ignore[arg-type]
        (lambda: table([1], ["x"], allow_mixed_types=True).cast("a", int), TypeError, "Row 1"),
        (lambda: table([1], log_mode="INCREMENTAL").add_column("b", [1]), runstream.Error, "INCREMENTAL"),
        (lambda: Table(columns=[*map(str, range(10**5))], data=[[1]]), ValueError, "'9', …"),
    ],
    ids=range(29),
)
def test_invalid_tables_are_refused(make: Callable[[], Any], error: type[Exception], text: str) -> None:
    """The class of the error is W&B's, and the message names row and column."""
    with pytest.raises(error, match=text):
        make()


def test_a_refused_change_leaves_the_table_as_it_was() -> None:
    """A row or column of a wrong type or length adds nothing."""
    made = table([1], [2])
    for call, arguments in ((made.add_data, ["x"]), (made.add_column, ["b", [1, "x"]]), (made.add_data, [1, 2])):
        with pytest.raises((TypeError, ValueError)):
            call(*arguments)
    assert (made.columns, made.data, len(made.column_types)) == (["a"], [[1], [2]], 1)


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([[1], [2.5], [None], [np.int8(3)], [np.float32(1)], [float("nan")]], {}),
        ([["x"], [None], [np.str_("y")]], {}),
        ([[None], [None], ["x"], [None]], {}),
        ([[dt.datetime(2024, 1, 1)], [dt.date(2024, 1, 2)], [np.datetime64("2024-01-01")], [pd.NaT]], {}),  # noqa: DTZ001
        ([[True], [np.True_], [None]], {}),
        ([[[1, None]], [[2]], [None]], {}),
        ([[{"k": 1, "m": "x"}], [{"k": 2, "m": "y"}]], {}),
        ([[1], ["x"], [[3]], [None]], {"allow_mixed_types": True}),
        ([[1], ["x"]], {"dtype": [[int, str]]}),
        ([[[1, 2]], [[3]]], {"dtype": [[int]]}),
        ([["only"], ["only"]], {"dtype": "only"}),
        ([[np.zeros((2, 3))], [np.ones((2, 3))]], {}),
        ([[object()], [object()]], {}),
    ],
    ids=range(13),
)
def test_cells_of_one_type_are_accepted(rows: list[list[Any]], options: dict[str, Any]) -> None:
    """Numbers of every kind are one type, as are times; None is accepted unless the column is not optional."""
    made = table(*rows, **options)
    assert len(made.data) == len(rows)
    forms = [kind.as_json() for kind in made.column_types.values()]
    assert [from_json(form).as_json() for form in forms] == forms


def test_columns_are_read_and_computed() -> None:
    """A column is a list or an array; a function of each row adds columns."""
    made = table([1, "x"], [2, "y"])
    made.add_computed_columns(lambda index, row: {"twice": row["a"] * 2, "at": index})
    assert made.columns == ["a", "b", "twice", "at"]
    assert made.get_column("twice") == [2, 4]
    assert made.get_column("a", convert_to="numpy").tolist() == [1, 2]
    assert [(index, row[0]) for index, row in made.iterrows()] == [(0, 1), (1, 2)]
    assert made.get_dataframe()["b"].tolist() == ["x", "y"]
    made = Table(columns=[])
    made.add_column("first", np.array([1, 2]))
    assert made.data == [[1], [2]]


def test_other_tables_refer_to_rows() -> None:
    """An index leads to its row; keys of another table are texts of one of its columns."""
    classes = table(["c1", "cat"], ["c2", "dog"], columns=["id", "name"])
    assert classes.get_index()[1].get_row() == {"id": "c2", "name": "dog"}
    found = table([classes.index_ref(0)], [classes.index_ref(1)])
    assert found.data == [[0], [1]]
    with pytest.raises(TypeError, match="Row 2"):
        found.add_data(table([1]).index_ref(0))

    classes.set_pk("id")
    samples = table(["c1"], ["c2"], columns=["class"])
    samples.set_fk("class", classes, "id")
    assert samples.data == [["c1"], ["c2"]]
    with pytest.raises(AssertionError, match="primary key 'id' already"):
        classes.set_pk("name")


def test_tables_are_equal_by_content() -> None:
    """Columns, types and cells count, arrays included."""
    assert table([1, np.zeros(2)]) == table([1, np.zeros(2)])
    assert table([1, np.zeros(2)]) != table([1, np.ones(2)])
    assert table([1]) != table([1], optional=False)
    assert table([1]) != 1
