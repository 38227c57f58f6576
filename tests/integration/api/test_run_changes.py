"""Runs that are created and changed through the API, from the call of the client to what readers show."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

import runstream
from runstream.apis.public import Run
from runstream.exceptions import DataError, UsageError
from runstream.public_api.api import Api
from runstream.public_api.exceptions import NotFoundError
from runstream_schemas.events import ExitState
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN, path
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_PROJECT = "changes"


@pytest.fixture
def api(served: Served, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return an Api of the server."""
    monkeypatch.setenv("RUNSTREAM_URL", served.url)
    monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
    return Api({"project": _PROJECT})


def recorded(served: Served, run_id: str) -> Recording:
    """Return a stored run that is running."""
    writer = new_recording(run_id, project=_PROJECT).start({"lr": 0.1, "opt": {"name": "sgd"}}, tags=["a"], notes="old")
    served.store(writer.beat().rows([{"loss": 1.0, "acc": 0.5}]))
    return writer


def test_changes_are_published_and_stored(served: Served, api: Api) -> None:
    """What was set, added and removed is what another client reads, of every kind of change, in one call."""
    writer = recorded(served, "changed")
    run = api.run(str(writer.run))
    run.name, run.notes, run.group, run.job_type = "better", None, "g", "eval"
    run.tags.append("b")
    run.config["lr"] = np.float32(0.5)
    run.config["opt"]["name"] = "adam"
    run.config["layers"] = (1, np.arange(2))
    run.summary["loss"] = math.inf
    del run.summary["acc"]

    run.update()

    again = api.run(str(writer.run))
    for one in (run, again):
        assert (one.name, one.notes, one.group, one.job_type, one.tags) == ("better", None, "g", "eval", ["a", "b"])
        assert one.config == {"lr": 0.5, "opt": {"name": "adam"}, "layers": [1, [0, 1]]}
        assert one.summary["loss"] == math.inf
        assert "acc" not in one.summary
    assert len(run.delivery["writers"]) == 2
    run.save()  # nothing changed since
    assert len(api.run(str(writer.run)).delivery["writers"]) == 2


def test_a_summary_is_published_by_itself(served: Served, api: Api) -> None:
    """Its ``update()`` publishes earlier changes too, keeps those of the config, and removes nothing logged since."""
    writer = recorded(served, "summarized")
    run = api.run(str(writer.run))
    summary, run.config["lr"] = run.summary, 7
    served.store(writer.rows([{"later": 1}], first_step=1))
    summary["best"] = 0.9
    summary.update({"loss": 0.25, "best": 0.8}, overwrite=False)
    summary.update({"best": 0.95})
    assert (summary["best"], summary["loss"], summary["later"]) == (0.95, 1.0, 1)
    stored = api.run(str(writer.run))
    assert (stored.summary["best"], stored.summary["later"], stored.config["lr"]) == (0.95, 1, 0.1)
    run.update()
    assert api.run(str(writer.run)).config["lr"] == 7


