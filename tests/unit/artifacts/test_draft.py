"""Contents of an artifact before it is logged."""

from __future__ import annotations

import json
import math
import os
import socket
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from runstream import Artifact, ArtifactTTL, Html
from runstream.artifacts.exceptions import ArtifactNotLoggedError
from runstream.download.file_cache import FileCache

if TYPE_CHECKING:
    from collections.abc import Callable


def contents(artifact: Artifact) -> dict[str, bytes]:
    """Return the content of each file of a draft."""
    return {path: Path(entry.download()).read_bytes() for path, entry in artifact.manifest.entries.items()}


def test_a_file_is_kept_as_it_was_when_it_was_added() -> None:
    """A later change of the file, or its deletion, does not change the artifact."""
    Path("f").write_text("before")
    artifact = Artifact("a", "t")
    artifact.add_file("f", name="sub/renamed")

    Path("f").write_text("after it")

    assert contents(artifact) == {"sub/renamed": b"before"}
    assert artifact.size == 6
    assert artifact.get_added_local_path_name("f") == "sub/renamed"


def test_equal_contents_have_equal_digests() -> None:
    """The digest depends on paths and contents, and on nothing else."""
    Path("f").write_text("x")
    Path("g").write_text("x")
    digests = []
    for name, source in (("a", "f"), ("b", "g")):
        artifact = Artifact(name, "t", description=name, metadata={"of": name})
        artifact.add_file(source, name="same")
        digests.append(artifact.digest)
    other = Artifact("a", "t")
    other.add_file("f", name="other")

    assert digests[0] == digests[1] != other.digest


def test_a_path_is_added_twice_only_with_the_same_content() -> None:
    """Other content is a ValueError, unless it may overwrite."""
    Path("f").write_text("1")
    Path("g").write_text("22")
    artifact = Artifact("a", "t")
    artifact.add_file("f", name="x")
    artifact.add_file("f", name="x")

    with pytest.raises(ValueError, match="Cannot add the same path twice: 'x'"):
        artifact.add_file("g", name="x")
    assert contents(artifact) == {"x": b"1"}

    artifact.add_file("g", name="x", overwrite=True)
    assert contents(artifact) == {"x": b"22"}


def test_a_folder_is_added_with_its_paths() -> None:
    """Files of subfolders and linked folders are added below the given name."""
    Path("data/sub").mkdir(parents=True)
    Path("data/a").write_text("a")
    Path("data/sub/b").write_text("b")
    Path("elsewhere").mkdir()
    Path("elsewhere/c").write_text("c")
    Path("data/link").symlink_to("../elsewhere")
    artifact = Artifact("a", "t")

    artifact.add_dir("data")
    artifact.add_dir("data", name="copy/")

    files = {"a": b"a", "sub/b": b"b", "link/c": b"c"}
    assert contents(artifact) == files | {f"copy/{path}": content for path, content in files.items()}


