"""Tables in rows and in the summary: what is recorded, and the files."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import runstream
from runstream import Table
from runstream.files.table_versions import artifact_name
from tests.unit.media.recorded import Recorded, recorded_run

if TYPE_CHECKING:
    from pathlib import Path


def content(recorded: Recorded, index: int = 0) -> Any:
    """Return the JSON of a file."""
    return json.loads(recorded.content(index))


def test_a_table_is_a_file_of_the_run(tmp_path: Path) -> None:
    """The row has its path and size; the file its columns, their types, and the rows."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"val/t": Table(columns=["a", "b"], data=[[1, "x"], [2, None]])}, step=3)

    (row,), (file,) = recorded.rows, recorded.files
    assert row["val/t"] == {"_type": "table-file", "path": file["path"], "ncols": 2, "nrows": 2}
    assert file["path"].startswith("media/table/val/t_3_")
    assert file["path"].endswith(".table.json")
    assert file["size"] == len(recorded.content())
    found = content(recorded)
    assert (found["columns"], found["data"]) == (["a", "b"], [[1, "x"], [2, None]])
    assert found["column_types"]["wb_type"] == "typedDict"
    assert found["column_types"]["params"]["type_map"]["a"]["wb_type"] == "union"


def test_a_table_is_a_version_of_an_artifact(tmp_path: Path) -> None:
    """The version names the table and the media of its cells; one is made each time that a file is, as in W&B."""
    with recorded_run(tmp_path) as recorded:
        html = Table(columns=["h"], data=[[runstream.Html("<b>7</b>")]], log_mode="MUTABLE")
        plain, rows = Table(columns=["a"], data=[[1]]), Table(columns=["a"], data=[[1]], log_mode="INCREMENTAL")
        for _ in range(2):
            recorded.run.log({"val/h t": html, "plain": plain, "rows": rows})

    first, second, third = recorded.artifacts
    page, table = (one for one in recorded.files if one.get("local") == first["local"])
    run_id = recorded.run.id
    assert first == {
        "action": "log",
        "name": artifact_name(run_id, "val/h t"),
        "type": "run_table",
        "local": first["local"],
        "files": {page["path"]: page["path"], "val/h t.table.json": table["path"]},
        "finalize": True,
    }
    assert (second["name"], list(second["files"])) == (f"run-{run_id}-plain", ["plain.table.json"])
    assert (third["name"], third["local"] != first["local"]) == (first["name"], True)


def test_names_of_table_artifacts_are_those_of_wandb() -> None:
    """Characters that a name cannot have are left out, and a checksum keeps different keys apart."""
    assert artifact_name("ab12", "val.t-1") == "run-ab12-val.t-1"
    assert artifact_name("ab12", "val/t") == "run-ab12-valt-gaKxZw"
    assert len(artifact_name("ab12", "x" * 300)) <= 128


def test_cells_of_every_kind_are_recorded(tmp_path: Path) -> None:
    """Numbers keep their values, NaN included; times, arrays, sets and the like have a form in JSON."""
    utc = dt.UTC
    given = {
        "nan": (math.nan, "NaN"),
        "inf": (-math.inf, "-Infinity"),
        "big": (10**30, 10**30),
        "f32": (np.float32(0.5), 0.5),
        "bool": (np.True_, True),
        "array": (np.array([[1, 2]]), [[1, 2]]),
        "times": (np.array(["2024-01-02", "NaT"], "M8[D]"), ["2024-01-02", None]),
        "time": (dt.datetime(2024, 1, 2, tzinfo=utc), "2024-01-02T00:00:00Z"),
        "day": (dt.date(2024, 1, 2), "2024-01-02"),
        "nat": (pd.NaT, None),
        "na": (pd.NA, None),
        "tuple": ((1, (2,)), [1, [2]]),
        "dict": ({"x": np.int8(1), 2: None}, {"x": 1, "2": None}),
        "set": ({1}, [1]),
        "decimal": (Decimal("2.50"), "2.50"),
        "surrogate": ("\ud800", "\ud800"),
        "long": ("x" * 300_000, "x" * 300_000),
    }
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"t": Table(columns=[*given], data=[[cell for cell, _ in given.values()]])})

    (found,) = json.loads(recorded.content(), parse_constant=str)["data"]
    assert dict(zip(given, found, strict=True)) == {name: expected for name, (_, expected) in given.items()}


@pytest.mark.parametrize(
    "rows",
    [[[1.5, None, "null"], [math.inf, 1, "x"]], [[1.5, None, "x"], [{"k": math.nan}, 1, ""]]],
    ids=["number", "in a dict"],
)
def test_numbers_that_are_not_finite_are_kept(tmp_path: Path, rows: list[list[Any]]) -> None:
    """Also beside cells that are None or contain the word."""
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"t": Table(columns=["a", "b", "c"], data=rows, allow_mixed_types=True)})
    assert str(content(recorded)["data"]) == str(rows)


def test_a_cell_that_cannot_be_recorded_is_named(tmp_path: Path) -> None:
    """The call is refused, and nothing of it is left; the next one is recorded."""
    with recorded_run(tmp_path) as recorded:
        made = Table(columns=["a", "b"], data=[[1, runstream.Html("x")], [2, runstream.Html("y")]])
        odd = Table(columns=["a", "b"], data=[[1, object()]])
        looped = Table(columns=["a"])
        looped.add_data(looped)
        for refused, text in ((odd, "Row 0 of the table, column 1: Cannot record"), (looped, "contains itself")):
            with pytest.raises(runstream.DataError, match=text):
                recorded.run.log({"media": made, "t": refused})
        recorded.run.log({"t": made})

    assert [row["t"]["nrows"] for row in recorded.rows] == [2]
    assert len(recorded.files) == 3
    assert len([path for path in (tmp_path).rglob("staged/*") if path.is_file()]) == 3


