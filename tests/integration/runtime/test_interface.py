"""Options of the consumer interface: settings, connections, routes, start positions, dry runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from runstream_consumers.runtime import registry
from runstream_consumers.runtime.dry_run import dry_run
from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.plugin import Context, Declaration, RouteContext
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.server.app import create_app
from runstream_schemas.topics import Topic
from tests.integration.runtime.events import block, changes, publish, run_in, writer
from tests.integration.runtime.ledger import (
    QUICK,
    LedgerConsumer,
    LedgerPartition,
    consuming,
    fetch,
    read_ledger,
    settings_of,
)
from tests.integration.runtime.processes import environment_of, run_consumer
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import APIRouter


class TallySettings(BaseSettings):
    """The settings of the tally consumer."""

    model_config = SettingsConfigDict(env_prefix="RUNSTREAM_TALLY_")

    factor: int = 1


class TallyPartition(LedgerPartition):
    """Counts the ledger's lines in the background."""

    async def background(self) -> None:
        """Insert a line with the multiplied count as soon as there is a line."""
        while True:
            async with self.context.connection() as connection:
                count = await connection.fetchval("select count(*) from entry")
                if count:
                    value = str(count * self.context.settings.factor)
                    await connection.execute("insert into entry values ('tally', 'r', gen_random_uuid(), 0, $1)", value)
                    return
            await asyncio.sleep(0.05)


def tally_routes(context: RouteContext) -> APIRouter:
    """Return a route that answers the number of lines times the factor."""
    from fastapi import APIRouter  # noqa: PLC0415

    router = APIRouter()

    @router.get("/count")
    async def count() -> int:
        async with context.connection() as connection:
            lines = await connection.fetchval("select count(*) from ledger.entry")
        return int(lines) * int(context.settings.factor)

    return router


class TallyConsumer(LedgerConsumer):
    """Uses every optional part of the interface."""

    declaration = Declaration(
        settings=TallySettings,
        owned_topics=frozenset({Topic.HEARTBEAT}),
        resume_topics=frozenset({Topic.HEARTBEAT}),
        routes=tally_routes,
    )

    def partition(self, number: int, context: Context) -> TallyPartition:
        """Return the work on one partition."""
        return TallyPartition(number, context, strict=False)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that registers a class of this module as an installed consumer."""

    def register(*names: str) -> None:
        folder = tmp_path / "stranger-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
        lines = "".join(f"{name.lower()} = {__name__}:{name}\n" for name in names)
        (folder / "entry_points.txt").write_text(f"[runstream.consumers]\n{lines}")
        monkeypatch.syspath_prepend(str(tmp_path))
        _clear()

    yield register
    _clear()


def _clear() -> None:
    for cached in (registry.installed_consumers, registry.topic_owners, registry.resume_readers):
        cached.cache_clear()


async def _values(database: str) -> list[str]:
    return sorted(line[4] for line in await read_ledger(database))


async def _expect(database: str, values: list[str]) -> None:
    """Wait until the ledger has exactly these values."""

    async def equal() -> bool:
        return await _values(database) == values

    await eventually_async(equal)


async def test_background_work_has_settings_and_a_connection(
    broker: str, prefix: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Background work reads the consumer's settings and writes to its schema through its own connection."""
    monkeypatch.setenv("RUNSTREAM_TALLY_FACTOR", "10")
    await publish(broker, prefix, [changes(run_in(0), writer(1), 0, ["1", "2", "3"])])
    async with consuming(TallyConsumer(), settings_of(broker, prefix, database)):

        async def tallied() -> bool:
            return "30" in await _values(database)

        await eventually_async(tallied)


