"""Runs that W&B recorded offline are read whole, without the package wandb."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from runstream.importing.records import (
    Alert,
    Attributes,
    Config,
    Damage,
    Ending,
    Line,
    Metadata,
    MetricDefinition,
    NotImported,
    Record,
    Row,
    Sample,
    SourceRun,
    StoredArtifact,
    StoredFile,
    Summary,
    UnreadablePlace,
)
from runstream.importing.wandb.source import find_runs
from runstream_schemas.events import ExitState
from tests.unit.importing.imports import DATA
from tests.wandb_files import HEADER, exit_record, framed, item, message, row_record, run_record

if TYPE_CHECKING:
    from pathlib import Path


def fixture_runs() -> dict[str, list[SourceRun]]:
    """Return the parts of the recorded runs by id."""
    found: dict[str, list[SourceRun]] = {}
    for run in find_runs([DATA / "wandb"]):
        assert isinstance(run, SourceRun)
        found.setdefault(run.run_id, []).append(run)
    return found


def of_kind(records: list[Record], kind: Any) -> list[Any]:
    """Return the records of a kind."""
    return [record for record in records if isinstance(record, kind)]


def read(path: Path, content: bytes) -> list[Record]:
    """Return the records of a file that has this content."""
    path.write_bytes(content)
    (run,) = find_runs([path])
    assert isinstance(run, SourceRun)
    return list(run.records())


def test_everything_that_a_script_logged_is_read() -> None:
    """Rows with steps and times, config, definitions, console, alerts, media and the end are those of the script."""
    (run,) = fixture_runs()["kinds"]
    records = list(run.records())

    rows = of_kind(records, Row)
    assert [row.step for row in rows] == [*range(11), 100]
    assert rows[4].values == {"loss": 0.2, "nested": {"a": 4, "b": {"c": 8}}, "bad": 2, "val/acc": 0.2, "epoch": 0}
    assert math.isnan(rows[3].values["bad"])
    assert rows[11].values == {"loss": 5, "inf": math.inf}
    assert all(run.started < row.time < run.started + 60_000_000 for row in rows)
    assert rows[10].values["img"]["_type"] == "image-file"
    (attributes,) = of_kind(records, Attributes)
    expected = {"name": "all kinds", "notes": "some notes", "tags": ["a", "b"], "group": "g", "job_type": "train"}
    assert attributes.values == {**expected, "start_time": run.started / 1e6}
    first, later = of_kind(records, Config)
    assert first.values == {("lr",): 0.1, ("model",): {"layers": [1, 2], "act": "relu"}}
    assert later.values == {("later",): 7}
    assert of_kind(records, MetricDefinition) == [
        MetricDefinition("epoch"),
        MetricDefinition("val/*", step_metric="epoch", step_sync=True, summary=("max",)),
    ]
    assert [line.text for line in of_kind(records, Line)] == [f"line {number}" for number in range(10)]
    assert [(one.title, one.text, one.level) for one in of_kind(records, Alert)] == [
        ("low accuracy", "0.45 at step 9", "warn")
    ]
    assert {file.name for file in of_kind(records, StoredFile)} == {rows[10].values["img"]["path"], "output.log"}
    assert records[-1].state is ExitState.FINISHED  # type: ignore[union-attr]


def test_only_assigned_values_of_the_summary_are_read() -> None:
    """What follows from the rows and the definitions is left to them; what the script assigned is not."""
    (run,) = fixture_runs()["kinds"]

    assert of_kind(list(run.records()), Summary) == [Summary({("best",): 3, ("deep", "key"): 1})]


def test_a_failed_run_and_the_parts_of_a_resumed_one() -> None:
    """A run that failed has its exit code; each file of a resumed run is a part, in the order of time."""
    (failed,) = fixture_runs()["failed"]
    first, second = fixture_runs()["resumed"]

    assert list(failed.records())[-1] == Ending(ExitState.FAILED, 3, "exit code 3", list(failed.records())[-1].time)  # type: ignore[union-attr]
    assert first.started < second.started
    assert first.key != second.key
    assert [row.step for row in of_kind(list(second.records()), Row)] == [5, 6, 7, 8, 9]


def test_everything_before_a_torn_record_is_read(tmp_path: Path) -> None:
    """The place is reported, and the run has no end."""
    content = framed([run_record(), *(row_record(step, loss=step / 2) for step in range(100)), exit_record()])

    records = read(tmp_path / "run-abc.wandb", content[:-5])

    assert [row.step for row in of_kind(records, Row)] == [*range(100)]
    (damage,) = of_kind(records, Damage)
    start = len(content) - 5
    assert damage.text.endswith(f"to {start:,}: the file ends within a record")
    assert records[-1] == Ending(ExitState.CRASHED, reason="the file of the run has no end")


def test_reading_resumes_after_a_damaged_block(tmp_path: Path) -> None:
    """Rows of the other blocks are read, and each damaged place is reported."""
    content = bytearray(framed([run_record(), *(row_record(step, text='"' + "x" * 200 + '"') for step in range(1000))]))
    content[40_000] ^= 1

    records = read(tmp_path / "run-abc.wandb", bytes(content))

    steps = [row.step for row in of_kind(records, Row)]
    assert steps[:100] == [*range(100)]
    assert steps[-1] == 999
    assert 700 < len(steps) < 1000
    assert any("checksum" in damage.text for damage in of_kind(records, Damage))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "less than the header"),
        (b"PK\x03\x04 a zip file", "not with the header of a .wandb file"),
        (HEADER[:6] + b"\x07", "it has version 7 of the format"),
        (HEADER, "the record that names the run is missing"),
        (framed([row_record(0, a=1)]), "the record that names the run is missing"),
        (framed([b"\xff\xff\xff"]), "a number is longer than its message"),
    ],
)
def test_a_file_that_is_no_run_is_named_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    """An empty file, a file of another program, another version, a file without a run: each has its reason."""
    path = tmp_path / "run-abc.wandb"
    path.write_bytes(content)

    (found,) = find_runs([path])

    assert isinstance(found, UnreadablePlace)
    assert reason in found.reason
    (missing,) = find_runs([tmp_path / "nothing"])
    assert missing == UnreadablePlace(str(tmp_path / "nothing"), "it does not exist")


def test_hostile_records_are_reported_and_the_others_read(tmp_path: Path) -> None:
    """Values that are not JSON, wrong wire types, unknown kinds and unsupported ones do not end the import."""
    deep = "[" * 100_000
    records = read(
        tmp_path / "run-abc.wandb",
        framed(
            [
                run_record(),
                message({2: {1: [item("no JSON", "a"), item(1, "b")], 2: {1: 1}}}),
                message({2: {1: [item(deep, "deep"), item("1" * 5000, "long"), item(1e400, "inf")], 2: {1: 2}}}),
                message({2: 5}),
                message({77: {1: 1}}),
                message({25: {1: "dataset"}}),
                message({5: {1: [item(1, "c")], 2: [item(0, "lr")]}}),
                exit_record(),
            ]
        ),
    )

    assert [row.values for row in of_kind(records, Row)] == [{"b": 1}, {"inf": math.inf}]
    left_out = Counter(record.what for record in of_kind(records, NotImported))
    assert left_out == {"values of rows": 3, "records of kind 77": 1, "use_artifact records": 1}
    (damage,) = of_kind(records, Damage)
    assert damage.text == "a record cannot be read: field 2 is an integer"
    assert of_kind(records, Config)[-1] == Config({("c",): 1}, [("lr",)])
    assert of_kind(records, Metadata) == [Metadata({})]


def test_files_of_older_versions_are_read(tmp_path: Path) -> None:
    """They have plain keys and nested JSON, and describe the machine in a file of the run."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "wandb-metadata.json").write_text(
        '{"os": "Linux", "program": "train.py", "git": {"commit": "abc"}, "disk": {}}'
    )
    plain = {1: "nested", 16: '{"a": {"b": 1}}'}
    system = [{1: "cpu", 16: "2.5"}, {1: "cpu.0.percent", 16: "74"}, {1: "disk.in", 16: "1"}]

    records = read(
        tmp_path / "run-abc.wandb",
        framed([run_record(), message({2: {1: [plain, {1: "_step", 16: "7"}]}}), message({7: {2: {1: 5}, 3: system}})]),
    )

    (row,) = of_kind(records, Row)
    assert (row.step, row.values) == (7, {"nested": {"a": {"b": 1}}})
    assert of_kind(records, Sample) == [Sample(5_000_000, {"cpu": 2.5, "cpu.0.percent": 74, "disk": {"in": 1}})]
    assert of_kind(records, Metadata)[-1].values == {"os": "Linux", "program": "train.py", "git": {"commit": "abc"}}


