"""Where a run is recorded if its folder cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import BEGIN, finished
from tests.unit.producer.spooled import primary, steps_and_values

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_that_cannot_be_created_is_replaced(tmp_path: Path) -> None:
    """If the run folder cannot be created in its place, one warning names the place, the reason and the replacement."""
    (tmp_path / "runstream").write_text("a file is in the way")
    (tmp_path / "tmp").mkdir()
    begin = BEGIN.replace('{"silent": True}', "None")
    status, _, errors = finished(tmp_path, "run.log({'x': 1}); run.finish()", begin=begin, TMPDIR=str(tmp_path / "tmp"))

    (used,) = (tmp_path / "tmp").glob("runstream-*")
    assert steps_and_values(primary(used)) == [(0, {"x": 1})]
    (warning,) = (line for line in errors.splitlines() if "WARNING" in line)
    reason = f"Cannot create a run folder in {tmp_path / 'runstream'} (File exists)"
    assert (status, warning) == (0, f"runstream: WARNING {reason}: recording to {used}/runstream instead")


def test_a_folder_that_no_file_system_can_have_is_replaced(tmp_path: Path) -> None:
    """A folder whose name is invalid does not stop init()."""
    source = r"""
for name in ("a\0b", "\ud800", "x" * 5000):
    runstream.init(mode="offline", dir=name, settings={"silent": True}).finish()
"""
    (tmp_path / "tmp").mkdir()
    status, _, errors = finished(tmp_path, source, begin="import runstream", TMPDIR=str(tmp_path / "tmp"))

    assert (status, errors) == (0, "")
    assert len([*tmp_path.glob("tmp/runstream-*/runstream/run-*")]) == 3


def test_a_full_disk_and_a_deleted_current_folder_do_not_stop_init(tmp_path: Path) -> None:
    """A run that cannot be recorded anywhere is disabled with one warning, and leaves no part of a run folder."""
    source = """
import os, resource, runstream, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in (2000, 8192):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
    run = runstream.init(mode="offline", id=f"full{limit}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    run.log({"x": 1})
    run.finish()
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
run = runstream.init(mode="offline", id="r1")
run.log({"x": 1})
run.finish()
"""
    (tmp_path / "tmp").mkdir()
    status, _, errors = finished(tmp_path, source, begin="", TMPDIR=str(tmp_path / "tmp"))

    assert status == 0, errors
    warnings = [line for line in errors.splitlines() if "WARNING" in line]
    assert ["this run is not recorded" in line for line in warnings] == [True, True, False]
    assert "recording to" in warnings[2]
    assert [path.parent.name.rpartition("-")[2] for path in tmp_path.rglob("run.json")] == ["r1"]
    assert len(list(tmp_path.rglob("run-*"))) == 1
