"""Run folders as the shipper finds them, whole or not."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from runstream.spool.run_folder import RunFolder, UnusableRunError, lock, write_json
from runstream_schemas.events import Role

if TYPE_CHECKING:
    from pathlib import Path

CARD: dict[str, Any] = {"version": 1, "run_id": "r", "project": "p"}


def folder_with(tmp_path: Path, **info: Any) -> RunFolder:
    """Return a run folder with that run.json."""
    (tmp_path / "run.json").write_text(json.dumps({**CARD, **info}))
    return RunFolder(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "run.json is missing or damaged"),
        ("{", "run.json is missing or damaged"),
        ("[1]", "run.json is missing or damaged"),
        ('{"version": 2}', "version 2; this Runstream reads version 1"),
        ('{"version": 1, "run_id": 7}', "names no run"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    """A folder without a run.json that makes sense is refused with the reason."""
    if text is not None:
        (tmp_path / "run.json").write_text(text)

    with pytest.raises(UnusableRunError, match=problem):
        RunFolder(tmp_path)


def test_fields_that_are_missing_have_defaults(tmp_path: Path) -> None:
    """A short run.json is enough."""
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
def test_the_interval_of_samples(tmp_path: Path, settings: dict[str, Any], interval: float) -> None:
    """An interval that makes no sense is the usual one; none is taken where none is wanted."""
    assert folder_with(tmp_path, settings=settings).info.system_interval_s == interval


def test_writers_are_known_by_their_card(tmp_path: Path) -> None:
    """A writer is there once its writer.json is; other names in the spool are passed over."""
    folder = folder_with(tmp_path)
    for name, text in (("00" * 16, '{"role": "worker", "pid": 3}'), ("01" * 16, None), ("x", "{}"), ("02" * 3, "{}")):
        (folder.spool / name).mkdir(parents=True)
        if text is not None:
            (folder.spool / name / "writer.json").write_text(text)

    writers = list(folder.writers())

    info = folder.writer_info(writers[0])
    assert (writers, info.role, info.pid, info.pid_started) == ([bytes(16)], Role.WORKER, 3, None)


def test_a_folder_without_a_spool_has_no_writers(tmp_path: Path) -> None:
    """Before the first writer there is nothing, which is no error."""
    assert list(folder_with(tmp_path).writers()) == []


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    """A second holder is told that there is one; afterwards the lock is free."""
    first = lock(tmp_path / "lock")
    second = lock(tmp_path / "lock")
    assert first is not None
    os.close(first)
    third = lock(tmp_path / "lock")
    assert third is not None
    os.close(third)

    assert second is None


def test_files_are_private(tmp_path: Path) -> None:
    """What the shipper writes only its user can read."""
    write_json(tmp_path / "x.json", {"a": 1})

    assert ((tmp_path / "x.json").stat().st_mode & 0o777, [path.name for path in tmp_path.iterdir()]) == (
        0o600,
        ["x.json"],
    )
