"""Run folders: created by a training process, opened by a shipper, complete or damaged."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from runstream.run_folder.descriptions import RunInfo
from runstream.run_folder.folder import RunFolder, UnusableRunError, lock
from runstream.run_folder.process_identity import Host, process_start
from runstream_schemas.events import Role

if TYPE_CHECKING:
    from pathlib import Path

RUN: dict[str, Any] = {"version": 1, "run_id": "r", "project": "p"}


def folder_with(tmp_path: Path, **fields: Any) -> RunFolder:
    """Return a run folder with these fields in its run.json."""
    (tmp_path / "run.json").write_text(json.dumps({**RUN, **fields}))
    return RunFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "run.json is missing or damaged"),
        ("{", "run.json is missing or damaged"),
        ("[1]", "run.json is missing or damaged"),
        ('{"version": 2}', "unsupported version 2: this Runstream reads version 1"),
        ('{"version": 1, "run_id": 7}', "run_id or project is missing"),
    ],
)
def test_unusable_run_json_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    """Opening a folder without a usable run.json raises an error with the reason."""
    if text is not None:
        (tmp_path / "run.json").write_text(text)

    with pytest.raises(UnusableRunError, match=problem):
        RunFolder.open(tmp_path)


def test_missing_fields_have_defaults(tmp_path: Path) -> None:
    """A run.json with only the required fields is enough."""
    info = folder_with(tmp_path, entity="", settings=None).info

    assert (info.entity, info.name, info.url, info.identify_exit_signal, info.system_interval_s) == (
        None,
        "r",
        None,
        True,
        15.0,
    )


@pytest.mark.parametrize(
    ("settings", "interval"),
    [
        ({"system_interval_s": 2}, 2.0),
        ({"system_interval_s": -1}, 15.0),
        ({"system_interval_s": "x"}, 15.0),
        ({"capture_system_metrics": False, "system_interval_s": 2}, 0.0),
    ],
)
def test_system_interval_is_validated(tmp_path: Path, settings: dict[str, Any], interval: float) -> None:
    """An invalid interval is replaced by the default; the interval is 0 if system metrics are disabled."""
    assert folder_with(tmp_path, settings=settings).info.system_interval_s == interval


def test_created_folder_reads_back(tmp_path: Path) -> None:
    """The run that a training process described is the one that the shipper reads."""
    info = RunInfo(
        run_id="r", entity="e", project="p", name="n", generated_name="calm-1", settings={"ends_with": "all"}
    )
    created = RunFolder.create(tmp_path, info)
    found = RunFolder.open(created.path).info

    assert (found.run_id, found.entity, found.name, found.wants_number, found.waits_for_all) == (
        "r",
        "e",
        "n",
        True,
        True,
    )
    assert found == created.info
    assert (found.started > 0, found.host) == (True, Host.here().name)


def test_second_folder_of_a_run_gets_a_number(tmp_path: Path) -> None:
    """Two folders of the same run and second do not share a path."""
    info = RunInfo(run_id="r", project="p")
    paths = {RunFolder.create(tmp_path, info).path for _ in range(3)}

    assert len(paths) == 3


def test_created_writer_reads_back(tmp_path: Path) -> None:
    """A writer's folder appears with a description that identifies this process."""
    folder = folder_with(tmp_path)
    path, writer = folder.create_writer(Role.WORKER, "rank 1", continues=(bytes(16),))
    info = folder.writer_info(writer)

    assert (path, list(folder.writers())) == (folder.writer_folder(writer), [writer])
    assert (info.role, info.label, info.continues, info.base) == (Role.WORKER, "rank 1", (bytes(16),), 0)
    assert (info.pid, info.pid_started, info.boot_id) == (os.getpid(), process_start(os.getpid()), Host.here().boot_id)


def test_relative_writer_reads_base_and_continuation_from_start_json(tmp_path: Path) -> None:
    """Until start.json exists, the base of a relative writer is unknown; then it is the stored one."""
    folder = folder_with(tmp_path)
    _, writer = folder.create_writer(Role.PRIMARY, "", relative=True)
    before = folder.writer_info(writer).base
    earlier = {"writer": "01" * 16, "role": "primary", "label": "", "continues": []}
    folder.save_start(7, [earlier])
    after = folder.writer_info(writer)

    assert (before, after.base, after.continues) == (None, 7, (bytes([1]) * 16,))


def test_incomplete_writer_folders_are_ignored(tmp_path: Path) -> None:
    """A writer exists once its writer.json does; other names in the spool folder are ignored."""
    folder = folder_with(tmp_path)
    for name, text in (("00" * 16, '{"role": "worker", "pid": 3}'), ("01" * 16, None), ("x", "{}"), ("02" * 3, "{}")):
        (folder.spool / name).mkdir(parents=True)
        if text is not None:
            (folder.spool / name / "writer.json").write_text(text)

    writers = list(folder.writers())

    info = folder.writer_info(writers[0])
    assert (writers, info.role, info.pid, info.pid_started) == ([bytes(16)], Role.WORKER, 3, None)


def test_folder_without_spool_has_no_writers(tmp_path: Path) -> None:
    """A run folder without a spool folder is valid and has no writers."""
    assert list(folder_with(tmp_path).writers()) == []


def test_lock_is_exclusive(tmp_path: Path) -> None:
    """A second attempt to lock a file returns None until the first lock is released."""
    first = lock(tmp_path / "lock")
    second = lock(tmp_path / "lock")
    assert first is not None
    os.close(first)
    third = lock(tmp_path / "lock")
    assert third is not None
    os.close(third)

    assert second is None
