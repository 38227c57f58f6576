"""A live run is followed while its rows are archived and the compactor is killed at any moment."""

from __future__ import annotations

import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any

from runstream_deploy.processes.child import Command
from runstream_schemas.topics import RunPath
from tests.conftest import run_aside
from tests.faults.killed import Killed, running
from tests.integration.api.recording import Recording
from tests.integration.api.serving import ENTITY, Served, served_anew
from tests.integration.runtime.ledger import fetch
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.object_store import ObjectStore
    from runstream_deploy.services.postgres import Postgres

ROWS = 6000
_BLOCK = 20
#: Seconds that a compactor lives at least and at most; it takes half of one to start.
LIVES_S = (0.4, 2.5)


def compactor_command(settings: Mapping[str, str]) -> Command:
    """Return the command of a compactor that is always at work."""
    environment = {
        **settings,
        "RUNSTREAM_COMPACT_ROWS": "100",
        "RUNSTREAM_COMPACT_INTERVAL_S": "0.01",
        "RUNSTREAM_COMPACT_IDLE_S": "1000000",
    }
    return Command(arguments=[sys.executable, "-m", "runstream_consumers.compactor"], environment=environment)


def _row(step: int) -> dict[str, Any]:
    return {"loss": step / 7, "deep": {"step": step}, **({"epoch": step // 100} if step % 100 == 0 else {})}


def _publish(served: Served, recording: Recording) -> None:
    """Publish rows in small blocks, a hundred at a time."""
    for first in range(0, ROWS, _BLOCK):
        recording.rows([_row(step) for step in range(first, first + _BLOCK)], first_step=first)
        if first % 100 == 0:
            served.publish(recording)
            recording.sent.clear()
    served.publish(recording)


def _follow(served: Served, recording: Recording) -> list[dict[str, Any]]:
    """Return the rows of a reader that asks for those after the last one that it has, while there are more."""
    rows: list[dict[str, Any]] = []

    def complete() -> bool:
        step = rows[-1]["_step"] + 1 if rows else 0
        page = served.run(recording, "/scan", page_size=170, min_step=step)
        rows.extend(page["rows"])
        return len(rows) >= ROWS

    eventually(complete, within=180, every=0.02)
    return rows


def _all_pages(served: Served, recording: Recording) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = served.run(recording, "/scan", page_size=700, **({"cursor": cursor} if cursor else {}))
        rows += page["rows"]
        if (cursor := page["next"]) is None:
            return rows


def test_a_follower_gets_every_row_once_while_compactors_are_killed(
    broker: str,
    postgres: Postgres,
    object_store: ObjectStore,
    reaper: Reaper,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Rows are read in order, each once, across compactions; afterwards they are stored once, and nothing else is."""
    folder = tmp_path_factory.mktemp("compactors")
    recording = Recording(RunPath(entity=ENTITY, project="digits", run_id="followed"), uuid.uuid4().bytes)
    consumers = ("history", "summary", "liveness")
    with served_anew(broker, postgres, object_store, reaper, folder, consumers) as served:
        dsn = postgres.address(served.prefix)
        served.publish(recording.start({}).beat())
        recording.sent.clear()
        eventually(lambda: served.ask(f"/api/v1/runs/{ENTITY}/digits/followed").status_code == 200)
        command = compactor_command(served.settings)
        compactors = Killed(command, folder / "compactor.log", reaper, lives_s=LIVES_S)
        with running(compactors):
            publisher = threading.Thread(target=_publish, args=(served, recording))
            publisher.start()
            rows = _follow(served, recording)
            publisher.join()
            eventually(lambda: compactors.kills >= 5)
            compactors.stop_killing()
            eventually(lambda: _hot_rows(dsn) < 100)
            expected = [(step, _row(step)) for step in range(ROWS)]
            assert [_logged(row) for row in rows] == expected
            assert [_logged(row) for row in _all_pages(served, recording)] == expected
        _check_objects(object_store, served.prefix, dsn)


def _logged(row: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return row["_step"], {name: value for name, value in row.items() if not name.startswith("_")}


def _hot_rows(dsn: str) -> int:
    [found] = run_aside(fetch(dsn, "select coalesce(sum(rows), 0)::bigint as rows from history.block"))
    return int(found["rows"])


def _check_objects(store: ObjectStore, bucket: str, dsn: str) -> None:
    """Check that each row is in one part or block, and that each object belongs to a part or is a known orphan."""
    query = """select coalesce((select sum(rows) from history.archive_part), 0)::bigint
        + coalesce((select sum(rows) from history.block where stream = 1), 0)::bigint as rows"""
    assert run_aside(fetch(dsn, query))[0]["rows"] == ROWS
    stored = {item.object_name for item in store.client().list_objects(bucket, prefix="lake/", recursive=True)}
    bases = [row["base"] for row in run_aside(fetch(dsn, "select base from history.archive_part"))]
    orphans = {row["key"] for row in run_aside(fetch(dsn, "select key from history.archive_orphan"))}
    names = {base.rpartition("/")[2] for base in bases}
    unknown = {key for key in stored - orphans if not any(name in str(key) for name in names)}
    assert unknown == set()
