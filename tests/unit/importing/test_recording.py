"""Imported runs are run folders as those of scripts, recorded once."""

from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from runstream.exceptions import UsageError
from runstream.importing.records import (
    Attributes,
    Config,
    Ending,
    Line,
    MetricDefinition,
    NotImported,
    Row,
    SourceRun,
    StoredArtifact,
    StoredFile,
    Summary,
)
from runstream.importing.report import Report, Status
from runstream.importing.session import Destination, Importer
from runstream.importing.wandb.source import find_runs
from runstream.spool.format import Flag, TopicCode
from runstream_schemas.events import ExitState
from tests.unit.importing.imports import DATA, entries, exit_of, folders, recorded, rows, settings
from tests.unit.producer.spooled import records as spool_records
from tests.unit.producer.spooled import writers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runstream.importing.records import Record

STARTED = 1_700_000_000_000_000


def source_run(*contents: Record, fingerprint: str = "1", **more: Any) -> SourceRun:
    """Return a run that a source may yield."""
    known = {"run_id": "abc", "project": "digits", "key": "abc", "started": STARTED, "place": "here", **more}
    return SourceRun(tracker="wandb", fingerprint=fingerprint, records=lambda: iter(contents), **known)


def test_an_imported_run_is_recorded_with_the_times_of_the_source(tmp_path: Path) -> None:
    """Rows, config, summary, attributes and the exit are records of a run folder; each has its time."""
    later = STARTED + 5_000_000
    run = source_run(
        Attributes({"name": "first", "tags": ["a", "b" * 65], "notes": "", "start_time": STARTED / 1e6}),
        Config({("lr",): 0.1, ("model", "layers"): [1, 2]}),
        MetricDefinition("loss", summary=("min",)),
        Row(7, later, {"loss": math.nan, "big": 2**70, "deep": {"a": 1}}),
        Row(3, later, {"loss": 1.0}),
        Line(later, "stdout", "hello"),
        Summary({("best",): 3}),
        Ending(ExitState.FAILED, 3, "exit code 3"),
    )

    (report,) = recorded(tmp_path, [run])

    (folder,) = folders(tmp_path)
    assert report.status is Status.RECORDED
    (step, time, values), other = rows(folder)
    assert (step, time, values["big"], values["deep"]) == (7, later, 2.0**70, {"a": 1})
    assert math.isnan(values["loss"])
    assert other == (3, later, {"loss": 1.0})
    assert settings(folder, "config") == {"lr": 0.1, "model.layers": [1, 2]}
    assert settings(folder, "attribute") == {"name": "first", "tags": ["a"], "start_time": STARTED / 1e6}
    assert settings(folder, "metric")["loss"]["summary"] == ["min"]
    assert entries(folder, TopicCode.SUMMARY) == [["set", ["best"], 3]]
    assert exit_of(folder) == {"state": "failed", "exit_code": 3, "signal": 0, "reason": "exit code 3"}
    (writer,) = writers(folder, "primary")
    assert {record.time for record in spool_records(writer)} == {STARTED, later}
    assert report.tally.left_out.total() == 1  # the long tag
    imported = {"rows": 2, "config values": 2, "metric definitions": 1, "console lines": 1, "summary values": 1}
    assert report.tally.imported == imported


def test_a_second_import_records_nothing(tmp_path: Path) -> None:
    """What is recorded is skipped; a run of another destination is another run."""
    first = recorded(tmp_path, find_runs([DATA / "wandb"]))
    second = recorded(tmp_path, find_runs([DATA / "wandb"]))
    elsewhere = recorded(tmp_path, find_runs([DATA / "wandb"]), Destination(project="other"))

    assert [report.status for report in first] == [Status.RECORDED] * 4
    assert [report.status for report in second] == [Status.ALREADY] * 4
    assert [report.path for report in elsewhere] == ["other/kinds", "other/failed", "other/resumed", "other/resumed"]
    assert len(folders(tmp_path)) == 8


