"""The number of a run in its project, and the name that is displayed."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from tests.conftest import run_aside
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import ENTITY, TOKEN

if TYPE_CHECKING:
    from runstream_deploy.services.postgres import Postgres
    from tests.integration.api.serving import Served

_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


def _project() -> str:
    return f"p{uuid.uuid4().hex[:10]}"


def _number(served: Served, project: str, run_id: str) -> int:
    answer = httpx.post(f"{served.url}/api/v1/runs/{ENTITY}/{project}/{run_id}/number", headers=_TOKEN, timeout=120)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["number"])


async def _ask_quickly(served: Served, project: str, run_id: str) -> int:
    """Request a number on a separate connection, with less overhead than an HTTP client."""
    host = served.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = f"POST /api/v1/runs/{ENTITY}/{project}/{run_id}/number HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n"
    writer.write(f"{head}Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 120)
    writer.close()
    await writer.wait_closed()
    return int(json.loads(answer.partition(b"\r\n\r\n")[2])["number"])


def test_a_run_has_one_number_in_its_project(served: Served) -> None:
    """Numbers count from 1 in each project, and a repeated request returns the same number."""
    first, second = _project(), _project()

    assert [_number(served, first, run) for run in ("a", "b", "a", "c", "b")] == [1, 2, 1, 3, 2]
    assert _number(served, second, "a") == 1


def test_a_thousand_concurrent_runs_get_a_thousand_numbers(served: Served) -> None:
    """Concurrent requests in one project return different numbers without gaps, which do not change later."""
    project = _project()

    async def ask_all() -> list[list[int]]:
        return [
            await asyncio.gather(*(_ask_quickly(served, project, f"r{run}") for run in range(count)))
            for count in (1000, 50)
        ]

    first, again = run_aside(ask_all())

    assert sorted(first) == list(range(1, 1001))
    assert first[:50] == again


def test_concurrent_requests_for_one_run_return_one_number(served: Served) -> None:
    """The ranks of a run that start at the same time get the same number."""
    project = _project()

    async def ask_all() -> set[int]:
        async with httpx.AsyncClient(timeout=120) as client:
            url = f"{served.url}/api/v1/runs/{ENTITY}/{project}/shared/number"
            answers = await asyncio.gather(*(client.post(url, headers=_TOKEN) for _ in range(50)))
            return {answer.json()["number"] for answer in answers}

    assert run_aside(ask_all()) == {1}


def test_a_lost_counter_continues_above_published_numbers(served: Served, postgres: Postgres) -> None:
    """Without the schema ``control``, runs keep their published numbers, and no other run gets one of them."""
    project = _project()
    known = new_recording("known", project=project).start({}, generated_name="calm-lake", number=41)
    named = new_recording("named", project=project).start({}, name="mine")
    served.store(known, named)

    async def drop() -> None:
        connection = await asyncpg.connect(postgres.address(served.prefix))
        await connection.execute("drop schema if exists control cascade")
        await connection.execute("delete from runtime.migration where schema = 'control'")
        await connection.close()

    run_aside(drop())
    httpx.post(f"{served.url}/api/v1/runs/{ENTITY}/{project}/any/number", headers=_TOKEN, timeout=120)

    assert _number(served, project, "known") == 41
    assert _number(served, project, "another") > 41


def test_the_displayed_name_is_the_best_one_available(served: Served) -> None:
    """A given name takes precedence over the generated one with its number, and that over the id."""
    project = _project()
    given: dict[str, dict[str, Any]] = {
        "named": {"name": "mine", "generated_name": "calm-lake", "number": 3},
        "numbered": {"generated_name": "calm-lake", "number": 3},
        "offline": {"generated_name": "calm-lake"},
        "bare": {},
    }
    served.store(*(new_recording(run, project=project).start({}, **attributes) for run, attributes in given.items()))

    found = {run["id"]: run["name"] for run in served.get("/api/v1/runs", entity=ENTITY, project=project)["runs"]}
    assert found == {"named": "mine", "numbered": "calm-lake-3", "offline": "calm-lake", "bare": "bare"}
    page = served.ask(f"/{ENTITY}/{project}").text
    assert "calm-lake-3" in page


def test_both_spellings_of_the_default_project_are_accepted(served: Served) -> None:
    """``uncategorized`` is ``Uncategorized`` in the path of a run, in lists, on pages and for numbers."""
    run = f"r{uuid.uuid4().hex[:8]}"
    served.store(new_recording(run, project="Uncategorized").start({}, name="mine"))

    for project in ("Uncategorized", "uncategorized"):
        document = served.get(f"/api/v1/runs/{ENTITY}/{project}/{run}")
        assert (document["project"], document["id"]) == ("Uncategorized", run)
        listed = served.get("/api/v1/runs", entity=ENTITY, project=project)["runs"]
        assert run in {one["id"] for one in listed}
        assert served.ask(f"/{ENTITY}/{project}/runs/{run}").status_code == 200
    assert _number(served, "uncategorized", "x") == _number(served, "Uncategorized", "x")


def test_a_number_for_an_invalid_name_is_refused(served: Served) -> None:
    """The response to a path that no run can have is 422 with the reason."""
    answer = httpx.post(f"{served.url}/api/v1/runs/{ENTITY}/p/a%00b/number", headers=_TOKEN, timeout=120)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")
