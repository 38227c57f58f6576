"""The summary of a spool whose segments are deleted while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstream.assembly.spool_summary import SUMMARY_FILE_NAME, SpoolSummary
from runstream.spool.format import Flag, TopicCode
from runstream.spool.reader import segment_path
from runstream_schemas.events import Role, Writer
from runstream_schemas.summary_algebra.projection import project
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from pathlib import Path

WRITER = Writer(id=bytes(16), role=Role.PRIMARY)
SEGMENTS = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a spool of four segments; at the end of the second, a row is open and a late row waits for it."""
    spool = SpoolBuilder()
    definition = {"name": "x", "glob": False, "summary": ["min", "max", "mean"]}
    spool.append([["metric", "set", ["x"], definition]], topic=TopicCode.CONFIG)
    for number in range(1, 6):
        spool.append({"x": number})
    spool.append({"open": {"a": 1}}, flags=Flag.OPENS)
    spool.append({"late": 1}, flags=Flag.OPENS | Flag.CLOSES | Flag.LATE_ROW, step=0)
    spool.append({"open": {"b": 2}}, flags=Flag.CLOSES)
    for number in range(9, 16):
        spool.append({"x": number})
    spool.write(tmp_path / "writer", segments=SEGMENTS, size=1 << 12)
    return tmp_path / "writer"


def shown(fold: SpoolSummary) -> dict[str, Any]:
    """Return the projection of a summary state."""
    known = fold.fold
    return project(known.keys, known.manual, known.definitions, known.continues)


def covered(folder: Path, segment: int) -> None:
    """Include the segments before one in the summary state, and delete them."""
    shipper = SpoolSummary(folder, WRITER)
    shipper.load()
    shipper.advance_to(segment)
    shipper.save()
    for number in range(segment):
        segment_path(folder, number).unlink(missing_ok=True)


def whole(folder: Path) -> dict[str, Any]:
    """Return the summary of the whole spool."""
    fold = SpoolSummary(folder, WRITER)
    fold.advance()
    return shown(fold)


def test_rows_are_assembled(folder: Path) -> None:
    """Appends are merged, late rows are included, and metric definitions apply."""
    summary = whole(folder)

    assert summary == {
        "late": 1,
        "open": {"a": 1, "b": 2},
        "x": {"max": 15, "mean": (1 + 2 + 3 + 4 + 5 + sum(range(9, 16))) / 12, "min": 1},
    }


@pytest.mark.parametrize("step", [1, 2])
def test_deleted_segments_are_in_the_file(folder: Path, step: int) -> None:
    """The summary is the same however often segments are deleted, and by how many shippers."""
    expected = whole(folder)

    for segment in range(step, SEGMENTS, step):
        covered(folder, segment)

    assert whole(folder) == expected


def test_reader_continues_from_the_file(folder: Path, tmp_path: Path) -> None:
    """If segments are deleted under a reader, it continues from the file and counts nothing twice."""
    expected = whole(folder)
    later = [segment_path(folder, number) for number in range(2, SEGMENTS)]
    for path in later:
        path.rename(tmp_path / path.name)
    reader = SpoolSummary(folder, WRITER)
    reader.advance()
    assert "open" not in shown(reader)

    for path in later:
        (tmp_path / path.name).rename(path)
    covered(folder, SEGMENTS - 1)
    reader.advance()

    assert shown(reader) == expected
    reader.advance()
    assert shown(reader) == expected


def test_missing_file_loses_only_deleted_segments(folder: Path) -> None:
    """If the file is missing or damaged, the summary is that of the remaining segments."""
    covered(folder, 3)
    (folder / SUMMARY_FILE_NAME).write_bytes(b"\x80 nothing that can be read")

    assert whole(folder) == {"x": 15}


def test_unreadable_row_does_not_affect_others(tmp_path: Path) -> None:
    """An unreadable append is skipped with its row, and nothing else."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"b": 1}, flags=Flag.OPENS)
    spool.append([1], flags=Flag(0))
    spool.append({"dropped": 3, "reason": "the disk was full"}, flags=Flag.OPENS | Flag.CLOSES | Flag.DROPPED)
    spool.append({"c": 1})
    spool.write(tmp_path / "writer")

    assert whole(tmp_path / "writer") == {"a": 1, "c": 1}


def test_open_row_is_included_at_the_end(tmp_path: Path) -> None:
    """When the process ends, the open row is complete."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"a": 2}, flags=Flag.OPENS)
    spool.write(tmp_path / "writer")
    fold = SpoolSummary(tmp_path / "writer", WRITER)

    fold.advance()
    assert shown(fold) == {"a": 1}
    fold.end()
    assert shown(fold) == {"a": 2}
