"""The data folder: who may use it, whether there is room, and files that are replaced in one step."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.exceptions import DataRefused
from runstream_deploy.stack.data_folder import DataFolder, default_data_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    """Whoever is not the user finds nothing in it."""
    folder = DataFolder(tmp_path / "a" / "data")
    folder.make()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_disk_that_is_nearly_full_is_refused(tmp_path: Path) -> None:
    """The message says how much is left and how much is needed."""
    with pytest.raises(DataRefused, match=r"is nearly full: \d+ MiB left, 1073741824 MiB are needed"):
        DataFolder(tmp_path / "data").make(least_free=2**50)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file in its place is named as the problem."""
    (tmp_path / "data").write_text("")
    with pytest.raises(DataRefused, match="cannot be used: File exists"):
        DataFolder(tmp_path / "data").make()


def test_only_one_supervisor_holds_the_folder(tmp_path: Path) -> None:
    """A second one is refused at once and told the first one's process; afterwards the folder is free."""
    folder = DataFolder(tmp_path / "data")
    folder.make()
    with folder.held():
        assert folder.supervisor() == os.getpid()
        with (
            pytest.raises(DataRefused, match=f"already running on {folder.path} \\(process {os.getpid()}\\)"),
            folder.held(),
        ):
            pass
    assert (folder.is_held(), folder.supervisor()) == (False, None)


def test_what_an_ended_supervisor_left_running_is_waited_for(tmp_path: Path) -> None:
    """While a lock is held by nobody who supervises, a start waits, and gives up in words."""
    folder, other = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    folder.make()
    with folder.held():
        folder.lock.write_text("1 1\n")
        with pytest.raises(DataRefused, match="does not end"), other.held(patience=0.3):
            pass


def test_the_setting_goes_before_the_default(tmp_path: Path) -> None:
    """``RUNSTREAM_DATA_DIR`` names the folder."""
    assert default_data_folder({"RUNSTREAM_DATA_DIR": str(tmp_path)}) == tmp_path


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """Its owner alone may read it, and no draft is left beside it."""
    path = tmp_path / "file.json"
    for text in ("one", "two"):
        write_private(path, text)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("two", 0o600)
    assert list(tmp_path.iterdir()) == [path]