def test_media_in_cells_are_files_of_the_run(tmp_path: Path) -> None:
    """A cell has the dict that a row would have; the file of a medium is recorded before that of the table."""
    with recorded_run(tmp_path) as recorded:
        pages = Table(columns=["page", "more"], data=[[runstream.Html("x"), [runstream.Html("y")]]])
        recorded.run.log({"t": pages})

    ((page, more),) = content(recorded, 2)["data"]
    assert page == {"_type": "html-file", "path": recorded.files[0]["path"]}
    assert more == [{"_type": "html-file", "path": recorded.files[1]["path"]}]


def test_an_immutable_table_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Logged again it is the same file, whatever was added since; a change prints a warning."""
    with recorded_run(tmp_path, silent=False) as recorded:
        made = Table(columns=["a"], data=[[1]])
        recorded.run.log({"t": made})
        made.add_data(2)
        recorded.run.log({"t": made})

    assert recorded.rows[0] == recorded.rows[1]
    assert len(recorded.files) == 1
    assert content(recorded)["data"] == [[1]]
    assert "log_mode='IMMUTABLE'" in capsys.readouterr().err


def test_a_mutable_table_is_written_each_time(tmp_path: Path) -> None:
    """Each file has the rows of its time."""
    with recorded_run(tmp_path) as recorded:
        made = Table(columns=["a"], data=[[1]], log_mode="MUTABLE")
        recorded.run.log({"t": made})
        made.add_data(2)
        made.add_column("b", [3, 4])
        recorded.run.log({"t": made})

    assert [content(recorded, at)["data"] for at in (0, 1)] == [[[1]], [[1, 3], [2, 4]]]


def test_an_incremental_table_is_written_in_parts(tmp_path: Path) -> None:
    """Each file has the rows since the one before; its path differs by a number. A refused call consumes none."""
    with recorded_run(tmp_path) as recorded:
        made = Table(columns=["a"], data=[[1]], log_mode="INCREMENTAL")
        recorded.run.log({"t": made})
        made.add_data(2)
        made.add_data(3)
        with pytest.raises(runstream.DataError):
            recorded.run.log({"t": made, "odd": object()})
        recorded.run.log({"t": made})
        recorded.run.log({"t": made})

    first, second, third = (row["t"] for row in recorded.rows)
    assert [content(recorded, at)["data"] for at in range(len(recorded.files))] == [[[1]], [[2], [3]]]
    assert (first["_type"], first["increment_num"], first["nrows"]) == ("incremental-table-file", 0, 1)
    assert first["path"].endswith(".0.table.json")
    assert second["path"] == first["path"].replace(".0.table", ".1.table")
    assert (second["increment_num"], second["nrows"]) == (1, 3)
    assert third == second


def test_a_table_is_written_for_each_run(tmp_path: Path) -> None:
    """A table that was logged to another run is not a file of this one yet."""
    made = Table(columns=["a"], data=[[1]])
    for name in ("one", "two"):
        with recorded_run(tmp_path / name) as recorded:
            recorded.run.log({"t": made})
        assert len(recorded.files) == 1
        assert recorded.rows[0]["t"]["path"] == recorded.files[0]["path"]


def test_lists_of_tables_and_tables_in_the_summary(tmp_path: Path) -> None:
    """A list of tables is a list of dicts; the summary accepts a table, a config does not."""
    with recorded_run(tmp_path) as recorded:
        first, second = (Table(columns=["a"], data=[[at]]) for at in (1, 2))
        recorded.run.log({"list": [first, second]})
        recorded.run.summary["best"] = second
        with pytest.raises(TypeError):
            recorded.run.config["t"] = first
        assert recorded.run.summary["best"]["nrows"] == 1

    assert [one["path"] for one in recorded.rows[0]["list"]] == [file["path"] for file in recorded.files[:2]]


def test_tables_that_refer_to_tables(tmp_path: Path) -> None:
    """A joined table names the files of both, a partitioned one its folder, and one for evaluations its roles."""
    one, other = Table(columns=["id"], data=[["x"]]), Table(columns=["id"], data=[["x"]])
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"joined": runstream.JoinedTable(one, other, "id")})
        recorded.run.log({"parts": runstream.PartitionedTable("folder")})
        roles = {"input_columns": ["a"], "output_columns": ["b"]}
        recorded.run.log({"eval": runstream.EvalTable(columns=["a", "b"], data=[[1, 2]], **roles)})

    joined, parts, evaluated = recorded.rows
    paths = [file["path"] for file in recorded.files]
    assert joined["joined"] == {"_type": "joined-table", "table1": paths[0], "table2": paths[1], "join_key": "id"}
    assert parts["parts"] == {"_type": "partitioned-table", "parts_path": "folder"}
    assert evaluated["eval"]["_type"] == "table-file"
    assert content(recorded, 2)["output_columns"] == ["b"]
    for arguments in ((one, other, 3), (one, "x.png", "id"), (3, other, "id"), (one, other, ["id"])):
        with pytest.raises(ValueError, match="Invalid"):
            runstream.JoinedTable(*arguments)
    with pytest.raises(ValueError, match="Invalid column 'c'"):
        runstream.EvalTable(columns=["a"], data=[], input_columns=["c"])


def test_a_disabled_run_accepts_tables(tmp_path: Path) -> None:
    """Nothing is written."""
    run = runstream.init(mode="disabled", dir=tmp_path)
    run.log({"t": Table(columns=["a"], data=[[1]])})
    run.finish()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
