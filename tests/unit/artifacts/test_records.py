"""What the methods of a run record of artifacts, and what they refuse."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

import runstream
from runstream import Artifact, Run, UsageError
from runstream.artifacts.exceptions import ArtifactFinalizedError, ArtifactNotLoggedError, WaitTimeoutError
from runstream.artifacts.stored_version import StoredVersion, VersionPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.artifacts.conftest import Recorded


@pytest.fixture(autouse=True)
def model() -> None:
    """Have a file and a folder with a file."""
    Path("m.bin").write_text("weights")
    Path("folder").mkdir()
    Path("folder/x").write_text("x")


def test_an_artifact_is_recorded_with_its_files(run: Run, recorded: Callable[[], Recorded]) -> None:
    """The record has everything about the version, and the run folder the files."""
    artifact = Artifact("a", "t", description="d", metadata={"k": 1})
    artifact.add_file("m.bin")
    artifact.ttl = timedelta(days=1)

    assert run.log_artifact(artifact, aliases=["best", "latest"], tags=["x"]) is artifact

    ((record, entries),) = recorded()
    assert len(record.pop("local")) == 16
    assert record == {
        "action": "log",
        "name": "a",
        "type": "t",
        "aliases": ["best"],
        "tags": ["x"],
        "metadata": '{"k":1}',
        "description": "d",
        "ttl_s": 86400,
        "finalize": True,
    }
    assert {path: entry["content"] for path, entry in entries.items()} == {"m.bin": b"weights"}
    assert entries["m.bin"]["size"] == 7


def test_a_file_that_cannot_be_kept_is_named(run: Run, recorded: Callable[[], Recorded]) -> None:
    """The error names the file, and nothing is recorded."""
    artifact = Artifact("a", "t")
    artifact.add_file("m.bin")
    staged = Path(run.dir).parent / "staged"
    staged.rename(staged.with_name("aside"))
    staged.touch()
    with pytest.raises(OSError, match=r"Cannot keep 'm\.bin' in the run folder: File exists"):
        run.log_artifact(artifact)
    staged.unlink()
    staged.with_name("aside").rename(staged)
    assert recorded() == []


def test_an_immutable_file_is_read_in_place(run: Run, recorded: Callable[[], Recorded]) -> None:
    """The description has its absolute path and when it was changed last, and nothing is copied."""
    artifact = Artifact("a", "t")
    artifact.add_file("m.bin", policy="immutable")
    run.log_artifact(artifact)

    ((_, entries),) = recorded()
    assert entries == {
        "m.bin": {
            "source": str(Path("m.bin").absolute()),
            "size": 7,
            "mtime_ns": Path("m.bin").stat().st_mtime_ns,
        }
    }
    assert b"weights" not in [path.read_bytes() for path in (Path(run.dir).parent / "staged").glob("*")]


def test_a_reference_is_recorded_without_content(run: Run, recorded: Callable[[], Recorded]) -> None:
    """The description has the URI, its digest and the size."""
    artifact = Artifact("a", "t")
    artifact.add_reference("s3+other://bucket/path.bin", name="path.bin")
    run.log_artifact(artifact)

    ((_, entries),) = recorded()
    entry = entries["path.bin"]
    assert (entry["ref"], entry["size"], len(entry["digest"])) == ("s3+other://bucket/path.bin", 0, 64)


def test_the_same_artifact_is_logged_twice(run: Run) -> None:
    """Each record has the files, also after the first ones are delivered."""
    artifact = Artifact("a", "t")
    artifact.add_file("m.bin")
    run.log_artifact(artifact, aliases=["one"])
    for staged in (Path(run.dir).parent / "staged").iterdir():
        staged.unlink()

    run.log_artifact(artifact, aliases=["two"])

    assert [path.read_text() for path in (Path(run.dir).parent / "staged").iterdir()] == ["weights"]


def test_a_logged_artifact_cannot_be_changed(run: Run) -> None:
    """Every method that adds or removes raises ArtifactFinalizedError."""
    artifact = Artifact("a", "t")
    artifact.add_file("m.bin")
    run.log_artifact(artifact)

    changes: list[Callable[[], object]] = [
        lambda: artifact.add_file("m.bin", name="b"),
        lambda: artifact.add_dir("folder"),
        lambda: artifact.add_reference("x://y"),
        lambda: artifact.remove("m.bin"),
        lambda: ExitStack().enter_context(artifact.new_file("x")),
    ]
    for change in changes:
        with pytest.raises(ArtifactFinalizedError, match="new_draft"):
            change()


@pytest.mark.parametrize(
    "use",
    [
        lambda artifact: artifact.version,
        lambda artifact: artifact.entity,
        lambda artifact: artifact.aliases,
        lambda artifact: artifact.tags,
        lambda artifact: artifact.qualified_name,
        lambda artifact: artifact.download(),
        lambda artifact: artifact.get("x"),
        lambda artifact: artifact.get_entry("x"),
        lambda artifact: artifact.new_draft(),
        lambda artifact: artifact.logged_by(),
        lambda artifact: artifact.used_by(),
        lambda artifact: artifact.wait(),
        lambda artifact: artifact.delete(),
        lambda artifact: artifact.link("x"),
        lambda artifact: artifact.unlink(),
        lambda artifact: artifact.verify(),
    ],
    ids=range(16),
)
def test_what_needs_a_stored_version_is_refused_before(run: Run, use: Callable[[Artifact], Any]) -> None:
    """The error is an AttributeError, before the artifact is logged and in an offline run."""
    artifact = Artifact("a", "t")
    with pytest.raises(ArtifactNotLoggedError):
        use(artifact)

    run.log_artifact(artifact)
    with pytest.raises(ArtifactNotLoggedError):
        use(artifact)
    assert artifact.is_draft()


def test_paths_have_default_names(run: Run, recorded: Callable[[], Recorded]) -> None:
    """The name is that of the run and of the path; a colon adds an alias."""
    run.log_artifact("m.bin")
    run.log_artifact("folder/", type="dataset")
    run.log_artifact("m.bin", name="named:best", type="t", aliases=["x"])
    run.log_artifact("m.bin", name="named:v7", type="t")
    run.log_model("m.bin")
    Path("m.bin").rename("my model.bin")
    run.log_model("my model.bin")
    Path("my model.bin").rename("m.bin")
    run.log_model(Path("m.bin"), "my.model_1-x", aliases=["best"])

    assert [
        (record["name"], record["type"], record.get("aliases"), sorted(entries)) for record, entries in recorded()
    ] == [
        ("run-r1-m.bin", "unspecified", None, ["m.bin"]),
        ("run-r1-folder", "dataset", None, ["x"]),
        ("named", "t", ["x", "best"], ["m.bin"]),
        ("named", "t", None, ["m.bin"]),
        ("run-r1-m.bin", "model", None, ["m.bin"]),
        ("run-r1-my_model.bin", "model", None, ["my model.bin"]),
        ("my.model_1-x", "model", ["best"], ["m.bin"]),
    ]


def test_contributions_share_an_id(run: Run, recorded: Callable[[], Recorded]) -> None:
    """The id is the given one or the group; the last contribution finishes."""
    run.upsert_artifact("m.bin", name="d", type="t", distributed_id="one")
    run.upsert_artifact("m.bin", name="ada/other/d:best", type="t")
    run.finish_artifact("m.bin", name="d", type="t", distributed_id="one")

    assert [
        (record["action"], record["distributed_id"], record["finalize"], record.get("artifact_project"))
        for record, _ in recorded()
    ] == [("upsert", "one", False, None), ("upsert", "grp", False, "other"), ("upsert", "one", True, None)]
    assert recorded()[1][0]["artifact_entity"] == "ada"
    assert recorded()[1][0]["aliases"] == ["best"]


def test_a_link_names_what_the_run_logs(run: Run, recorded: Callable[[], Recorded]) -> None:
    """An artifact that is not logged is logged first; a model is linked to the project of the registry."""
    artifact = Artifact("a", "t")
    run.link_artifact(artifact, "collection", aliases=["x"])
    run.link_artifact(artifact, "ada/other/collection")
    run.link_model("m.bin", "registered", name="m", aliases=["production"])

    logged, link, other, model, registered = [record for record, _ in recorded()]
    assert [logged["action"], model["action"], model["type"]] == ["log", "log", "model"]
    assert link == {
        "action": "link",
        "name": "a",
        "type": "t",
        "local": logged["local"],
        "target": "p/collection",
        "aliases": ["x"],
    }
    assert (other["target"], other["local"]) == ("ada/other/collection", logged["local"])
    assert (registered["target"], registered["local"], registered["aliases"]) == (
        "model-registry/registered",
        model["local"],
        ["production"],
    )


def stored(project: str) -> Artifact:
    """Return a version of a project, without a server to read more from."""
    path = VersionPath(entity="ada", project=project, name="a", version="v0")
    document = {"type": "t", "entity": "ada", "project": project, "name": "a", "version": 0}
    return Artifact.of_version(StoredVersion(cast("Any", None), path, document))


INVALID: dict[str, tuple[Callable[[Run], object], type[Exception], str]] = {
    "log_model of a path as name": (
        lambda run: run.log_model(path="m.bin", name="my_entity/my_project/my_model_artifact", aliases=["production"]),
        ValueError,
        "my_entity/my_project",
    ),
    "link_model to a path": (
        lambda run: run.link_model("m.bin", "my_entity/my_project/my_reg_model", name="n", aliases=["production"]),
        AssertionError,
        "my_entity/my_project",
    ),
    "link_model of a path as name": (
        lambda run: run.link_model("m.bin", "my_reg_model", name="my_entity/my_project/n", aliases=["production"]),
        ValueError,
        "my_entity/my_project",
    ),
    "log_model of a space": (lambda run: run.log_model("m.bin", "a b"), ValueError, "'a b'"),
    "log_artifact of nothing": (lambda run: run.log_artifact("nowhere", "n", "t"), ValueError, "'nowhere'"),
    "log_artifact of a number": (lambda run: run.log_artifact(5), TypeError, "int"),  # type: ignore[arg-type]
    "log_artifact elsewhere": (lambda run: run.log_artifact("m.bin", "e/p/n:x"), ValueError, "project of the run"),
    "an alias with a slash": (lambda run: run.log_artifact("m.bin", aliases=["a/b"]), ValueError, "'a/b'"),
    "an alias that is a version": (lambda run: run.log_artifact("m.bin", aliases=["v3"]), ValueError, "'v3'"),
    "a tag with a colon": (lambda run: run.log_artifact("m.bin", tags=["a:b"]), ValueError, "'a:b'"),
    "log_artifact of another project": (lambda run: run.log_artifact(stored("q")), ValueError, "of ada/q to ada/p"),
    "use_artifact offline": (lambda run: run.use_artifact("a:latest"), TypeError, "offline"),
    "use_model offline": (lambda run: run.use_model("m:latest"), RuntimeError, "offline"),
    "link to a version": (lambda run: run.link_artifact(Artifact("a", "t"), "c:v1"), ValueError, "'c:v1'"),
    "link of a path": (lambda run: run.link_artifact("m.bin", "c"), TypeError, "str"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", INVALID)
def test_invalid_usage_is_refused(run: Run, recorded: Callable[[], Recorded], call: str) -> None:
    """The error has W&B's class and names the value, and nothing is recorded."""
    make, error, text = INVALID[call]

    with pytest.raises(error, match=text):
        make(run)
    assert recorded() == []


