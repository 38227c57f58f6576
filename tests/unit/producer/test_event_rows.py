"""Rows of event files: which events are joined, how values are named, and where reading resumes."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runstream.import_hooks import ImportHooks
from runstream.run_folder.folder import EVENT_FILES_NAME
from runstream.tensorboard.reader import Journal
from runstream.tensorboard.requests import Request, add_request, read_requests
from runstream.tensorboard.rows import Event, FilePosition, RowBuilder, is_requested, name_prefix

if TYPE_CHECKING:
    from pathlib import Path


def event(number: int, step: int, **values: Any) -> Event:
    """Return an event."""
    return Event(step=step, time=number, values=values, number=number)


def test_an_event_of_another_step_closes_the_row() -> None:
    """Events of one step and file are one row; those of other files are not part of it."""
    rows = RowBuilder()

    assert rows.add("f", "", event(1, 0, a=1)) is None
    assert rows.add("g", "val", event(1, 7, a=5)) is None
    assert rows.add("f", "", event(2, 0, b=2)) is None
    closed = rows.add("f", "", event(3, 1, a=3))

    assert closed is not None
    assert closed.values == {"global_step": 0, "a": 1, "b": 2}
    assert closed.position == FilePosition("f", 2)
    assert [row.values for row in rows.close()] == [{"val/global_step": 7, "val/a": 5}, {"global_step": 1, "a": 3}]


@pytest.mark.parametrize(
    ("folder", "root", "prefix"),
    [
        ("/runs/a", "", ""),
        ("/runs/a/val", "", "val"),
        ("/runs/b", "", "b"),
        ("/runs/b/c", "", "b/c"),
        ("/runs/a", "/runs", "a"),
        ("/runs/a/x/y", "/runs", "a/x/y"),
    ],
)
def test_names_begin_with_the_path_below_the_root(folder: str, root: str, prefix: str) -> None:
    """Without a root, the path starts at the first folder, or at the parent that another folder shares with it."""
    assert name_prefix(folder, Request(folder=folder, root=root), "/runs/a") == prefix


def test_keras_folders_are_part_of_the_names_even_if_they_come_first() -> None:
    """Values of train and validation have different names."""
    request = Request(folder="/logs/train")
    assert name_prefix("/logs/train", request, "/logs/train") == "train"
    assert name_prefix("/logs/validation", request, "/logs/train") == "validation"


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("events.out.tfevents.1000.host.12.0", True),
        ("events.out.tfevents.1000.a.host.with.dots.12.0", True),
        ("events.out.tfevents.999.host.12.0", False),
        ("events.out.tfevents.1000.host.13.0", False),
        ("events.out.tfevents.1000.host", True),
        ("events.out.tfevents.1000.host.12.0.suffix", True),
        ("events.out.tfevents.1000.host.profile-empty", False),
        ("model.pt", False),
    ],
)
def test_only_files_of_the_run_and_its_process_are_read(name: str, is_read: bool) -> None:  # noqa: FBT001 - a parameter
    """Files older than the run and files of other processes are not read."""
    assert is_requested(name, Request(folder="/", pid=12), 1000) is is_read


def test_a_journal_keeps_one_line_for_each_row(tmp_path: Path) -> None:
    """Lines without a row and a broken last line are removed."""
    journal = Journal(tmp_path / "journal", 0)
    for number in (2, 4, 6):
        journal.add(FilePosition("f", number))
    journal.close()
    with (tmp_path / "journal").open("a") as file:
        file.write('["f", 8')

    again = Journal(tmp_path / "journal", 2)

    assert again.positions == {"f": 4}
    again.add(FilePosition("g", 1))
    again.close()
    last = Journal(tmp_path / "journal", 3)
    assert last.positions == {"f": 4, "g": 1}
    last.close()


def test_requests_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A broken line is skipped; without a file there are no requests."""
    assert read_requests(tmp_path) == []
    requests = [Request(folder="/a", pid=3), Request(folder="/b", root="/")]
    add_request(tmp_path, requests[0])
    with (tmp_path / EVENT_FILES_NAME).open("a") as file:
        file.write("{}\n")
    add_request(tmp_path, requests[1])

    assert read_requests(tmp_path) == requests


def test_an_import_hook_is_called_after_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called at once for a module that is imported already. The module keeps its own loader."""
    (tmp_path / "imported_later.py").write_text("value = 1")
    (tmp_path / "imported.py").write_text("value = 2")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("imported")
    seen: list[str] = []
    hook = ImportHooks(dict.fromkeys(("imported_later", "imported"), lambda module: seen.append(module.__name__)))

    hook.install()
    assert seen == ["imported"]
    module = importlib.import_module("imported_later")

    assert seen == ["imported", "imported_later"]
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"  # type: ignore[union-attr]
    hook.remove()
    hook.remove()
    assert hook not in sys.meta_path
    for name in ("imported_later", "imported"):
        del sys.modules[name]
