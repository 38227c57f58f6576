"""Tables in artifacts: their files, and what is read back."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np

import runstream
from runstream import Table
from runstream.artifacts.artifact import Artifact
from runstream.artifacts.content import to_object


class Opened:
    """The files of an artifact that is not logged, as one that is read: paths, and objects by name."""

    def __init__(self, artifact: Artifact) -> None:
        self.manifest = artifact.manifest

    def content(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return Path(str(self.manifest.entries[path].local_path)).read_bytes()

    def get(self, path: str) -> Any:
        """Return the object that a file describes."""
        return to_object(path.split(".")[-2], json.loads(self.content(path)), self)


def test_a_table_is_a_file_of_the_artifact() -> None:
    """The file is that of W&B, byte by byte."""
    artifact = Artifact("t", type="dataset")
    entry = artifact.add(Table(columns=["a"], data=[[1], [2]]), "tbl")
    assert [*artifact.manifest.entries] == [entry.path] == ["tbl.table.json"]
    optional = '{"params": {"allowed_types": [{"wb_type": "none"}, {"wb_type": "number"}]}, "wb_type": "union"}'
    assert Opened(artifact).content(entry.path).decode() == (
        f'{{"_type": "table", "column_types": {{"params": {{"type_map": {{"a": {optional}}}}}, '
        '"wb_type": "typedDict"}, '
        '"columns": ["a"], "data": [[1], [2]], "log_mode": "IMMUTABLE", "ncols": 1, "nrows": 2}'
    )


def test_a_table_is_read_as_it_was() -> None:
    """Columns, types and cells are those that were added; times are in UTC."""
    time = dt.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC)
    rows = [[1, "x", time, [1, 2], {"k": True}], [2.5, None, None, [3], {"k": False}]]
    made = Table(columns=["n", "s", "t", "l", "d"], data=rows)
    artifact = Artifact("t", type="dataset")
    artifact.add(made, "tbl")
    assert Opened(artifact).get("tbl.table.json") == made


def test_cells_with_media_and_arrays() -> None:
    """Media are files beside the table, once for equal content; arrays are lists, and times milliseconds."""
    artifact = Artifact("t", type="dataset")
    times = np.array(["2024-01-02", "NaT"], "M8[us]")
    rows = [[runstream.Html("x"), np.arange(2), times], [runstream.Html("x"), np.arange(2), times]]
    artifact.add(Table(columns=["page", "array", "times"], data=rows), "dir/tbl")
    description, page = sorted(artifact.manifest.entries)
    found = json.loads(Opened(artifact).content(description))
    assert page.startswith("media/html/")
    assert found["data"][0] == [{"_type": "html-file", "path": page}, [0, 1], [1704153600000, None]]


def test_tables_that_refer_to_tables() -> None:
    """A joined table has its tables as files; the parts of a partitioned one are those below its folder."""
    artifact = Artifact("t", type="dataset")
    one, other = Table(columns=["id"], data=[["x"]]), Table(columns=["id"], data=[["y"]])
    artifact.add(runstream.JoinedTable(one, other, "id"), "joined")
    joined = Opened(artifact).get("joined.joined-table.json")
    assert (joined.table1, joined.table2, joined.join_key) == (one, other, "id")

    for name, part in (("parts/1", one), ("parts/2", other)):
        artifact.add(part, name)
    artifact.add(runstream.PartitionedTable("parts"), "whole")
    whole = Opened(artifact).get("whole.partitioned-table.json")
    assert [*whole.iterrows()] == [(0, ["x"]), (1, ["y"])]


def test_many_rows_are_written_without_spaces() -> None:
    """The file of a large table is still one of W&B."""
    artifact = Artifact("t", type="dataset")
    artifact.add(Table(columns=["a"], data=[[at] for at in range(10_001)]), "tbl")
    content = Opened(artifact).content("tbl.table.json")
    assert b"[1],[2]" in content
    assert len(Opened(artifact).get("tbl.table.json").data) == json.loads(content)["nrows"] == 10_001
