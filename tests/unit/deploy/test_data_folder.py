"""The data folder: permissions, lock, free space, and its state."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.exceptions import DataFolderError
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.state import StateWriter, read_state

if TYPE_CHECKING:
    from pathlib import Path


def test_folder_is_closed_to_other_users(tmp_path: Path) -> None:
    """Only its owner has access."""
    folder = DataFolder(tmp_path / "a" / "data")
    folder.create()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_nearly_full_disk_is_refused(tmp_path: Path) -> None:
    """The message states how much is free and how much is required."""
    with pytest.raises(DataFolderError, match=r"is nearly full: \d+ MiB free, 1073741824 MiB required"):
        DataFolder(tmp_path / "data").create(least_free=2**50)


def test_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    """A file in its place is reported."""
    (tmp_path / "data").write_text("")
    with pytest.raises(DataFolderError, match=r"Cannot use the data folder .*: File exists"):
        DataFolder(tmp_path / "data").create()


def test_only_one_supervisor_can_hold_the_folder(tmp_path: Path) -> None:
    """A second one gets an error with the pid of the first; afterwards the folder is free."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    with folder.hold():
        assert folder.supervisor() == os.getpid()
        with (
            pytest.raises(DataFolderError, match=f"already running on {folder.path} \\(process {os.getpid()}\\)"),
            folder.hold(),
        ):
            pass
    assert (folder.is_held(), folder.supervisor()) == (False, None)


def test_start_waits_for_processes_of_an_earlier_supervisor(tmp_path: Path) -> None:
    """While a process that is not a supervisor holds the lock, a start waits until its timeout."""
    folder, other = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    folder.create()
    with folder.hold():
        folder.lock.write_text("1 1\n")
        with pytest.raises(DataFolderError, match="do not exit"), other.hold(timeout=0.3):
            pass


def test_state_is_replaced_atomically(tmp_path: Path) -> None:
    """Only its owner may read the file, and no temporary file is left."""
    folder = DataFolder(tmp_path)
    state = StateWriter(folder)
    for message in ("one", "two"):
        state.report(message)
    found = read_state(folder)
    assert found is not None
    assert (found.message, stat.S_IMODE(folder.state.stat().st_mode)) == ("two", 0o600)
    assert list(tmp_path.iterdir()) == [folder.state]
