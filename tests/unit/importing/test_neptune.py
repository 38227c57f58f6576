"""Parquet files of neptune-exporter are read as runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from runstream.importing.neptune.source import find_runs
from runstream.importing.records import (
    Attributes,
    Config,
    Ending,
    Line,
    Metadata,
    NotImported,
    Row,
    Sample,
    SourceRun,
    StoredFile,
    UnreadablePlace,
)
from runstream_schemas.events import ExitState
from tests.neptune_files import FOLDER, all_kinds, attribute, point, write

if TYPE_CHECKING:
    from pathlib import Path

STARTED = 1_700_000_000_000_000


def only_run(folder: Path) -> SourceRun:
    """Return the only run below a folder of data."""
    (run,) = find_runs([folder])
    assert isinstance(run, SourceRun)
    return run


def of_kind(run: SourceRun, kind: Any) -> list[Any]:
    """Return the records of a kind."""
    return [record for record in run.records() if isinstance(record, kind)]


def test_all_attributes_of_a_run_are_read(tmp_path: Path) -> None:
    """Series of one step are a row; parameters, tags, console, system metrics and files have their places."""
    write(tmp_path / "data", "RUN-1", all_kinds())
    file = tmp_path / "files" / FOLDER / "RUN-1" / "data" / "test.txt"
    file.parent.mkdir(parents=True)
    file.write_text("test")

    run = only_run(tmp_path / "data")

    assert (run.run_id, run.project, run.started) == ("RUN-1", "digits", STARTED)
    rows = of_kind(run, Row)
    assert [row.step for row in rows] == [0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9]
    assert rows[2] == Row(2, STARTED + 2_000_000, {"metrics/acc": 0.2, "metrics/loss": 1 / 3})
    assert rows[3].values == {"metrics/fine": 7.0, "neptune_step": 2.5}
    assert rows[5].values["notes"] == "good"
    assert rows[6].values["weights"] == {"_type": "histogram", "values": [3.0, 4.0], "bins": [0.0, 1.0, 2.0]}
    assert [line.text for line in of_kind(run, Line)] == ["line 0", "line 1"]
    assert of_kind(run, Sample) == [Sample(STARTED + 3_000_000, {"0a": {"cpu": 12.5}})]
    assert of_kind(run, Config) == [Config({("parameters",): {"lr": 0.1, "epochs": 10, "opt": {"name": "adam"}}})]
    (attributes,) = of_kind(run, Attributes)
    assert (attributes.values["name"], attributes.values["tags"]) == ("first run", ["a", "b"])
    assert of_kind(run, Metadata)[0].values["username"] == "me"
    assert of_kind(run, StoredFile) == [StoredFile("data/test.txt", file)]
    assert of_kind(run, NotImported) == [NotImported("files", "'data/gone.txt' was not downloaded by neptune-exporter")]
    assert of_kind(run, Ending) == [Ending(ExitState.FINISHED)]


def test_states_and_hostile_attributes(tmp_path: Path) -> None:
    """A failed run is failed; a path out of the folder of files, a null and an unknown type are left out."""
    write(
        tmp_path / "data",
        "RUN-2",
        [
            attribute("sys/failed", "bool", True),  # noqa: FBT003
            attribute("sys/creation_time", "string", "yesterday"),
            attribute("a", "int", 1),
            attribute("a/b", "int", 2),
            attribute("stolen", "file", {"path": "../../../../etc/passwd"}),
            point("metrics/x", 1, None),
            {"attribute_path": "q", "attribute_type": "quantum"},
        ],
        parts=1,
    )

    run = only_run(tmp_path / "data")

    assert run.started == 0
    assert of_kind(run, Ending) == [Ending(ExitState.FAILED, 1, "failed in Neptune")]
    assert of_kind(run, Config) == [Config({("a",): 1, ("a/b",): 2})]
    assert [one.what for one in of_kind(run, NotImported)] == [
        "values of series", "files", "attributes of type 'quantum'",
    ]  # fmt: skip
    assert not of_kind(run, StoredFile)


def test_files_that_are_not_of_the_exporter_are_named(tmp_path: Path) -> None:
    """A torn file, another schema, an unfinished export, an empty folder."""
    (whole,) = write(tmp_path, "RUN-3", all_kinds(), parts=1)
    (tmp_path / FOLDER / "torn_part_0.parquet").write_bytes(whole.read_bytes()[:-100])
    pq.write_table(pa.table({"x": [1]}), tmp_path / FOLDER / "other_part_0.parquet")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "plain.parquet")
    (tmp_path / FOLDER / "new_part_0.parquet.tmp").write_bytes(b"PAR1")
    (tmp_path / "empty").mkdir()

    found = list(find_runs([tmp_path, tmp_path / "empty"]))

    unreadable = {one.place.rpartition("/")[2]: one.reason for one in found if isinstance(one, UnreadablePlace)}
    assert unreadable.pop("torn_part_0.parquet").startswith("Cannot read ")
    assert "is not of neptune-exporter: it has no column attribute_path" in unreadable.pop("other_part_0.parquet")
    assert unreadable == {
        "new_part_0.parquet.tmp": "its export is not complete: repeat `neptune-exporter export`",
        "empty": "there is no file RUN_part_N.parquet",
    }
    assert [one.run_id for one in found if isinstance(one, SourceRun)] == ["RUN-3"]