def test_artifacts_are_read_as_long_as_their_files_exist(tmp_path: Path) -> None:
    """Of an artifact whose file is gone, the file is named; references need no file."""
    (tmp_path / "weights.bin").write_bytes(b"1")
    entry = {1: "weights.bin", 6: str(tmp_path / "weights.bin")}
    referenced = {1: "data", 3: "s3://bucket/data"}

    def artifact(name: str, *contents: dict[int, Any]) -> bytes:
        return message({8: {4: "model", 5: name, 8: '{"epochs": 2}', 11: ["latest", "best"], 12: {4: [*contents]}}})

    records = read(
        tmp_path / "run-abc.wandb",
        framed([run_record(), artifact("kept", entry, referenced), artifact("gone", {1: "x", 6: "/nowhere/x"})]),
    )

    (kept,) = of_kind(records, StoredArtifact)
    assert (kept.name, kept.type, kept.aliases, kept.metadata) == ("kept", "model", ("best",), {"epochs": 2})
    assert (kept.files, kept.references) == ({"weights.bin": tmp_path / "weights.bin"}, {"data": "s3://bucket/data"})
    (gone,) = of_kind(records, NotImported)
    assert gone.reason == "'gone': its file 'x' is not on this machine"


def test_links_in_the_folder_of_a_run_are_not_followed_in_circles(tmp_path: Path) -> None:
    """A link to a folder is reported; a link to a file is the file, unless that is gone."""
    files = tmp_path / "files"
    files.mkdir()
    (tmp_path / "saved.txt").write_text("saved")
    (files / "saved.txt").symlink_to(tmp_path / "saved.txt")
    (files / "gone.txt").symlink_to(tmp_path / "nothing")
    (files / "circle").symlink_to(files)
    (files / "itself").symlink_to(files / "itself")

    records = read(tmp_path / "run-abc.wandb", framed([run_record(), message({6: {1: [{1: "listed.pt"}]}})]))

    assert of_kind(records, StoredFile) == [StoredFile("saved.txt", tmp_path / "saved.txt")]
    assert sorted(record.reason for record in of_kind(records, NotImported)) == [
        "'circle' is a link to a folder",
        "'gone.txt' does not exist, or is a link to nothing",
        "'itself' does not exist, or is a link to nothing",
        "'listed.pt' is not in the folder of the run",
    ]