def make_socket(path: str) -> None:
    """Leave a socket in the file system."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "'data/x'.*No such file"),
        (lambda: Path("data/x").mkdir(), "'data/x' is a directory"),
        (lambda: os.mkfifo("data/x"), "'data/x' is neither a file nor a directory"),
        (lambda: make_socket("data/x"), "'data/x' is neither"),
        (lambda: Path("data/x").symlink_to("missing"), "'data/x'.*No such file"),
        (lambda: Path("data/x").symlink_to("x"), "'data/x'.*levels of symbolic links"),
    ],
    ids=["missing", "directory", "pipe", "socket", "broken-link", "link-to-itself"],
)
def test_what_is_no_file_is_refused(make: Callable[[], None], message: str) -> None:
    """The error is a ValueError that names the path and says what it is."""
    Path("data").mkdir()
    make()

    with pytest.raises(ValueError, match=message):
        Artifact("a", "t").add_file("data/x")


def test_a_loop_of_links_is_refused() -> None:
    """A folder with a link to itself is a ValueError that names the link."""
    Path("data").mkdir()
    Path("data/again").symlink_to(".")

    with pytest.raises(ValueError, match="'data/again' is a link to a directory that contains it"):
        Artifact("a", "t").add_dir("data")


@pytest.mark.parametrize("name", ["../x", "/x", "//x", "a/../b", "a\0b", "x" * 4096, "a/\udcff"])
def test_a_path_that_could_leave_the_folder_is_refused(name: str) -> None:
    """The error is a ValueError for files and for new files."""
    Path("f").write_text("1")
    artifact = Artifact("a", "t")

    with pytest.raises(ValueError, match="Invalid path"):
        artifact.add_file("f", name=name)
    with pytest.raises(ValueError, match="Invalid path"), artifact.new_file(name):
        pass
    assert contents(artifact) == {}


def test_names_that_look_alike_are_different_files() -> None:
    """Composed and decomposed letters are not the same path; a backslash is an ordinary character."""
    artifact = Artifact("a", "t")
    for name in ("\u00e9", "e\u0301", "a\\b"):
        with artifact.new_file(name) as file:
            file.write(name)

    assert contents(artifact) == {name: name.encode() for name in ("\u00e9", "e\u0301", "a\\b")}


def test_a_new_file_is_added_when_it_is_complete() -> None:
    """One whose block raises is not added, and a name is used once unless the mode is 'w'."""
    artifact = Artifact("a", "t")
    with pytest.raises(ZeroDivisionError), artifact.new_file("half") as file:
        file.write(str(1 // 0))
    with artifact.new_file("b", mode="wb") as file:
        file.write(b"1")
    with pytest.raises(ValueError, match="'b' already exists"), artifact.new_file("b"):
        pass
    with artifact.new_file("b", mode="w") as file:
        file.write("2")

    assert contents(artifact) == {"b": b"2"}


def test_entries_and_folders_are_removed() -> None:
    """A path removes an entry, a folder all below it; nothing to remove is a FileNotFoundError."""
    artifact = Artifact("a", "t")
    for name in ("a", "d/x", "d/y", "e"):
        with artifact.new_file(name) as file:
            file.write(name)

    artifact.remove("d")
    artifact.remove(artifact.manifest.entries["e"])

    assert list(artifact.manifest.entries) == ["a"]
    with pytest.raises(FileNotFoundError, match="'d'"):
        artifact.remove("d")


def test_an_object_is_added_with_its_files() -> None:
    """The entry is that of the description; another object is a TypeError."""
    artifact = Artifact("a", "t")

    assert artifact.add(Html("hello", inject=False), "n").path == "n.html-file.json"
    found = contents(artifact)
    (page,) = found.keys() - {"n.html-file.json"}
    assert found[page] == b"hello"
    assert json.loads(found["n.html-file.json"])["path"] == page
    with pytest.raises(TypeError, match="Cannot add a dict"):
        artifact.add({}, "n")


def test_references_to_files_have_size_and_digest() -> None:
    """A folder gives an entry for each file; changes of the file are noticed by its SHA-256."""
    Path("data/sub").mkdir(parents=True)
    Path("data/a b").write_text("1")
    Path("data/sub/b").write_text("22")
    artifact = Artifact("a", "t")

    found = artifact.add_reference(f"file://{os.getcwd()}/data", name="d")  # noqa: PTH109

    assert [(entry.path, entry.size, entry.ref) for entry in found] == [
        ("d/a b", 1, f"file://{Path.cwd()}/data/a%20b"),
        ("d/sub/b", 2, f"file://{Path.cwd()}/data/sub/b"),
    ]
    assert len(found[0].digest) == 64
    (unchecked,) = artifact.add_reference(f"file://{Path.cwd()}/data/a%20b", checksum=False)
    assert unchecked.digest != found[0].digest


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("data", "expected a URI"),
        ("file:///nowhere/at/all", "neither a file nor a directory"),
        ("runstream+x:///", "pass name"),
        ("http://127.0.0.1/", "pass name"),
    ],
)
def test_references_that_lead_nowhere_are_refused(uri: str, message: str) -> None:
    """The error is a ValueError with the URI."""
    with pytest.raises(ValueError, match=message):
        Artifact("a", "t").add_reference(uri)


def test_a_path_has_one_reference() -> None:
    """The same reference can be added again; another one with its path is a ValueError."""
    artifact = Artifact("a", "t")
    artifact.add_reference("x://one/y", name="y")
    artifact.add_reference("x://one/y", name="y")
    with pytest.raises(ValueError, match="same path twice"):
        artifact.add_reference("x://two/y", name="y")
    assert artifact.manifest.entries["y"].ref == "x://one/y"


def test_entries_keep_their_files() -> None:
    """The copy of a file exists as long as its entry or its artifact, and no longer."""
    Path("f").write_text("content")
    entry = Artifact("a", "t").add_file("f", name="x//y/")
    copy = Path(str(entry.local_path))
    assert entry.path == "x/y"
    assert entry.digest == sha256(b"content").hexdigest()
    del entry
    assert not copy.exists()


def test_a_reference_has_a_limit_of_objects() -> None:
    """More objects than max_objects are a ValueError, and none is added."""
    Path("data").mkdir()
    for name in "abc":
        Path("data", name).write_text(name)
    artifact = Artifact("a", "t")

    with pytest.raises(ValueError, match="more than 2 objects"):
        artifact.add_reference(Path("data").absolute().as_uri(), max_objects=2)
    assert contents(artifact) == {}


def test_metadata_is_what_json_can_represent() -> None:
    """Arrays, paths and dates are converted, NaN to None; anything else, and too many keys, are refused as in W&B."""
    given = {"x": np.float32(0.5), "y": np.arange(2), "z": {1}, "path": Path("p"), "nan": [math.nan, math.inf]}
    wanted = {"x": 0.5, "y": [0, 1], "z": [1], "path": "p", "nan": [None, None]}
    assert Artifact("a", "t", metadata=given).metadata == wanted
    with pytest.raises(ValueError, match="expected a dict"):
        Artifact("a", "t", metadata=[1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="of type object"):
        Artifact("a", "t", metadata={"a": object()})
    artifact = Artifact("a", "t")
    with pytest.raises(ValueError, match="101 keys"):
        artifact.metadata = dict.fromkeys(map(str, range(101)))


@pytest.mark.parametrize(
    ("ttl", "error"), [(timedelta(0), ValueError), (timedelta(days=-1), ValueError), (3, TypeError)]
)
def test_a_lifetime_is_positive(ttl: Any, error: type[Exception]) -> None:
    """Other lifetimes are refused; that of the collection is not known before the version is stored."""
    artifact = Artifact("a", "t")

    with pytest.raises(error, match="Invalid ttl"):
        artifact.ttl = ttl
    with pytest.raises(ArtifactNotLoggedError, match="ttl"):
        _ = artifact.ttl
    artifact.ttl = timedelta(days=1)
    assert artifact.ttl == timedelta(days=1)
    artifact.ttl = None
    assert artifact.ttl is None
    artifact.ttl = ArtifactTTL.INHERIT


def test_the_copies_of_a_draft_are_deleted_with_it(tmp_path: Path) -> None:
    """Nothing is left in the cache; copies of a process that was killed are deleted by shrink()."""
    drafts = tmp_path / "cache" / "drafts"
    artifact = Artifact("a", "t")
    with artifact.new_file("x") as file:
        file.write("x")
    assert len(list(drafts.iterdir())) == 1

    del artifact, file
    assert list(drafts.iterdir()) == []

    (drafts / f"{socket.gethostname()}-4194305-x").mkdir()
    FileCache().shrink(0)
    assert list(drafts.iterdir()) == []
