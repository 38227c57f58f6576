"""Runs that are deleted: nothing of them is left, and nothing of them is stored again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest

import runstream
from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from runstream.public_api.exceptions import NotFoundError
from runstream_consumers.runtime.postgres.run_key import run_key
from tests.conftest import run_aside
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN, path
from tests.polling import eventually

if TYPE_CHECKING:
    from runstream_schemas.topics import RunPath
    from tests.integration.api.serving import Served

_PROJECT = "deletions"
_TABLES = """
select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.columns
join information_schema.tables using (table_schema, table_name)
where column_name = 'run' and data_type = 'uuid' and table_type = 'BASE TABLE'
    and table_schema not in ('control', 'information_schema') and table_name not in ('deleted_run', 'published')
"""


@pytest.fixture
def api(served: Served, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return an Api of the server."""
    monkeypatch.setenv("RUNSTREAM_URL", served.url)
    monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
    return Api({"project": _PROJECT})


async def rows_of(dsn: str, run: RunPath) -> dict[str, int]:
    """Return the tables that have rows of a run, with their number."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        found = {}
        for table in tables:
            found[table] = await connection.fetchval(f"select count(*) from {table} where run = $1", run_key(run))
        return {table: count for table, count in found.items() if count}
    finally:
        await connection.close()


async def dropped(dsn: str, run: RunPath) -> int:
    """Return how many records of a deleted run were dropped, by any consumer."""
    connection = await asyncpg.connect(dsn)
    try:
        return int(
            await connection.fetchval("select sum(dropped) from runtime.deleted_run where run = $1", run_key(run))
        )
    finally:
        await connection.close()


def test_a_deleted_run_is_gone_for_good(served: Served, api: Api) -> None:
    """All consumers delete it, drop what its process still sends, and its id is refused; other runs are unchanged."""
    dsn = served.settings["RUNSTREAM_POSTGRES"]
    gone, kept = (new_recording(name, project=_PROJECT).start({"lr": 1}, name=name) for name in ("gone", "kept"))
    for writer in (gone, kept):
        served.store(writer.beat().rows([{"loss": 1.0}]).summary(best=1).alert("hot").file("a.txt", b"content"))
    eventually(lambda: "liveness.outbox" not in run_aside(rows_of(dsn, kept.run)))
    before = run_aside(rows_of(dsn, kept.run))
    assert {table.partition(".")[0] for table in before} >= {"history", "summary", "liveness", "alerts", "files"}

    run = api.run(str(gone.run))
    run.delete()

    for call in (lambda: run.load(force=True), lambda: api.run(str(gone.run))):
        with pytest.raises(NotFoundError, match="was deleted"):
            call()
    assert [one.id for one in api.runs(_PROJECT)] == ["kept"]
    eventually(lambda: run_aside(rows_of(dsn, gone.run)) == {})
    assert run_aside(rows_of(dsn, kept.run)) == before

    served.publish(gone.beat(1).rows([{"loss": 2.0}], first_step=1).alert("again").exit())
    eventually(lambda: run_aside(dropped(dsn, gone.run)) >= 6)  # rows and exits have two readers
    assert run_aside(rows_of(dsn, gone.run)) == {}
    assert served.ask(f"/api/v1/runs{path(gone.run)}").json()["error"]["code"] == "run_deleted"
    with pytest.raises(NotFoundError, match="was deleted"):
        run.delete()
    with pytest.raises(UsageError, match="was deleted"):
        api.create_run(run_id="gone")
    served.store(kept.rows([{"loss": 3.0}], first_step=1))
    assert api.run(str(kept.run)).summary["loss"] == 3.0


def test_a_chart_that_is_kept_shows_the_rows_there_are(served: Served, api: Api) -> None:
    """It has its entity tag while nothing changes, new rows as they arrive, and nothing once the run was deleted."""
    project = "kept-charts"
    recording = new_recording("chart", project=project).start({}).rows([{"loss": 1.0}, {"loss": 2.0}])
    served.store(recording)
    run_path, together = f"/api/v1/runs{path(recording.run)}/series", f"/api/v1/projects/ada/{project}/series"

    def read(source: str, **headers: str) -> httpx.Response:
        asked = {"run": "chart", "keys": "loss"} if source == together else {"keys": "loss"}
        sent = {"Authorization": f"Bearer {TOKEN}", **headers}
        return httpx.get(f"{served.url}{source}", params=asked, headers=sent, timeout=60)

    before = {source: [read(source) for _ in range(2)] for source in (run_path, together)}
    for source, (first, again) in before.items():
        assert (first.text, first.headers["ETag"]) == (again.text, again.headers["ETag"])
        assert read(source, **{"If-None-Match": first.headers["ETag"]}).status_code == 304
    recording.rows([{"loss": 7.0}], first_step=2)
    served.store(recording)
    for source, (first, _) in before.items():
        changed = read(source, **{"If-None-Match": first.headers["ETag"]})
        assert '"values":[1.0,2.0]' in first.text
        assert '"values":[1.0,2.0,7.0]' in changed.text
        assert changed.headers["ETag"] != first.headers["ETag"]
    api.run(str(recording.run)).delete()
    eventually(lambda: read(together).json()["runs"][0]["series"] == [], within=30)
    assert read(run_path).json()["error"]["code"] == "run_deleted"


def test_a_deleted_run_cannot_be_resumed(api: Api, tmp_path_factory: pytest.TempPathFactory) -> None:
    """``init()`` refuses its id in every mode of resuming, and without one."""
    api.create_run(run_id="ended", state="pending").delete()
    for resume in ("allow", "must", "never", None):
        more: dict[str, Any] = {"dir": str(tmp_path_factory.mktemp("deleted")), "resume": resume}
        with pytest.raises(UsageError, match="was deleted"):
            runstream.init(project=_PROJECT, id="ended", **more)


def test_the_process_of_a_deleted_run_is_asked_to_stop(api: Api, tmp_path_factory: pytest.TempPathFactory) -> None:
    """``run.should_stop`` becomes true within seconds; the process ends as usual."""
    folder = str(tmp_path_factory.mktemp("stopped"))
    with runstream.init(project=_PROJECT, id="stopped", dir=folder) as run:
        run.log({"loss": 1.0})
        eventually(lambda: _is_known(api, "stopped"))
        assert not run.should_stop
        api.run(f"{_PROJECT}/stopped").delete()
        eventually(lambda: run.should_stop)
        run.log({"loss": 2.0})
    assert not _is_known(api, "stopped")


def _is_known(api: Api, run_id: str) -> bool:
    try:
        return bool(api.run(f"{_PROJECT}/{run_id}").load())
    except NotFoundError:
        return False
