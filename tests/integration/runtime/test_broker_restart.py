"""A broker that is killed and restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.server.folders import cache_folder
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.class_archive import with_class_archive
from runstream_deploy.services.jars import fetch_jars
from runstream_deploy.services.java import find_java
from runstream_deploy.services.kafka import Kafka
from runstream_deploy.services.service import wait_until_ready
from runstream_deploy.services.topics import ensure_topics
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, consuming, lines_of, read_ledger, settings_of
from tests.polling import eventually_async

if TYPE_CHECKING:
    import pytest

    from runstream_deploy.processes.reaper import Reaper


async def test_consumer_waits_for_a_killed_broker(
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
    reaper: Reaper,
) -> None:
    """A consumer whose broker is killed continues when the broker is restarted; nothing is lost or stored twice."""
    folder = tmp_path_factory.mktemp("killed")
    log = folder / "kafka.log"
    distribution = with_class_archive(cache_folder(), find_java(), fetch_jars(cache_folder()))
    port = choose_port()
    own = Kafka(folder / "kafka", port=port, controller_port=choose_port({port}), distribution=distribution)
    own.prepare()
    run = run_in(0)

    async def stored(count: int) -> bool:
        found = await read_ledger(database)
        return dict(found) == dict.fromkeys(lines_of(block(run, writer(1), 0, count)), 1)

    child = Child(own.command(), log, reaper)
    try:
        await wait_until_ready(own, child.exit_code, log)
        await ensure_topics(own.address, "killed", partitions=2)
        async with consuming(LedgerConsumer(), settings_of(own.address, "killed", database)):
            await publish(own.address, "killed", [block(run, writer(1), 0, 10)])
            await eventually_async(lambda: stored(10))
            child.kill()
            child = Child(own.command(), log, reaper)
            await wait_until_ready(own, child.exit_code, log)
            await publish(own.address, "killed", [block(run, writer(1), 5, 15)])
            await eventually_async(lambda: stored(20))
    finally:
        child.stop()