def test_a_contribution_needs_an_id(tmp_path: Path) -> None:
    """Without a group and an id it is a TypeError."""
    with (
        runstream.init(mode="offline", dir=tmp_path, settings={"silent": True}) as run,
        pytest.raises(TypeError, match="distributed_id"),
    ):
        run.upsert_artifact("m.bin")


def test_a_finished_run_refuses(run: Run) -> None:
    """Every method is a UsageError after the end of the run, and leaves no file behind."""
    run.finish()

    for call in (run.log_artifact, run.log_model, run.upsert_artifact):
        with pytest.raises(UsageError, match="finished"):
            call("m.bin")
    assert not (Path(run.dir).parent / "artifacts").exists()


def test_a_disabled_run_goes_on(tmp_path: Path) -> None:
    """Nothing is recorded or refused, and an artifact can be waited for and downloaded."""
    with runstream.init(mode="disabled", dir=tmp_path) as run:
        artifact = run.log_artifact("m.bin", name="x", type="t").wait()
        assert run.upsert_artifact(Artifact("a", "t")).name == "a"
        assert os.listdir(run.use_artifact("a:latest").download("here")) == []  # noqa: PTH208
        assert Path(run.use_model("m:latest")).is_dir()
        run.link_model("m.bin", "registered")
    assert artifact.is_draft()


def test_wait_ends_with_its_timeout(run: Run) -> None:
    """It raises WaitTimeoutError while the version is not stored, and the reason if it cannot be stored."""
    artifact = run.log_artifact("m.bin", name="a", type="t")
    pending = artifact.pending
    assert pending is not None
    object.__setattr__(pending, "offline", False)

    with pytest.raises(WaitTimeoutError, match="'a' is not stored after 0 s"):
        artifact.wait(timeout=0)

    result = pending.run_folder / "artifacts" / f"{pending.local}.result.json"
    result.write_text(json.dumps({"error": "the type of 'a' is 'u'"}))
    with pytest.raises(ValueError, match="Artifact 'a' is not stored: the type of 'a' is 'u'"):
        artifact.wait()
