"""What the media of a run's page are made of: keys, steps, states of files, and rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.api.conftest import new_recording
from tests.integration.api.media_run import COLUMNS, media_run

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_TABLE = "media/table/scores_2.table.json"


@pytest.fixture(scope="module")
def recording(served: Served) -> Recording:
    """Publish a run with media; return its recording."""
    recording = media_run("media")
    served.store(recording)
    return recording


def _media(served: Served, recording: Recording, part: str = "", **parameters: Any) -> Any:
    run = recording.run
    return served.get(f"/{run.entity}/{run.project}/runs/{run.run_id}/media{part}", **parameters)


def test_the_media_of_a_run_are_listed_with_their_kinds(served: Served, recording: Recording) -> None:
    """Each key of the summary whose value is media has a panel; their parts have no charts."""
    panels = _media(served, recording)["panels"]

    kinds = {panel["key"]: panel["kind"] for panel in panels}
    assert kinds == {
        "ranking": "plot",
        "unknown": "plot",
        "sample": "image",
        "digits": "image",
        "scores": "table",
        "tone": "audio",
        "page": "html",
        "cloud": "object3d",
        "figure": "plotly",
        "solid": "object3d",
        "bad": "object3d",
        "story": "text",
        "molecule": "molecule",
        "lost": "image",
        "later": "image",
    }
    run = recording.run
    charts = served.get(f"/{run.entity}/{run.project}/runs/{run.run_id}/charts")
    assert [chart["key"] for section in charts["sections"] for chart in section["charts"]] == ["loss"]


def test_a_key_has_the_steps_at_which_it_was_logged(served: Served, recording: Recording) -> None:
    """Each step has its items with captions, boxes and masks."""
    steps = _media(served, recording, "/steps", key="sample")["steps"]

    assert [(one["step"], one["media"]["items"][0]["caption"]) for one in steps] == [
        (0, "step 0"),
        (1, "step 1"),
        (2, "step 2"),
    ]
    assert [one["states"] for one in steps] == [{}, {}, {}]
    last = steps[-1]["media"]["items"][0]
    assert [(one["name"], one["path"]) for one in (*last["masks"], *last["boxes"])] == [
        ("ground truth", "media/images/mask/sample_2.png"),
        ("predictions", "media/metadata/boxes2D/sample_2.boxes2D.json"),
    ]


@pytest.mark.parametrize(
    ("key", "state"),
    [
        ("lost", {"state": "dropped", "reason": "the image has no pixels"}),
        ("later", {"state": "uploading", "reason": ""}),
    ],
)
def test_files_that_are_not_stored_have_a_state(
    served: Served, recording: Recording, key: str, state: dict[str, str]
) -> None:
    """A lost file has the reason, one that is announced is being uploaded."""
    (step,) = _media(served, recording, "/steps", key=key)["steps"]
    assert step["states"] == {f"media/{key}.png": state}


def test_rows_of_a_table_are_paged_and_sorted(served: Served, recording: Recording) -> None:
    """Media in cells are described; numbers are sorted as numbers."""
    page = _media(served, recording, "/table", file=_TABLE, limit=2, offset=3)
    assert (page["columns"], page["whole"]) == (COLUMNS, False)
    assert [row[0] for row in page["rows"]] == ["row 3", "row 4"]
    assert page["rows"][0][2]["media"]["items"][0]["path"] == "media/images/digits_2_3.png"

    descending = _media(served, recording, "/table", file=_TABLE, limit=3, order=1, descending=True)
    assert [row[1] for row in descending["rows"]] == [2.4, 2.3, 2.2]
    assert (descending["counted"], descending["whole"]) == (25, True)


def test_a_chart_is_a_specification_with_the_rows_of_its_table(served: Served, recording: Recording) -> None:
    """A definition that is not known here is a problem that names the table."""
    found = _media(served, recording, "/plot", key="ranking")
    assert (found["spec"]["title"], found["spec"]["mark"], found["partial"]) == ("Scores by name", "point", False)
    assert [row["score"] for row in found["rows"][:2]] == [0.0, 0.7]
    run = recording.run
    answer = served.ask(f"/{run.entity}/{run.project}/runs/{run.run_id}/media/plot", key="unknown")
    assert (answer.status_code, "'scores'" in answer.json()["error"]["message"]) == (422, True)


@pytest.mark.parametrize(
    ("file", "code", "text"),
    [
        ("media/later.png", "not_uploaded", "not uploaded yet"),
        ("media/lost.png", "lost", "the image has no pixels"),
        ("config.yaml", "invalid_table", "Invalid table"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_problem(
    served: Served, recording: Recording, file: str, code: str, text: str
) -> None:
    """The response names the reason."""
    run = recording.run
    answer = served.ask(f"/{run.entity}/{run.project}/runs/{run.run_id}/media/table", file=file)
    error = answer.json()["error"]
    assert (error["code"], text in error["message"]) == (code, True)


def test_a_fork_shows_the_media_of_the_rows_that_it_inherits(served: Served, recording: Recording) -> None:
    """Files, tables and charts come from the run that was forked; a file of that run that no row names does not."""
    run = recording.run
    summary = served.get(f"/api/v1/runs/{run.entity}/{run.project}/{run.run_id}")["summary"]
    inherited = {key: value for key, value in summary.items() if not key.startswith("_")}
    # As clients do that begin a fork.
    fork = new_recording("media-fork").start({}).branch(run, 2).summary(**inherited)
    served.store(fork.rows([{"loss": 0.1}], first_step=3).exit())
    panels = {panel["key"]: panel["kind"] for panel in _media(served, fork)["panels"]}
    assert panels == {panel["key"]: panel["kind"] for panel in _media(served, recording)["panels"]}
    steps = _media(served, fork, "/steps", key="sample")["steps"]
    assert [(one["step"], one["states"]) for one in steps] == [(0, {}), (1, {}), (2, {})]
    assert _media(served, fork, "/table", file=_TABLE, limit=1)["rows"][0][0] == "row 0"
    assert _media(served, fork, "/plot", key="ranking")["spec"]["title"] == "Scores by name"
    files = f"/api/v1/runs/{fork.run.entity}/{fork.run.project}/{fork.run.run_id}/files"
    statuses = [served.ask(f"{files}/{name}").status_code for name in ("media/values/story_2.txt", "config.yaml")]
    assert (statuses, served.get(files)["files"]) == ([200, 404], [])
