"""``run.save()``: which files, under which names, and what is recorded of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runstream
from runstream.files.staging import Staging
from tests.unit.files.recorded import content, file_records, offline_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, next to the one in which the run is recorded."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    if runstream.run is not None:
        runstream.finish()


def _write(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


@pytest.mark.parametrize(
    ("pattern", "base", "names"),
    [
        ("these/are/myfiles/*", None, ["these/are/myfiles/a", "these/are/myfiles/b"]),
        ("these/are/myfiles/*", "these", ["are/myfiles/a", "are/myfiles/b"]),
        ("{here}/these/run123/*.txt", None, ["run123/x.txt"]),
        ("{here}/these/run123/*.txt", "{here}", ["these/run123/x.txt"]),
        ("files/*/saveme.txt", None, ["files/one/saveme.txt", "files/two/saveme.txt"]),
        ("../work/these/are/myfiles/a", None, ["these/are/myfiles/a"]),
        ("../outside.txt", "..", ["outside.txt"]),
        ("these/*/myfiles/a", "these/*", ["myfiles/a"]),
        ("//{here}/these/run123/x.txt", "/{here}/these", ["run123/x.txt"]),
        ("with[1].txt", None, ["with[1].txt"]),
        ("these/**/*.txt", None, ["these/run123/x.txt"]),
    ],
)
def test_names_follow_from_pattern_and_base(work: Path, pattern: str, base: str | None, names: list[str]) -> None:
    """The examples of W&B's reference, and paths with dots, patterns as base, and brackets in names."""
    _write("these/are/myfiles/a", "these/are/myfiles/b", "these/run123/x.txt", "files/one/saveme.txt")
    _write("files/two/saveme.txt", "files/two/other.txt", "../outside.txt", "with[1].txt")
    with offline_run(work.parent) as run:
        found = run.save(pattern.format(here=work), base and base.format(here=work), policy="now")
        assert isinstance(found, list)
        assert [os.path.relpath(path, run.dir) for path in found] == names
        assert all(Path(path).is_symlink() and Path(path).is_file() for path in found)
    assert [one["path"] for one in file_records(work.parent)] == names


@pytest.mark.parametrize(
    ("pattern", "base"), [("../outside.txt", None), ("a.txt", "b"), ("a.txt", "a.txt"), ("{here}/a.txt", "{here}/b")]
)
def test_name_that_leaves_the_run_is_an_error(work: Path, pattern: str, base: str | None) -> None:
    """A base that is no prefix, or a relative path above the current folder, is a ValueError that names it."""
    _write("../outside.txt", "a.txt", "b/c.txt")
    with offline_run(work.parent) as run, pytest.raises(ValueError, match=r"Invalid base_path=.*\.txt'"):
        run.save(pattern.format(here=work), base and base.format(here=work))
    assert file_records(work.parent) == []


def test_policies_decide_what_is_recorded(work: Path) -> None:
    """Policy now stages a copy; the others name the source, whose content is staged when an offline run ends."""
    _write("now.txt", "live.txt", "end.txt")
    with offline_run(work.parent) as run:
        for policy in ("now", "live", "end"):
            assert run.save(f"{policy}.txt", policy=policy)
        with pytest.raises(ValueError, match="Invalid policy='later': expected one of live, now, end"):
            run.save("now.txt", policy="later")
        records = file_records(work.parent)
        Path("now.txt").write_text("changed")
        Path("end.txt").write_text("the end")
    assert [(one["path"], one["policy"], one.get("source")) for one in records] == [
        ("now.txt", "now", None),
        ("live.txt", "live", str(work / "live.txt")),
        ("end.txt", "end", str(work / "end.txt")),
    ]
    kept = file_records(work.parent)[3:]
    staged = {one["path"]: content(work.parent, one) for one in [records[0], *kept]}
    assert staged == {"now.txt": b"now.txt", "live.txt": b"live.txt", "end.txt": b"the end"}
    assert [one["policy"] for one in kept] == ["live", "end"]


def test_unchanged_file_is_recorded_once(work: Path) -> None:
    """A second call records what has changed since, also if size and time are the same, or the policy."""
    _write("a.txt", "b.txt")
    with offline_run(work.parent) as run:
        for _ in range(2):
            run.save("*.txt", policy="now")
            run.save("b.txt")
        before = Path("a.txt").stat()
        Path("a.txt").write_text("A.txt")
        os.utime("a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
        run.save("a.txt", policy="now")
        found = [(one["path"], one["policy"]) for one in file_records(work.parent)]
    # Of b.txt, each policy replaces the other.
    assert found[:3] == [("a.txt", "now"), ("b.txt", "now"), ("b.txt", "live")]
    assert found[-1] == ("a.txt", "now")
    assert [one for one in found if one[0] == "a.txt"] == [("a.txt", "now")] * 2


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_fifo, "it is a pipe"),
        (_socket, "it is a socket"),
        (_loop, "Too many levels of symbolic links"),
        (lambda path: path.symlink_to("/dev/null"), "it is a device"),
        (lambda path: path.symlink_to("gone"), "No such file or directory"),
    ],
    ids=["pipe", "socket", "loop", "device", "dangling"],
)
def test_what_cannot_be_stored_is_recorded_as_lost(
    work: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None], reason: str
) -> None:
    """A warning names the file, the record has the reason, and other files are saved."""
    make(work / "x")
    _write("y")
    with offline_run(work.parent) as run:
        assert len(run.save("[xy]", policy="now")) == 2  # type: ignore[arg-type]  # a list, with arguments
    lost, stored = file_records(work.parent)
    assert (lost["path"], lost["lost"], lost["policy"]) == ("x", reason, "now")
    assert stored["path"] == "y"
    assert f"WARNING The file '{work}/x' is not saved: {reason}" in capsys.readouterr().err


