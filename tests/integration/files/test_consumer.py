"""The files consumer on a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_consumers.files import reader
from runstream_consumers.files.consumer import FilesConsumer, FilesPartition
from runstream_consumers.files.model import FileState
from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.runtime.process import prepare_tables
from runstream_schemas.events import FileEvent, Kind
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.topics import Topic
from tests.events import changed
from tests.integration.summary.feeding import connected
from tests.property.files.test_model import RUN, event, event_of_several

if TYPE_CHECKING:
    from runstream_consumers.runtime.plugin import Connection


async def _apply(connection: Connection, *events: tuple[int, FileEvent]) -> None:
    received = [
        Received(topic=Topic.FILE, partition=0, offset=offset, append_time=offset, message=b"", event=one)
        for offset, one in events
    ]
    await FilesPartition().apply(connection, Batch(partition=0, events=received))


async def test_files_are_stored_and_read_by_name(database: str) -> None:
    """Pages are in order of names; names and patterns select; a redriven older event changes nothing."""
    await prepare_tables(FilesConsumer(), database)
    async with connected(database) as connection:
        await connection.execute("set search_path = files")
        names = ["a.txt", "b_1.txt", "bx1.txt", "dir/ü'%.png", "z\\"]
        await _apply(connection, *((10 + number, event(Kind.DATA, name, b"x")) for number, name in enumerate(names)))
        await _apply(connection, (5, event(Kind.DATA, "a.txt", b"older")), (20, event(Kind.DELETED, "bx1.txt", None)))
        await _apply(connection, (21, event(Kind.DROPPED, "lost\u00e9", None)), (22, event(Kind.DROPPED, "", None)))
        every = await reader.of_run(connection, RUN, limit=100)
        assert [one.path for one in every] == sorted(["a.txt", "b_1.txt", "dir/ü'%.png", "lost\u00e9", "z\\"])
        first = await reader.of_run(connection, RUN, limit=2)
        rest = await reader.of_run(connection, RUN, limit=10, after=first[-1].path)
        assert [*first, *rest] == every
        found = await reader.of_run(connection, RUN, pattern="%.txt", limit=10)
        assert [one.path for one in found] == ["a.txt", "b_1.txt"]
        found = await reader.of_run(connection, RUN, names=["z\\", "none"], limit=10)
        assert [(one.path, one.state) for one in found] == [("z\\", FileState.STORED)]
        a = await reader.one(connection, RUN, "a.txt")
        assert a is not None
        assert (a.size, a.stored) == (1, 10)
        await _apply(connection, (23, event_of_several(("a.txt", b"newest"), ("new", b"x"), ("gone", None))))
        several = [await reader.one(connection, RUN, name) for name in ("a.txt", "new", "gone")]
        found = [one for one in several if one is not None]
        assert [(one.size, one.stored, one.lost, one.problem) for one in found] == [
            (6, 23, -1, ""),
            (1, 23, -1, ""),
            (0, -1, 23, "damaged"),
        ]
        lost = await reader.one(connection, RUN, "lost\u00e9")
        assert lost is not None
        assert (lost.state, lost.problem) == (FileState.DROPPED, "full disk")


@pytest.mark.parametrize(
    "bad",
    [
        event(Kind.DATA, "../x", b"x"),
        event(Kind.DATA, "a\0b", b"x"),
        changed(event(Kind.DATA, "a", b"x"), object_key="other"),
        changed(event(Kind.DATA, "a", b"x"), sha256=b"short"),
    ],
    ids=["outside", "nul", "key", "hash"],
)
async def test_an_event_that_cannot_be_about_a_file_is_refused(database: str, bad: FileEvent) -> None:
    """The runtime puts it into quarantine, with the reason."""
    async with connected(database) as connection:
        with pytest.raises(MalformedEvent, match="Invalid"):
            await _apply(connection, (1, bad))
