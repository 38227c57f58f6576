"""The OpenAPI description, and responses compared with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_consumers.api.documents import models

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_PARTS: list[tuple[str, type[BaseModel]]] = [
    ("", models.RunDocument),
    ("/state", models.StateAnswer),
    ("/delivery", models.DeliveryReport),
    ("/alerts", models.AlertList),
    ("/resume-state", models.ResumeState),
    ("/standing", models.ResumeState),
    ("/history", models.SampledRows),
    ("/series", models.SeriesList),
    ("/scan", models.RowPage),
    ("/console", models.ConsoleAnswer),
    ("/system", models.SeriesList),
]


@pytest.mark.parametrize(("part", "model"), _PARTS)
def test_responses_match_their_models(
    served: Served, digits: Recording, ranks: tuple[Recording, Recording], part: str, model: type[BaseModel]
) -> None:
    """Each response has the fields of its model and no others, for an ended and for a running run."""
    for recording in (digits, ranks[0]):
        model.model_validate(served.run(recording, part))


def test_lists_and_errors_match_their_models(served: Served, digits: Recording) -> None:
    """Lists of projects and runs, and errors, have the fields of their models."""
    assert models.ProjectList.model_validate(served.get("/api/v1/projects")).projects
    page = models.RunList.model_validate(served.get("/api/v1/runs", project=digits.run.project))
    assert digits.run.run_id in [run.id for run in page.runs]
    problems = [served.ask("/api/v1/runs/a/b/c"), served.ask("/api/v1/nothing"), served.ask("/api/v1/runs", limit=0)]
    assert [answer.status_code for answer in problems] == [404, 404, 422]
    for answer in problems:
        models.ProblemAnswer.model_validate(answer.json())


def test_every_route_is_described(served: Served) -> None:
    """The description contains each path of the API with its response; pages are not part of it."""
    paths = served.get("/api/v1/openapi.json")["paths"]
    run = "/api/v1/runs/{entity}/{project}/{run_id}"
    expected = {"/api/v1/connect", "/api/v1/runs", "/api/v1/projects", "/schemas/ids/{identifier}", "/healthz"}
    assert expected | {f"{run}{part}" for part, _ in _PARTS} <= paths.keys()
    assert "/" not in paths
    schema = paths[run]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/RunDocument"}