def test_the_same_content_has_the_same_writers_and_records(tmp_path: Path) -> None:
    """An import on another machine, or after the journal was lost, sends nothing that consumers do not drop."""
    (kinds,) = [run for run in find_runs([DATA / "wandb"]) if isinstance(run, SourceRun) and run.run_id == "kinds"]
    for name in ("one", "two"):
        recorded(tmp_path / name, [kinds])

    def contents(name: str) -> dict[str, list[tuple[Any, ...]]]:
        (folder,) = folders(tmp_path / name)
        spools = {path.name: spool_records(path) for path in (folder / "spool").iterdir()}
        files = (TopicCode.FILE, TopicCode.ARTIFACT)  # they name staged files
        return {
            writer: [(one.topic, one.seq, one.step, one.time, one.topic in files or one.payload) for one in found]
            for writer, found in spools.items()
        }

    assert contents("one") == contents("two")
    assert len(contents("one")) == 2


class Killed(BaseException):
    """Ends the process in the middle of an import."""


@pytest.mark.parametrize("at", ["reading", "journal", "rename"])
def test_an_import_that_was_killed_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """No run is recorded twice or in part, wherever the first import was killed."""
    runs = [
        source_run(*(Row(step, STARTED, {"a": step}) for step in range(10)), run_id=name, key=name) for name in "xyz"
    ]

    def killed_reading() -> Iterator[Record]:
        yield Row(0, STARTED, {"a": 0})
        raise Killed

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    recorded(tmp_path, runs[:1])
    broken = source_run(run_id="y", key="y")
    with monkeypatch.context() as patched:
        if at == "reading":
            object.__setattr__(broken, "records", killed_reading)
        else:
            where = "runstream.importing.journal.ImportJournal.add" if at == "journal" else "pathlib.Path.rename"
            broken = runs[1]
            patched.setattr(where, kill)
        with pytest.raises(Killed):
            recorded(tmp_path, [runs[0], broken, runs[2]])

    again = recorded(tmp_path, runs)

    assert [report.status for report in again] == [Status.ALREADY, Status.RECORDED, Status.RECORDED]
    assert [[step for step, _, _ in rows(folder)] for folder in folders(tmp_path)] == [[*range(10)]] * 3
    assert {path.name for path in (tmp_path / "runstream").iterdir() if not path.name.startswith("run-")} == {
        "imports.jsonl",
        "imports.lock",
    }