async def test_a_consumers_routes_are_served_with_the_api(
    broker: str, prefix: str, database: str, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routes are mounted under the consumer's name, need the API's token, and read through its connections."""
    monkeypatch.setenv("RUNSTREAM_TALLY_FACTOR", "7")
    install("TallyConsumer")
    await prepare_tables(LedgerConsumer(), database)
    await fetch(database, "insert into ledger.entry values ('log', 'r', gen_random_uuid(), 0, '1')")
    settings = settings_of(broker, prefix, database).model_copy(update={"token": "secret"})
    app = create_app(settings)
    transport = httpx.ASGITransport(app, client=("10.0.0.1", 5000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=settings.url) as client,
    ):
        path = "/api/v1/consumers/ledger/count"
        assert (await client.get(path)).status_code == httpx.codes.UNAUTHORIZED
        answer = await client.get(path, headers={"Authorization": "Bearer secret"})
    assert (answer.status_code, answer.json()) == (200, 7)


def test_declarations_decide_who_owns_a_topic_and_what_a_resume_waits_for(install: Callable[..., None]) -> None:
    """Owned topics and resume topics are those that the installed consumers declare."""
    owners, readers = dict(registry.topic_owners()), dict(registry.resume_readers())
    assert owners == {
        Topic.LOG: "history",
        Topic.CONFIG: "summary",
        Topic.SUMMARY: "summary",
        Topic.EXIT: "liveness",
        Topic.ALERT: "alerts",
        Topic.FILE: "files",
        Topic.ARTIFACT: "artifacts",
    }
    assert readers.keys() == {"history", "summary", "liveness"}
    install("TallyConsumer")
    assert registry.topic_owners() == owners | {Topic.HEARTBEAT: "ledger"}
    assert registry.resume_readers() == readers | {"ledger": frozenset({Topic.HEARTBEAT})}


class GreedyConsumer(LedgerConsumer):
    """Declares a topic that a built-in consumer owns."""

    declaration = Declaration(owned_topics=frozenset({Topic.LOG}))


class BrokenConsumer:
    """Lacks everything that a consumer needs."""


def test_two_owners_of_a_topic_are_refused(install: Callable[..., None]) -> None:
    """Two consumers that account for the same topic are an error that names both."""
    install("GreedyConsumer")
    with pytest.raises(RuntimeFault, match="Both ledger and history declare topic log"):
        registry.topic_owners()


def test_a_broken_package_is_left_out(install: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    """An installed class that is not a consumer is logged, and the others are still found."""
    install("BrokenConsumer")
    assert [consumer.name for consumer in registry.installed_consumers()] == [
        "alerts",
        "artifacts",
        "files",
        "history",
        "liveness",
        "summary",
    ]
    assert "BrokenConsumer is not a consumer" in caplog.text


async def test_a_start_position_is_decided_once(broker: str, prefix: str, database: str) -> None:
    """A new sink that begins now skips existing messages; its next start continues, also with another position."""
    settings, run = settings_of(broker, prefix, database), run_in(0)
    await prepare_tables(LedgerConsumer(), database)
    await publish(broker, prefix, [changes(run, writer(1), 0, ["1", "2"])])
    async with consuming(LedgerConsumer(), settings, start="now"):

        async def began() -> bool:
            rows = await fetch(database, "select 1 from runtime.sink_offset where sink = 'ledger'")
            return len(rows) == 4

        await eventually_async(began)
        await publish(broker, prefix, [changes(run, writer(1), 2, ["3"])])
        await _expect(database, ["3"])
    await publish(broker, prefix, [changes(run, writer(1), 3, ["4"])])
    async with consuming(LedgerConsumer(), settings, start="beginning"):
        await _expect(database, ["3", "4"])


async def test_a_sink_can_begin_at_a_time(broker: str, prefix: str, database: str) -> None:
    """A sink that begins at a time reads what the brokers appended since then."""
    run = run_in(1)
    await publish(broker, prefix, [changes(run, writer(1), 0, ["1"])])
    appended = datetime.now(UTC)

    async def later() -> datetime | None:
        now = datetime.now(UTC)
        return now if (now - appended).total_seconds() > 0.1 else None

    begin = await eventually_async(later)
    assert begin is not None
    await publish(broker, prefix, [changes(run, writer(1), 1, ["2"])])
    async with consuming(LedgerConsumer(), settings_of(broker, prefix, database), start=begin.isoformat()):
        await _expect(database, ["2"])


async def test_a_dry_run_reports_and_stores_nothing(broker: str, prefix: str, database: str) -> None:
    """A dry run of a new consumer names its tables, rows and refused messages; the database stays empty."""
    settings, run = settings_of(broker, prefix, database), run_in(0)
    await publish(broker, prefix, [block(run, writer(1), 0, 3), changes(run, writer(1), 0, ["1", '"bad"'])])
    await publish(broker, prefix, [changes(run, writer(2), 0, ["5"])])
    report = await dry_run(LedgerConsumer(strict=True), settings, QUICK, start="beginning")
    assert report.tables == {"ledger.entry": (4, 0, 0)}
    assert (report.read.total(), len(report.quarantined)) == (3, 1)
    assert "not a number" in report.quarantined[0]
    assert await fetch(database, "select to_regnamespace('ledger')::text as found") == [(None,)]
    assert await fetch(database, "select to_regnamespace('runtime')::text as found") == [(None,)]


async def test_a_dry_run_of_a_running_consumer_begins_at_its_offsets(broker: str, prefix: str, database: str) -> None:
    """A dry run reads what its consumer has not read yet, and the consumer applies it afterwards."""
    settings, run = settings_of(broker, prefix, database), run_in(0)
    await publish(broker, prefix, [changes(run, writer(1), 0, ["1"])])
    async with consuming(LedgerConsumer(), settings):
        await _expect(database, ["1"])
    await publish(broker, prefix, [changes(run, writer(1), 0, ["1", "2"])])
    report = await dry_run(LedgerConsumer(), settings, QUICK, start="beginning")
    assert (report.read.total(), report.tables) == (1, {"ledger.entry": (1, 0, 0)})
    assert await _values(database) == ["1"]
    async with consuming(LedgerConsumer(), settings):
        await _expect(database, ["1", "2"])


def test_the_command_prints_a_dry_run(broker: str, prefix: str, database: str) -> None:
    """``--dry-run`` prints the report and exits with code 0; an invalid position is an error that shows the format."""
    environment = environment_of(broker, prefix, database)
    done = run_consumer(["history", "--dry-run", "--from", "now"], environment)
    assert (done.returncode, done.stdout) == (0, "Dry run: nothing was stored.\n")
    done = run_consumer(["history", "--from", "yesterday"], environment)
    assert done.returncode == 1
    assert "Invalid start position 'yesterday': expected 'start', 'now', or a time" in done.stderr


def test_the_liveness_consumer_needs_its_key(broker: str, prefix: str, database: str) -> None:
    """If settings of a consumer are missing, its process exits with code 2 and names them."""
    environment = environment_of(broker, prefix, database)
    environment.pop("RUNSTREAM_TICK_KEY", None)
    done = run_consumer(["liveness"], environment)
    assert done.returncode == 2
    assert done.stderr == "RUNSTREAM_TICK_KEY is not set: set it in the environment\n"
