"""JSON files are replaced atomically, and errors of the disk leave the previous content."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.json_files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_private(tmp_path: Path) -> None:
    """Only the user can read a written file, and no draft remains."""
    write_json(tmp_path / "x.json", {"a": 1}, durable=True)

    assert ((tmp_path / "x.json").stat().st_mode & 0o777, [path.name for path in tmp_path.iterdir()]) == (
        0o600,
        ["x.json"],
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_failed_fsync_leaves_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """If the content does not reach the disk, the error is raised, the old content stays, and the draft is deleted."""
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_json(path, {"a": 2}, durable=True)

    assert (read_json(path), [item.name for item in tmp_path.iterdir()]) == ({"a": 1}, ["x.json"])


def test_full_disk_leaves_the_previous_file(tmp_path: Path) -> None:
    """On a full disk the error is raised and the file is unchanged."""
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    (tmp_path / ".x.json.new").symlink_to("/dev/full")

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_json(path, {"a": 2})

    assert (read_json(path), [item.name for item in tmp_path.iterdir()]) == ({"a": 1}, ["x.json"])


def test_write_into_a_deleted_folder_raises(tmp_path: Path) -> None:
    """A file in a folder that was deleted cannot be written, and the folder is not created again."""
    with pytest.raises(FileNotFoundError):
        write_json(tmp_path / "deleted" / "x.json", {})

    assert not (tmp_path / "deleted").exists()
