"""What records of files and artifacts name is stored, and their outcomes follow from that."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from runstream.run_folder.descriptions import RunInfo
from runstream.run_folder.folder import RunFolder
from runstream.shipper.background import BackgroundTasks
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.ledger.upload_gate import GatedRecord, Outcome
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.route import Route
from runstream.shipper.uploads.record_uploads import RecordUploads
from runstream.shipper.uploads.watched_files import WatchedFiles
from runstream_schemas.events import FileContent
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath, Topic
from tests.polling import eventually_async
from tests.unit.shipper.object_server import ObjectServer, object_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

RUN = RunPath(entity="team", project="p", run_id="r")
WRITER = bytes(16)


@dataclass
class Bench:
    """Uploads of a run folder, and what came of them."""

    folder: RunFolder
    uploads: RecordUploads
    watched: WatchedFiles
    ended: set[bytes]
    #: What was appended to the shipper's own spool.
    records: list[dict[str, Any]]
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def submit(self, seq: int, topic: Topic = Topic.FILE, **record: Any) -> None:
        """Submit a record."""
        self.uploads.submit(GatedRecord(WRITER, topic, seq, record), lambda one: self.outcomes.update({seq: one}))

    def stage(self, content: bytes, name: str = "a1") -> str:
        """Stage a content."""
        path = self.folder.path / "staged" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return f"staged/{name}"

    async def outcome(self, seq: int) -> Outcome:
        """Wait for an outcome."""

        async def check() -> Outcome | None:
            return self.outcomes.get(seq)

        found = await eventually_async(check)
        assert found is not None
        return found

    def result(self, local: str) -> dict[str, Any]:
        """Return the result of an artifact."""
        return dict(json.loads((self.folder.path / "artifacts" / f"{local}.result.json").read_text()))


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    """Return a server of objects."""
    with object_server() as server:
        yield server


@asynccontextmanager
async def bench(tmp_path: Path, server: ObjectServer) -> AsyncIterator[Bench]:
    """Run uploads until the block ends."""
    folder = RunFolder.create(tmp_path, RunInfo(run_id="r", project="p"))
    settings = ShipperSettings(live_poll_s=0.02, first_retry_s=0.01)
    records: list[dict[str, Any]] = []
    ended: set[bytes] = set()
    failures: list[Exception] = []
    tasks = BackgroundTasks(lambda _, error: failures.append(error))
    watched = WatchedFiles(
        folder.path,
        Ledger(folder.ledger),
        settings,
        live=True,
        record=lambda record: records.append(dict(record)),
        ended=ended.__contains__,
        announced=lambda _, seq: seq < 2,
    )
    uploads = RecordUploads(
        folder,
        Route(folder.info, {"RUNSTREAM_URL": server.url}, settings),
        settings,
        tasks,
        get_run=lambda: RUN,
        watched=watched,
        record=lambda _, record: records.append(dict(record)),
        changed=lambda: None,
    )
    tasks.start("watched", watched.run())
    try:
        yield Bench(folder, uploads, watched, ended, records)
    finally:
        uploads.close()
        await tasks.close()
        folder.control.close()
    assert failures == []


def write_artifact(bench: Bench, local: str, entries: dict[str, Any]) -> None:
    """Write the files of an artifact, as the training process does."""
    path = bench.folder.path / "artifacts" / f"{local}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"entries": entries}))


async def test_file_is_stored_and_described(tmp_path: Path, server: ObjectServer) -> None:
    """The event of a file gets what is known after the upload; problems of the store only delay it."""
    async with bench(tmp_path, server) as own:
        server.failures = [503, 0, 403]
        staged = own.stage(b"content")
        own.submit(0, path="media/a.png", policy="now", staged=staged, size=7)
        before = own.uploads.remaining()
        outcome = await own.outcome(0)

        sha256 = hashlib.sha256(b"content").digest()
        assert outcome.fields == {
            "size": 7,
            "sha256": sha256,
            "object_key": object_key("team", sha256),
            "media_type": "image/png",
        }
        assert (outcome.staged, (before.files, before.size)) == ((staged,), (1, 7))
        assert (own.uploads.remaining().files, own.uploads.problem) == (0, "")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"path": "a", "lost": "the disk was full"}, "the disk was full"),
        ({"path": "../a", "staged": "staged/x"}, "invalid name of a file"),
        ({"path": 3}, "invalid name of a file"),
        ({"path": "a", "staged": "../x"}, "invalid name of a staged file"),
        ({"path": "a", "staged": "staged/missing"}, "a: No such file"),
        ({"path": "a"}, "names no content"),
    ],
)
async def test_file_that_cannot_be_stored_is_lost(
    tmp_path: Path, server: ObjectServer, record: dict[str, Any], reason: str
) -> None:
    """Whatever is wrong with a record, it gets a reason, and the next one is stored."""
    async with bench(tmp_path, server) as own:
        own.submit(0, **record)
        own.submit(1, path="b", staged=own.stage(b""))

        assert reason in (await own.outcome(0)).lost
        assert (await own.outcome(1)).lost == ""


def _packed(*contents: bytes) -> list[list[Any]]:
    """Return the description of contents in a pack, whose names are letters."""
    starts = [sum(map(len, contents[:number])) for number in range(len(contents))]
    return [
        [chr(ord("a") + number), starts[number], len(one), hashlib.sha256(one).digest()]
        for number, one in enumerate(contents)
    ]


async def test_files_of_a_pack_are_stored_and_described(tmp_path: Path, server: ObjectServer) -> None:
    """One event has all of them; the same content is stored once; a damaged one is lost with a reason, and no other."""
    async with bench(tmp_path, server) as own:
        server.failures = [503]
        files = _packed(b"one", b"two", b"one", b"four")
        staged = own.stage(b"onetwoonefoux")
        own.submit(0, path="", policy="now", staged=staged, files=files)
        before = own.uploads.remaining()
        outcome = await own.outcome(0)

        assert (before.files, before.size, outcome.lost, [*outcome.staged]) == (4, 13, "", [staged])
        a, b, c, d = outcome.fields["files"]
        sha256 = hashlib.sha256(b"two").digest()
        assert b == FileContent(path="b", size=3, sha256=sha256, object_key=object_key("team", sha256))
        assert (a.sha256, a.object_key, a.reason) == (c.sha256, c.object_key, "")
        assert (d.path, d.sha256) == ("d", b"")
        assert d.reason.startswith("d was changed after it was added")
        assert sorted(server.objects.values()) == [b"one", b"two"]
        assert (own.uploads.remaining().files, own.uploads.problem) == (0, "")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"files": _packed(b"one"), "staged": "../x"}, "damaged"),
        ({"files": _packed(b"one"), "staged": "staged/missing"}, "cannot read a: No such file"),
        ({"files": [], "staged": "staged/x"}, "damaged"),
        ({"files": 3, "staged": "staged/x"}, "damaged"),
        ({"files": [["a", 0, 3, b"short"]], "staged": "staged/x"}, "damaged"),
        ({"files": [["../a", 0, 3, bytes(32)]], "staged": "staged/x"}, "invalid name"),
    ],
)
async def test_record_of_files_of_which_none_can_be_stored_is_lost(
    tmp_path: Path, server: ObjectServer, record: dict[str, Any], reason: str
) -> None:
    """Whatever is wrong with it, it gets a reason, and the next one is stored."""
    async with bench(tmp_path, server) as own:
        own.submit(0, path="", policy="now", **record)
        own.submit(1, path="b", staged=own.stage(b""))

        assert reason in (await own.outcome(0)).lost
        assert (await own.outcome(1)).lost == ""


async def test_watched_files_are_read_at_the_end(tmp_path: Path, server: ObjectServer) -> None:
    """Files of policy live and end are announced at once; the last content is read when their writer has ended."""
    (tmp_path / "live.log").write_text("1")
    async with bench(tmp_path, server) as own:
        for seq, policy in enumerate(["live", "end"]):
            own.submit(seq, path=f"{policy}.log", policy=policy, source=str(tmp_path / f"{policy}.log"))
        announced = [(await own.outcome(seq)).fields for seq in range(2)]

        async def recorded() -> bool:
            return len(own.records) == 1

        await eventually_async(recorded)
        waiting = own.watched.waiting()
        own.ended.add(WRITER)
        assert own.watched.waiting()

        async def finished() -> bool:
            return not own.watched.waiting()

        await eventually_async(finished)

    live, end = own.records
    assert (announced, waiting) == ([{}, {}], False)
    assert (live["path"], (own.folder.path / live["staged"]).read_text()) == ("live.log", "1")
    assert (end["path"], end["source"]) == ("end.log", str(tmp_path / "end.log"))


async def test_content_that_the_trainer_kept_at_its_end_replaces_a_watched_file(
    tmp_path: Path, server: ObjectServer
) -> None:
    """A staged record of policy end is stored, and its source is not read any more."""
    async with bench(tmp_path, server) as own:
        own.submit(0, path="a.log", policy="end", source=str(tmp_path / "a.log"))
        own.submit(1, path="a.log", policy="end", staged=own.stage(b"last"))
        own.ended.add(WRITER)

        assert (await own.outcome(1)).fields["size"] == 4
        assert (own.watched.waiting(), own.records) == (False, [])


async def test_files_that_nobody_saved_are_recorded_at_the_end(tmp_path: Path, server: ObjectServer) -> None:
    """What a killed process wrote to the folder of its files is recorded; links and what it saved itself are not."""
    async with bench(tmp_path, server) as own:
        files = own.folder.files
        (files / "sub").mkdir()
        for name in ("saved.txt", "sub/left.txt"):
            (files / name).write_text(name)
        os.mkfifo(files / "pipe")
        (files / "link").symlink_to(tmp_path)
        (files / os.fsdecode(b"\xff")).touch()
        own.submit(0, path="saved.txt", policy="now", staged=own.stage(b"saved.txt"))
        await own.outcome(0)

        own.watched.record_rest()

        assert sorted((one["path"], one.get("source"), one.get("lost")) for one in own.records) == [
            ("\\udcff", None, "its name is not UTF-8"),
            ("pipe", str(files / "pipe"), None),
            ("sub/left.txt", str(files / "sub/left.txt"), None),
        ]
        for seq, record in enumerate(own.records, 1):
            own.submit(seq, **record)
        outcomes = [await own.outcome(seq) for seq in range(1, 4)]
        assert sorted(one.lost.partition(": ")[2] for one in outcomes) == ["", "", "not a regular file"]
        own.records.clear()
        own.watched.record_rest()
        assert "sub/left.txt" not in [one["path"] for one in own.records]


async def test_artifact_is_logged_linked_and_used(tmp_path: Path, server: ObjectServer) -> None:
    """An artifact gets its version from the server; what follows from it waits for that."""
    async with bench(tmp_path, server) as own:
        (tmp_path / "model").write_bytes(b"weights")
        write_artifact(
            own,
            "00ff",
            {
                "a": {"staged": own.stage(b"abc"), "size": 3},
                "model": {"source": str(tmp_path / "model"), "size": 7},
                "r": {"ref": "s3://b/k", "digest": "e", "size": 9},
            },
        )
        same = {"name": "data", "type": "dataset", "local": "00ff"}
        own.submit(0, Topic.ARTIFACT, action="log", use=True, **same)
        own.submit(1, Topic.ARTIFACT, action="link", target="portfolio", **same)
        own.submit(2, Topic.ARTIFACT, action="use", use_as="input", **same)
        logged, linked, used = [(await own.outcome(seq)).fields for seq in range(3)]

    assert (logged["action"], logged["version"], logged["size"], logged["file_count"]) == ("log", 4, 19, 3)
    assert logged["digest"] == hashlib.sha256(server.objects[logged["digest"].hex()]).digest()
    assert (linked["target"], linked["target_version"], linked["version"]) == ("team/p/portfolio", 7, 4)
    assert (used["version"], used["name"]) == (4, "data")
    assert own.result("00ff")["version"] == 4
    assert [record["action"] for record in own.records] == ["use"]
    assert [*own.outcomes[0].staged] == ["staged/a1"]


async def test_artifact_of_files_of_the_run(tmp_path: Path, server: ObjectServer) -> None:
    """It follows the uploads of its files, and is lost with one; what an earlier shipper stored is looked up."""
    record = {"action": "log", "name": "run-r-t", "type": "run_table"}
    async with bench(tmp_path, server) as own:
        own.submit(0, path="media/t", policy="now", staged=own.stage(b"abc"), local="00ff")
        own.submit(1, Topic.ARTIFACT, **record, local="00ff", files={"t.table.json": "media/t"})
        own.submit(2, path="media/u", policy="now", lost="the disk was full", local="00fe")
        own.submit(3, Topic.ARTIFACT, **record, local="00fe", files={"t.table.json": "media/u"})
        digest = hashlib.sha256(b"abc").hexdigest()
        server.files = {"media/t": {"state": "stored", "sha256": digest, "size": 3, "reason": ""}}
        own.submit(4, Topic.ARTIFACT, **record, local="00fd", files={"t.table.json": "media/t"})
        first, lost, found = [await own.outcome(seq) for seq in (1, 3, 4)]

    assert (first.fields["version"], first.fields["file_count"], first.fields["size"]) == (4, 1, 3)
    assert lost.lost == "artifact run-r-t: the disk was full"
    assert found.fields["digest"] == first.fields["digest"]


async def test_files_are_asked_for_again_if_the_commit_is_late(tmp_path: Path, server: ObjectServer) -> None:
    """What the server may have deleted while it did not accept the version is uploaded again before that."""
    server.kept_s, server.refusals = 1e-9, [503]
    async with bench(tmp_path, server) as own:
        write_artifact(own, "00ff", {"a": {"staged": own.stage(b"abc"), "size": 3}})
        own.submit(0, Topic.ARTIFACT, action="log", name="data", type="dataset", local="00ff")
        assert (await own.outcome(0)).fields["version"] == 4

    assert server.objects[hashlib.sha256(b"abc").hexdigest()] == b"abc"
    assert len(server.puts) == 4


async def test_artifact_with_a_lost_file_is_lost(tmp_path: Path, server: ObjectServer) -> None:
    """If a file of an artifact cannot be read, the training process and the event get the reason."""
    async with bench(tmp_path, server) as own:
        write_artifact(own, "00ff", {"a": {"staged": "staged/missing", "size": 3}})
        own.submit(0, Topic.ARTIFACT, action="log", name="data", type="dataset", local="00ff")
        own.submit(1, Topic.ARTIFACT, action="log", name="data", type="dataset", local="0000")
        own.submit(2, Topic.ARTIFACT, action="link", name="data", local="00ff", target="team/p/x")
        lost = [(await own.outcome(seq)).lost for seq in range(3)]

    assert "artifact data: cannot read a: No such file" in lost[0]
    assert "0000.json is missing or damaged" in lost[1]
    assert "could not be logged" in lost[2]
    assert own.result("00ff") == {"error": lost[0]}
