"""What deleted runs have left in the topic archive is removed, and replays keep them deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.api.kafka.command_events import RunCommand
from runstream_consumers.archiver.process import archive_once, writable
from runstream_consumers.archiver.purging import Purged, purge
from runstream_consumers.runtime.rebuild import reset
from tests.integration.archiver.archived import archived_messages, trim_all
from tests.integration.runtime.events import block, changes, publish, run_in, writer
from tests.integration.runtime.ledger import QUICK, LedgerConsumer, consuming, fetch, read_ledger
from tests.integration.runtime.test_consume import expect_ledger, ledger_of
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.archiver.settings import ArchiverSettings
    from runstream_schemas.events import Event

GONE, KEPT = run_in(0, 0), run_in(0, 1)


def _of(number: int) -> list[Event]:
    return [
        block(GONE, writer(1), number, 1),
        block(KEPT, writer(2), number, 1),
        changes(GONE, writer(1), number, ["1"]),
    ]


async def test_a_purge_removes_the_messages_of_deleted_runs(settings: ArchiverSettings) -> None:
    """Only they are replaced, at their offsets; the deletion stays, and what is read again has the other runs only."""
    kept: list[Event] = [block(KEPT, writer(2), number, 1) for number in range(6)]
    async with consuming(LedgerConsumer(), settings):
        await publish(settings.kafka, settings.prefix, [event for number in range(3) for event in _of(number)])
        await archive_once(settings)
        await publish(settings.kafka, settings.prefix, _of(3))
        await publish(settings.kafka, settings.prefix, RunCommand(GONE, bytes(16), "ada").delete())
        await publish(settings.kafka, settings.prefix, [event for number in (4, 5) for event in _of(number)])
        await eventually_async(lambda: _has(settings, kept))
    await archive_once(settings)
    await trim_all(settings)
    before = await archived_messages(settings)
    async with writable(settings) as chunks:
        planned = await purge(settings, chunks, dry_run=True)
        assert await archived_messages(settings) == before
        done = await purge(settings, chunks, dry_run=False)
        assert (planned.runs, planned.messages, planned.objects) == (done.runs, done.messages, done.objects)
        assert (done.runs, done.messages) == (1, 12)
        assert await purge(settings, chunks, dry_run=False) == Purged()
        await chunks.delete_unused(0)
        stored = {one.key async for page in chunks.store.objects("topics/") for one in page}
    assert stored == {row["key"] for row in await fetch(settings.postgres, "select key from control.topic_chunk")}
    after = await archived_messages(settings)
    assert {one: [m.offset for m in own] for one, own in after.items()} == {
        one: [m.offset for m in own] for one, own in before.items()
    }
    purged = [one for own in after.values() for one in own if one.is_purged]
    assert (len(purged), {one.value for one in purged}) == (12, {None})
    await reset(LedgerConsumer(), settings, QUICK, start=None)
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(settings.postgres, kept)
    assert await fetch(settings.postgres, "select * from runtime.quarantine") == []
    assert await fetch(settings.postgres, "select * from runtime.loss") == []
    gone = await fetch(settings.postgres, "select sink from runtime.deleted_run")
    assert [row["sink"] for row in gone] == ["ledger"]


async def _has(settings: ArchiverSettings, events: Sequence[Event]) -> bool:
    """Return whether the ledger has some events; what it has of a deleted run depends on the order of topics."""
    return ledger_of(events) <= await read_ledger(settings.postgres)
