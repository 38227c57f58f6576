"""Small files that are saved or added together: in packs, of which each content can be read."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runstream
from runstream.files.pack import PACKED_BYTES, Pack
from tests.unit.files.recorded import content, file_records, offline_run
from tests.unit.producer.spooled import only_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SIZES = [0, 1, 100, PACKED_BYTES - 1, PACKED_BYTES, PACKED_BYTES + 1, 3 * PACKED_BYTES]


def _write(folder: Path, sizes: Sequence[int]) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    contents = {f"{number:04}": os.urandom(size) for number, size in enumerate(sizes)}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return contents


@given(sizes=st.lists(st.sampled_from(_SIZES), max_size=8))
@settings(deadline=None)
def test_contents_of_a_pack_are_those_added(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    """Small files are packed, one after another; those that are empty or larger are not."""
    folder = tmp_path_factory.mktemp("pack")
    contents = _write(folder / "source", sizes)
    pack = Pack(folder / "staged")
    packed = {name: pack.add(folder / "source" / name) for name in contents}
    for name, one in packed.items():
        assert (one is not None) == (0 < len(contents[name]) <= PACKED_BYTES)
        if one is not None:
            assert (one.read(), one.sha256) == (contents[name], hashlib.sha256(contents[name]).digest())
    assert pack.path.stat().st_size == sum(one.size for one in packed.values() if one is not None)


def test_files_of_a_call_share_records_and_packs(tmp_path: Path) -> None:
    """Hundreds of small files need a few records; a large one and an empty one are staged by themselves."""
    contents = _write(tmp_path / "data", [10] * 600 + [0, PACKED_BYTES + 1])
    with offline_run(tmp_path) as run:
        saved = run.save(str(tmp_path / "data" / "*"), base_path=tmp_path, policy="now")
        assert run.save(str(tmp_path / "data" / "*"), base_path=tmp_path, policy="now") == saved
        records = file_records(tmp_path)
        assert {record["path"]: content(tmp_path, record) for record in records} == {
            f"data/{name}": data for name, data in contents.items()
        }
        assert len(records) == 602
        packs = {record["staged"] for record in records if "offset" in record}
        assert len(packs) == 3
        assert len({record["staged"] for record in records}) == 5


def test_file_that_cannot_be_kept_does_not_affect_the_others(tmp_path: Path) -> None:
    """The pack has no room, as on a full disk: what was added before is recorded, the rest is lost with a reason."""
    _write(tmp_path / "data", [PACKED_BYTES] * 40)
    with offline_run(tmp_path) as run:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (PACKED_BYTES * 30, hard))
        try:
            run.save(str(tmp_path / "data" / "*"), base_path=tmp_path, policy="now")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        records = {record["path"]: record for record in file_records(tmp_path)}
        assert len(records) == 40
        lost = [path for path, record in records.items() if "lost" in record]
        kept = [path for path in records if path not in lost]
        assert len(kept) == 30
        assert all("File too large" in records[path]["lost"] for path in lost)
        for path in kept:
            assert content(tmp_path, records[path]) == (tmp_path / path).read_bytes()


def test_entries_of_a_draft_can_be_read(tmp_path: Path) -> None:
    """A packed entry has a digest, and a file with its content, which outlives changes of the source."""
    contents = _write(tmp_path / "data", [5, 0, PACKED_BYTES + 1])
    artifact = runstream.Artifact("a", "dataset")
    artifact.add_dir(str(tmp_path / "data"))
    for name in contents:
        (tmp_path / "data" / name).write_bytes(b"changed")
    for name, data in contents.items():
        entry = artifact.manifest.entries[name]
        assert (entry.size, entry.digest) == (len(data), hashlib.sha256(data).hexdigest())
        assert Path(entry.download()).read_bytes() == data
    with pytest.raises(ValueError, match="Cannot add the same path twice"):
        artifact.add_file(str(tmp_path / "data" / "0000"), "0000")


def test_logged_artifact_has_one_pack_for_its_small_files(tmp_path: Path) -> None:
    """The run folder gets a second link to the pack, which outlives the artifact."""
    _write(tmp_path / "data", [5] * 50)
    with offline_run(tmp_path) as run:
        artifact = runstream.Artifact("a", "dataset")
        artifact.add_dir(str(tmp_path / "data"))
        run.log_artifact(artifact)
        del artifact
        (pack,) = (only_run(tmp_path) / "staged").iterdir()
        assert pack.stat().st_size == 250


def test_child_does_not_add_to_the_pack_of_its_parent(tmp_path: Path) -> None:
    """After a fork, each process has packs of its own: neither writes where the other one does."""
    contents = _write(tmp_path / "data", [5, 6, 7])
    artifact = runstream.Artifact("a", "dataset")
    artifact.add_file(str(tmp_path / "data" / "0000"), "first")
    if (child := os.fork()) == 0:
        try:
            artifact.add_file(str(tmp_path / "data" / "0001"), "child")
            os._exit(0 if _content_of(artifact, "child") == contents["0001"] else 1)
        except BaseException:  # noqa: BLE001 - reported by the exit status
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    artifact.add_file(str(tmp_path / "data" / "0002"), "parent")
    assert _content_of(artifact, "first") == contents["0000"]
    assert _content_of(artifact, "parent") == contents["0002"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_artifact_with_packed_files_can_be_copied(
    tmp_path: Path, copied: Callable[[runstream.Artifact], runstream.Artifact]
) -> None:
    """A copy, also one for another process, has the files, and adds others to a pack of its own."""
    contents = _write(tmp_path / "data", [5, 6, 7])
    artifact = runstream.Artifact("a", "dataset")
    artifact.add_file(str(tmp_path / "data" / "0000"), "first")
    other = copied(artifact)
    for one, name in ((other, "0001"), (artifact, "0002")):
        one.add_file(str(tmp_path / "data" / name), "second")
        assert _content_of(one, "first") == contents["0000"]
        assert _content_of(one, "second") == contents[name]


def _content_of(artifact: runstream.Artifact, name: str) -> bytes:
    path = artifact.manifest.entries[name].local_path
    assert path is not None
    return Path(path).read_bytes()
