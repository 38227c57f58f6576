"""How far consumers have come: lag, consumers that do not move, and messages in quarantine."""

from __future__ import annotations

import io
import re
import time
from uuid import uuid4

from rich.console import Console

from runstream_consumers.runtime.process import prepare_tables
from runstream_deploy.cli.output import print_quarantine, print_status
from runstream_deploy.services.lag import Consumption, read_consumption
from runstream_deploy.services.quarantine import read_kinds, read_messages
from runstream_deploy.stack.state import ServiceCondition, StackPhase
from runstream_deploy.stack.status import QuarantineStatus, ServiceStatus, StackStatus, with_progress
from runstream_schemas.topics import Topic, topic_name
from tests.integration.runtime.events import changes, publish, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, fetch
from tests.polling import eventually_async

QUARANTINE = """
insert into runtime.quarantine (sink, topic, partition, "offset", append_time, stage, reason, raw)
select 'ledger', 'runstream.log', 0, n, 0, 'decode', 'MalformedEvent: ' || n || ' bytes missing', 'x'::bytea
from generate_series(1, 2400) as n
union all select 'ledger', 'runstream.config', 1, 7, 0, 'apply', 'ValueError: [no] step', null
"""


def shown(*services: ServiceStatus, quarantine: list[QuarantineStatus] | None = None) -> str:
    """Return what ``runstream status`` prints."""
    status = StackStatus(
        phase=StackPhase.RUNNING, data_dir="d", pid=1, message="", services=list(services), quarantine=quarantine or []
    )
    console = Console(file=io.StringIO(), width=200)
    print_status(console, status)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_a_consumer_is_stalled_if_a_message_waits_and_it_does_not_move(
    broker: str, prefix: str, database: str
) -> None:
    """Neither an idle consumer nor one that has just received its first message in hours is stalled."""
    await prepare_tables(LedgerConsumer(), database)
    name = topic_name(prefix, Topic.CONFIG)
    columns, moved = "sink, topic, partition, next, moved", "now() - interval '2 h'"
    query = f"insert into runtime.sink_offset ({columns}) values ($1, $2, 0, $3, {moved})"
    await fetch(database, query, "idle", name, 1)
    await fetch(database, query, "slow", name, 0)
    await publish(broker, prefix, [changes(run_in(0), writer(1), 0, ["1"])])
    found = await read_consumption(broker, database, [name])
    assert found == {"idle": Consumption(lag=0), "slow": Consumption(lag=1)}
    deferred = "(sink, partition, run, topic, \"offset\", append_time, raw) values ('idle', 0, $1, $2, 0, 0, '')"
    await fetch(database, f"insert into runtime.deferred {deferred}", uuid4(), name)
    assert (await read_consumption(broker, database, [name]))["idle"] == Consumption(lag=1, deferred=1)

    async def stalled() -> bool:
        found = await read_consumption(broker, database, [name], patience=0.1)
        assert found["idle"].stalled == 0.0
        return 0.1 < found["slow"].stalled < 3600

    await eventually_async(stalled)


def test_a_stalled_consumer_is_not_healthy() -> None:
    """The condition has the time, the messages that wait, and the error; one that just started is not stalled."""
    stalled = Consumption(
        lag=1204, deferred=4, stalled=3600, delay="ConnectError: refused", unsent=3, unsent_error="404"
    )
    row = ServiceStatus(name="mine", condition=ServiceCondition.RUNNING, since=time.time() - 95)
    found = with_progress(row, stalled)
    assert (found.condition, found.lag) == (ServiceCondition.STALLED, 1204)
    problem = "has stored nothing for 95 s, and 1204 messages wait; defers 4 messages of costly runs; "
    problem += "waits for a service: ConnectError: refused; "
    assert found.problem == problem + "could not send 3 messages yet: 404"
    assert "not healthy (mine)" in shown(found)
    young = row.model_copy(update={"since": time.time()})
    assert with_progress(young, stalled).condition is ServiceCondition.RUNNING


async def test_messages_in_quarantine_are_counted_by_kind(database: str) -> None:
    """The status has the number of messages, their topic, the newest reason, and the command that lists them."""
    assert list(await read_kinds(database)) == []
    await prepare_tables(LedgerConsumer(), database)
    await fetch(database, QUARANTINE)
    kinds = [
        QuarantineStatus(consumer=row["sink"], command="runstream quarantine ledger", **dict(row))
        for row in await read_kinds(database)
    ]
    assert [(kind.topic, kind.messages, kind.stage, kind.reason) for kind in kinds] == [
        ("runstream.log", 2400, "decode", "MalformedEvent: 2400 bytes missing"),
        ("runstream.config", 1, "apply", "ValueError: [no] step"),
    ]
    text = shown(quarantine=kinds)
    assert "quarantine: 2400 messages of runstream.log for ledger, the last " in text
    assert "(decode): MalformedEvent: 2400 bytes missing" in text
    assert "runstream quarantine ledger lists them" in text


async def test_messages_in_quarantine_are_listed(database: str) -> None:
    """The list has position, size and reason, newest first, of one consumer or of all."""
    await prepare_tables(LedgerConsumer(), database)
    await fetch(database, QUARANTINE)
    console = Console(file=io.StringIO(), width=200)
    print_quarantine(console, await read_messages(database, "ledger", 2))
    assert isinstance(console.file, io.StringIO)
    assert re.sub(r"bytes, .*,", "bytes, AGE,", console.file.getvalue()).splitlines() == [
        "ledger: runstream.config[1] offset 7, 0 bytes, AGE, apply",
        "  ValueError: [no] step",
        "ledger: runstream.log[0] offset 2400, 1 bytes, AGE, decode",
        "  MalformedEvent: 2400 bytes missing",
    ]
    assert len(await read_messages(database, "", 5000)) == 2401
    print_quarantine(console, await read_messages(database, "other", 2))
    assert "Nothing is in quarantine" in console.file.getvalue()
