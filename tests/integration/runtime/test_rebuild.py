"""Rebuilding a consumer's tables, also while processes of the consumer run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.plugin import Declaration
from runstream_consumers.runtime.rebuild import describe_rebuild, reset
from tests.integration.runtime.events import block, changes, publish, run_in, writer
from tests.integration.runtime.ledger import QUICK, LedgerConsumer, consuming, fetch, settings_of
from tests.integration.runtime.processes import environment_of, run_consumer
from tests.integration.runtime.test_consume import expect_ledger

if TYPE_CHECKING:
    from runstream_schemas.events import Event

SENT: list[Event] = [
    *(changes(run_in(partition), writer(1), 0, ["1", "2"]) for partition in (0, 1)),
    block(run_in(0), writer(1), 0, 3),
    changes(run_in(0), writer(1), 1, ["2", "3"]),
]
STORED: list[Event] = [
    changes(run_in(0), writer(1), 0, ["1", "2", "3"]),
    changes(run_in(1), writer(1), 0, ["1", "2"]),
    block(run_in(0), writer(1), 0, 3),
]
NEW: list[Event] = [changes(run_in(0), writer(1), 3, ["4"]), block(run_in(1), writer(2), 0, 2)]


async def test_a_rebuild_takes_along_the_processes_that_run(broker: str, prefix: str, database: str) -> None:
    """While a consumer runs, another process rebuilds the tables: both read everything again, each record once."""
    settings = settings_of(broker, prefix, database)
    await publish(broker, prefix, SENT)
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, STORED)
        await fetch(database, "insert into ledger.entry values ('log', 'forged', gen_random_uuid(), 0, 'x')")
        sent = "insert into runtime.outbox (sink, partition, run, key, message) values ('ledger', 0, 'r', 'k', '1')"
        await fetch(database, sent)
        await reset(LedgerConsumer(), settings, QUICK, start=None)
        async with consuming(LedgerConsumer(), settings):
            await publish(broker, prefix, NEW)
            await expect_ledger(database, [*STORED, *NEW])
    assert await fetch(database, "select 1 from runtime.quarantine") == []
    assert [tuple(row) for row in await fetch(database, "select key from runtime.outbox")] == [("k",)]


async def test_a_running_process_notices_a_rebuild_without_others(broker: str, prefix: str, database: str) -> None:
    """The next messages make a running process find its offsets moved, and read everything again."""
    settings = settings_of(broker, prefix, database)
    await publish(broker, prefix, SENT)
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, STORED)
        await reset(LedgerConsumer(), settings, QUICK, start=None)
        assert await fetch(database, "select 1 from ledger.entry") == []
        await publish(broker, prefix, NEW)
        await expect_ledger(database, [*STORED, *NEW])


class LateConsumer(LedgerConsumer):
    """Begins at the present."""

    declaration = Declaration(start="now")


async def test_a_rebuild_begins_where_it_is_asked_to(broker: str, prefix: str, database: str) -> None:
    """With a position, what was appended before is not read again; a consumer that begins later needs one."""
    settings, consumer = settings_of(broker, prefix, database), LateConsumer()
    await publish(broker, prefix, SENT)
    await reset(consumer, settings, QUICK, start="now")
    async with consuming(consumer, settings):
        await publish(broker, prefix, NEW[:1])
        await expect_ledger(database, NEW[:1])
    with pytest.raises(RuntimeFault, match="ledger begins at 'now': choose where the rebuild begins with --from start"):
        await reset(consumer, settings, QUICK, start=None)


async def test_the_question_names_what_is_dropped(broker: str, prefix: str, database: str) -> None:
    """The tables and topics are listed before a rebuild; without a terminal it needs ``--yes``."""
    settings = settings_of(broker, prefix, database)
    await reset(LedgerConsumer(), settings, QUICK, start=None)
    text = await describe_rebuild(LedgerConsumer(), settings, QUICK)
    assert text == f"Rebuild ledger: drop ledger.entry, and read {prefix}.config, {prefix}.log again."
    done = run_consumer(["alerts", "--rebuild"], environment_of(broker, prefix, database))
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [f"Rebuild alerts: drop no tables, and read {prefix}.alert again."],
    )
    assert "Nothing was changed: add --yes to confirm" in done.stderr
