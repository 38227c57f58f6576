"""Rows of event files: which events belong together, what they are called, and where reading goes on."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runstream.compat.import_hooks import ImportHooks
from runstream.tensorboard.journal import Journal
from runstream.tensorboard.requests import REQUESTS_NAME, Request, add_request, requests_of
from runstream.tensorboard.rows import Place, Point, Rows, is_of, prefix_of

if TYPE_CHECKING:
    from pathlib import Path


def point(number: int, step: int, **values: Any) -> Point:
    """Return an event."""
    return Point(step=step, time=number, values=values, number=number)


def test_a_row_ends_where_another_step_begins() -> None:
    """Events of one step and file are one row; files do not mix."""
    rows = Rows()

    assert rows.add("f", "", point(1, 0, a=1)) is None
    assert rows.add("g", "val", point(1, 7, a=5)) is None
    assert rows.add("f", "", point(2, 0, b=2)) is None
    closed = rows.add("f", "", point(3, 1, a=3))

    assert closed is not None
    assert closed.values == {"global_step": 0, "a": 1, "b": 2}
    assert closed.place == Place("f", 2)
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
def test_names_begin_with_the_way_from_the_root(folder: str, root: str, prefix: str) -> None:
    """From the root that was given, else from the first folder or what it has in common with another."""
    assert prefix_of(folder, Request(folder=folder, root=root), "/runs/a") == prefix


def test_the_folders_of_keras_are_named_even_where_they_are_the_first() -> None:
    """Train and validation stay apart."""
    request = Request(folder="/logs/train")
    assert prefix_of("/logs/train", request, "/logs/train") == "train"
    assert prefix_of("/logs/validation", request, "/logs/train") == "validation"


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
def test_only_files_of_this_run_and_process_are_read(name: str, is_read: bool) -> None:  # noqa: FBT001 - a parameter
    """Files that are older than the run stay out, and those that say they are another process's."""
    assert is_of(name, Request(folder="/", pid=12), 1000) is is_read


def test_a_journal_is_cut_to_the_rows_that_there_are(tmp_path: Path) -> None:
    """What was noted of a row that did not come to be is forgotten, a broken last line too."""
    journal = Journal(tmp_path / "journal", 0)
    for number in (2, 4, 6):
        journal.add(Place("f", number))
    journal.close()
    with (tmp_path / "journal").open("a") as file:
        file.write('["f", 8')

    again = Journal(tmp_path / "journal", 2)

    assert again.taken == {"f": 4}
    again.add(Place("g", 1))
    again.close()
    last = Journal(tmp_path / "journal", 3)
    assert last.taken == {"f": 4, "g": 1}
    last.close()


def test_requests_are_read_as_they_were_made(tmp_path: Path) -> None:
    """A broken line is passed over; without a file there is none."""
    assert requests_of(tmp_path) == []
    requests = [Request(folder="/a", pid=3), Request(folder="/b", root="/")]
    add_request(tmp_path, requests[0])
    with (tmp_path / REQUESTS_NAME).open("a") as file:
        file.write("{}\n")
    add_request(tmp_path, requests[1])

    assert requests_of(tmp_path) == requests


def test_a_module_is_acted_on_when_it_is_imported_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there already is acted on at once; the module keeps its own loader."""
    (tmp_path / "comes_later.py").write_text("value = 1")
    (tmp_path / "is_there.py").write_text("value = 2")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("is_there")
    seen: list[str] = []
    hook = ImportHooks(dict.fromkeys(("comes_later", "is_there"), lambda module: seen.append(module.__name__)))

    hook.install()
    assert seen == ["is_there"]
    module = importlib.import_module("comes_later")

    assert seen == ["is_there", "comes_later"]
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"  # type: ignore[union-attr]
    hook.remove()
    hook.remove()
    assert hook not in sys.meta_path
    for name in ("comes_later", "is_there"):
        del sys.modules[name]
