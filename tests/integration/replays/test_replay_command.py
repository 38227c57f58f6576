"""The commands ``replay`` and ``digest``, and replays that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_consumers.archiver.process import archive_once
from tests.integration.archiver.archived import environment_of, trim_all
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, consuming, fetch, read_ledger
from tests.integration.runtime.test_consume import expect_ledger, ledger_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream_consumers.archiver.settings import ArchiverSettings

_KILLS = 2
#: What the commands are given: a file that defines a consumer.
_FILE = """
from runstream_schemas.topics import Topic
from tests.integration.runtime.ledger import LedgerConsumer


class OwnLedger(LedgerConsumer):
    topics = frozenset([Topic.LOG, Topic.CONFIG])
"""


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs commands on a consumer."""

    consumer: str
    environment: Mapping[str, str]

    def start(self, name: str, *options: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "runstream", name, self.consumer, *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, name: str, *options: str) -> tuple[int, str, str]:
        """Return the exit status of a command, its output, and its errors."""
        process = self.start(name, *options)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    def kill(self, seconds: float) -> None:
        """Run a replay, and kill it after so many seconds."""
        process = self.start("replay")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=seconds)
        process.kill()
        process.communicate()


async def test_a_killed_replay_leaves_the_tables_in_use(settings: ArchiverSettings, tmp_path: Path) -> None:
    """After each kill the tables are as before; the last replay continues, and its tables have every record once."""
    sent = [block(run_in(number % 2), writer(number), 0, 1) for number in range(1000)]
    await publish(settings.kafka, settings.prefix, sent)
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(settings.postgres, sent)
    await archive_once(settings)
    await trim_all(settings)
    (tmp_path / "own_ledger.py").write_text(_FILE)
    commands = Commands(str(tmp_path / "own_ledger.py"), os.environ | environment_of(settings))
    chance = random.Random(3)
    for _ in range(_KILLS):
        await asyncio.to_thread(commands.kill, chance.uniform(1.2, 2.5))  # it takes about one to start
        assert await read_ledger(settings.postgres) == ledger_of(sent)
    status, output, errors = commands.run("replay", "--no-swap")
    assert (status, "Compare them: runstream digest" in output) == (0, True), errors
    compared = commands.run("digest", "--sink", "ledger_replay")
    lines = [line.split() for line in compared[1].splitlines()]
    assert compared[0] == 0
    assert lines[0] == [lines[2][0], "ledger"]
    assert lines[1] == lines[3] == [lines[1][0], "1,000", "rows", "entry"]
    await fetch(settings.postgres, "delete from ledger_replay.entry where run_id = $1", run_in(0).run_id)
    assert commands.run("digest", "--sink", "ledger_replay")[0] == 1
    assert commands.run("replay", "--discard")[1] == "The unfinished replay of ledger is deleted.\n"
    done = commands.run("replay")
    assert done[1] == "ledger: replayed 1,000 messages. Its tables were swapped.\n", done
    assert await read_ledger(settings.postgres) == ledger_of(sent)
    assert await fetch(settings.postgres, "select * from runtime.replay") == []
