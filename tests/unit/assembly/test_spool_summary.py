"""The fold of a spool whose segments are deleted while it is read."""

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
    """Return a spool of four segments; a row is open where the second ends, and a late one waits behind it."""
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
    """Return what the summary shows of a fold."""
    known = fold.fold
    return project(known.keys, known.manual, known.definitions, known.continues)


def covered(folder: Path, segment: int) -> None:
    """Have the segments below one folded, and delete them."""
    shipper = SpoolSummary(folder, WRITER)
    shipper.load()
    shipper.advance_to(segment)
    shipper.save()
    for number in range(segment):
        segment_path(folder, number).unlink(missing_ok=True)


def whole(folder: Path) -> dict[str, Any]:
    """Return what the summary shows of the whole spool."""
    fold = SpoolSummary(folder, WRITER)
    fold.advance()
    return shown(fold)


def test_rows_are_put_together_as_the_shipper_does(folder: Path) -> None:
    """Parts of a row are merged, late rows count, and definitions are those of the spool."""
    summary = whole(folder)

    assert summary == {
        "late": 1,
        "open": {"a": 1, "b": 2},
        "x": {"max": 15, "mean": (1 + 2 + 3 + 4 + 5 + sum(range(9, 16))) / 12, "min": 1},
    }


@pytest.mark.parametrize("step", [1, 2])
def test_what_was_deleted_is_in_the_file(folder: Path, step: int) -> None:
    """However often segments are folded and deleted, by how many shippers, the summary is that of all of them."""
    expected = whole(folder)

    for segment in range(step, SEGMENTS, step):
        covered(folder, segment)

    assert whole(folder) == expected


def test_a_reader_goes_on_where_segments_were_deleted_under_it(folder: Path, tmp_path: Path) -> None:
    """Having read a part, it takes from the file what it has not seen, and counts nothing twice."""
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


def test_without_the_file_the_rows_that_are_left_count(folder: Path) -> None:
    """A file that is missing or damaged costs what it held, and no error."""
    covered(folder, 3)
    (folder / SUMMARY_FILE_NAME).write_bytes(b"\x80 nothing that can be read")

    assert whole(folder) == {"x": 15}


def test_a_row_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    """It is passed over, and what is open with it."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"b": 1}, flags=Flag.OPENS)
    spool.append([1], flags=Flag(0))
    spool.append({"dropped": 3, "reason": "the disk was full"}, flags=Flag.OPENS | Flag.CLOSES | Flag.DROPPED)
    spool.append({"c": 1})
    spool.write(tmp_path / "writer")

    assert whole(tmp_path / "writer") == {"a": 1, "c": 1}


def test_at_the_end_the_open_row_counts(tmp_path: Path) -> None:
    """It is complete when the process ends, whether it was closed or not."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"a": 2}, flags=Flag.OPENS)
    spool.write(tmp_path / "writer")
    fold = SpoolSummary(tmp_path / "writer", WRITER)

    fold.advance()
    assert shown(fold) == {"a": 1}
    fold.end()
    assert shown(fold) == {"a": 2}
