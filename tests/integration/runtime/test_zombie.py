"""A worker that is suspended while it loses its partitions."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.integration.history.rows import read_all, stored_rows
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.processes import consumer_process, environment_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_worker_that_resumes_after_losing_its_partitions_stores_nothing_twice(
    broker: str, prefix: str, database: str, tmp_path: Path
) -> None:
    """A worker that was suspended longer than the group waits, and was replaced, stores no row twice."""
    environment = environment_of(broker, prefix, database)
    runs = [run_in(0), run_in(1)]

    async def send(start: int) -> None:
        for seq in range(start, start + 100, 10):
            await publish(broker, prefix, [block(run, writer(number), seq, 10) for number, run in enumerate(runs)])

    with consumer_process("history", environment, tmp_path / "first.log") as first:
        await send(0)
        await stored_rows(database, 200)
        first.send_signal(signal.SIGSTOP)
        with consumer_process("history", environment, tmp_path / "second.log") as second:
            await send(100)
            await stored_rows(database, 400)  # once the group has removed the suspended worker
            first.send_signal(signal.SIGCONT)
            await send(200)
            await stored_rows(database, 600)
            assert (first.poll(), second.poll()) == (None, None)
    for run in runs:
        assert [row.values["at"] for row in await read_all(database, run, limit=1000)] == list(range(300))