def test_directory_is_linked_and_not_lost(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that a pattern matches is in the list, as in W&B, and nothing is recorded; one that is named is a mistake."""
    _write("d/sub/b", "d/a")
    with offline_run(work.parent) as run:
        assert run.save("d/*", policy="now") == [f"{run.dir}/d/a", f"{run.dir}/d/sub"]
        assert "WARNING" not in capsys.readouterr().err
        assert run.save("d", policy="now") == [f"{run.dir}/d"]
    assert [(one["path"], one.get("lost")) for one in file_records(work.parent)] == [("d/a", None)]
    assert f"WARNING '{work}/d' is a directory, of which nothing is saved" in capsys.readouterr().err


def test_disk_that_is_full_loses_the_file_only(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is recorded with its reason, and a later call saves the file."""
    _write("a")
    with offline_run(work.parent) as run:
        with monkeypatch.context() as patched:
            patched.setattr(Staging, "copy", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            run.save("a", policy="now")
        run.save("a", policy="now")
    lost, stored = file_records(work.parent)
    assert (lost["lost"], stored["size"]) == ("No space left on device", 1)
    assert "a' is not saved: No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["none.txt", "no\0ne", "x" * 300, "d/" * 3000, "caf\udce9"])
def test_missing_file_is_recorded_as_lost(work: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A path, unlike a pattern, without a file is a visible loss; both return an empty list."""
    with offline_run(work.parent) as run:
        assert run.save(name) == run.save("no/*.txt") == run.save("n\0/*") == []
    assert [one["lost"] for one in file_records(work.parent)] == ["there is no such file"]
    assert capsys.readouterr().err.count("WARNING") == 3


def test_name_that_is_not_text_is_recorded_as_lost(work: Path) -> None:
    """A file whose name the contract cannot hold is lost under a readable name; the folders above it do not matter."""
    folder = work / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "line\nbreak").write_text("b")
    with offline_run(work.parent) as run:
        run.save(f"{folder}/*", base_path=folder)
        run.save(f"{folder}/a.txt")
    records = file_records(work.parent)
    assert [(one["path"], bool(one.get("lost"))) for one in records[:3]] == [
        ("a.txt", False),
        ("line\\x0abreak", True),
        ("caf\\udce9/a.txt", True),
    ]


def test_files_in_the_folder_of_the_run(work: Path) -> None:
    """What a program wrote to ``run.dir`` is found by its name there, and is not replaced by a link."""
    with offline_run(work.parent) as run:
        made = Path(run.dir, "made.h5")
        made.write_text("made")
        assert run.save("made.h5") == run.save(str(made), base_path=run.dir) == [str(made)]
        _write("made.h5")
        run.save("made.h5", policy="now")
        assert made.read_text() == "made"
    assert next(one.get("source") for one in file_records(work.parent)) == str(made)


def test_what_is_left_in_the_folder_of_the_run_is_saved_at_the_end(work: Path) -> None:
    """Files that a program wrote to ``run.dir`` without saving them are, when the run finishes; links are not."""
    _write("a.txt")
    with offline_run(work.parent) as run:
        run.save("a.txt", policy="now")
        Path(run.dir, "sub").mkdir()
        Path(run.dir, "sub", "model.pt").write_text("weights")
        Path(run.dir, "log.txt").write_text("saved")
        run.save("log.txt", policy="now")
    records = file_records(work.parent)
    assert [(one["path"], one["policy"]) for one in records] == [
        ("a.txt", "now"),
        ("log.txt", "now"),
        ("sub/model.pt", "end"),
        ("sub/model.pt", "end"),
    ]
    assert content(work.parent, records[3]) == b"weights"


def test_calls_that_select_nothing(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments it is deprecated and returns True; a URL of cloud storage is no file; bytes are a path."""
    _write("a.txt")
    with offline_run(work.parent) as run:
        assert run.save() is True
        assert run.save("s3://bucket/x") == run.save("gs://bucket/x") == []
        assert run.save(b"a.txt") == [f"{run.dir}/a.txt"]  # type: ignore[arg-type]  # W&B accepts bytes
    with pytest.raises(runstream.UsageError, match="finished"):
        run.save("a.txt")
    assert "save() without arguments is deprecated" in capsys.readouterr().err
    disabled = runstream.init(mode="disabled", reinit="create_new")
    assert disabled.save("a.txt") is False
    disabled.finish()


def test_own_files_of_runs_are_not_selected(work: Path) -> None:
    """A pattern that covers the run folders leaves out their spools."""
    _write("a.txt")
    with offline_run(work) as run:
        run.save("**", policy="now")
    assert [one["path"] for one in file_records(work)] == ["a.txt"]


def test_links_back_to_a_folder_are_not_followed(work: Path) -> None:
    """Links that lead to a folder above them would be followed forever; others are, and hidden folders are left out."""
    for name in ("d/a.txt", "d/sub/b.txt", "d/.hidden/c.txt", "other/e.txt"):
        _write(name)
    for number in range(30):
        Path(f"d/sub/loop{number}").symlink_to(Path("d").absolute())
    Path("d/link").symlink_to(Path("other").absolute())
    with offline_run(work.parent) as run:
        run.save("d/**", policy="now")
        run.save("d/**/b.txt", policy="now")
    assert sorted(one["path"] for one in file_records(work.parent)) == ["d/a.txt", "d/link/e.txt", "d/sub/b.txt"]