def test_a_journal_that_a_crash_tore_is_read_as_far_as_possible(tmp_path: Path) -> None:
    """A torn or foreign line is ignored: its run is recorded again, under the same ids."""
    recorded(tmp_path, [source_run(Row(0, STARTED, {"a": 1}))])
    journal = tmp_path / "runstream" / "imports.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"key": "abc", "finge')
    assert recorded(tmp_path, [source_run()])[0].status is Status.ALREADY
    journal.write_bytes(whole[: len(whole) // 2] + b'\n[1]\n{"key": 1}\n\xff\n')

    assert recorded(tmp_path, [source_run(Row(0, STARTED, {"a": 1}))])[0].status is Status.RECORDED
    assert len({path.name for folder in folders(tmp_path) for path in (folder / "spool").iterdir()}) == 1


def test_rows_of_a_source_that_has_changed_replace_those_of_the_earlier_import(tmp_path: Path) -> None:
    """The new writer hides all rows of the earlier one, and console lines are not recorded again."""
    before: list[Record] = [Row(0, STARTED, {"a": 1}), Line(STARTED, "stdout", "one")]
    recorded(tmp_path, [source_run(*before)])
    after = [*before, Row(1, STARTED, {"a": 2}), Line(STARTED, "stdout", "two")]

    (report,) = recorded(tmp_path, [source_run(*after, fingerprint="2")])

    assert report.tally.imported == {"rows": 2, "console lines": 1}
    first, second = sorted(folders(tmp_path), key=lambda folder: folder.stat().st_mtime_ns)
    (earlier,), (later,) = writers(first, "primary"), writers(second, "primary")
    assert json.loads((later / "writer.json").read_text())["continues"] == [earlier.name]
    branch, *found = [record for record in spool_records(later) if record.topic == TopicCode.LOG]
    assert (branch.flags & Flag.BRANCH, branch.step, len(found)) == (Flag.BRANCH, -(2**63), 2)
    (aside,) = writers(second, "shipper")
    assert [record.step for record in spool_records(aside) if record.topic == TopicCode.LOG] == [1]


def test_what_cannot_be_recorded_is_counted_with_its_reason(tmp_path: Path) -> None:
    """A step beyond 64 bits, a hostile key, a file that is gone, an invalid name: the rest is recorded."""
    cyclic: dict[str, Any] = {}
    cyclic["itself"] = cyclic
    run = source_run(
        Row(2**64, STARTED, {"a": 1}),
        Row(1, 2**80, {"cyclic": cyclic, "long" * 1000: 1, "surrogate": "\ud800"}),
        MetricDefinition("a*b"),
        StoredFile("gone", tmp_path / "gone"),
        StoredArtifact("no/name", "model", {}),
        NotImported("images", "they are not supported", 3),
        Ending(ExitState.FINISHED),
        Row(2, STARTED, {"a": 1}),
    )

    (report,) = recorded(tmp_path, [run])

    (folder,) = folders(tmp_path)
    ((step, time, _),) = rows(folder)
    assert (step, time) == (1, 0)
    left_out = {what: count for (what, _), count in report.tally.left_out.items()}
    assert left_out == {
        "rows": 1, "metric definitions": 1, "files": 1, "artifacts": 1, "images": 3, "records after the end": 1,
    }  # fmt: skip
    assert any("contains itself" in note for note in report.tally.notes)


def test_a_source_that_fails_while_it_is_read_ends_there(tmp_path: Path) -> None:
    """What was read is recorded as a run that crashed, with the error; a file that cannot be read records nothing."""

    def failing(error: Exception) -> SourceRun:
        run = source_run(run_id=type(error).__name__, key=type(error).__name__)

        def read() -> Iterator[Record]:
            yield Row(0, STARTED, {"a": 1})
            raise error

        object.__setattr__(run, "records", read)
        return run

    damaged, unreadable = recorded(tmp_path, [failing(ValueError("not a number")), failing(OSError(5, "I/O error"))])

    assert (damaged.status, damaged.tally.damage) == (
        Status.RECORDED, ["reading stopped here: ValueError: not a number"],
    )  # fmt: skip
    (folder,) = folders(tmp_path)
    assert exit_of(folder)["state"] == "crashed"
    assert (unreadable.status, unreadable.reason) == (Status.FAILED, "[Errno 5] I/O error")


def test_names_that_are_invalid_here_are_replaced(tmp_path: Path) -> None:
    """Two ids that differ only in what is replaced stay two runs."""
    runs: Sequence[SourceRun] = [
        source_run(run_id=name, key=name, project="/Users/me/exp: 1") for name in ("a/b", "a:b")
    ]

    reports = recorded(tmp_path, runs)

    first, second = (report.path.split("/") for report in reports)
    assert first[0] == second[0] == "Users-me-exp- 1"
    assert first[1] != second[1]
    assert first[1].startswith("a-b-")


def test_only_one_import_uses_a_folder_at_a_time(tmp_path: Path) -> None:
    """A second one is refused, and so is a folder that cannot be created."""
    importer = Importer(tmp_path, Destination())
    with pytest.raises(UsageError, match="Another import is running"):
        Importer(tmp_path, Destination())
    importer.close()
    Importer(tmp_path, Destination()).close()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot import into"):
        Importer(tmp_path / "file", Destination())


def test_the_report_states_what_was_not_imported(tmp_path: Path) -> None:
    """Runs with losses are listed with the reasons, then the sums; JSON has everything."""
    run = source_run(Row(0, STARTED, {"a": 1}), NotImported("images", "they are not supported", 3))
    report = Report(recorded(tmp_path, [run, *find_runs([tmp_path / "nothing"])]))

    assert list(report.lines()) == [
        "digits/abc: recorded: 1 row",
        "  from here",
        "  not imported: 3 images: they are not supported",
        f"{tmp_path}/nothing: not imported (it does not exist)",
        "2 run(s): 1 recorded, 1 not imported",
        "In all: 1 row",
        "Not imported: 3 images; the reasons are above",
    ]
    assert report.failed
    first, second = report.to_json()["runs"]
    assert first["not_imported"] == [{"what": "images", "reason": "they are not supported", "count": 3}]
    assert (second["status"], second["reason"]) == ("not imported", "it does not exist")
    shutil.rmtree(tmp_path / "runstream")