def test_invalid_changes_are_refused(served: Served, api: Api) -> None:
    """A value without JSON, an invalid tag and an unknown run are errors; nothing is published."""
    writer = recorded(served, "refused")
    run = api.run(str(writer.run))
    run.config["x"] = object()
    with pytest.raises(DataError, match="'x'"):
        run.update()
    run.load(force=True)
    run.tags.append("")
    with pytest.raises(ValueError, match="tag"):
        run.update()
    url = f"{served.url}/api/v1/runs{path(writer.run)}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    deep: dict[str, object] = {}
    for _ in range(70):
        deep = {"d": deep}
    bodies: list[object] = [
        {"color": "red"},
        {"tags": ["x" * 65]},
        {"name": 7},
        {"config": {"set": {"": 1}}},
        {"config": {"set": {"x": deep}}},
        {"summary": {"set": {"x": "y" * 1_100_000}}},
    ]
    answers = [httpx.patch(url, json=body, headers=headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [422] * len(bodies)
    assert httpx.patch(f"{url}-unknown", json={"name": "x"}, headers=headers).status_code == 404
    assert len(run.delivery["writers"]) == 1


def test_a_created_run_is_pending_until_a_process_writes(served: Served, api: Api) -> None:
    """It has no rows and keeps its state; a second creation is refused; a new process makes it running."""
    run = Run.create(api, run_id="created", state="pending")
    assert (run.path, run.state, run.lastHistoryStep) == (["ada", _PROJECT, "created"], "pending", -1)
    assert len(run.name.split("-")) == 3  # two words and a number
    with pytest.raises(UsageError, match="exists"):
        api.create_run(run_id="created")
    key = str(uuid.uuid4())
    url, headers = f"{served.url}/api/v1/runs/ada/{_PROJECT}/twice", {"Idempotency-Key": key}
    headers["Authorization"] = f"Bearer {TOKEN}"
    answers = [httpx.post(url, json={"state": "pending"}, headers=headers, timeout=60) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    writer = new_recording("created", project=_PROJECT).start({}).beat()
    served.store(writer)
    eventually(lambda: run.load(force=True)["state"] == "running")
    assert [step["to"] for step in run.transitions] == ["pending", "running"]


def test_init_takes_over_a_created_run(api: Api, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A process that resumes a created run logs from step 0, whichever mode of resuming it names."""
    folder = tmp_path_factory.mktemp("taken")
    for resume in ("must", "allow"):
        created = api.create_run(run_id=f"taken-{resume}", state="pending")
        with runstream.init(project=_PROJECT, id=created.id, resume=resume, dir=str(folder), config={"lr": 1}) as run:
            assert run.resumed
            run.log({"loss": 1.0})
        created.wait_until_finished()
        assert (created.state, created.config, created.lastHistoryStep) == ("finished", {"lr": 1}, 0)


def test_a_resumed_run_replaces_summary_values_that_were_set(
    served: Served, api: Api, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A value set through the API holds against the process that was running, and not against one that resumes."""
    writer = recorded(served, "summary-resumed")
    run = api.run(str(writer.run))
    run.summary.update({"loss": 5.0, "note": "by hand"})
    served.store(writer.rows([{"loss": 4.0}], first_step=1).exit())
    assert run.load(force=True)["summary"]["loss"] == 5.0
    folder = str(tmp_path_factory.mktemp("resumed"))
    with runstream.init(project=_PROJECT, id="summary-resumed", resume="must", dir=folder) as resumed:
        resumed.log({"loss": 2.0})
        assert (resumed.summary["loss"], resumed.summary["note"]) == (2.0, "by hand")
    run.wait_until_finished()
    assert (run.summary["loss"], run.summary["note"]) == (2.0, "by hand")


def test_a_set_state_holds_until_a_new_process_writes(served: Served, api: Api) -> None:
    """Beats of the known process change nothing; only some transitions are allowed; a new process resumes the run."""
    writer = recorded(served, "requeued")
    run = api.run(str(writer.run))
    assert run.state == "running"
    assert run.update_state("failed") is True
    assert run.state == "failed"
    served.store(writer.beat(1).rows([{"loss": 2.0}], first_step=1))
    run.load(force=True)
    assert (run.state, run.summary["loss"]) == ("failed", 2.0)
    with pytest.raises(runstream.Error, match="Invalid transition from failed to failed"):
        run.update_state("failed")
    with pytest.raises(runstream.Error, match="state"):
        run.update_state("finished")  # type: ignore[arg-type]
    assert run.update_state("pending")
    assert run.transitions[-1] | {"time": 0} == {
        "time": 0,
        "from": "failed",
        "to": "pending",
        "reason": "set by ada",
    }
    served.store(new_recording("requeued", project=_PROJECT).start({}).beat())
    eventually(lambda: run.load(force=True)["state"] == "running")


def test_an_ended_run_can_be_queued_again_unless_it_finished(served: Served, api: Api) -> None:
    """A failed run becomes pending; a finished one does not."""
    for state, allowed in ((ExitState.FAILED, True), (ExitState.CRASHED, True), (ExitState.FINISHED, False)):
        writer = recorded(served, f"ended-{state.value}").exit(state)
        served.store(writer)
        run = api.run(str(writer.run))
        if allowed:
            run.update_state("pending")
            assert run.state == "pending"
        else:
            with pytest.raises(runstream.Error, match="Invalid transition"):
                run.update_state("pending")


def test_projects_are_created_and_found(served: Served, api: Api) -> None:
    """A created project is listed without runs; paths name projects, runs and the user."""
    writer = recorded(served, "found")
    project = api.create_project("empty project")
    assert (project.path, project.run_count) == (["ada", "empty project"], 0)
    assert api.project("empty project").url == f"{served.url}/ada/empty%20project"
    assert api.project(_PROJECT, entity="ada").run_count > 0
    with pytest.raises(NotFoundError, match="nothing"):
        api.project("nothing")
    with pytest.raises(UsageError, match="project"):
        api.create_project("..")
    assert (api.viewer.username, api.viewer.entity, api.default_entity) == ("ada", "ada", "ada")
    assert repr(api.from_path(f"ada/{_PROJECT}")) == f"<Project ada/{_PROJECT}>"
    assert repr(api.from_path(f"ada/{_PROJECT}/runs/found")).startswith(f"<Run ada/{_PROJECT}/found")
    found = api.from_path(str(writer.run))
    assert isinstance(found, Run)
    assert f"{found.url}?embed=true" in found.to_html()
    api.flush()
