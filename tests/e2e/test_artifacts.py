"""Artifacts from the process that logs them, through the whole stack, to a process that uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runstream import ArtifactTTL
from runstream.artifacts.artifact import Artifact
from runstream.artifacts.exceptions import ArtifactError
from runstream.download.file_cache import FileCache
from runstream.public_api.api import Api
from runstream.server.api_connection import ArtifactNotFoundError, NotFoundError
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running_stack import Stack

_BEGIN = """
import json, os, sys, pathlib, runstream
run = runstream.init(settings={"silent": True, "x_disable_stats": True, "console": "off"}, **json.loads(sys.argv[1]))
"""


class Trainer:
    """Runs programs that begin with ``init()`` in a project of their own."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.project = f"p{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.environ = {**os.environ, **stack.environment, "RUNSTREAM_CACHE_DIR": str(folder / "cache")}

    def start(self, source: str, **arguments: Any) -> subprocess.Popen[str]:
        """Start a program with the run ``run``."""
        given = json.dumps({"project": self.project, **arguments})
        return subprocess.Popen(
            [sys.executable, "-c", _BEGIN + source, given],
            cwd=self.folder,
            env=self.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, source: str, **arguments: Any) -> Any:
        """Run a program; return the JSON that it printed."""
        return self.output(self.start(source, **arguments))

    @staticmethod
    def output(process: subprocess.Popen[str]) -> Any:
        """Return the JSON that a program printed, when it has ended."""
        with process:
            output, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
        return json.loads(output) if output.strip() else None


@pytest.fixture
def trainer(stack: Stack, tmp_path: Path) -> Trainer:
    """Return what runs programs in the folder of the test."""
    return Trainer(stack, tmp_path)


@pytest.fixture
def api(stack: Stack, trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return an Api with the project of the programs, and their cache."""
    for name, value in {**stack.environment, "RUNSTREAM_CACHE_DIR": str(trainer.folder / "cache")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(trainer.folder)
    return Api({"project": trainer.project})


def found(read: Callable[[], Any]) -> Any:
    """Return what is read, once the consumer has stored it."""

    def attempt() -> Any:
        try:
            return read()
        except NotFoundError:
            return None

    return eventually(attempt, within=60)


LOG = """
pathlib.Path("data/sub").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/a.bin").write_bytes(bytes(range(256)) * 4000)
pathlib.Path("data/sub/b.txt").write_text(os.environ.get("TEXT", "b"))
artifact = runstream.Artifact("data", "dataset", description="text", metadata={"rows": 3, "nan": float("nan")})
artifact.add_dir("data")
artifact.add_reference(pathlib.Path("data/sub").absolute().as_uri(), name="ref")
run.log_artifact(artifact, aliases=["best"], tags=["small"])
artifact.wait()
print(json.dumps([artifact.name, artifact.version, artifact.digest, artifact.state, artifact.size, run.path]))
run.finish()
"""

USE = """
artifact = run.use_artifact("data:best", type="dataset", use_as="train")
folder = artifact.download()
artifact.verify()
derived = runstream.Artifact("derived", "dataset")
derived.add_reference(artifact.get_entry("a.bin"), name="from/a.bin")
run.log_artifact(derived).wait().download("derived")
print(json.dumps([artifact.qualified_name, folder, run.path]))
run.finish()
"""


def test_what_one_process_logs_another_one_uses(trainer: Trainer, api: Api) -> None:
    """The bytes, the names and the lineage of a version are the same, and its facts can be changed."""
    name, version, digest, state, size, logged_by = trainer.run(LOG, id="logs")
    assert (name, version, state, size) == ("data:v0", "v0", "COMMITTED", 4000 * 256 + 1 + 1)

    qualified, folder, used_by = trainer.run(USE, id="uses")
    for path in ("a.bin", "sub/b.txt"):
        assert (trainer.folder / folder / path).read_bytes() == (trainer.folder / "data" / path).read_bytes()
    assert (trainer.folder / folder / "ref/b.txt").read_text() == "b"
    assert (trainer.folder / "derived/from/a.bin").read_bytes() == (trainer.folder / "data/a.bin").read_bytes()

    artifact = api.artifact("data:v0")
    assert artifact.qualified_name == qualified
    assert artifact.digest == digest
    assert (artifact.type, artifact.description, artifact.tags) == ("dataset", "text", ["small"])
    assert artifact.metadata["rows"] == 3
    assert sorted(artifact.aliases) == ["best", "latest"]
    assert "/".join(artifact.logged_by().path) == logged_by
    eventually(lambda: ["/".join(run.path) for run in artifact.used_by()] == [used_by], within=60)
    assert [one.qualified_name for one in found(lambda: api.run(used_by)).used_artifacts()] == [qualified]
    assert [one.qualified_name for one in found(lambda: api.run(logged_by)).logged_artifacts()] == [qualified]
    assert artifact.manifest.entries["ref/b.txt"].ref == (trainer.folder / "data/sub/b.txt").as_uri()

    artifact.aliases = ["production"]
    artifact.metadata["rows"] = 4
    artifact.description = None
    artifact.save()
    assert api.artifact("data:production").metadata["rows"] == 4
    assert not api.artifact_exists("data:best")
    with pytest.raises(ArtifactNotFoundError, match="data:best"):
        api.artifact("data:best")


def test_downloads_are_cached_and_cannot_be_corrupted(trainer: Trainer, api: Api) -> None:
    """A changed copy is replaced, the cache is not changed by it, and a damaged cache is not used."""
    trainer.run(LOG, id="logs")
    artifact = api.artifact("data:latest")
    content = (trainer.folder / "data/a.bin").read_bytes()
    first = Path(artifact.download("first"))
    (first / "a.bin").write_bytes(b"changed")
    (first / "other").write_text("kept")

    artifact.download("first")
    assert (first / "a.bin").read_bytes() == content
    assert (first / "other").read_text() == "kept"
    with pytest.raises(ValueError, match="not a member"):
        artifact.verify("first")
    artifact.checkout("first")
    artifact.verify("first")
    assert not (first / "other").exists()

    entry = artifact.get_entry("a.bin")
    cached = trainer.folder / "cache/objects" / entry.digest[:2] / entry.digest
    cached.write_bytes(b"x" * len(content))
    assert Path(artifact.download("second"), "a.bin").read_bytes() == content
    assert cached.read_bytes() == content
    assert Path(entry.download("third", skip_cache=True)).read_bytes() == content

    (trainer.folder / "fourth").mkdir()
    (trainer.folder / "fourth/sub").symlink_to("/tmp")
    with pytest.raises(ValueError, match=r"'sub/b.txt'.*is a link to another folder"):
        artifact.download("fourth")


def test_versions_are_numbered_listed_linked_and_deleted(trainer: Trainer, api: Api) -> None:
    """The same content is the same version; collections, types and links are those of the project."""
    for text in ("one", "two", "one"):
        trainer.environ["TEXT"] = text
        trainer.run(LOG, id=f"r{text}{uuid.uuid4().hex[:4]}")
    versions = api.artifacts("dataset", "data", per_page=1)
    assert [one.version for one in versions] == ["v1", "v0"]
    assert (len(versions), versions[1].version) == (2, "v0")
    assert [one.name for one in api.artifact_collections(trainer.project, "dataset")] == ["data"]
    assert [one.name for one in api.artifact_types(trainer.project)] == ["dataset"]
    assert api.artifact_type("dataset", trainer.project).collection("data").aliases
    assert api.artifact_collection_exists("data", "dataset")
    assert not api.artifact_collection_exists("data", "model")
    with pytest.raises(ValueError, match="has type 'dataset', not 'model'"):
        api.artifact("data", type="model")

    link = api.artifact("data:v0").link(f"wandb-registry-{trainer.project}/good", aliases=["chosen"])
    assert (link.is_link, link.source_qualified_name) == (True, api.artifact("data:v0").qualified_name)
    registry = api.registry(trainer.project)
    assert [one.name for one in registry.collections()] == ["good"]
    assert [one.qualified_name for one in registry.versions()] == [link.qualified_name]
    assert [one.name for one in api.registries(filter={"name": {"$regex": trainer.project}})] == [trainer.project]
    source = api.artifact("data:v0")
    assert [one.qualified_name for one in source.linked_artifacts] == [link.qualified_name]
    assert Path(link.download("linked"), "a.bin").stat().st_size == 4000 * 256
    link.unlink()
    assert source.linked_artifacts == []

    draft = api.artifact("data:v1").new_draft()
    draft.remove("sub/b.txt")
    with draft.new_file("new.txt") as file:
        file.write("new")
    draft.ttl = ArtifactTTL.INHERIT
    assert sorted(draft.manifest.entries) == ["a.bin", "new.txt", "ref/b.txt"]

    with pytest.raises(ArtifactError, match="best"):
        api.artifact("data:best").delete()
    best = api.artifact("data:best")
    best.delete(delete_aliases=True)
    assert best.state == "DELETED"
    assert len(api.artifacts("dataset", "data")) == 1
    collection = api.artifact_collection("dataset", "data")
    collection.description = "A collection."
    collection.tags.append("c")
    collection.save()
    assert api.artifact_collection("dataset", "data").tags == ["c"]
    collection.delete()
    with pytest.raises(ArtifactNotFoundError):
        api.artifact_collection("dataset", "data")


def test_a_run_of_the_public_api_logs_and_uses_existing_versions(trainer: Trainer, api: Api) -> None:
    """The version is listed where it was added, and something else is a ValueError."""
    trainer.run(LOG, id="first")
    trainer.run("run.finish()", id="second")
    run, artifact = found(lambda: api.run(f"{trainer.project}/second")), api.artifact("data:v0")

    run.log_artifact(artifact, aliases=["again"], tags=["t"])
    run.use_artifact(artifact, use_as="x")
    run.use_artifact(artifact, use_as="y")

    assert [one.name for one in run.logged_artifacts()] == ["data:v0"]
    assert [one.name for one in run.used_artifacts()] == ["data:v0"]
    assert [one.id for one in artifact.used_by()] == ["second"]
    assert api.artifact("data:again").tags == ["small", "t"]
    for invalid in (Artifact("a", "t"), "data:v0"):
        with pytest.raises(ValueError, match=r"runstream.Api\(\).artifact"):
            run.log_artifact(invalid)
        with pytest.raises(ValueError, match=r"runstream.Api\(\).artifact"):
            run.use_artifact(invalid)


TRAIN = """
import pickle, numpy
from sklearn.linear_model import LogisticRegression
x = numpy.random.default_rng(0).normal(size=(100, 4))
model = LogisticRegression().fit(x, x[:, 0] > x[:, 1])
pathlib.Path("model.pkl").write_bytes(pickle.dumps(model))
run.log_artifact("model.pkl", "data", "dataset")
run.log_model("model.pkl", "classifier", aliases=["staging"])
run.link_model("model.pkl", "digits-" + run.project, name="classifier", aliases=["production"])
print(json.dumps(model.predict(x).tolist()))
run.finish()
"""
PREDICT = """
import pickle, numpy
path = run.use_model("classifier:staging")
assert open(path, "rb").read() == pathlib.Path("model.pkl").read_bytes()
# The valid and the invalid usage of W&B's reference.
digest, project = run.use_artifact("classifier:v0").digest, f"{run.entity}/{run.project}"
for name in ("classifier:latest", f"{run.project}/classifier:v0", f"{project}/classifier:{digest}"):
    assert open(run.use_model(name=name), "rb").read() == open(path, "rb").read(), name
model = pickle.loads(pathlib.Path(path).read_bytes())
print(json.dumps(model.predict(numpy.random.default_rng(0).normal(size=(100, 4))).tolist()))
refused = {"classifier": "ValueError", "data:latest": "AssertionError", "none:v0": "ArtifactNotFoundError"}
refused |= {"my_entity/my_project/my_model_artifact": "ValueError", f"{project}/classifier": "ValueError"}
for name, kind in refused.items():
    try:
        run.use_model(name)
    except Exception as error:
        assert type(error).__name__ == kind, error
    else:
        raise SystemExit(name)
try:
    run.link_model("model.pkl", "registered", name="data")
except AssertionError:
    pass
else:
    raise SystemExit("link_model")
run.finish()
"""


def test_a_model_predicts_the_same_in_another_process(trainer: Trainer, api: Api) -> None:
    """A scikit-learn model goes from log_model to use_model, and into the registry; other types are refused."""
    predicted = trainer.run(TRAIN, id="train")

    assert trainer.run(PREDICT, id="predict") == predicted
    linked = found(lambda: api.artifact(f"model-registry/digits-{trainer.project}:production"))
    assert (linked.type, linked.source_name) == ("model", "classifier:v0")


CONTRIBUTE = """
def contribute(method, name):
    pathlib.Path(name).write_text(name)
    artifact = runstream.Artifact("parts", "dataset")
    artifact.add_file(name)
    return method(artifact).wait()
contribute(run.upsert_artifact, run.id)
"""
FINISH = """
first = contribute(run.finish_artifact, "last")
contribute(run.upsert_artifact, "next")
second = contribute(run.finish_artifact, "end")
print(json.dumps([[one.version, sorted(one.manifest.entries)] for one in (first, second)]))
"""


def test_processes_contribute_to_one_version(trainer: Trainer) -> None:
    """Those of a group are in the version that the last one finishes; the next contribution begins another one."""
    names = ["a", "b"]
    for process in [trainer.start(CONTRIBUTE + "run.finish()", id=name, group="g") for name in names]:
        trainer.output(process)

    found = trainer.run(CONTRIBUTE + FINISH + "run.finish()", id="c", group="g")

    assert found == [["v0", ["a", "b", "c", "last"]], ["v1", ["end", "next"]]]


LOG_TABLE = """
import numpy
table = runstream.Table(columns=["image", "score"], log_mode="MUTABLE")
for number in range(2):
    table.add_data(runstream.Image(numpy.full((4, 5, 3), number * 9, "uint8")), number / 2)
    run.log({"val": table})
run.finish()
"""

READ_TABLE = """
import numpy
table = run.use_artifact("run-tables-val:latest").get("val")
first = run.use_artifact("run-tables-val:v0", type="run_table").get("val")
pixels = [int(numpy.asarray(row[0].image)[0, 0, 0]) for row in table.data]
print(json.dumps([table.columns, table.get_column("score"), pixels, len(first.data)]))
run.finish()
"""


def test_a_logged_table_is_read_as_an_artifact(trainer: Trainer, api: Api) -> None:
    """As in W&B, each table of a key is a version of run-ID-KEY, with the media of its cells."""
    trainer.run(LOG_TABLE, id="tables")
    found(lambda: api.artifact("run-tables-val:v1"))
    assert trainer.run(READ_TABLE, id="reads") == [["image", "score"], [0.0, 0.5], [0, 9], 1]


LOG_FILES = """
for number in range(12):
    pathlib.Path(f"{number}.bin").write_bytes(bytes([number]) * 400_000)
artifact = runstream.Artifact("shared", "dataset")
for number in range(12):
    artifact.add_file(f"{number}.bin")
run.log_artifact(artifact)
run.finish()
"""

DOWNLOAD = """
import sys
from runstream import Api
artifact = Api().artifact(sys.argv[1])
artifact.verify(artifact.download(sys.argv[2]))
"""


def test_processes_share_the_cache_while_it_is_emptied(trainer: Trainer, api: Api) -> None:
    """Each gets all files, although others download the same ones, and what is in the cache is deleted again."""
    trainer.run(LOG_FILES)
    found(lambda: api.artifact("shared:v0"))
    environ = {**trainer.environ, "RUNSTREAM_CACHE_LIMIT_GB": "0.000001"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DOWNLOAD, f"{trainer.project}/shared:v0", folder],
            cwd=trainer.folder,
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in ("one", "other", "third")
    ]
    while any(process.poll() is None for process in processes):
        FileCache(trainer.folder / "cache").shrink(0)
    for process in processes:
        with process:
            assert process.wait() == 0, process.communicate()[1]
    for folder in ("one", "other", "third"):
        assert (trainer.folder / folder / "11.bin").read_bytes() == bytes([11]) * 400_000
