"""Segments that are truncated, deleted or moved while their writer uses them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from runstream.spool.format import Flag, TopicCode
from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.row_log import RowLog
from tests.unit.producer.programs import BEGIN, finished
from tests.unit.producer.spooled import primary, records, rows, writers

if TYPE_CHECKING:
    from pathlib import Path

SMALL = 4096


def test_a_truncated_segment_does_not_end_the_process(tmp_path: Path) -> None:
    """Rows after the truncation are recorded, with the numbers that they would have had, and one warning is printed."""
    status, output, errors = finished(
        tmp_path,
        """
import glob
runstream.init(project="demo", id="r2", mode="offline", reinit=True, settings={"console": "off"})
run = runstream.run
for number in range(5):
    for part in range(500):
        run.log({"n": number * 500 + part})
    for size in (4096, 0):
        for path in glob.glob(f"{run.dir}/../spool/*/*.seg"):
            os.truncate(path, min(size, os.path.getsize(path)))
        if size:
            run.config[f"size{number}"] = size
        else:
            run.log({"n": -1 - number}, commit=False)
            run.log({}, commit=True)
for number in range(2500, 3000):
    run.log({"n": number})
run.finish()
""",
    )

    assert (status, output) == (0, "")
    assert errors.count("was truncated") == errors.count("WARNING") > 0
    (folder,) = {path.parent for path in (tmp_path / "runstream").glob("*-r2/spool/*/*.seg")}
    found = rows(folder)
    assert [row.values["n"] for row in found] == [-5, *range(2500, 3000)]
    assert [row.seq for row in found] == [*range(found[0].seq, found[0].seq + 501)]
    assert found[0].seq == 2504
    assert records(folder)[-1].topic == TopicCode.EXIT


def test_a_deleted_segment_is_created_again(tmp_path: Path) -> None:
    """The records of the segment in use are not lost with its file, nor is the exit."""
    writer = SpoolWriter(tmp_path, bytes(16))
    history = RowLog(writer)
    for number in range(10):
        history.log({"n": number})
    (tmp_path / "00000000.seg").unlink()
    writer.restore()
    for number in range(10, 20):
        history.log({"n": number})
    writer.append_last({"state": "finished"})
    (tmp_path / "00000001.seg").unlink()
    writer.restore()

    assert [row.values["n"] for row in rows(tmp_path)] == [*range(20)]
    assert records(tmp_path)[-1].topic == TopicCode.EXIT
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_moved_folder_loses_nothing(tmp_path: Path) -> None:
    """The segment in use grows where it is, since none can be created at the earlier path."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    writer = SpoolWriter(before, bytes(16), smallest=SMALL)
    history = RowLog(writer)
    for number in range(10):
        history.log({"n": number})
    before.rename(after)
    for number in range(10, 1000):
        history.log({"n": number})
    assert writer.append_last({"state": "finished"})

    assert [row.values["n"] for row in rows(after)] == [*range(1000)]
    assert writer.dropped == 0


def test_a_program_without_free_descriptors_loses_nothing(tmp_path: Path) -> None:
    """If the process has as many descriptors as it may, the segment in use grows."""
    source = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
taken = []
try:
    while True:
        taken.append(os.dup(1))
except OSError:
    pass
for number in range(9000):
    run.log({"n": number, "text": 200 * "x"})
for descriptor in taken:
    os.close(descriptor)
run.finish()
"""
    status, _, errors = finished(tmp_path, source)

    assert (status, errors) == (0, "")
    assert [row.values["n"] for row in rows(primary(tmp_path))] == [*range(9000)]


@pytest.mark.parametrize("damage", ["os.remove(path)", "open(path, 'w').close()", "open(path, 'wb').write(bytes(9))"])
def test_a_damaged_description_is_written_again(tmp_path: Path, damage: str) -> None:
    """Without ``run.json``, nothing could be delivered: the training process restores it."""
    source = f"""
path = os.path.join(os.path.dirname(run.dir), "run.json")
whole = open(path).read()
{damage}
run.log({{"n": 0}})
assert open(path).read() == whole
"""
    begin = BEGIN.replace('"silent": True', '"silent": True, "console": "off"')
    status, _, errors = finished(tmp_path, source, begin=begin, PYTHONWARNINGS="ignore")

    assert (status, errors) == (0, "")


def test_rows_after_a_deleted_folder_are_counted(tmp_path: Path) -> None:
    """Once the segment in use is full, rows are dropped and counted, and the reason is in the report."""
    folder = tmp_path / "folder"
    folder.mkdir()
    reports: list[str] = []
    writer = SpoolWriter(folder, bytes(16), smallest=SMALL, report=reports.append)
    history = RowLog(writer)
    history.log({"n": 0})
    shutil.rmtree(folder)
    for number in range(1, 1000):
        history.log({"n": number})

    assert writer.dropped > 900
    assert {"No such file or directory" in report for report in reports} == {True}


def test_the_reason_of_dropped_rows_is_recorded(tmp_path: Path) -> None:
    """A marker names the error that had no space for rows."""
    folder = tmp_path / "folder"
    folder.mkdir()
    history = RowLog(SpoolWriter(folder, bytes(16), smallest=SMALL, mapped=False))
    folder.rename(tmp_path / "elsewhere")
    while not history.writer.dropped:
        history.log({"x": 1.0})
    assert history.writer.append_last({"state": "finished"})

    (marker,) = [record for record in records(tmp_path / "elsewhere") if record.flags & Flag.DROPPED]
    reason = "the spool cannot be written: No such file or directory"
    assert msgspec.msgpack.decode(marker.payload) == {"dropped": history.writer.dropped, "reason": reason}


@pytest.mark.parametrize("move", ["shutil.rmtree(folder)", "os.rename(folder, 'moved')"])
def test_finish_ends_if_the_run_folder_is_gone(tmp_path: Path, move: str) -> None:
    """It does not wait for delivery any more, and one warning says what may be lost; a moved folder has every row."""
    status, output, errors = finished(
        tmp_path,
        f"""
import shutil
run.log({{"n": 0}})
folder = os.path.dirname(run.dir)
{move}
for number in range(1, 20_000):
    run.log({{"n": number}})
run.finish()
print("finished")
""",
        begin=BEGIN.replace('"offline"', '"online"').replace("True", 'False, "console": "off"'),
        RUNSTREAM_URL="http://127.0.0.1:1",
        RUNSTREAM_FINISH_TIMEOUT_S="inf",
    )

    assert (status, output) == (0, "finished\n")
    assert errors.count("was deleted or moved while it was in use") == 1
    assert "Traceback" not in errors
    if (tmp_path / "moved").exists():
        (folder,) = writers(tmp_path / "moved", "primary")
        assert [row.values["n"] for row in rows(folder)] == [*range(20_000)]
    else:
        assert "records were dropped" in errors
