"""Tables that are built again have the same content, and take the place of those in use."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from runstream_consumers.alerts.consumer import AlertsConsumer
from runstream_consumers.api.kafka.command_events import RunCommand
from runstream_consumers.archiver.process import archive_once
from runstream_consumers.artifacts.consumer import ArtifactsConsumer
from runstream_consumers.compactor.process import working
from runstream_consumers.compactor.settings import CompactorSettings
from runstream_consumers.files.consumer import FilesConsumer
from runstream_consumers.functions import consumer
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.replays.digest import digest
from runstream_consumers.replays.replay import Replay, ReplayRefused
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary.consumer import SummaryConsumer
from runstream_schemas.events import Role, Stream
from runstream_schemas.framing import frame
from runstream_schemas.topics import RunPath, Topic, topic_name
from tests.artifact_events import ArtifactHistory
from tests.integration.api.recording import Recording
from tests.integration.api.recording import publish as publish_recordings
from tests.integration.archiver.archived import topic_messages, trim_all
from tests.integration.runtime.events import block, publish, publish_messages, run_in, writer
from tests.integration.runtime.ledger import QUICK, LedgerConsumer, consuming, fetch, read_ledger
from tests.integration.runtime.test_consume import expect_ledger, ledger_of
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runstream_consumers.archiver.settings import ArchiverSettings
    from runstream_consumers.functions.outbox import Message
    from runstream_consumers.functions.run import Run
    from runstream_consumers.runtime.plugin import Consumer
    from runstream_schemas.events import Event

USER = "ada"
CONSUMERS: Sequence[Any] = (
    HistoryConsumer,
    SummaryConsumer,
    LivenessConsumer,
    AlertsConsumer,
    FilesConsumer,
    ArtifactsConsumer,
)


async def test_the_tables_of_all_consumers_are_built_again(settings: ArchiverSettings) -> None:
    """After compactions, trims, a deletion and quarantined messages, the tables of a replay have equal digests."""
    runs = [_run(f"r{number}") for number in range(4)]
    async with _running(settings):
        await _publish(settings, *(_begin(one) for one in runs))
        await publish(settings.kafka, settings.prefix, _artifacts())
        await _publish(settings, *(one.rows([{"loss": step / 7} for step in range(300)]) for one in runs[:2]))
        await publish_messages(
            settings.kafka, settings.prefix, [(Topic.LOG, 0, b"no event"), (Topic.FILE, 1, frame(1, b""))]
        )
        await _caught_up(settings)
        await _compact(settings)
        await archive_once(settings)
        await trim_all(settings)
        await _publish(
            settings, *(one.rows([{"loss": 0.5, "late": True}], first_step=3).summary(best=1) for one in runs)
        )
        await publish(settings.kafka, settings.prefix, RunCommand(runs[3].run, bytes(16), USER).delete())
        await _publish(settings, runs[3].rows([{"after": 1}]), *(one.exit() for one in runs[:2]))
        await _caught_up(settings)
        await archive_once(settings)
        await trim_all(settings)
        await _publish(settings, runs[2].alert("once more").define("loss", summary=["min"]), _begin(_run("r5")))
        await _caught_up(settings)
    archived = sum(len(found) for found in (await topic_messages(settings)).values())
    assert archived < 40, "most messages are only in the archive"
    assert await fetch(settings.postgres, "select from history.archive_part")
    for make in CONSUMERS:
        one = make()
        before = await digest(settings, one.name, one.name)
        assert any(table.rows for table in before.tables.values()), one.name
        await _replay(one, settings, swaps=False)
        assert await digest(settings, one.name, f"{one.name}_replay") == before, one.name
        await _replay(one, settings)
        assert await digest(settings, one.name, one.name) == before, one.name
    assert await fetch(settings.postgres, "select * from runtime.replay") == []
    assert await fetch(settings.postgres, "select * from runtime.sink_offset where sink like '%replay'") == []
    quarantined = await fetch(settings.postgres, "select distinct sink from runtime.quarantine order by 1")
    assert [row["sink"] for row in quarantined] == ["files", "history", "summary"]
    async with _running(settings):
        await _publish(settings, runs[2].rows([{"loss": 3.0}], first_step=900).exit(), runs[3].rows([{"after": 2}]))
        await _caught_up(settings)
    text = "select count(*) as rows from history.block where run = $1"
    assert (await fetch(settings.postgres, text, run_key(runs[2].run)))[0]["rows"] == 4
    assert (await fetch(settings.postgres, text, run_key(runs[3].run)))[0]["rows"] == 0


async def test_the_consumer_goes_on_during_a_replay(settings: ArchiverSettings) -> None:
    """While processes apply and readers read, the tables are swapped: every record is there once, before and after."""
    sent = [block(run_in(number % 2), writer(1), number // 2, 1) for number in range(60)]
    await publish(settings.kafka, settings.prefix, sent[:30])
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(settings.postgres, sent[:30])
        await fetch(settings.postgres, "insert into ledger.entry values ('log', 'wrong', gen_random_uuid(), 0, 'x')")
        await archive_once(settings)
        await trim_all(settings)
        publishing = asyncio.create_task(publish(settings.kafka, settings.prefix, sent[30:]))
        await _replay(LedgerConsumer(), settings)
        assert await read_ledger(settings.postgres) <= ledger_of(sent)
        await publishing
        await expect_ledger(settings.postgres, sent)
    assert await fetch(settings.postgres, "select * from runtime.loss") == []


async def test_a_replay_sends_nothing(settings: ArchiverSettings) -> None:
    """What a changed function requests in addition is recorded as sent; what was requested before stays as it was."""
    sent = [block(run_in(0), writer(1), seq, 1) for seq in range(3)]
    await publish(settings.kafka, settings.prefix, sent)
    received: list[str] = []

    def deliver(message: Message) -> None:
        received.append(message.key)

    @consumer("reporter", deliver=deliver)
    def report(run: Run, rows: Sequence[Any]) -> None:
        for row in rows:
            run.once(f"step {row.step // 2}", 1)

    async with consuming(report, settings):
        await eventually_async(lambda: _all_sent(settings, 2))

    @consumer("reporter", deliver=deliver)
    def changed(run: Run, rows: Sequence[Any]) -> None:
        for row in rows:
            run.once(f"step {row.step}", 1)

    assert await _replay(changed, settings) == 3
    async with consuming(changed, settings):
        await publish(settings.kafka, settings.prefix, [block(run_in(0), writer(1), 3, 1)])
        await eventually_async(lambda: _all_sent(settings, 4))
    assert sorted(received) == ["step 0", "step 1", "step 3"]


async def _all_sent(settings: ArchiverSettings, count: int) -> bool:
    if (await fetch(settings.postgres, "select to_regclass('runtime.outbox')"))[0][0] is None:
        return False
    rows = await fetch(settings.postgres, "select sink, sent from runtime.outbox")
    return len(rows) == count and all(row["sent"] and row["sink"] == "reporter" for row in rows)


async def test_a_replay_is_resumed_unless_the_code_changed(settings: ArchiverSettings) -> None:
    """What was built stays after an error and is not read again; --restart and other code begin again."""
    sent = [block(run_in(0), writer(1), seq, 1) for seq in range(9)]
    await publish(settings.kafka, settings.prefix, sent)
    with pytest.raises(ReplayRefused, match="ledger has not stored anything yet"):
        await _replay(LedgerConsumer(), settings)
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(settings.postgres, sent)
    assert await _replay(LedgerConsumer(), settings, swaps=False) == 9
    assert await _replay(LedgerConsumer(), settings, swaps=False) == 0
    with pytest.raises(ReplayRefused, match="add --restart to begin again at 'now'"):
        await _replay(LedgerConsumer(), settings, swaps=False, start="now")
    assert await _replay(LedgerConsumer(), settings, swaps=False, restart=True) == 9
    await fetch(settings.postgres, "update runtime.replay set version = 'of other code'")
    assert await _replay(LedgerConsumer(), settings) == 9
    await expect_ledger(settings.postgres, sent)


async def _replay(replayed: Consumer, settings: ArchiverSettings, **how: Any) -> int:
    def report(applied: int, total: int) -> None:
        assert 0 <= applied <= total

    return await Replay(consumer=replayed, settings=settings, report=report, options=QUICK).run(**how)


@asynccontextmanager
async def _running(settings: ArchiverSettings) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for make in CONSUMERS:
            await stack.enter_async_context(consuming(make(), settings))
        yield


async def _caught_up(settings: ArchiverSettings) -> None:
    """Wait until every consumer has stored all messages, and no transition of a run waits to be published."""

    async def done() -> bool:
        ends = {one: found[-1].offset + 1 for one, found in (await topic_messages(settings)).items() if found}
        if not await fetch(settings.postgres, "select where to_regclass('runtime.sink_offset') is not null"):
            return False
        rows = await fetch(settings.postgres, "select sink, topic, partition, next from runtime.sink_offset")
        assert len({row["sink"] for row in rows}) == len(CONSUMERS)
        behind = [row for row in rows if row["next"] < ends.get((row["topic"], row["partition"]), 0)]
        assert not [row for row in behind if row["topic"] != topic_name(settings.prefix, Topic.HEARTBEAT)]
        return not await fetch(settings.postgres, "select from liveness.outbox")

    await eventually_async(done)


async def _compact(settings: ArchiverSettings) -> None:
    names = ("kafka", "postgres", "s3_endpoint", "s3_access_key", "s3_secret_key", "s3_bucket")
    given = {name: getattr(settings, name) for name in names}
    async with working(CompactorSettings(**given, compact_rows=100)) as compactor:
        assert await compactor.run_once()


async def _publish(settings: ArchiverSettings, *recordings: Recording) -> None:
    await publish_recordings(settings.kafka, settings.prefix, settings.partitions, recordings)


def _run(name: str) -> Recording:
    return Recording(RunPath(entity="ada", project="digits", run_id=name), uuid.uuid4().bytes, Role.PRIMARY)


def _artifacts() -> Sequence[Event]:
    made = ArtifactHistory()
    made.log("model", "a", aliases=["best"])
    made.log("model", "b", run="r1", aliases=["best"])
    made.use("model", 0, run="r2")
    made.upsert("data", "c", str(uuid.UUID(int=7)))
    return made.events


def _begin(one: Recording) -> Recording:
    one.start({"lr": 0.1, "deep": {"x": [1, None]}}, name=one.run.run_id, tags=["a"]).beat(1)
    one.define("loss", summary=["max"]).summary(note="by hand").alert("hot").alert("hot")
    one.rows([{"stream": "stdout", "text": "hello"}], stream=Stream.CONSOLE)
    one.rows([{"loss": float("nan"), "text": "x", "deep": {"a": 1, "b": True}}, {"loss": 2.0}])
    one.file("a.txt", b"content").file("later.txt").file("gone.txt", lost="disk full").drop(2, "too large")
    return one
