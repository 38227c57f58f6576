"""Requests that are drawn from the API's own description are answered as it says, and never by a server error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from schemathesis.core.failures import FailureGroup

from runstream_schemas.events import Stream
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN, served_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.object_store import ObjectStore
    from runstream_deploy.services.postgres import Postgres
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
#: Requests of each route.
_EXAMPLES = 12
#: Has no end.
_ENDLESS = "^/api/v1/projects/.*/follow$"


@pytest.fixture(scope="module")
def served(
    broker: str,
    postgres: Postgres,
    object_store: ObjectStore,
    reaper: Reaper,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """Run an API of this module, since requests change what others would read."""
    with served_anew(broker, postgres, object_store, reaper, tmp_path_factory.mktemp("schema")) as served:
        yield served


@pytest.fixture(scope="module")
def drawn(served: Served) -> Recording:
    """Return a run with something of everything, which has ended."""
    recording = new_recording("drawn", project="drawn").start({"lr": 0.1}, name="drawn", tags=["a"])
    recording.rows([{"loss": 1 / (step + 1), "text": "x", "deep": {"nan": float("nan")}} for step in range(30)])
    recording.rows([{"cpu": 1.0}], stream=Stream.SYSTEM).alert("hot").file("a.txt", b"content")
    line = {"stream": "stdout", "text": "line", "label": "", "host": "h"}
    recording.rows([line], stream=Stream.CONSOLE).summary(best=1).exit()
    served.store(recording)
    return recording


def _known(case: Any, recording: Recording, served: Served) -> None:
    """Let a request be about something that exists."""
    run = recording.run
    names: dict[str, Any] = {
        "entity": run.entity,
        "project": run.project,
        "run_id": run.run_id,
        "path": "a.txt",
        "name": "a",
    }
    names |= {"subject": f"{served.prefix}.log-value", "identifier": 1}
    case.path_parameters.update({key: names[key] for key in case.path_parameters if key in names})


def _failures(operation: Any, drawn: Recording, served: Served) -> list[str]:
    """Return what is wrong with the answers of a route."""
    found: list[str] = []
    deletes = operation.label == "DELETE /api/v1/runs/{entity}/{project}/{run_id}"

    @settings(
        max_examples=_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_known=st.booleans())
    def check(case: Any, is_known: bool) -> None:  # noqa: FBT001 — drawn
        if is_known and not deletes:
            _known(case, drawn, served)
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        is_server_error = answer.status_code >= 500 and "retry-after" not in answer.headers
        try:
            case.validate_response(answer, checks=_CHECKS)
        except FailureGroup as failures:
            found.append(f"{operation.label}: {answer.status_code}: {failures.exceptions}")
        if is_server_error:
            found.append(f"{answer.status_code}: {case.as_curl_command()}")

    check()
    return found


def test_answers_are_as_described(served: Served, drawn: Recording) -> None:
    """Of each route, whatever the parameters and the body: a documented status, media type and content."""
    schema = schemathesis.openapi.from_dict(served.get("/api/v1/openapi.json"))
    schema.config.update(base_url=served.url)
    # An error says what is invalid in the description.
    operations: list[Any] = [one.ok() for one in schema.exclude(path_regex=_ENDLESS).get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) > 60
    failures = [failure for operation in operations for failure in _failures(operation, drawn, served)]
    assert not failures, "\n".join(failures)
