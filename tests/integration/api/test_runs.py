"""Runs, their documents, states and delivery, read over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_schemas import values
from runstream_schemas.events import ExitState
from tests.integration.api.conftest import ROWS, new_recording
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


def test_run_is_one_document(served: Served, digits: Recording) -> None:
    """The document of a run has its name, state, config, summary and other properties."""
    document = values.load(served.ask(f"/api/v1/runs/{digits.run}").text)
    expected = {
        "entity": "ada",
        "project": "digits",
        "id": "digits",
        "name": "bright-river-1",
        "state": "finished",
        "tags": ["baseline"],
        "notes": "A note.",
        "group": "g",
        "job_type": "train",
        "last_step": ROWS - 1,
        "config": {"lr": 0.1, "optimizer": {"name": "sgd", "momentum": 0.9}, "limit": float("inf")},
        "metadata": {"host": "node-7"},
        "url": f"{served.url}/ada/digits/runs/digits",
    }
    assert expected == {name: document[name] for name in expected}
    assert document["summary"]["best"] == 0.97
    assert document["summary"]["epoch"] == 19


def test_run_without_metadata_has_a_page(served: Served) -> None:
    """A run of which only heartbeats have arrived has a page, which names no host."""
    beating = new_recording("beating", project="heartbeats").beat()
    served.store(beating)
    page = served.ask("/ada/heartbeats/runs/beating")
    assert page.status_code == 200
    assert "node-7" not in page.text


def test_non_finite_numbers_are_tagged_in_json(served: Served, digits: Recording) -> None:
    """An infinity in the config is a tagged value, which is valid JSON."""
    assert served.run(digits, "/config")["limit"] == {"_type": "float", "value": "Infinity"}


def test_summary_and_config_have_separate_paths(served: Served, digits: Recording) -> None:
    """The parts equal those of the document."""
    document = served.run(digits)
    assert document["summary"] == served.run(digits, "/summary")
    assert document["config"] == served.run(digits, "/config")


def test_state_has_writers_and_transitions(served: Served, digits: Recording) -> None:
    """The state has each writer's end, and each transition with its reason."""
    state = served.run(digits, "/state")
    assert state["state"] == "finished"
    assert {"primary", "shipper"} == {writer["role"] for writer in state["writers"]}
    assert state["transitions"][-1]["to"] == "finished"
    assert all(transition["reason"] for transition in state["transitions"])


def test_delivery_is_complete_when_all_has_arrived(served: Served, digits: Recording) -> None:
    """Delivery is complete if every counted record is stored."""
    delivery = served.run(digits, "/delivery")
    assert delivery["complete"]
    trainer = next(writer for writer in delivery["writers"] if writer["role"] == "primary")
    assert trainer["topics"]["log"] == {"stored": ROWS, "lost": 0, "losses": [], "counted": ROWS, "missing": []}


def test_delivery_lists_missing_ranges(served: Served) -> None:
    """Missing rows are listed, in the middle and at the end."""
    writer = new_recording("gaps").start({}).rows([{"a": 1}] * 5).rows([{"a": 2}] * 5, first_step=8, seq=8)
    writer.leave_out(2).exit(ExitState.FAILED, exit_code=1)
    served.publish(writer)

    def response() -> bool:
        delivery = served.run(writer, "/delivery")
        expected = {"stored": 10, "lost": 0, "losses": [], "counted": 15, "missing": [[5, 8], [13, 15]]}
        assert [expected] == [one["topics"]["log"] for one in delivery["writers"]]
        return not delivery["complete"]

    eventually(response)


def test_running_writer_has_no_counts(served: Served, ranks: tuple[Recording, Recording]) -> None:
    """Delivery of a running run has the stored records, and is not complete."""
    delivery = served.run(ranks[0], "/delivery")
    assert not delivery["complete"]
    assert delivery["writers"][0]["topics"]["log"] == {
        "stored": 10,
        "lost": 0,
        "losses": [],
        "counted": None,
        "missing": [],
    }


def test_runs_are_listed_newest_first_and_paged(served: Served) -> None:
    """Pages have no gaps or overlaps, and the last one has no cursor."""
    writers = [new_recording(f"page-{number}", project="paged", later_s=number).start({}).exit() for number in range(5)]
    for writer in writers:
        served.store(writer)
    found, after = [], None
    while True:
        parameters = {"entity": "ada", "project": "paged", "limit": 2, **({"after": after} if after else {})}
        page = served.get("/api/v1/runs", **parameters)
        found += [run["id"] for run in page["runs"]]
        after = page["next"]
        if after is None:
            break
    assert found == [f"page-{number}" for number in (4, 3, 2, 1, 0)]


def test_projects_are_listed(served: Served, digits: Recording) -> None:
    """A project has its name, its runs and its page."""
    projects = {project["project"]: project for project in served.get("/api/v1/projects")["projects"]}
    assert projects["digits"]["entity"] == digits.run.entity
    assert projects["digits"]["runs"] >= 1
    assert projects["digits"]["url"] == f"{served.url}/ada/digits"


def test_unknown_run_is_not_found(served: Served) -> None:
    """Every path below an unknown run responds 404 with the run's name."""
    for part in (
        "",
        "/state",
        "/config",
        "/summary",
        "/delivery",
        "/history",
        "/series",
        "/scan",
        "/console",
        "/system",
    ):
        answer = served.ask(f"/api/v1/runs/ada/digits/nothing{part}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "run_not_found")
        assert "ada/digits/nothing" in answer.json()["error"]["message"]


def test_unknown_path_has_the_error_format(served: Served) -> None:
    """The error of an unknown path has a code and a message."""
    answer = served.ask("/api/v1/nothing/at/all")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_invalid_cursor_is_refused(served: Served) -> None:
    """An invalid cursor is refused, not ignored."""
    for after in ("x", "AAAA", "%00", "é"):
        answer = served.ask("/api/v1/runs", after=after)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")


def test_odd_names_are_found(served: Served) -> None:
    """Names with spaces, quotes, dots, percent signs and letters of any script are found by their quoted path."""
    writer = new_recording("a b'\"%41.ü☃", project="odd & name").start({}, name="x").exit()
    served.store(writer)
    assert served.run(writer)["id"] == writer.run.run_id
