"""Commands to runs, from the request to the run's document."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx

from runstream_consumers.api.documents import models
from runstream_schemas.events import Role
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN, path
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


def stop(served: Served, recording: Recording, **headers: str) -> httpx.Response:
    """Return the answer to a request that a run be stopped."""
    url = f"{served.url}/api/v1/runs{path(recording.run)}/stop"
    return httpx.post(url, headers={"Authorization": f"Bearer {TOKEN}"} | headers, timeout=120)


def asked(served: Served, recording: Recording) -> list[str]:
    """Return the writers that a shipper learns are to stop."""
    return models.StopState.model_validate(served.run(recording, "/stop")).writers


def test_stop_applies_to_running_writers(served: Served) -> None:
    """A stop request applies to running writers only; shippers and the run document show it."""
    run = new_recording("stopped").start({})
    ended, shipper = (new_recording("stopped", role=role).start({}) for role in (Role.WORKER, Role.SHIPPER))
    served.store(run, ended.exit(), shipper)
    assert asked(served, run) == []
    assert served.run(run)["stop_requested"] is False

    answer = stop(served, run)

    assert models.StopAnswer.model_validate(answer.json()).writers == [run.id.hex()]
    eventually(lambda: asked(served, run) == [run.id.hex()])
    assert served.run(run)["stop_requested"] is True


def test_repeated_request_is_one_command(served: Served) -> None:
    """The key of a request is the id of the command's writer, which appends one record."""
    run = new_recording("stopped-twice").start({})
    served.store(run)
    key = uuid.uuid4()
    assert [stop(served, run, **{"Idempotency-Key": str(key)}).status_code for _ in range(2)] == [200, 200]

    def command() -> dict[str, Any] | None:
        writers = served.run(run, "/delivery")["writers"]
        return next((one for one in writers if one["writer"] == key.hex and one["topics"]["config"]["stored"]), None)

    found = eventually(command)
    assert found is not None
    assert (found["topics"]["config"]["stored"], found["topics"]["config"]["missing"]) == (1, [])


def test_invalid_stop_requests_are_refused(served: Served, digits: Recording) -> None:
    """An ended run, an unknown run, an invalid key and a wrong token are refused with different statuses."""
    unknown = new_recording("unknown")
    answers = [stop(served, digits), stop(served, unknown), stop(served, digits, **{"Idempotency-Key": "again"})]
    answers.append(stop(served, digits, Authorization="Bearer wrong"))
    assert [answer.status_code for answer in answers] == [409, 404, 422, 401]
    for answer in answers:
        models.ProblemAnswer.model_validate(answer.json())
    assert asked(served, unknown) == []
